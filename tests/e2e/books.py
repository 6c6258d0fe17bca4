"""Every sum of an installation, read on both sides; run beside it as `python -m tests.e2e.books`, prints JSON.

Reconciles the counters first and says by how much they stood off.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lumos_site.settings.control")
django.setup()

from audit.api import Actor
from billing.api import UsageEvent, prove_rollups, running_bill
from billing.metering.stream import dead_stream, usage_stream
from billing.models import PendingCorrection
from core.clock import utc_now
from core.redis import control
from core.tenancy import platform_scope
from quotas.api import EngineKeys, calendar_month, reconcile
from tenants.api import TenantFacts, all_tenant_facts
from tests.billing.reading import precise_usage, usage_lines


def read_books() -> dict[str, Any]:
    redis, names, now = control(), EngineKeys.of_installation(), utc_now()
    tenants = list(all_tenant_facts())
    drift = reconcile(redis, [facts.id for facts in tenants])
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    proof = prove_rollups(starts_at=midnight - timedelta(days=1), ends_at=midnight + timedelta(days=1))
    return {
        "drift": [[one.tenant_id, one.tokens, one.micro] for one in drift],
        "differences": [str(one) for one in proof],
        "pending_corrections": PendingCorrection.objects.count(),
        "waiting": redis.xlen(usage_stream()),
        "unreadable": redis.xlen(dead_stream()),
        "open_reservations": redis.zcard(names.expiry),
        "tenants": {facts.slug: _of_tenant(facts) for facts in tenants},
    }


def _of_tenant(facts: TenantFacts) -> dict[str, Any]:
    redis, names, now = control(), EngineKeys.of_installation(), utc_now()
    events = UsageEvent.objects.filter(tenant_id=facts.id)
    bill = running_bill(facts.id, now)
    counters = redis.hgetall(names.period(facts.id, calendar_month(int(now.timestamp())).id))
    markers = redis.scan_iter(names.reservation(facts.id, "*"), count=1000)
    return {
        "events": [
            {
                "id": row.id,
                "status": row.status,
                "input": row.input_tokens,
                "cached": row.cached_tokens,
                "output": row.output_tokens,
                "charge": str(row.charge),
            }
            for row in events.order_by("id")
        ],
        "bill_usage": str(precise_usage(bill)),
        "bill_units": {line.meter: str(line.quantity) for line in usage_lines(bill)},
        "counters": {name.decode(): int(value) for name, value in counters.items() if b":" in name and value.isdigit()},
        "leases": redis.zcard(f"{names.tenant(facts.id)}:leases"),
        "markers": {name.decode().rpartition(":")[2]: (redis.get(name) or b"?")[:1].decode() for name in markers},
    }


def make_operator_token() -> dict[str, Any]:
    from django.contrib.auth.models import User

    from tenants.api import create_operator_token

    operator, acting = User.objects.get(is_superuser=True), Actor.system("crash tests")
    _, plaintext = create_operator_token(user_id=operator.pk, name="crash tests", acting=acting, now=utc_now())
    return {"token": plaintext, "tenants": {facts.slug: facts.id for facts in all_tenant_facts()}}


if __name__ == "__main__":
    with platform_scope():
        print(json.dumps(make_operator_token() if "operator-token" in sys.argv else read_books()))
