"""Entry points of scaling's tasks: the round and its pruning for the platform, the probe for a tenant's workers.

The platform's go to the default queue, `control`; a tenant's to its own, which TenantTask sees to.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task

from core.clock import utc_now
from core.tenancy.celery import PlatformTask, TenantTask
from scaling import loop
from scaling.conf import KEEP_UNCHANGED_DAYS
from scaling.probe import run_probe
from scaling.recording import prune_unchanged


@shared_task(base=PlatformTask, name="scaling.tick", ignore_result=True)
def tick() -> dict[str, Any]:
    done = loop.tick(now=utc_now())
    return {"led": done.led, "decided": done.decided, "changed": done.changed}


@shared_task(base=PlatformTask, name="scaling.prune_decisions", ignore_result=True)
def prune_decisions() -> int:
    return prune_unchanged(now=utc_now(), keep=timedelta(days=KEEP_UNCHANGED_DAYS))


@shared_task(base=TenantTask, name="scaling.probe", ignore_result=True)
def probe(*, tenant_id: str, busy_seconds: float = 0.0) -> int:
    return run_probe(busy_seconds=busy_seconds, now=utc_now()).took_ms
