"""Entry points of the tenants app's tasks; all are the platform's."""

from __future__ import annotations

from celery import shared_task

from core.clock import utc_now
from core.tenancy.celery import PlatformTask
from tenants.allocation import upkeep as capacity
from tenants.backups import schedule
from tenants.fleet import fingerprint
from tenants.isolation import reporting
from tenants.profiles import retention
from tenants.profiles import services as profiles
from tenants.provisioning import pool
from tenants.services import impersonation, jobs
from tenants.webhooks import delivery, upkeep


@shared_task(base=PlatformTask, name="tenants.fill_pool", ignore_result=True)
def fill_pool() -> int:
    return pool.fill_pool(now=utc_now()).made


@shared_task(base=PlatformTask, name="tenants.run_jobs", ignore_result=True)
def run_jobs() -> int:
    return jobs.run_due_jobs(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.announce_overrides", ignore_result=True)
def announce_overrides() -> int:
    return profiles.announce_overrides(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.prune_workspaces", ignore_result=True)
def prune_workspaces() -> int:
    return retention.prune_all(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.end_impersonations", ignore_result=True)
def end_impersonations() -> int:
    return impersonation.end_expired(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.find_drift", ignore_result=True)
def find_drift() -> int:
    return len(fingerprint.find_drift(now=utc_now()).drifted)


@shared_task(base=PlatformTask, name="tenants.prove_isolation", ignore_result=True)
def prove_isolation() -> int:
    return reporting.prove_all(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.back_up_due", ignore_result=True)
def back_up_due() -> int:
    return schedule.back_up_due(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.backup_drill", ignore_result=True)
def backup_drill() -> str | None:
    return schedule.drill(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.deliver_webhooks", ignore_result=True)
def deliver_webhooks() -> int:
    return delivery.run_deliveries(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.tend_capacity", ignore_result=True)
def tend_capacity() -> int:
    return capacity.tend(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.prune_webhooks", ignore_result=True)
def prune_webhooks() -> int:
    return upkeep.prune_webhooks(now=utc_now())
