"""The stock of ready schemas: fills it slowly in the background and throws out what is outdated; hands out nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction

from core.faults import fault_point
from core.ids import new_ulid
from core.locks import alone
from core.tenancy import TenantRef
from tenants.conf import FILL_SECONDS, pool_settings
from tenants.models import PooledSchema
from tenants.provisioning.head import code_head, template_head
from tenants.provisioning.schema import create_schema, drop_schema
from tenants.services.data_keys import destroy_data_key, make_data_key
from tenants.services.master_keys import check_master_keys

log = structlog.get_logger(__name__)
LOCK = 7_052_031  # advisory lock: one process fills the pool


@dataclass(frozen=True, slots=True)
class Filled:
    """What one round did. `led` is false when another process was at it, or a migration is on its way."""

    led: bool
    made: int = 0
    dropped: int = 0


def fill_pool(*, now: datetime, target: int | None = None, most: int | None = None) -> Filled:
    """One round towards `target` ready schemas, with at most `most` made or dropped; the rate is that of the rounds.

    Does nothing while the template is at other migrations than this code (in a rolling update the old code must not
    throw out what the new one makes), nor while the installation is sealed.
    """
    settings = pool_settings()
    target = settings.size if target is None else target
    most = max(1, round(settings.per_second * FILL_SECONDS)) if most is None else most
    with alone(LOCK) as mine:
        if not mine or template_head() != code_head() or not check_master_keys():
            return Filled(led=False)
        dropped = _drop_outdated(most)
        missing = target - ready_schemas()
        made = [make_ready_schema(now) for _ in range(min(missing, most - dropped))]
    if made or dropped:
        log.info("tenants.pool.filled", made=len(made), dropped=dropped)
    return Filled(True, len(made), dropped)


def ready_schemas() -> int:
    """How many schemas this code could hand out."""
    return PooledSchema.objects.filter(head=code_head()).count()


@transaction.atomic
def make_ready_schema(now: datetime) -> str:
    """One more schema with role, tables and data key; everything or nothing. Returns the id that its tenant will have.

    Raises TemplateBehind.
    """
    identifier = new_ulid()
    head = create_schema(TenantRef(identifier).schema_name)
    fault_point("tenants.pool.schema")
    make_data_key(tenant_id=identifier, now=now)
    fault_point("tenants.pool.key")
    PooledSchema.objects.create(id=identifier, head=head, made_at=now)
    fault_point("tenants.pool.stored")
    return identifier


def _drop_outdated(most: int) -> int:
    outdated = PooledSchema.objects.exclude(head=code_head()).order_by("id")[:most]
    return sum(_drop_one(row.pk) for row in outdated)


@transaction.atomic
def _drop_one(identifier: str) -> int:
    row = PooledSchema.objects.select_for_update(skip_locked=True).filter(pk=identifier).first()
    if row is None:
        return 0
    drop_schema(row.schema_name)
    fault_point("tenants.pool.dropped")
    destroy_data_key(tenant_id=row.id)
    row.delete()
    return 1
