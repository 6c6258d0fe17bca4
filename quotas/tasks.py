"""Beat's entry points into the counters' upkeep."""

from __future__ import annotations

from celery import shared_task

from core.clock import utc_now
from core.redis import control
from core.tenancy.celery import PlatformTask
from quotas import services
from quotas.engine import rebuild, upkeep
from tenants.api import all_tenant_facts


@shared_task(base=PlatformTask, name="quotas.sweep", ignore_result=True)
def sweep() -> int:
    return upkeep.sweep(control()).closed


@shared_task(base=PlatformTask, name="quotas.recover", ignore_result=True)
def recover() -> int | None:
    return rebuild.recover(control())


@shared_task(base=PlatformTask, name="quotas.expire_limits", ignore_result=True)
def expire_limits() -> int:
    return services.expire_limits(now=utc_now())


@shared_task(base=PlatformTask, name="quotas.store_alerts", ignore_result=True)
def store_alerts() -> int:
    return services.store_alerts()


@shared_task(base=PlatformTask, name="quotas.reconcile", ignore_result=True)
def reconcile() -> int:
    return len(rebuild.reconcile(control(), [facts.id for facts in all_tenant_facts()]))
