"""How long a quota decision takes: the real engine, script and server, all dimensions in one or two scopes.

    python -m benchmarks.quota_decision [--calls 20000] [--callers 200 2000 10000] [--core 0]

Needs REDIS_URL of a server that may be written to; keys have a namespace of their own and are removed afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

os.environ["LUMOS_REDIS_NAMESPACE"] = "lumos-bench-quotas"

import redis as redis_library

from core.ids import new_ulid
from core.redis import control, namespace, redis_url
from core.redis.pipe import RedisPipe
from quotas.data import Admission, Dimension, EffectiveLimits, Limit, ReserveRequest
from quotas.engine.engine import QuotaEngine
from quotas.engine.keys import EngineKeys
from quotas.engine.operations import Operations
from quotas.periods import calendar_month

_ROOMY = 10**12
_EVENT = b'{"id":"req","tenant_id":"ten","status":"abandoned"}'.ljust(360, b" ")
_TENANTS = 50


@dataclass(frozen=True, slots=True)
class Shape:
    """What is decided: `scopes` 1 is the tenant alone, 2 the tenant and its key."""

    name: str
    scopes: int
    limit: int

    def requests(self, count: int) -> Iterator[ReserveRequest]:
        every = tuple(Limit(dimension, self.limit) for dimension in Dimension)
        tenants = [EffectiveLimits(new_ulid(), every) for _ in range(_TENANTS)]
        key_id = new_ulid() if self.scopes == 2 else ""
        own = every if self.scopes == 2 else ()
        for number in range(count):
            name, limits = f"req_{new_ulid()}", tenants[number % _TENANTS]
            yield ReserveRequest(name, limits, 1200, 300, 200, 50, _EVENT, key_id=key_id, key_limits=own)


SHAPES = [
    Shape("5 dimensions, tenant", 1, _ROOMY),
    Shape("5 dimensions, tenant + key", 2, _ROOMY),
    Shape("the same, denied", 2, 1),
]


@dataclass(frozen=True, slots=True)
class Timed:
    """CPU per decision in microseconds: of this process, of the server for a reservation and for a settlement."""

    shape: str
    callers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    server_us: float
    settle_server_us: float

    def line(self) -> str:
        return (
            f"{self.shape:<28}{self.callers:>8}{self.per_second:>10,.0f}{self.p50_ms:>9.3f}{self.p99_ms:>9.3f}"
            f"{self.cpu_us:>9.1f}{self.server_us:>11.1f}{self.settle_server_us:>11.1f}"
        )


_HEADER = (
    f"{'':<28}{'callers':>8}{'per s':>10}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>9}{'reserve us':>11}{'settle us':>11}"
)


async def _measure(engine: QuotaEngine, client: redis_library.Redis, shape: Shape, calls: int, callers: int) -> Timed:
    requests = list(shape.requests(calls))
    times: list[float] = []
    admitted: list[Admission] = []

    async def caller(share: list[ReserveRequest]) -> None:
        for request in share:
            began = time.perf_counter()
            answer = await engine.reserve(request)
            times.append(time.perf_counter() - began)
            if answer.admitted:
                admitted.append(answer)

    server, wall, cpu = _server_cpu(client), time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller(requests[number::callers]) for number in range(callers)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    server = (_server_cpu(client) - server) / calls * 1e6
    settling = _server_cpu(client)
    for answer in admitted:
        assert answer.ticket is not None
        await engine.settle(answer.ticket, input_tokens=200, output_tokens=100, micro=90, event=_EVENT)
    settling = (_server_cpu(client) - settling) / max(len(admitted), 1) * 1e6
    times.sort()
    p99 = times[int(len(times) * 0.99)]
    median = statistics.median(times)
    return Timed(shape.name, callers, calls / wall, median * 1e3, p99 * 1e3, cpu / calls * 1e6, server, settling)


def _server_cpu(client: redis_library.Redis) -> float:
    """Seconds of CPU that the server's main thread used so far; other work on the machine does not count."""
    info = client.info("cpu")
    return float(info["used_cpu_user_main_thread"]) + float(info["used_cpu_sys_main_thread"])


def _packing_us(rounds: int = 20_000) -> tuple[float, float]:
    """Microseconds of Python to build one reserve call and one settle call, before any I/O."""
    operations = Operations(EngineKeys.of_installation(), calendar_month, int(time.time()))
    [request] = Shape("", 2, _ROOMY).requests(1)
    plan = operations.plan_of(request.limits, request.key_id, request.key_limits)
    reply = [1, 0, 100, 99, 1000, 100, 99, 1000]
    began = time.process_time()
    for _ in range(rounds):
        steps = operations.reserve(request)
        next(steps)
        try:
            steps.send(reply)
        except StopIteration as done:
            admission: Admission = done.value
    reserve = (time.process_time() - began) / rounds
    assert admission.ticket is not None
    assert admission.ticket.plan == plan.encoded
    began = time.process_time()
    for _ in range(rounds):
        next(operations.settle(admission.ticket, 300, 90, _EVENT))
    return reserve * 1e6, (time.process_time() - began) / rounds * 1e6


def _forget(client: redis_library.Redis) -> None:
    batch: list[bytes] = []
    for name in client.scan_iter(f"{namespace()}:*", count=1000):
        batch.append(name)
        if len(batch) == 1000:
            client.unlink(*batch)
            batch.clear()
    if batch:
        client.unlink(*batch)


async def _run(calls: int, callers: list[int]) -> None:
    client = control()
    client.set(EngineKeys.of_installation().epoch, "benchmark")
    pipe = RedisPipe(redis_url(), timeout=60)
    await pipe.connect()
    engine = QuotaEngine(pipe)
    print(_HEADER)
    for shape in SHAPES:
        for number in [1, *callers]:
            share = max(calls if number > 1 else calls // 4, number)
            print((await _measure(engine, client, shape, share, number)).line(), flush=True)
            _forget(client)
            client.set(EngineKeys.of_installation().epoch, "benchmark")
    await pipe.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000, help="decisions per figure (default %(default)s)")
    parser.add_argument("--callers", type=int, nargs="*", default=[200, 2000, 10_000], help="beside one caller")
    parser.add_argument("--core", type=int, help="pin this process to a core")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    reserve, settle = _packing_us()
    print(f"building a call and reading its answer: reserve {reserve:.1f} us, settle {settle:.1f} us of Python\n")
    try:
        asyncio.run(_run(options.calls, options.callers))
    finally:
        _forget(control())


if __name__ == "__main__":
    main()
