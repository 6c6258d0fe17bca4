"""Which signing keys are in force at an instant; pure: reads no file and no clock.

A new key is published PUBLISH_AHEAD before it signs, so that whoever keeps a copy of the public keys has it by then,
and the one before it stays valid until the last token that it signed is over. A key that was made `at_once`, because
one leaked, signs from its first moment and ends all before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

PUBLISH_AHEAD = timedelta(minutes=10)
ACCESS_LIFETIME = timedelta(minutes=5)
LEEWAY = timedelta(seconds=30)  # what clocks of two machines may differ by


@dataclass(frozen=True, slots=True)
class KeyAge:
    """When a key was made, and whether in a hurry."""

    made_at: datetime
    at_once: bool = False

    @property
    def signs_from(self) -> datetime:
        return self.made_at if self.at_once else self.made_at + PUBLISH_AHEAD


K = TypeVar("K", bound=KeyAge)


def signing_key(keys: Sequence[K], now: datetime) -> K:
    """The key that signs at `now`; `keys` are in the order in which they were made, one at least."""
    living = _living(keys)
    return next((key for key in reversed(living) if key.signs_from <= now), living[0])


def valid_keys(keys: Sequence[K], now: datetime) -> list[K]:
    """The keys whose signatures count at `now`, and those that will sign soon; what is published."""
    living = _living(keys)
    followers = living[1:]
    over = [follower.signs_from + ACCESS_LIFETIME + LEEWAY <= now for follower in followers]
    return [key for key, is_over in zip(living, [*over, False], strict=True) if not is_over]


def _living(keys: Sequence[K]) -> Sequence[K]:
    """The last key that was made at once and what came after it; all when there is none."""
    last = max((number for number, key in enumerate(keys) if key.at_once), default=0)
    return keys[last:]
