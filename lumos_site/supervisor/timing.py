"""How long each component took to start and how much of it went side by side; pure arithmetic and one table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StartTime:
    """Seconds on one clock. `waited` is what of it was spent waiting for others."""

    name: str
    began: float
    ready: float
    waited: float = 0.0

    @property
    def worked(self) -> float:
        return max(0.0, self.ready - self.began - self.waited)


def parallel_efficiency(times: list[StartTime], wall: float) -> float:
    """Sum of the components' own times over the wall time: 1.0 is one after the other."""
    return sum(time.worked for time in times) / wall if wall > 0 else 0.0


def timing_table(times: list[StartTime], zero: float, end: float) -> list[str]:
    """Lines for the terminal; `end` is when everything was ready.

    `zero` is when the command was typed, or had installed what it needs.
    """
    wall = end - zero
    rows = [f"  {'component':<12}{'began':>8}{'ready':>8}{'own time':>10}"]
    rows += [
        f"  {time.name:<12}{time.began - zero:>7.2f}s{time.ready - zero:>7.2f}s{time.worked:>9.2f}s"
        for time in sorted(times, key=lambda time: time.ready)
    ]
    total = sum(time.worked for time in times)
    efficiency = parallel_efficiency(times, wall)
    rows.append(f"  sum of own times {total:.2f} s / wall {wall:.2f} s = parallel efficiency {efficiency:.2f}")
    return rows
