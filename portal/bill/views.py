"""The running bill of the current period, as page and as file."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from billing.api import Bill
from core.clock import utc_now
from portal.bill.lines import LineRow, lines_of
from portal.csvfile import Cell, csv_response
from portal.figures import bill_or_none, period_by_model
from portal.guard import requires
from portal.request import PortalRequest
from tenants.api import Permission

_COLUMNS = ("line", "model", "step", "quantity", "rate", "amount", "currency", "period_from", "period_to")


@require_GET
@requires(Permission.BILL_VIEW)
def bill_page(request: PortalRequest) -> HttpResponse:
    now = utc_now()
    bill = bill_or_none(request.tenant.id, now)
    if bill is None:
        return render(request, "portal/bill/none.html")
    context = {"bill": bill, "lines": lines_of(bill), "shares": period_by_model(request.tenant.id, bill.period, now)}
    return render(request, "portal/bill/page.html", context)


@require_GET
@requires(Permission.BILL_VIEW)
def bill_csv(request: PortalRequest) -> HttpResponse:
    bill = bill_or_none(request.tenant.id, utc_now())
    rows = list(_rows(bill)) if bill else []
    return csv_response(f"bill-{request.tenant.slug}", _COLUMNS, rows)


def _rows(bill: Bill) -> Iterator[tuple[Cell, ...]]:
    tail = (bill.currency, bill.period.starts_at, bill.period.ends_at)
    for line in lines_of(bill):
        for step in () if line.is_fixed else line.steps:
            yield (line.label, line.model, step.label, step.quantity, step.rate, step.amount, *tail)
        yield (line.label, _model(line), "total", line.quantity, "", line.amount, *tail)
    yield ("total", "", "", None, "", bill.total, *tail)


def _model(line: LineRow) -> str:
    return "" if line.is_fixed else line.model
