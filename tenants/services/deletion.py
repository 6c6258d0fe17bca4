"""Deleting a tenant: asked for with its name typed, taken back during the grace period, then carried out by a job.

Owns the decision and the way back; what the job does is `tenants.services.erasure`'s.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from audit.api import Actor, Personal, emit, record
from core.errors import InvalidInput
from tenants.conf import deletion_grace
from tenants.data import OPEN_JOBS, JobKind, StepState, TenantChanged, TenantStatus
from tenants.errors import NameNotTyped, WrongStatus
from tenants.models import Tenant, TenantJob
from tenants.selectors import tenant_by_id
from tenants.services.jobs import cancel_open_jobs, job_steps, open_job, run_job
from tenants.services.sessions import end_api_sessions_in
from tenants.services.steps import GRACE
from tenants.webhooks.announce import announce
from tenants.webhooks.data import EventName

_DELETABLE = (TenantStatus.ACTIVE, TenantStatus.SUSPENDED, TenantStatus.ARCHIVED)
_WAY_BACK = {
    TenantStatus.ACTIVE: JobKind.RESUME,
    TenantStatus.SUSPENDED: JobKind.SUSPEND,
    TenantStatus.ARCHIVED: JobKind.ARCHIVE,
}


@transaction.atomic
def delete_tenant(
    *,
    tenant_id: str,
    typed_name: str,
    reason: str,
    acting: Actor,
    now: datetime,
    grace: timedelta | None = None,
    export: bool = False,
) -> Tenant:
    """Stop the tenant within 5 s like a suspension, and delete it for good after `grace` (LUMOS_DELETE_GRACE_DAYS).

    `export` makes one last backup, to be fetched while the grace period lasts. A second call changes nothing. Raises
    NameNotTyped unless `typed_name` is exactly the tenant's, InvalidInput, TenantNotFound and WrongStatus.
    """
    grace = deletion_grace() if grace is None else grace
    _check_wish(tenant_by_id(tenant_id), typed_name, reason, grace, export)
    if tenant_by_id(tenant_id).status == TenantStatus.DELETING:
        return tenant_by_id(tenant_id)
    cancel_open_jobs(tenant_id, now=now)
    tenant: Tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    before, reason_before = TenantStatus(tenant.status), tenant.status_reason
    if before not in _DELETABLE:
        raise WrongStatus(f"A tenant that is {tenant.get_status_display()} cannot be deleted")
    until = now + grace
    tenant.status, tenant.status_reason = TenantStatus.DELETING, reason.strip()[:300]
    tenant.save(update_fields=["status", "status_reason"])
    end_api_sessions_in(tenant_id=tenant.id, acting=acting, now=now)
    detail = {"reason": Personal(tenant.status_reason), "until": until.isoformat(), "export": export}
    record("tenants.delete", actor=acting, tenant_id=tenant.id, target=tenant.public_id, detail=detail)
    emit(TenantChanged(tenant.id, TenantStatus.DELETING))
    announce(tenant_id=tenant.id, event=EventName.TENANT_DELETION_ASKED, data={"until": until.isoformat()}, now=now)
    wish = {"before": before.value, "reason_before": reason_before, "until": until.isoformat(), "export": export}
    job = open_job(kind=JobKind.DELETE, tenant_id=tenant.id, acting=acting, now=now, input=wish)
    transaction.on_commit(partial(run_job, job.id, now=now), robust=True)
    return tenant


def _check_wish(tenant: Tenant, typed_name: str, reason: str, grace: timedelta, export: bool) -> None:
    if typed_name != tenant.name:
        raise NameNotTyped(fields={"name": ["must be typed exactly as the tenant is called"]})
    if not reason.strip():
        raise InvalidInput("Deleting needs a reason", fields={"reason": ["must not be empty"]})
    if grace < timedelta(0):
        raise InvalidInput("The grace period cannot be negative", fields={"grace": ["must be 0 or more"]})
    if export and not grace:
        message = "needs a grace period in which it can be fetched"
        raise InvalidInput("The last export goes with the tenant", fields={"export": [message]})


@transaction.atomic
def cancel_deletion(*, tenant_id: str, acting: Actor, now: datetime) -> Tenant:
    """Take a deletion back while its grace period lasts: the tenant is again active, suspended or archived as before.

    Raises TenantNotFound, and WrongStatus when nothing is to be deleted or the grace period is over.
    """
    tenant_by_id(tenant_id)
    job = _waiting_deletion(tenant_id)
    cancel_open_jobs(tenant_id, now=now)
    tenant: Tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    before = TenantStatus(job.input["before"])
    tenant.status, tenant.status_reason = before, job.input.get("reason_before", "")
    tenant.save(update_fields=["status", "status_reason"])
    detail = {"back_to": before.value}
    record("tenants.cancel_deletion", actor=acting, tenant_id=tenant.id, target=tenant.public_id, detail=detail)
    emit(TenantChanged(tenant.id, before))
    back = {"status": before.value}
    announce(tenant_id=tenant.id, event=EventName.TENANT_DELETION_CANCELLED, data=back, now=now)
    following = open_job(kind=_WAY_BACK[before], tenant_id=tenant.id, acting=acting, now=now)
    transaction.on_commit(partial(run_job, following.id, now=now), robust=True)
    return tenant


def is_on_its_way_out(tenant_id: str) -> bool:
    """Whether the tenant is to be deleted, and its grace period lasts."""
    waiting = TenantJob.objects.filter(tenant_id=tenant_id, kind=JobKind.DELETE, state__in=OPEN_JOBS)
    return waiting.exclude(steps__contains=[{"name": GRACE, "state": StepState.DONE}]).exists()


def _waiting_deletion(tenant_id: str) -> TenantJob:
    """The job, locked, so that its grace period does not end meanwhile."""
    jobs = TenantJob.objects.select_for_update().filter(tenant_id=tenant_id, kind=JobKind.DELETE, state__in=OPEN_JOBS)
    job: TenantJob | None = jobs.first()
    if job is None:
        raise WrongStatus("This tenant is not to be deleted")
    if any(step.name == GRACE and step.state is StepState.DONE for step in job_steps(job)):
        raise WrongStatus("The grace period is over; what is deleted cannot be brought back")
    return job
