"""A browser by name, from what it says of itself; pure. Owns no truth: whoever asks may say what they like."""

from __future__ import annotations

# The first that is found counts: each later one is also named by those before it.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_LONGEST = 60


def browser_name(user_agent: str) -> str:
    """Such as `Firefox, Linux`; what is no browser's is shown as it is, shortened, and nothing as nothing."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if not browser:
        return user_agent if len(user_agent) <= _LONGEST else f"{user_agent[: _LONGEST - 1]}…"
    return f"{browser}, {system}" if system else browser
