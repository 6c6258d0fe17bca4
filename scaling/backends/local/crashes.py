"""Back-off of one tenant whose workers die on their own: pure bookkeeping, touches no process."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
STABLE_SECONDS = 30.0
"""A worker that lived this long after becoming ready was not part of a crash loop."""


@dataclass(frozen=True, slots=True)
class Crashes:
    """`count` deaths in a row; no new start before `retry_at` (epoch seconds)."""

    count: int = 0
    retry_at: float = 0.0

    def after_death(self, lived_seconds: float, now: float) -> Crashes:
        count = 1 if lived_seconds >= STABLE_SECONDS else self.count + 1
        return Crashes(count, now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (count - 1)))

    def after_ready(self, ready_seconds: float) -> Crashes:
        """Forget the row of deaths once a worker has stayed up."""
        return Crashes() if self.count and ready_seconds >= STABLE_SECONDS else self

    def retry_in(self, now: float) -> float:
        return max(0.0, self.retry_at - now)
