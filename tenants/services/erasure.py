"""What is done to a tenant whose grace period is over, step by step; each step may run again with the same end.

First nobody may come in any more, then each room lets go from the roof down, then people, files, schema, key and rows
go, and the tenant becomes a tombstone. The last step looks for what is left, and does not end before it finds nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.utils.translation import gettext_noop

from audit.api import SYSTEM, deliver_events, emit, forget_account, record
from core.lifecycle import Moment, NotYet, kept_tables, parts_of
from core.master_keys import is_sealed
from mail.api import forget_letters
from tenants.backups.making import back_up
from tenants.data import BackupKind, BackupStatus, JobKind, JobState, TenantChanged, TenantStatus
from tenants.models import ApiKey, Membership, Tenant, TenantBackup, TenantJob
from tenants.provisioning.retire import delete_files, delete_rows, drop_content, forget_in_redis, remains_of
from tenants.services.data_keys import destroy_data_key

_TOMBSTONE = gettext_noop("Deleted tenant")
_SHOWN = 5


def export_once(job: TenantJob, now: datetime) -> str:
    """The last backup, if one was wished for. It is the tenant's like all others, and goes with it."""
    if not job.input.get("export"):
        return "nobody wished for one"
    if is_sealed():
        raise NotYet("this installation is sealed", seconds=60)
    made = TenantBackup.objects.filter(
        tenant_id=job.tenant_id, kind=BackupKind.EXPORT, status=BackupStatus.DONE, created_at__gte=job.asked_at
    ).first()
    backup = made or back_up(tenant_id=job.tenant_id, kind=BackupKind.EXPORT, acting=SYSTEM, now=now)
    return f"{backup.public_id} is there until the grace period ends"


def wait_for_grace(job: TenantJob, now: datetime) -> str:
    """From the moment that this is recorded there is no way back."""
    until = datetime.fromisoformat(job.input["until"])
    if now < until:
        raise NotYet(f"until {until:%Y-%m-%d %H:%M} UTC it can be taken back", seconds=(until - now).total_seconds())
    job.input.pop("reason_before", None)  # needed for the way back only, and this record outlives the tenant
    job.save(update_fields=["input"])
    return "nobody took it back"


def end_creation(job: TenantJob, now: datetime) -> str:
    """A creation that still runs would bring back what the next steps take away."""
    creation = TenantJob.objects.select_for_update().filter(tenant_id=job.tenant_id, kind=JobKind.CREATE)
    ended = creation.exclude(state__in=[JobState.DONE, JobState.CANCELLED])
    count = ended.update(state=JobState.CANCELLED, finished_at=now)
    return "its creation was under way and has ended" if count else "nothing else was under way"


def revoke_keys(job: TenantJob, now: datetime) -> str:
    """So that whoever publishes one of them from now on withdraws it."""
    count = ApiKey.objects.filter(tenant_id=job.tenant_id, revoked_at=None).update(revoked_at=now)
    return f"{count} keys were usable"


def delete_people(job: TenantJob, now: datetime) -> str:
    """Accounts that were for this tenant only, with sessions and letters; who belongs elsewhere too just leaves."""
    here = Membership.objects.filter(tenant_id=job.tenant_id).values_list("user_id", flat=True)
    elsewhere = Membership.objects.exclude(tenant_id=job.tenant_id).values("user_id")
    accounts = User.objects.filter(pk__in=list(here), is_staff=False, operator=None).exclude(pk__in=elsewhere)
    _end_sessions({str(number) for number in accounts.values_list("pk", flat=True)})  # which takes seconds
    held = set(accounts.select_for_update(of=("self",)).values_list("pk", flat=True))  # nobody takes them in any more
    gone = held - set(elsewhere.values_list("user_id", flat=True))
    leaving = User.objects.filter(pk__in=gone)
    forget_letters(address for names in leaving.values_list("email", "username") for address in names)
    leaving.delete()
    for account in gone:
        forget_account(str(account))
    Membership.objects.filter(tenant_id=job.tenant_id).delete()
    return f"{len(gone)} accounts were for this tenant only"


def _end_sessions(accounts: set[str]) -> None:
    if not accounts:
        return
    # Asked for by name, because a gateway imports this module and has no sessions.
    sessions: Any = apps.get_model("sessions", "Session")
    for session in sessions.objects.iterator():
        if session.get_decoded().get("_auth_user_id") in accounts:
            session.delete()


def remove_files(job: TenantJob, now: datetime) -> str:
    return f"{delete_files(job.tenant_id)} files"


def drop_schema_and_role(job: TenantJob, now: datetime) -> str:
    drop_content(job.tenant_id)
    return "schema and role are gone"


def destroy_key(job: TenantJob, now: datetime) -> str:
    """What was sealed with it is unreadable from here on, wherever a copy of it lies."""
    return "destroyed" if destroy_data_key(tenant_id=job.tenant_id) else "it was gone already"


def empty_tables(job: TenantJob, now: datetime) -> str:
    counts = delete_rows(job.tenant_id)
    return ", ".join(f"{table} {count}" for table, count in counts.items()) or "no row was left"


def forget_keys(job: TenantJob, now: datetime) -> str:
    return f"{forget_in_redis(job.tenant_id)} keys in Redis"


def bury(job: TenantJob, now: datetime) -> str:
    """The row stays, without a name, for the bills and the log, which name its id; slug and address are free again."""
    tenant: Tenant = Tenant.objects.select_for_update().get(pk=job.tenant_id)
    tail = tenant.id[-12:]
    tenant.slug, tenant.name, tenant.status_reason = f"deleted-{tail}", f"{_TOMBSTONE} {tail}", ""
    tenant.allowed_networks, tenant.portal_networks = [], []
    tenant.status = TenantStatus.DELETED
    tenant.save(update_fields=["slug", "name", "status", "status_reason", "allowed_networks", "portal_networks"])
    detail = {"kept": sorted(kept_tables())}
    record("tenants.erase", actor=SYSTEM, tenant_id=tenant.id, target=tenant.public_id, detail=detail)
    emit(TenantChanged(tenant.id, TenantStatus.DELETED))
    return f"its slug is free; it is {tenant.slug} now"


def prove_nothing_is_left(job: TenantJob, now: datetime) -> str:
    """Whoever held on to the tenant while it was taken apart may have put something back; take that away as well."""
    for part in parts_of(Moment.GONE):
        part.run(job.tenant_id, now)
    deliver_events(tenant_id=job.tenant_id, now=now)
    for step in (remove_files, empty_tables, forget_keys, destroy_key):
        step(job, now)
    left = remains_of(job.tenant_id)
    if left:
        raise NotYet(f"left over: {', '.join(left[:_SHOWN])}", seconds=5)
    return "nothing is left"
