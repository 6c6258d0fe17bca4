"""How long to wait before a crashed component is started again; pure."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS, LONGEST_SECONDS, HEALTHY_SECONDS = 0.2, 15.0, 30.0


@dataclass(slots=True)
class Backoff:
    """Doubles with each crash in a row; a component that lived for half a minute begins anew."""

    crashes: int = 0

    def after_crash(self, lived: float) -> float:
        """Seconds to wait after a component that lived `lived` seconds has ended."""
        self.crashes = 1 if lived >= HEALTHY_SECONDS else self.crashes + 1
        return min(LONGEST_SECONDS, FIRST_SECONDS * float(1 << min(self.crashes - 1, 16)))
