"""The newest isolation report of the workspace, in plain words; read here, run by operators and every night."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from portal.guard import requires
from portal.request import PortalRequest
from tenants.api import CheckResult, FenceKind, Outcome, Permission, last_reports, report_checks, title_of

_FENCES = {
    FenceKind.DATA: (_("Data"), _("Your rows and files are kept where no other workspace's code can read them.")),
    FenceKind.NETWORK: (_("Network"), _("Addresses that are entered here lead to the public internet only.")),
    FenceKind.COMPUTE: (_("Compute"), _("Your background work runs in processes of its own.")),
    FenceKind.STORAGE: (_("Storage"), _("What is stored sealed opens with your workspace's own key only.")),
}
_OUTCOMES = {
    Outcome.PASSED: (_("Holds"), "active"),
    Outcome.FAILED: (_("Does not hold"), "failed"),
    Outcome.NOT_APPLICABLE: (_("Nothing to try"), "revoked"),
    Outcome.COULD_NOT_RUN: (_("Could not be tried"), "expired"),
}


@dataclass(frozen=True, slots=True)
class _Row:
    title: str
    outcome: str | Promise
    state: str
    evidence: str


@dataclass(frozen=True, slots=True)
class _Fence:
    name: str | Promise
    promise: str | Promise
    rows: list[_Row]


@require_GET
@requires(Permission.ISOLATION_VIEW)
def isolation_page(request: PortalRequest) -> HttpResponse:
    reports = last_reports(request.tenant.id, limit=1)
    report = reports[0] if reports else None
    context = {"report": report, "fences": _by_fence(report_checks(report)) if report else []}
    return render(request, "portal/isolation/page.html", context)


def _by_fence(found: list[CheckResult]) -> list[_Fence]:
    return [
        _Fence(name, promise, [_row(result) for result in found if result.fence is kind])
        for kind, (name, promise) in _FENCES.items()
        if any(result.fence is kind for result in found)
    ]


def _row(result: CheckResult) -> _Row:
    outcome, state = _OUTCOMES[result.outcome]
    return _Row(title_of(result.name), outcome, state, result.evidence)
