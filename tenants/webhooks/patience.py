"""When to try again and when to stop; pure. The pauses are those that the Standard Webhooks specification names."""

from __future__ import annotations

from datetime import timedelta

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400))
LONGEST = timedelta(days=1)  # that an answer's Retry-After is obeyed
PATIENCE, ENOUGH, AT_LEAST = timedelta(days=5), 100, timedelta(hours=12)


def wait_after(attempts: int, chance: float, asked: timedelta | None = None) -> timedelta | None:
    """The pause after so many failed attempts, None when it is given up. A tenth more or less by `chance` (0 to 1).

    `asked` is what the receiver wants to wait; more patience than ours counts, up to LONGEST.
    """
    if attempts > len(PAUSES):
        return None
    pause = PAUSES[attempts - 1] * (0.9 + chance / 5)
    return max(pause, min(asked or pause, LONGEST))


def is_hopeless(failures: int, failing_for: timedelta) -> bool:
    """Whether an endpoint that answered nothing well in that time is to be disabled: 5 days, or 100 in half a day."""
    return failing_for >= PATIENCE or (failures >= ENOUGH and failing_for >= AT_LEAST)


def retry_after(header: str) -> timedelta | None:
    """Retry-After in seconds (RFC 9110, 10.2.3); a date, or anything else, is not obeyed."""
    text = header.strip()
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else None
