"""How many usage events a second the ingest takes from the stream into PostgreSQL, with everything on.

    python -m benchmarks.ingest [--events 50000] [--tenants 20] [--batch 2000]

Needs DATABASE_URL and REDIS_URL of servers that may be written to: it makes tenants of its own and leaves them there.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lumos_site.settings.worker")
os.environ.setdefault("LUMOS_REDIS_NAMESPACE", "lumos-bench-ingest")

import django

django.setup()

from django.db import connection  # noqa: E402 - what follows needs the apps

from audit.api import SYSTEM  # noqa: E402
from billing.api import (  # noqa: E402
    UsageFact,
    estimate_micro,
    ingest_pending,
    price_sheet,
    prove_rollups,
    seed_catalogue,
    set_model_cost,
    subscribe_tenant,
)
from core.clock import utc_now  # noqa: E402
from core.ids import new_ulid  # noqa: E402
from core.redis import control, key  # noqa: E402
from core.tenancy import platform_scope  # noqa: E402
from quotas.api import recover  # noqa: E402
from tenants.api import TenantType, create_tenant  # noqa: E402

_MODELS = [f"bench-model-{number}" for number in range(5)]


@dataclass(frozen=True, slots=True)
class Measured:
    events: int
    wall_seconds: float
    cpu_seconds: float
    estimate_us: float
    agrees: bool

    def lines(self) -> list[str]:
        rate = self.events / self.wall_seconds
        return [
            f"events ingested        {self.events}",
            f"events a second        {rate:,.0f}",
            f"CPU of the ingest      {self.cpu_seconds / self.events * 1e6:.1f} us an event",
            f"wall clock             {self.wall_seconds / self.events * 1e6:.1f} us an event",
            f"price of a request     {self.estimate_us:.1f} us",
            f"sums equal the events  {'yes' if self.agrees else 'NO'}",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--tenants", type=int, default=20)
    parser.add_argument("--batch", type=int, default=2_000)
    options = parser.parse_args()
    with platform_scope():
        measured = measure(options.events, options.tenants, options.batch)
    print("\n".join(measured.lines()))


def measure(events: int, tenants: int, batch: int) -> Measured:
    now = utc_now()
    ids = _prepare(tenants, now)
    recover(control())
    control().delete(key("usage"))
    _fill(ids, events, now)
    ingest_pending(now=now, limit=batch, batch=batch)  # connections, caches, partitions
    wall, cpu = time.perf_counter(), time.process_time()
    report = ingest_pending(now=now, batch=batch, seconds=600)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    connection.close()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    agrees = prove_rollups(starts_at=midnight - timedelta(days=2), ends_at=midnight + timedelta(days=1)) == ()
    return Measured(report.stored, wall, cpu, _estimate_us(ids[0], now), agrees)


def _prepare(tenants: int, now: datetime) -> list[str]:
    seed_catalogue(acting=SYSTEM, now=now)
    since = now - timedelta(days=2)
    for model in _MODELS:
        set_model_cost(
            provider="bench",
            model=model,
            input_token=Decimal("0.000001"),
            cached_token=Decimal("0.0000002"),
            output_token=Decimal("0.000004"),
            effective_from=since,
            acting=SYSTEM,
            now=now,
        )
    return [_tenant(now, since) for _ in range(tenants)]


def _tenant(now: datetime, since: datetime) -> str:
    slug = f"bench-{new_ulid()[-12:]}"
    tenant = create_tenant(slug=slug, name=slug, type=TenantType.SMALL_BUSINESS, acting=SYSTEM, now=now)
    subscribe_tenant(tenant_id=tenant.id, plan_code="pro", acting=SYSTEM, now=since)
    return str(tenant.id)


def _fill(tenants: list[str], events: int, now: datetime) -> None:
    """Events of the last hour, spread over tenants, keys and models as a busy gateway would leave them."""
    random = Random(1)
    newest = int(now.timestamp() * 1000)
    keys = {tenant: [new_ulid() for _ in range(3)] for tenant in tenants}
    plain = _fact(tenants[0], newest)
    pipeline = control().pipeline(transaction=False)
    for number in range(events):
        tenant = random.choice(tenants)
        fact = replace(
            plain,
            id=f"req_{new_ulid()}",
            tenant_id=tenant,
            key_id=random.choice(keys[tenant]),
            model=random.choice(_MODELS),
            input_tokens=random.randrange(200, 20_000),
            output_tokens=random.randrange(10, 2_000),
            occurred_at_ms=newest - random.randrange(3_600_000),
        )
        pipeline.xadd(key("usage"), {"e": fact.to_json()})
        if number % 2_000 == 1_999:
            pipeline.execute()
    pipeline.execute()


def _fact(tenant_id: str, occurred_at_ms: int) -> UsageFact:
    return UsageFact(
        id="req_",
        tenant_id=tenant_id,
        key_id="",
        model=_MODELS[0],
        provider="bench",
        endpoint="chat.completions",
        input_tokens=0,
        cached_tokens=100,
        output_tokens=0,
        status="ok",
        occurred_at_ms=occurred_at_ms,
        latency_ms=900,
        first_token_ms=150,
        price_version="pro@1",
        estimated=False,
        provisional_micro=5_000,
        live=True,
    )


def _estimate_us(tenant_id: str, now: datetime, rounds: int = 20_000) -> float:
    sheet = price_sheet(tenant_id, now)
    started = time.process_time()
    for _ in range(rounds):
        estimate_micro(sheet, _MODELS[0], 1_500, 200, 400)
    return (time.process_time() - started) / rounds * 1e6


if __name__ == "__main__":
    main()
