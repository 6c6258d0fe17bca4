"""Entry points of the tenants app's tasks; all are the platform's."""

from __future__ import annotations

from celery import shared_task

from core.clock import utc_now
from core.tenancy.celery import PlatformTask
from tenants.backups import schedule
from tenants.fleet import fingerprint


@shared_task(base=PlatformTask, name="tenants.find_drift", ignore_result=True)
def find_drift() -> int:
    return len(fingerprint.find_drift(now=utc_now()).drifted)


@shared_task(base=PlatformTask, name="tenants.back_up_due", ignore_result=True)
def back_up_due() -> int:
    return schedule.back_up_due(now=utc_now())


@shared_task(base=PlatformTask, name="tenants.backup_drill", ignore_result=True)
def backup_drill() -> str | None:
    return schedule.drill(now=utc_now())
