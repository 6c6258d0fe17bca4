"""The measurements, one function each: load in, figures out. Goals are those of the project's performance page."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.figures import Figure
from benchmarks.load import Plan, Result, Target, percentile, run_load, stream_events, stream_seconds
from benchmarks.machine import cpu_seconds, resident_mb
from benchmarks.stand import Stand

MILLI, MICRO = 1_000, 1_000_000
STALL_PACES, STALL_SECONDS = 5, 0.25


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often: seconds of one run, and runs of which the median counts."""

    seconds: float = 5.0
    runs: int = 3


@dataclass(slots=True)
class Measured:
    """One run with the CPU seconds that gateway, bare relay and Redis took in it."""

    result: Result
    gateway_cpu: float
    relay_cpu: float
    redis_cpu: float


class Bench:
    """The stand, seen from the load generator. `errors` collects what went wrong anywhere."""

    def __init__(self, stand: Stand, effort: Effort) -> None:
        self.stand = stand
        self.effort = effort
        self.direct = Target(stand.upstream_url)
        self.through = Target(stand.gateway_url, stand.key)
        self.relayed = Target(stand.relay_url)
        self.errors: dict[str, int] = {}

    async def load(self, target: Target, model: str, **shape: float) -> Measured:
        """One run of `model` against a target; the shape's words are those of load.Plan, and `stream`."""
        stream = bool(shape.pop("stream", False))
        events = stream_events(model) if stream else 0
        lasts = stream_seconds(model) if stream else 0
        plan = Plan(target.request(model, stream=stream), events=events, stream_seconds=lasts, **shape)  # type: ignore[arg-type]
        pids = [self.stand.gateway_pid, self.stand.relay_pid, self.stand.redis_pid]
        before = [cpu_seconds([pid]) for pid in pids]
        result = await run_load(target, plan)
        for reason, count in result.errors.items():
            self.errors[reason] = self.errors.get(reason, 0) + count
        return Measured(result, *(cpu_seconds([pid]) - taken for pid, taken in zip(pids, before, strict=True)))

    async def warm_up(self) -> None:
        await self.load(self.direct, "bench-8", connections=4, seconds=0.5)
        await self.load(self.through, "bench-8", connections=16, seconds=1)
        await self.load(self.through, "bench-8", connections=4, each=20, stream=True)


async def throughput(bench: Bench) -> list[Figure]:
    """Requests that are not streamed, as many as go, from 16 and from 64 connections."""
    figures = []
    for connections in (16, 64):
        runs = [
            await bench.load(bench.through, "bench-8", connections=connections, seconds=bench.effort.seconds)
            for _ in range(bench.effort.runs)
        ]
        at = f"{connections} connections"
        done = [max(1, run.result.requests) for run in runs]
        rates = tuple(count / run.result.seconds for count, run in zip(done, runs, strict=True))
        cpu = tuple(run.gateway_cpu * MILLI / count for count, run in zip(done, runs, strict=True))
        redis = tuple(run.redis_cpu * MILLI / count for count, run in zip(done, runs, strict=True))
        late = tuple(percentile(run.result.latencies, 99) * MILLI for run in runs)
        figures += [
            Figure(f"Requests per second, {at}", "/s", rates, 1_800, at_least=True, decimals=0),
            Figure(f"CPU of the gateway per request, {at}", "ms", cpu, 0.55, decimals=3),
            Figure(f"CPU of Redis per request, {at}", "ms", redis, decimals=3),
            Figure(f"Latency p99, {at}", "ms", late),
        ]
    return figures


async def overhead(bench: Bench) -> list[Figure]:
    """What the gateway adds to a request at one connection: through it and around it in turns, pair by pair."""
    added: dict[int, list[float]] = {50: [], 95: [], 99: []}
    direct_p50, through_p50 = [], []
    for _ in range(bench.effort.runs):
        direct = (await bench.load(bench.direct, "bench-8", connections=1, seconds=bench.effort.seconds / 2)).result
        through = (await bench.load(bench.through, "bench-8", connections=1, seconds=bench.effort.seconds)).result
        for percent, values in added.items():
            values.append(percentile(through.latencies, percent) - percentile(direct.latencies, percent))
        direct_p50.append(percentile(direct.latencies, 50))
        through_p50.append(percentile(through.latencies, 50))
    goals = {50: 0.8}
    return [
        Figure("Directly to the provider, p50, 1 connection", "ms", _scaled(direct_p50, MILLI), decimals=3),
        Figure("Through the gateway, p50, 1 connection", "ms", _scaled(through_p50, MILLI), decimals=3),
        *(
            Figure(f"Added p{percent}, 1 connection", "ms", _scaled(values, MILLI), goals.get(percent), decimals=3)
            for percent, values in added.items()
        ),
    ]


