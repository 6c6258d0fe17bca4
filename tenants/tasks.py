"""Entry points of the tenants app's tasks; all are the platform's."""

from __future__ import annotations

from celery import shared_task

from core.clock import utc_now
from core.tenancy.celery import PlatformTask
from tenants.fleet import fingerprint


@shared_task(base=PlatformTask, name="tenants.find_drift", ignore_result=True)
def find_drift() -> int:
    return len(fingerprint.find_drift(now=utc_now()).drifted)
