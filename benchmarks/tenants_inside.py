"""The measuring side of `./lumos bench tenants`: fills the pool, creates tenants, counts and compares; prints JSON.

Started by benchmarks.tenants with the addresses of throw-away servers. As `… create THREADS EACH PREFIX` it is one of
the processes that create at once: EACH tenants by each of its threads, beginning when its input is closed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import django

django.setup()

from django.db import connection, connections  # noqa: E402 - what follows needs the apps

from audit.api import SYSTEM  # noqa: E402
from benchmarks.figures import Figure  # noqa: E402
from benchmarks.load import percentile  # noqa: E402
from benchmarks.tenants import Effort  # noqa: E402
from core.clock import utc_now  # noqa: E402
from core.conf import ROOT  # noqa: E402
from core.tenancy import platform_scope  # noqa: E402
from lumos_site.preparation import prepare  # noqa: E402
from tenants.api import Tenant, TenantType, create_tenant, fill_pool  # noqa: E402

MILLI = 1_000
_SCHEMAS = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 't\\_%'"
_FENCED = """
SELECT count(*) FROM tenants_tenant t
WHERE to_regnamespace(t.schema_name) IS NOT NULL AND to_regrole(t.schema_name) IS NOT NULL
  AND EXISTS (SELECT 1 FROM tenants_tenantdatakey k WHERE k.tenant_id = t.id)
"""


def measure(effort: Effort) -> list[Figure]:
    prepare(seed=True)
    with platform_scope():
        figures = _round("few schemas", "few", effort)
        making = _grow(effort)
        beside = f"{_count(_SCHEMAS):,} schemas".replace(",", "\u202f")
        return [*figures, *_round(beside, "many", effort), *making, *_found_wrong()]


def _round(beside: str, slug: str, effort: Effort) -> list[Figure]:
    _say(f"Creating tenants: {beside}")
    fill_pool(now=utc_now(), target=effort.singles + effort.together, most=effort.singles + effort.together)
    single = [_create(f"{slug}-one-{number}") for number in range(effort.singles)]
    together, wall = _together(effort, f"{slug}-all")
    at_once = f"{effort.callers} callers, {beside}"
    return [
        Figure(f"Creating a tenant, p50, {beside}", "ms", (percentile(single, 50) * MILLI,), 5),
        Figure(f"Creating a tenant, p99, {beside}", "ms", (percentile(single, 99) * MILLI,), 25),
        Figure(f"Tenants per second, {at_once}", "/s", (len(together) / wall,), 200, at_least=True, decimals=0),
        Figure(f"Creating a tenant, p99, {at_once}", "ms", (percentile(together, 99) * MILLI,), decimals=0),
    ]


def _create(slug: str) -> float:
    began = time.perf_counter()
    create_tenant(slug=slug, name=slug, type=TenantType.INDIVIDUAL, acting=SYSTEM, now=utc_now())
    return time.perf_counter() - began


def _together(effort: Effort, prefix: str) -> tuple[list[float], float]:
    """The seconds of each creation, and those from the common beginning to the last end."""
    words = [sys.executable, "-m", __spec__.name, "create", str(effort.callers // effort.processes)]
    words.append(str(effort.together // effort.callers))
    children = [
        subprocess.Popen([*words, f"{prefix}-{number}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        for number in range(effort.processes)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()  # its threads are connected now
    begins = time.time()
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    answers = [json.loads(child.stdout.readline()) for child in children if child.stdout]
    wall = max(ended for _, ended in answers) - begins
    return [seconds for times, _ in answers for seconds in times], wall


def create_many(threads: int, each: int, prefix: str) -> tuple[list[float], float]:
    """What one process of `_together` does, once its input is closed; any error ends it, and with it the measuring."""
    ready, begin = threading.Barrier(threads + 1), threading.Event()

    def caller(number: int) -> list[float]:
        with platform_scope():
            connection.ensure_connection()
            ready.wait()
            begin.wait()
            times = [_create(f"{prefix}-{number}-{count}") for count in range(each)]
            connections.close_all()
            return times

    with ThreadPoolExecutor(threads) as pool:
        shares = [pool.submit(caller, number) for number in range(threads)]
        ready.wait()
        _print("ready")
        sys.stdin.read()
        begin.set()
        return [seconds for share in shares for seconds in share.result()], time.time()


def _grow(effort: Effort) -> list[Figure]:
    """Schemas in the pool until there are as many as wanted; what making one takes then."""
    _say(f"Making schemas up to {effort.schemas}")
    missing = max(10, effort.schemas - _count(_SCHEMAS))
    fill_pool(now=utc_now(), target=missing - 10, most=missing)
    began = time.perf_counter()
    fill_pool(now=utc_now(), target=missing, most=10)
    took = (time.perf_counter() - began) / 10
    return [Figure(f"Making a schema ahead of time, the {effort.schemas}th", "ms", (took * MILLI,), decimals=0)]


def _found_wrong() -> list[Figure]:
    """Tenants without a schema, role or key of their own."""
    tenants = Tenant.objects.count()
    assert Tenant.objects.values("schema_name").distinct().count() == tenants
    return [Figure("Tenants without a schema, role or key of their own", "", (float(tenants - _count(_FENCED)),), 0)]


def _count(question: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return int(cursor.fetchone()[0])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(answer: object) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def main(words: Sequence[str]) -> None:
    if words[0] == "create":
        _print(create_many(int(words[1]), int(words[2]), words[3]))
    else:
        _print([asdict(figure) for figure in measure(Effort(**json.loads(words[0])))])


if __name__ == "__main__":
    main(sys.argv[1:])
