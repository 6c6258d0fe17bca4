"""Beat's entry points into the log and the outbox."""

from __future__ import annotations

from celery import shared_task

from audit import services, upkeep
from core.clock import utc_now
from core.tenancy.celery import PlatformTask


@shared_task(base=PlatformTask, name="audit.relay_outbox", ignore_result=True)
def relay_outbox() -> int:
    return services.relay_outbox(now=utc_now())


@shared_task(base=PlatformTask, name="audit.prune_outbox", ignore_result=True)
def prune_outbox() -> int:
    return services.prune_outbox(now=utc_now())


@shared_task(base=PlatformTask, name="audit.make_partitions", ignore_result=True)
def make_partitions() -> list[str]:
    return upkeep.ensure_partitions_ahead(utc_now())
