"""Beat's entry points into billing."""

from __future__ import annotations

from datetime import UTC, timedelta

from celery import shared_task

from billing.conf import PARTITIONS_AHEAD, PROOF_DAYS
from billing.metering.ingest import ingest_pending
from billing.metering.partitions import ensure_partitions_ahead
from billing.metering.rollup import prove_rollups
from core.clock import utc_now
from core.tenancy.celery import PlatformTask


@shared_task(base=PlatformTask, name="billing.ingest", ignore_result=True)
def ingest() -> int:
    return ingest_pending(now=utc_now()).stored


@shared_task(base=PlatformTask, name="billing.make_partitions", ignore_result=True)
def make_partitions() -> list[str]:
    return ensure_partitions_ahead(utc_now(), PARTITIONS_AHEAD)


@shared_task(base=PlatformTask, name="billing.prove_rollups", ignore_result=True)
def prove_recent_rollups() -> int:
    """Days that are over, and today as far as it has come."""
    midnight = utc_now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return len(prove_rollups(starts_at=midnight - timedelta(days=PROOF_DAYS), ends_at=midnight + timedelta(days=1)))