async def first_token(bench: Bench) -> list[Figure]:
    """First-token time while 200 streams of 2 s are open all the time (20 chunks, 100 ms apart)."""
    shape = {"connections": 200, "ramp_seconds": 2, "warm_seconds": 2.2, "stream": True}
    seconds = 2.2 + max(2.0, bench.effort.seconds)
    added: dict[int, list[float]] = {50: [], 99: []}
    for _ in range(bench.effort.runs):
        direct = (await bench.load(bench.direct, "bench-20x100", seconds=seconds, **shape)).result
        through = (await bench.load(bench.through, "bench-20x100", seconds=seconds, **shape)).result
        for percent, values in added.items():
            values.append(percentile(through.first_tokens, percent) - percentile(direct.first_tokens, percent))
    return [
        Figure(f"First-token time added with 200 open streams, p{percent}", "ms", _scaled(values, MILLI))
        for percent, values in added.items()
    ]


async def chunks(bench: Bench) -> list[Figure]:
    """CPU of a chunk, the request's own cost taken off: back to back, and at the pace of a provider. Beside it what a
    bare relay takes for the same streams on the same core."""
    kinds: list[tuple[str, str, float, dict[str, float]]] = [
        ("back to back, 8 streams", "bench-200", 25, {"connections": 8, "seconds": bench.effort.seconds}),
        ("paced 10 ms, 100 streams", "bench-200x10", 50, {"connections": 100, "each": 2, "ramp_seconds": 1}),
        ("paced 100 ms, 200 streams", "bench-150x100", 50, {"connections": 200, "each": 1, "ramp_seconds": 2}),
        ("paced 100 ms, 1000 streams", "bench-150x100", 50, {"connections": 1000, "each": 1, "ramp_seconds": 3}),
    ]
    figures = []
    for name, model, goal, shape in kinds:
        own, whole, bare = [], [], []
        for _ in range(bench.effort.runs):
            base = await bench.load(bench.through, "bench-1", connections=8, seconds=1.5, stream=True)
            request = base.gateway_cpu / max(1, base.result.requests)
            run = await bench.load(bench.through, model, stream=True, **shape)
            whole.append(run.gateway_cpu / max(1, run.result.events))
            relayed = await bench.load(bench.relayed, model, stream=True, **shape)
            bare.append(relayed.relay_cpu / max(1, relayed.result.events))
            own.append((run.gateway_cpu - request * run.result.requests) / max(1, run.result.events))
        figures += [
            Figure(f"CPU per chunk, {name}", "µs", _scaled(own, MICRO), goal, decimals=1),
            Figure(f"… with the request's share, {name}", "µs", _scaled(whole, MICRO), decimals=1),
            Figure(f"… of a bare relay, {name}", "µs", _scaled(bare, MICRO), decimals=1),
        ]
    return figures


async def stalls(bench: Bench) -> list[Figure]:
    """200 streams at once, a chunk each 20 ms for 3 s: none may wait for 250 ms."""
    longest = max(STALL_SECONDS, STALL_PACES * 0.02)
    runs = [
        (await bench.load(bench.through, "bench-150x20", connections=200, each=1, ramp_seconds=1, stream=True)).result
        for _ in range(bench.effort.runs)
    ]
    broken = tuple(float(run.stalled(longest) + run.failed) for run in runs)
    worst = tuple(max(run.gaps, default=0.0) * MILLI for run in runs)
    late = tuple(percentile(run.gaps, 99) * MILLI for run in runs)
    return [
        Figure("Stalled streams of 200 at once, paced 20 ms", "", broken, 0, decimals=0),
        Figure("Longest wait of any stream in it", "ms", worst, decimals=0),
        Figure("Longest wait, p99 of the streams", "ms", late, decimals=0),
    ]


async def memory(bench: Bench) -> list[Figure]:
    """Resident memory after the load: the gateway's worker, and a web worker that served requests and pages."""
    await bench.load(bench.through, "bench-8", connections=64, seconds=1)
    await bench.load(Target(bench.stand.web_url + "/v1", bench.stand.key), "bench-8", connections=16, seconds=1)
    for path in ("/", "/admin/login/", "/api/schema/", "/api/docs/"):
        for _ in range(3):
            try:
                urllib.request.urlopen(bench.stand.web_url + path, timeout=10).read()
            except urllib.error.HTTPError:
                continue
    return [
        Figure("Resident memory, gateway worker", "MB", (resident_mb(bench.stand.gateway_pid),), 150, decimals=0),
        Figure("Resident memory, web worker", "MB", (resident_mb(bench.stand.web_pid),), 150, decimals=0),
    ]


def _scaled(values: list[float], factor: float) -> tuple[float, ...]:
    return tuple(value * factor for value in values)


SCENARIOS: dict[str, Callable[[Bench], Awaitable[list[Figure]]]] = {
    "overhead": overhead,
    "throughput": throughput,
    "first-token": first_token,
    "chunks": chunks,
    "stalls": stalls,
    "memory": memory,
}
