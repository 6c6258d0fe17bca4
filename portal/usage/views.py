"""Usage by day and by model; what is shown stands in the address, so that it can be sent to a colleague."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from billing.api import UsageFigures
from core.clock import utc_now
from portal import formats
from portal.csvfile import Cell, csv_response
from portal.figures import bill_or_none, currency_of, daily_usage, model_shares
from portal.guard import requires
from portal.request import PortalRequest
from portal.usage.filters import SPANS, UsageFilter
from portal.usage.resources import resources_of
from portal.usage.series import chart_of, totals_of
from portal.usage.terms import terms_of
from tenants.api import Permission, effective_profile

_COLUMNS = (
    "day",
    "model",
    "requests",
    "failures",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "charge",
    "currency",
)


@require_GET
@requires(Permission.USAGE_VIEW)
def usage(request: PortalRequest) -> HttpResponse:
    now, wanted = utc_now(), UsageFilter.from_query(request.GET)
    days = daily_usage(request.tenant.id, wanted, now)
    shares = model_shares(request.tenant.id, wanted, now)
    currency = currency_of(bill_or_none(request.tenant.id, now))
    context = {
        "filter": wanted,
        "spans": SPANS,
        "metrics": [(name, wanted.query(metric=name)) for name in ("tokens", "requests", "charge")],
        "models": sorted({share.label for share in shares} | ({wanted.model} if wanted.model else set())),
        "chart": chart_of(wanted.metric, days, currency),
        "days": list(reversed(days)),
        "shares": [share for share in shares if wanted.model in ("", share.label)],
        "totals": totals_of(days),
        "currency": currency,
        "resources": resources_of(request.tenant.id),
        "export_query": wanted.query(),
        "as_of": now,
        "terms": terms_of(effective_profile(request.tenant.id, now=now)),
    }
    return render(request, "portal/usage/page.html", context)


@require_GET
@requires(Permission.USAGE_VIEW)
def usage_csv(request: PortalRequest) -> HttpResponse:
    """One row for each day and model with usage."""
    now, wanted = utc_now(), UsageFilter.from_query(request.GET)
    currency = currency_of(bill_or_none(request.tenant.id, now))
    models = [wanted.model] if wanted.model else [s.label for s in model_shares(request.tenant.id, wanted, now)]
    dated = [
        (point.starts_at, model, point.figures)
        for model in models
        for point in daily_usage(request.tenant.id, UsageFilter(wanted.days, model), now)
        if point.figures.requests
    ]
    rows = [
        (formats.utc_day(day), model, *_cells(figures), currency)
        for day, model, figures in sorted(dated, key=lambda row: row[:2])
    ]
    first, end = wanted.span(now)
    return csv_response(f"usage-{request.tenant.slug}-{first:%Y%m%d}-{end:%Y%m%d}", _COLUMNS, rows)


def _cells(figures: UsageFigures) -> tuple[Cell, ...]:
    return (
        figures.requests,
        figures.failures,
        figures.input_tokens,
        figures.cached_tokens,
        figures.output_tokens,
        figures.charge,
    )
