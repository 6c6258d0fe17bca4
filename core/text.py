"""Which texts the database can hold; owns no rule about their meaning."""

from __future__ import annotations


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes the text: no null character, and no half of a surrogate pair, as JSON may bring."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """The text without what PostgreSQL does not take and UTF-8 cannot send."""
    return text.replace("\x00", "").encode(errors="replace").decode()
