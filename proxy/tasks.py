"""Beat's and operators' entry points into publishing."""

from __future__ import annotations

from celery import shared_task

from core.clock import utc_now
from core.tenancy.celery import PlatformTask
from proxy import publish


@shared_task(base=PlatformTask, name="proxy.ensure_published", ignore_result=True)
def ensure_published() -> bool:
    return publish.ensure_published(utc_now())


@shared_task(base=PlatformTask, name="proxy.republish_all", ignore_result=True)
def republish_all() -> int:
    return publish.republish_all(utc_now())
