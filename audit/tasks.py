"""Beat's entry points into the log and the outbox."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from audit import outbox, upkeep
from audit.chain import witness
from audit.chain.sealing import seal_waiting
from audit.chain.verification import check_chains
from core.clock import utc_now
from core.master_keys import is_sealed
from core.tenancy.celery import PlatformTask


@shared_task(base=PlatformTask, name="audit.relay_outbox", ignore_result=True)
def relay_outbox() -> int:
    return outbox.relay_outbox(now=utc_now())


@shared_task(base=PlatformTask, name="audit.prune_outbox", ignore_result=True)
def prune_outbox() -> int:
    return outbox.prune_outbox(now=utc_now())


@shared_task(base=PlatformTask, name="audit.seal", ignore_result=True)
def seal() -> int:
    """Entries wait while the installation is sealed: with its secrets file, the signing key may be away too."""
    if is_sealed():
        return 0
    return seal_waiting(now=utc_now())


@shared_task(base=PlatformTask, name="audit.publish_heads", ignore_result=True)
def publish_heads() -> int:
    return witness.publish_heads(now=utc_now())


@shared_task(base=PlatformTask, name="audit.verify", ignore_result=True)
def verify() -> int:
    """How many chains are broken; each is named in the log and on the operators' page."""
    return sum(report.fault is not None for report in check_chains(now=utc_now()))


@shared_task(base=PlatformTask, name="audit.keep_partitions", ignore_result=True)
def keep_partitions() -> tuple[list[str], list[str]]:
    return upkeep.ensure_partitions_ahead(utc_now()), upkeep.retire_months(
        now=utc_now(), keep=settings.AUDIT_KEEP_MONTHS
    )
