"""What the operator pays for an event: the model's cost that was in force at the event's time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from billing.data import UsageFact
from billing.metering.contracts import to_ms
from billing.models import ModelCost
from billing.rating import exact_amount


class CostBook:
    """Costs by (provider, model), newest first, as integers of 10^-18."""

    def __init__(self, rows: Mapping[tuple[str, str], list[tuple[int, int, int, int]]]) -> None:
        self._rows = rows

    def cost_of(self, fact: UsageFact) -> Decimal | None:
        """The exact cost of a fact; None when nobody has said what the model costs."""
        for since, per_input, per_cached, per_output in self._rows.get((fact.provider, fact.model), ()):
            if since <= fact.occurred_at_ms:
                plain = fact.input_tokens - fact.cached_tokens
                return exact_amount(
                    plain * per_input + fact.cached_tokens * per_cached + fact.output_tokens * per_output
                )
        return None


def cost_book(models: Iterable[str]) -> CostBook:
    """The costs of these models at all their providers."""
    rows: dict[tuple[str, str], list[tuple[int, int, int, int]]] = defaultdict(list)
    for cost in ModelCost.objects.filter(model__in=set(models)).order_by("-effective_from"):
        rows[cost.provider, cost.model].append(
            (to_ms(cost.effective_from), _atto(cost.input_token), _atto(cost.cached_token), _atto(cost.output_token))
        )
    return CostBook(rows)


def _atto(amount: Decimal) -> int:
    """Columns hold 12 decimals, so this is exact."""
    return int(amount.scaleb(12)) * 10**6
