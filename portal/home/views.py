"""The first page and its meters, which renew themselves."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from core.clock import utc_now
from portal.figures import bill_or_none, currency_of, daily_usage, example_model, readings_or_none
from portal.guard import requires
from portal.home.checklist import checklist
from portal.home.meters import meters_of
from portal.keys.selectors import keys_of
from portal.request import PortalRequest, base_url
from portal.usage.filters import UsageFilter
from portal.usage.series import charts_of, totals_of
from tenants.api import Permission, allows


@require_GET
@requires(Permission.HOME_VIEW)
def home(request: PortalRequest) -> HttpResponse:
    now = utc_now()
    tenant_id, role = request.tenant.id, request.membership.role
    bill = bill_or_none(tenant_id, now)
    days = daily_usage(tenant_id, UsageFilter(days=14), now)
    totals = totals_of(days)
    has_key = bool(keys_of(tenant_id, now=now))
    context = {
        **_meters(request),
        "bill": bill,
        "currency": currency_of(bill),
        "may_see_bill": allows(role, Permission.BILL_VIEW),
        "charts": charts_of(days, currency_of(bill)),
        "days": days,
        "totals": totals,
        "steps": checklist(role=role, has_key=has_key, has_usage=totals.requests > 0),
        "is_new": not (has_key and totals.requests),
        "base_url": base_url(request),
        "example_model": example_model(tenant_id, now),
    }
    return render(request, "portal/home/page.html", context)


@require_GET
@requires(Permission.HOME_VIEW)
def meters(request: PortalRequest) -> HttpResponse:
    return render(request, "portal/home/meters.html", _meters(request))


def _meters(request: PortalRequest) -> dict[str, object]:
    now = utc_now()
    readings = readings_or_none(request.tenant.id, now)
    currency = currency_of(bill_or_none(request.tenant.id, now))
    return {"meters": None if readings is None else meters_of(readings, currency), "as_of": now}
