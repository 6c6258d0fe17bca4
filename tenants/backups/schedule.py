"""Backups by the clock: each tenant once a day, old ones pruned, one at random proven; owns when, not how."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import structlog
from django.db.models import Exists, OuterRef, QuerySet

from audit.api import SYSTEM
from core.errors import LumosError
from core.master_keys import is_sealed
from tenants.backups.making import back_up, delete_backup, path_of, sweep_torn
from tenants.backups.restoring import prove
from tenants.data import BackupKind, BackupStatus, TenantStatus
from tenants.models import Tenant, TenantBackup

log = structlog.get_logger(__name__)
EVERY = timedelta(hours=24)
KEPT = 7


def _due(now: datetime) -> QuerySet[Tenant]:
    """Tenants without a backup of their last day, failed tries included, so that one bad tenant is tried once a day."""
    recent = TenantBackup.objects.filter(
        tenant_id=OuterRef("pk"), kind=BackupKind.SCHEDULED, created_at__gt=now - EVERY
    )
    leaving = (TenantStatus.DELETING, TenantStatus.DELETED)
    due: QuerySet[Tenant] = Tenant.objects.exclude(status__in=leaving).filter(~Exists(recent)).order_by("id")
    return due


def back_up_due(*, now: datetime, most: int = 50) -> int:
    """Back up who is due, `most` in one go, and prune; returns how many succeeded."""
    sweep_torn(now=now)
    if is_sealed():
        return 0  # a failed try would be listed, and the next one a day away
    made = 0
    for tenant in list(_due(now)[:most]):
        try:
            back_up(tenant_id=tenant.id, kind=BackupKind.SCHEDULED, acting=SYSTEM, now=now)
        except (LumosError, OSError) as error:  # listed as failed with its reason; the others go on
            log.warning("tenants.backup.failed", tenant=tenant.id, error=str(error)[:300])
            continue
        made += 1
        _prune(tenant.id, now)
    return made


def _prune(tenant_id: str, now: datetime) -> None:
    scheduled = TenantBackup.objects.filter(tenant_id=tenant_id, kind=BackupKind.SCHEDULED)
    kept = scheduled.filter(status=BackupStatus.DONE).order_by("-created_at").values_list("pk", flat=True)[:KEPT]
    for backup_id in (
        scheduled.exclude(pk__in=list(kept)).exclude(status=BackupStatus.RUNNING).values_list("pk", flat=True)
    ):
        delete_backup(backup_id=backup_id, acting=SYSTEM, now=now)


def drill(*, now: datetime) -> str | None:
    """Prove the newest backup of a random tenant by restoring it; returns the backup's id, None when there is none.

    Raises what `prove` raises, after noting it, so that the failure is also seen as a failed task.
    """
    tenants = TenantBackup.objects.filter(status=BackupStatus.DONE).values_list("tenant_id", flat=True).distinct()
    if not tenants:
        return None
    chosen = random.choice(list(tenants))  # noqa: S311 - a sample, not a secret
    newest = TenantBackup.objects.filter(tenant_id=chosen, status=BackupStatus.DONE).latest("created_at")
    try:
        prove(backup_id=newest.pk, now=now)
    except (LumosError, OSError) as error:
        TenantBackup.objects.filter(pk=newest.pk).update(error=f"Drill: {error}"[:500])
        log.error("tenants.backup.drill_failed", backup=newest.public_id, path=str(path_of(newest)), error=str(error))
        raise
    return str(newest.pk)
