"""Deletes what tenants' profiles no longer keep: conversations in each tenant's own schema, tenant by tenant."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import Error, transaction

from audit.api import SYSTEM, record
from core.tenancy import tenant_scope
from tenants.data import TenantStatus
from tenants.models import Tenant
from tenants.profiles.effective import effective_profiles
from tenants.workspace.services import prune_conversations

log = structlog.get_logger(__name__)
_AT_ONCE = 500
_WITHOUT_SCHEMA = (TenantStatus.PROVISIONING, TenantStatus.DELETING, TenantStatus.DELETED)


def prune_all(*, now: datetime) -> int:
    """Delete every tenant's conversations without a message inside its retention; returns how many.

    A tenant whose schema cannot be read is left to the next run and does not keep the others waiting.
    """
    tenants = list(Tenant.objects.exclude(status__in=_WITHOUT_SCHEMA).order_by("id"))
    deleted = 0
    for start in range(0, len(tenants), _AT_ONCE):
        batch = tenants[start : start + _AT_ONCE]
        profiles = effective_profiles([tenant.id for tenant in batch], now=now)
        for tenant in batch:
            if tenant.id in profiles:
                deleted += _prune(tenant, profiles[tenant.id].retention_days, now)
    return deleted


def _prune(tenant: Tenant, days: int, now: datetime) -> int:
    try:
        with transaction.atomic():
            with tenant_scope(tenant.ref):
                deleted = prune_conversations(before=now - timedelta(days=days))
            if deleted:
                detail = {"conversations": deleted, "retention_days": days}
                record(
                    "tenants.prune_conversations",
                    actor=SYSTEM,
                    tenant_id=tenant.id,
                    target=tenant.public_id,
                    detail=detail,
                )
    except Error as error:
        log.warning("tenants.retention.failed", tenant=tenant.id, error=str(error)[:200])
        return 0
    return deleted
