"""The life of a tenant: created, suspended, resumed; each step a compare-and-set with an audit row and an event."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import IntegrityError, transaction

from audit.api import Actor, Personal, emit, record
from core.errors import InvalidInput
from core.faults import fault_point
from tenants.bells import wake
from tenants.data import JobKind, JobStep, StepState, TenantChanged, TenantStatus, TenantType
from tenants.errors import SlugNotUsable, SlugTaken, WrongStatus
from tenants.models import Tenant
from tenants.provisioning.claim import take_over
from tenants.provisioning.pool import make_ready_schema
from tenants.selectors import tenant_by_id
from tenants.services.jobs import cancel_open_jobs, open_job, run_job
from tenants.services.members import lock_tenant
from tenants.services.sessions import end_api_sessions_in
from tenants.webhooks.announce import announce
from tenants.webhooks.data import EventName

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]")
RESERVED = frozenset(
    {"www", "admin", "api", "app", "static", "status", "docs", "public", "lumos", "operator", "nobody"}
)


def create_tenant(
    *,
    slug: str,
    name: str,
    type: TenantType,
    acting: Actor,
    now: datetime,
    plan: str = "",
    region: str = "local",
    owner_email: str = "",
) -> Tenant:
    """A tenant with schema, role, data key and portal address, active when this returns. All of it or nothing.

    Owner, plan and what else other rooms add follow within seconds, as steps of its job. Raises SlugNotUsable,
    SlugTaken, InvalidInput, and TemplateBehind when no schema is ready and none can be made.
    """
    _check_input(slug, name, owner_email)
    tenant = Tenant(
        slug=slug, name=name.strip(), type=type, status=TenantStatus.ACTIVE, plan=plan, region=region, created_at=now
    )
    try:
        _provision(tenant, owner_email, acting, now)
    except IntegrityError as error:
        if "slug" in str(error) or "domain" in str(error):
            raise SlugTaken(fields={"slug": ["is taken"]}) from error
        raise
    fault_point("tenants.create.committed")
    transaction.on_commit(wake)
    return tenant


@transaction.atomic
def _provision(tenant: Tenant, owner_email: str, acting: Actor, now: datetime) -> None:
    began = time.perf_counter()
    pool = take_over(tenant)
    if not pool:
        make_ready_schema(now)
        fault_point("tenants.create.made")
        take_over(tenant)  # nobody else sees the new one before this transaction ends
    fault_point("tenants.create.stored")
    detail = {"slug": Personal(tenant.slug)}
    record("tenants.create", actor=acting, tenant_id=tenant.id, target=tenant.public_id, detail=detail)
    fault_point("tenants.create.audited")
    milliseconds = round((time.perf_counter() - began) * 1000)
    note = "its schema was ready" if pool else "no schema was ready, so one was made"
    open_job(
        kind=JobKind.CREATE,
        tenant_id=tenant.id,
        acting=acting,
        now=now,
        input={"owner_email": owner_email.strip().lower()} if owner_email else {},
        done=[JobStep("tenant", StepState.DONE, now.isoformat(), milliseconds, note)],
    )
    fault_point("tenants.create.recorded")


def _check_input(slug: str, name: str, owner_email: str) -> None:
    if _SLUG.fullmatch(slug) is None or slug in RESERVED:
        raise SlugNotUsable(fields={"slug": ["choose another"]})
    if not 1 <= len(name.strip()) <= 120:
        raise InvalidInput("A tenant needs a name", fields={"name": ["must have 1 to 120 characters"]})
    if owner_email and "@" not in owner_email:
        raise InvalidInput("This is not an e-mail address", fields={"owner_email": ["must be an e-mail address"]})


@dataclass(frozen=True, slots=True)
class _Move:
    """From which states into which, and how the audit log calls it."""

    old: tuple[TenantStatus, ...]
    new: TenantStatus
    action: str


_MOVES = {
    JobKind.SUSPEND: _Move((TenantStatus.ACTIVE,), TenantStatus.SUSPENDED, "tenants.suspend"),
    JobKind.RESUME: _Move((TenantStatus.SUSPENDED,), TenantStatus.ACTIVE, "tenants.resume"),
    JobKind.ARCHIVE: _Move((TenantStatus.ACTIVE, TenantStatus.SUSPENDED), TenantStatus.ARCHIVED, "tenants.archive"),
    JobKind.RESTORE: _Move((TenantStatus.ARCHIVED,), TenantStatus.ACTIVE, "tenants.restore"),
}


_TOLD = {
    JobKind.SUSPEND: EventName.TENANT_SUSPENDED,
    JobKind.RESUME: EventName.TENANT_RESUMED,
    JobKind.ARCHIVE: EventName.TENANT_ARCHIVED,
    JobKind.RESTORE: EventName.TENANT_RESTORED,
}


def suspend_tenant(*, tenant_id: str, reason: str, acting: Actor, now: datetime) -> Tenant:
    """Stop the tenant's traffic and workers within 5 s; its data stays. A second call changes nothing."""
    return _move(tenant_id, JobKind.SUSPEND, _reason(reason, "Suspending"), acting, now)


