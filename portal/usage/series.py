"""Usage points as charts and totals; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial

from django.utils.translation import gettext as _

from billing.api import UsageFigures, UsagePoint
from portal import formats
from portal.charts import Chart, Number, draw


def totals_of(points: Iterable[UsagePoint]) -> UsageFigures:
    """The figures of all points together."""
    figures = [point.figures for point in points]
    return UsageFigures(
        requests=sum(each.requests for each in figures),
        failures=sum(each.failures for each in figures),
        input_tokens=sum(each.input_tokens for each in figures),
        cached_tokens=sum(each.cached_tokens for each in figures),
        output_tokens=sum(each.output_tokens for each in figures),
        charge=sum((each.charge for each in figures), Decimal(0)),
        unpriced=sum(each.unpriced for each in figures),
        latency_ms=sum(each.latency_ms for each in figures),
    )


def charts_of(points: Sequence[UsagePoint], currency: str) -> list[Chart]:
    """Requests, tokens and charge by day, side by side."""
    return [chart_of(metric, points, currency) for metric in ("requests", "tokens", "charge")]


def chart_of(metric: str, points: Sequence[UsagePoint], currency: str) -> Chart:
    """The chart of `requests`, `tokens` or `charge`."""
    every = max(1, -(-len(points) // 5))
    labelled: list[tuple[str, Number]] = [
        (formats.utc_day(point.starts_at), getattr(point.figures, metric)) for point in points
    ]
    total = sum((value for _, value in labelled), start=0)
    if metric == "charge":
        return draw(
            _("Charge"),
            labelled,
            total=_money(total, currency),
            exact=partial(_exact_money, currency=currency),
            short=partial(_money, currency=currency),
            label_every=every,
        )
    title = _("Requests") if metric == "requests" else _("Tokens")
    exact = formats.exact
    return draw(title, labelled, total=exact(total), exact=exact, short=formats.short, label_every=every)


def _money(amount: Number, currency: str) -> str:
    return formats.money(Decimal(amount), currency)


def _exact_money(amount: Number, currency: str) -> str:
    return formats.money_exact(Decimal(amount), currency)
