"""The measuring side of `./lumos bench allocation`: pools, tenants, allocations, counts; prints JSON.

Started by benchmarks.allocation with the addresses of throw-away servers. As `… allocate THREADS EACH PREFIX` it is one
of the processes that ask at once: EACH times by each of its threads, beginning when its input is closed.
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
from decimal import Decimal

import django

django.setup()

from django.db import connections  # noqa: E402 - what follows needs the apps

from audit.api import SYSTEM  # noqa: E402
from benchmarks.allocation import Effort  # noqa: E402
from benchmarks.figures import Figure  # noqa: E402
from benchmarks.load import percentile  # noqa: E402
from core.clock import utc_now  # noqa: E402
from core.conf import ROOT  # noqa: E402
from core.tenancy import platform_scope  # noqa: E402
from lumos_site.preparation import prepare  # noqa: E402
from tenants.allocation.selectors import miscounted_pools  # noqa: E402
from tenants.api import (  # noqa: E402
    ResourceAllocator,
    ResourceAmounts,
    ResourceKind,
    Tenant,
    TenantType,
    add_pool,
    create_tenant,
    fill_pool,
)
from tenants.models import Allocation, AllocationPart, CapacityPool  # noqa: E402

MILLI = 1_000
ASKED = ResourceAmounts(cpu_millicores=250, memory_mib=512, storage_mib=1_024, worker_slots=1)
KINDS = (ResourceKind.CPU_MILLICORES, ResourceKind.MEMORY_MIB, ResourceKind.STORAGE_MIB, ResourceKind.WORKER_SLOTS)


def measure(effort: Effort) -> list[Figure]:
    prepare(seed=False)
    with platform_scope():
        _say("Creating tenants")
        fill_pool(now=utc_now(), target=effort.tenants, most=effort.tenants)
        for number in range(effort.tenants):
            create_tenant(
                slug=f"t-{number}", name="T", type=TenantType.INDIVIDUAL, acting=SYSTEM, now=utc_now(), region="roomy"
            )
        room = 2 * (2 * effort.singles + 2 * effort.together)
        _pools("roomy", room)
        _pools("scarce", effort.together * 7 // 20)  # in both hosts, so that seven of ten find room
        figures = [*_single(effort, "the first"), *_crowd(effort, effort.processes, "roomy")]
        figures += [
            *_single(effort, f"beside {effort.singles + effort.together:,} others"),
            *_crowd(effort, effort.callers, "roomy"),
        ]
        return [*figures, *_crowd(effort, effort.callers, "scarce"), *_found_wrong(effort)]


def _pools(region: str, allocations: int) -> None:
    for host in ("host-1", "host-2"):
        for kind in KINDS:
            add_pool(
                region=region,
                name=host,
                kind=kind,
                capacity=getattr(ASKED, kind.value) * allocations,
                oversubscription=Decimal(1),
                acting=SYSTEM,
                now=utc_now(),
            )


def _single(effort: Effort, where: str) -> list[Figure]:
    _say(f"Allocating one at a time, {where}")
    tenants = _tenants()
    times = [_allocate(tenants, number, f"one {where} {number}", "roomy") for number in range(effort.singles)]
    return _figures(f"one at a time, {where}", times, goal=5)


def _crowd(effort: Effort, callers: int, region: str) -> list[Figure]:
    _say(f"Allocating by {callers} callers at once, {region}")
    times, wall = _together(effort, callers, region)
    name = f"{callers} callers at once" + (", seven of ten find room" if region == "scarce" else "")
    goal = 5 if callers == effort.processes else None
    rate = Figure(f"Allocations per second, {name}", "/s", (len(times) / wall,), decimals=0)
    return [*_figures(name, times, goal=goal), rate]


def _figures(name: str, times: list[float], goal: float | None) -> list[Figure]:
    figures = [Figure(f"Allocating, p50, {name}", "ms", (percentile(times, 50) * MILLI,), goal)]
    return figures + [Figure(f"Allocating, p{p}, {name}", "ms", (percentile(times, p) * MILLI,)) for p in (95, 99)]


def _allocate(tenants: Sequence[str], number: int, key: str, region: str) -> float:
    began = time.perf_counter()
    ResourceAllocator.allocate(
        tenant_id=tenants[number % len(tenants)],
        request_key=key,
        amounts=ASKED,
        acting=SYSTEM,
        now=utc_now(),
        region=region,
    )
    return time.perf_counter() - began


def _tenants() -> list[str]:
    return list(Tenant.objects.order_by("id").values_list("pk", flat=True))


def _together(effort: Effort, callers: int, region: str) -> tuple[list[float], float]:
    """The seconds of each allocation, and those from the common beginning to the last end."""
    words = [sys.executable, "-m", __spec__.name, "allocate", str(callers // effort.processes)]
    words += [str(effort.together // callers), region]
    children = [
        subprocess.Popen([*words, f"{callers}-{number}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
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


def allocate_many(threads: int, each: int, region: str, prefix: str) -> tuple[list[float], float]:
    """What one process of `_together` does, once its input is closed; any error ends it, and with it the measuring."""
    ready, begin = threading.Barrier(threads + 1), threading.Event()

    def caller(number: int) -> list[float]:
        with platform_scope():
            tenants = _tenants()
            ready.wait()
            begin.wait()
            times = [
                _allocate(tenants, number + turn, f"{region} {prefix} {number} {turn}", region) for turn in range(each)
            ]
            connections.close_all()
            return times

    with ThreadPoolExecutor(threads) as pool:
        shares = [pool.submit(caller, number) for number in range(threads)]
        ready.wait()
        _print("ready")
        sys.stdin.read()
        begin.set()
        return [seconds for share in shares for seconds in share.result()], time.time()


def _found_wrong(effort: Effort) -> list[Figure]:
    """What must be nothing, however many asked at once."""
    over = sum(max(0, pool.used - pool.limit) for pool in CapacityPool.objects.all())
    held = Allocation.objects.filter(state="HELD").count()
    torn = abs(AllocationPart.objects.count() - held * len(KINDS))
    scarce = Allocation.objects.filter(region="scarce")
    room = 2 * (effort.together * 7 // 20)
    return [
        Figure("Units given out beyond what there is", "", (float(over),), 0),
        Figure("Pools whose count differs from what is held of them", "", (float(len(miscounted_pools())),), 0),
        Figure("Allocations that hold a part only", "", (float(torn),), 0),
        Figure("Room left while others waited for it", "", (float(room - scarce.filter(state="HELD").count()),), 0),
        Figure("Allocations that wait, as they should", "", (float(scarce.filter(state="WAITING").count()),)),
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(answer: object) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def main(words: Sequence[str]) -> None:
    if words[0] == "allocate":
        _print(allocate_many(int(words[1]), int(words[2]), words[3], words[4]))
    else:
        _print([asdict(figure) for figure in measure(Effort(**json.loads(words[0])))])


if __name__ == "__main__":
    main(sys.argv[1:])
