"""Beat's entry points into the outbox."""

from __future__ import annotations

from celery import shared_task

from audit import services
from core.clock import utc_now
from core.tenancy.celery import PlatformTask


@shared_task(base=PlatformTask, name="audit.relay_outbox", ignore_result=True)
def relay_outbox() -> int:
    return services.relay_outbox(now=utc_now())


@shared_task(base=PlatformTask, name="audit.prune_outbox", ignore_result=True)
def prune_outbox() -> int:
    return services.prune_outbox(now=utc_now())
