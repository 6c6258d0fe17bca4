"""Rates inside one process: the generic cell rate algorithm over a bounded table; integers of nanoseconds, no I/O.

A cell is admitted when its theoretical arrival time is at most `burst` cells ahead of now (ITU-T I.371, virtual
scheduling form). The table forgets whoever was quiet the longest.
"""

from __future__ import annotations

from collections import OrderedDict

SECOND = 1_000_000_000


class Gcra:
    """`rate` cells in `per_seconds` with `burst` cells at once, for each of at most `capacity` names."""

    __slots__ = ("_arrivals", "_capacity", "_interval", "_tolerance")

    def __init__(self, *, rate: int, burst: int, capacity: int = 1, per_seconds: int = 1) -> None:
        self._interval = max(1, per_seconds * SECOND // rate)
        self._tolerance = self._interval * max(1, burst)
        self._capacity = capacity
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    def wait(self, name: str, now: int) -> int:
        """0 when admitted, else the nanoseconds until the next cell would be; refusals cost nothing."""
        arrivals = self._arrivals
        arrival = arrivals.get(name, 0)
        planned = (arrival if arrival > now else now) + self._interval
        early = planned - now - self._tolerance
        if early > 0:
            return early
        arrivals[name] = planned
        arrivals.move_to_end(name)
        if len(arrivals) > self._capacity:
            arrivals.popitem(last=False)
        return 0

    def __len__(self) -> int:
        return len(self._arrivals)
