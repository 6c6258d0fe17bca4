"""The bookkeeper of the recovery tests: what PostgreSQL would know, as a totals provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from quotas.api import Period, PeriodTotals


@dataclass(slots=True)
class Books:
    """`totals` maps tenant ids to tokens and micro-units. `before_answer` happens while the books are read."""

    totals: dict[str, tuple[int, int]] = field(default_factory=dict)
    before_answer: Callable[[], object] = lambda: None
    fail_after: int | None = None
    asked: list[Period] = field(default_factory=list)

    def __call__(self, period: Period) -> Iterator[PeriodTotals]:
        self.asked.append(period)
        self.before_answer()
        for number, (tenant_id, (tokens, micro)) in enumerate(self.totals.items()):
            if number == self.fail_after:
                raise RuntimeError("the worker was killed here")
            yield PeriodTotals(tenant_id, period.id, tokens, micro)
