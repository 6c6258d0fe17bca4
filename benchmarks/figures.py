"""One measured figure beside its goal; owns how it is written, not how it is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """`values` are of the single runs; the median counts. `goal` None: measured for comparison only."""

    name: str
    unit: str
    values: tuple[float, ...]
    goal: float | None = None
    at_least: bool = False
    decimals: int = 2
    note: str = ""

    @property
    def value(self) -> float:
        return median(self.values) if self.values else 0.0

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def _written(self, value: float) -> str:
        return f"{value:,.{self.decimals}f}".replace(",", "\u202f")

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """Name, median, range of the runs, goal, verdict."""
        low, high = min(self.values, default=0.0), max(self.values, default=0.0)
        spread = f"{self._written(low)} to {self._written(high)}" if len(self.values) > 1 else ""
        goal = "" if self.goal is None else f"{'≥' if self.at_least else '≤'} {self._written(self.goal)} {self.unit}"
        verdict = {None: "", True: "met", False: "missed"}[self.met]
        note = f" ({self.note})" if self.note else ""
        return self.name + note, f"{self._written(self.value)} {self.unit}", spread, goal, verdict


HEAD = ("Figure", "Median", "Runs", "Goal", "")


def as_markdown(figures: list[Figure]) -> str:
    rows = [HEAD, tuple("---" for _ in HEAD), *(figure.row for figure in figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_text(figures: list[Figure]) -> str:
    rows: list[tuple[str, ...]] = [HEAD, *(figure.row for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    justify: list[Callable[[str, int], str]] = [str.ljust, str.rjust, str.rjust, str.rjust, str.ljust]
    return "\n".join(
        "  ".join(place(cell, width) for place, cell, width in zip(justify, row, widths, strict=True)).rstrip()
        for row in rows
    )