def resume_tenant(*, tenant_id: str, acting: Actor, now: datetime) -> Tenant:
    """Let the tenant's traffic flow again. A second call changes nothing."""
    return _move(tenant_id, JobKind.RESUME, "", acting, now)


def archive_tenant(*, tenant_id: str, reason: str, acting: Actor, now: datetime) -> Tenant:
    """Put a tenant away: as suspended, and its keys are as unknown as anybody's. A second call changes nothing."""
    return _move(tenant_id, JobKind.ARCHIVE, _reason(reason, "Archiving"), acting, now)


def restore_tenant(*, tenant_id: str, acting: Actor, now: datetime) -> Tenant:
    """Bring an archived tenant back, active, with keys, members and data. A second call changes nothing."""
    return _move(tenant_id, JobKind.RESTORE, "", acting, now)


def _reason(reason: str, what: str) -> str:
    if not reason.strip():
        raise InvalidInput(f"{what} needs a reason", fields={"reason": ["must not be empty"]})
    return reason.strip()[:300]


@transaction.atomic
def _move(tenant_id: str, kind: JobKind, reason: str, acting: Actor, now: datetime) -> Tenant:
    """Change the status, and follow by a job what comes of it in other rooms; what was under way before ends here."""
    move = _MOVES[kind]
    if tenant_by_id(tenant_id).status == move.new:
        return tenant_by_id(tenant_id)
    cancel_open_jobs(tenant_id, now=now)
    tenant: Tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    if tenant.status not in move.old:
        raise WrongStatus(f"A tenant that is {tenant.get_status_display()} cannot become {move.new.title()}")
    tenant.status, tenant.status_reason = move.new, reason
    tenant.save(update_fields=["status", "status_reason"])
    if not tenant.is_active:
        end_api_sessions_in(tenant_id=tenant.id, acting=acting, now=now)
    detail = {"reason": Personal(reason)}
    record(move.action, actor=acting, tenant_id=tenant.id, target=tenant.public_id, detail=detail)
    emit(TenantChanged(tenant.id, move.new))
    announce(tenant_id=tenant.id, event=_TOLD[kind], data={"status": move.new.value}, now=now)
    job = open_job(kind=kind, tenant_id=tenant.id, acting=acting, now=now)
    transaction.on_commit(partial(run_job, job.id, now=now), robust=True)
    return tenant


@transaction.atomic
def set_plan(*, tenant_id: str, plan: str, acting: Actor, now: datetime) -> Tenant:
    """Note the code of the plan that billing has subscribed the tenant to."""
    tenant = lock_tenant(tenant_id)
    if tenant.plan != plan:
        record(
            "tenants.set_plan",
            actor=acting,
            tenant_id=tenant.id,
            target=tenant.public_id,
            detail={"from": tenant.plan, "to": plan},
        )
        data = {"from": tenant.plan, "to": plan}
        announce(tenant_id=tenant.id, event=EventName.TENANT_PLAN_CHANGED, data=data, now=now)
        tenant.plan = plan
        tenant.save(update_fields=["plan"])
        emit(TenantChanged(tenant.id, tenant.status))
    return tenant


@transaction.atomic
def rename_tenant(*, tenant_id: str, name: str, acting: Actor, now: datetime) -> Tenant:
    """Change the display name; slug, schema and id stay."""
    tenant = lock_tenant(tenant_id)
    if not 1 <= len(name.strip()) <= 120:
        raise InvalidInput("A tenant needs a name", fields={"name": ["must have 1 to 120 characters"]})
    tenant.name = name.strip()
    tenant.save(update_fields=["name"])
    record(
        "tenants.rename",
        actor=acting,
        tenant_id=tenant.id,
        target=tenant.public_id,
        detail={"name": Personal(tenant.name)},
    )
    emit(TenantChanged(tenant.id, tenant.status))
    announce(tenant_id=tenant.id, event=EventName.TENANT_RENAMED, data={"name": tenant.name}, now=now)
    return tenant
