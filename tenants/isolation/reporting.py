"""Running the isolation report of one tenant and keeping what it found; owns the history and its length."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from audit.api import SYSTEM, Actor, record
from core.tenancy import platform_scope
from tenants.data import TenantStatus
from tenants.isolation import data_fence, network_fence, storage_fence  # noqa: F401 - their checks join the list
from tenants.isolation.registry import CheckResult, FenceKind, Outcome, checks, run_check, summary
from tenants.metrics import ISOLATION_FAILED, ISOLATION_FAILURES
from tenants.models import IsolationReport, Tenant
from tenants.selectors import tenant_by_id

_FRESH = timedelta(hours=12)
KEEP = 100  # reports of one tenant


def run_isolation_report(*, tenant_id: str, acting: Actor, now: datetime) -> IsolationReport:
    """Run every check against the tenant as it is now, and keep the result. Raises TenantNotFound.

    The checks run before the transaction that keeps them: some of them must see the database refuse.
    """
    with platform_scope():
        tenant = tenant_by_id(tenant_id)
    began = time.perf_counter()
    results = tuple(run_check(check, tenant.ref) for check in checks())
    took = round((time.perf_counter() - began) * 1000)
    with platform_scope():
        report = _keep(tenant_id, results, took, acting, now)
    for result in results:
        if result.outcome in (Outcome.FAILED, Outcome.COULD_NOT_RUN):
            ISOLATION_FAILURES.labels(result.fence.value, result.outcome.value).inc()
    return report


def prove_all(*, now: datetime) -> int:
    """Run the report of every tenant that was not looked at since the last half day; how many do not pass."""
    with platform_scope():
        fresh = IsolationReport.objects.filter(ran_at__gt=now - _FRESH).values("tenant_id")
        gone = (TenantStatus.DELETING, TenantStatus.DELETED, TenantStatus.PROVISIONING)
        due = Tenant.objects.exclude(status__in=gone).exclude(pk__in=fresh).order_by("pk")
        ids = list(due.values_list("pk", flat=True))
    for tenant_id in ids:
        run_isolation_report(tenant_id=tenant_id, acting=SYSTEM, now=now)
    failing = failing_tenants()
    ISOLATION_FAILED.set(failing)
    return failing


def failing_tenants() -> int:
    """How many tenants' newest report is not passed."""
    with platform_scope():
        newest = IsolationReport.objects.order_by("tenant_id", "-id").distinct("tenant_id")
        return sum(report.outcome != Outcome.PASSED for report in newest.only("outcome", "tenant_id"))


@transaction.atomic
def _keep(tenant_id: str, results: tuple[CheckResult, ...], took: int, acting: Actor, now: datetime) -> IsolationReport:
    report = IsolationReport.objects.create(
        tenant_id=tenant_id,
        outcome=summary(results),
        checks=[asdict(result) for result in results],
        ran_at=now,
        took_ms=took,
        asked_by=acting.label[:200],
    )
    failed = [result.name for result in results if result.outcome is Outcome.FAILED]
    record(
        "isolation.report",
        actor=acting,
        tenant_id=tenant_id,
        target=report.public_id,
        detail={"outcome": report.outcome, "failed": failed},
    )
    stale = IsolationReport.objects.filter(tenant_id=tenant_id).order_by("-id").values_list("pk", flat=True)[KEEP:]
    IsolationReport.objects.filter(pk__in=list(stale)).delete()
    return report


def report_checks(report: IsolationReport) -> list[CheckResult]:
    """What a stored report found, in its order."""
    return [_revived(row) for row in report.checks]


def _revived(row: dict[str, Any]) -> CheckResult:
    return CheckResult(**{**row, "fence": FenceKind(row["fence"]), "outcome": Outcome(row["outcome"])})


def last_reports(tenant_id: str, *, limit: int = 20) -> list[IsolationReport]:
    """That tenant's reports, the newest first."""
    return list(IsolationReport.objects.filter(tenant_id=tenant_id).order_by("-id")[:limit])
