"""What one worker can say of itself, seen from inside its tenant; owns the report, reads no content."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import connection

from core.redis import control, key
from core.tenancy import require_tenant
from scaling.data import ProbeReport
from scaling.models import ScalingPolicy

KEEP_SECONDS = 3600


def run_probe(*, busy_seconds: float, now: datetime) -> ProbeReport:
    """Use the CPU for `busy_seconds`, ask the database as whom this worker runs, and store the answer."""
    tenant = require_tenant()
    began = time.monotonic()
    _use_cpu(busy_seconds)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user::text, current_schema()::text")
        role, schema = cursor.fetchone()
    report = ProbeReport(
        tenant_id=tenant.id,
        at=now,
        pid=os.getpid(),
        role=role,
        schema=schema,
        policies_visible=ScalingPolicy.objects.count(),
        took_ms=int((time.monotonic() - began) * 1000),
    )
    stored = {**asdict(report), "at": now.isoformat()}
    control().set(key("scaling", "probe", tenant.id), json.dumps(stored), ex=KEEP_SECONDS)
    return report


def last_probe(tenant_id: str) -> ProbeReport | None:
    """Return the newest probe of the last hour, or None."""
    text: Any = control().get(key("scaling", "probe", tenant_id))
    if text is None:
        return None
    stored = json.loads(text)
    return ProbeReport(**{**stored, "at": datetime.fromisoformat(stored["at"])})


def _use_cpu(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
