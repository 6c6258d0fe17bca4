"""Runs scenarios against a stand, in a process of its own on the load's core; owns their order and the report.

Started by `python -m benchmarks`, which gives the stand in LUMOS_BENCH_STAND.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import asdict
from pathlib import Path

import redis
import uvloop

from benchmarks.figures import Figure
from benchmarks.scenarios import SCENARIOS, Bench, Effort
from benchmarks.stand import Stand
from core.redis import key

STAND = "LUMOS_BENCH_STAND"


def _provider_stats(stand: Stand) -> dict[str, int]:
    url = stand.upstream_url.removesuffix("/v1") + "/stats"
    with urllib.request.urlopen(url, timeout=5) as answer:
        stats: dict[str, int] = json.loads(answer.read())
    return stats


def _usage_events(stand: Stand) -> int:
    with redis.Redis.from_url(stand.redis_url) as client:
        return int(client.xlen(key("usage")))


class _Profiler:
    """py-spy on the gateway while a scenario runs, when it is installed."""

    def __init__(self, stand: Stand, folder: Path | None) -> None:
        self._pid = stand.gateway_pid
        self._folder = folder
        self._program = os.environ.get("LUMOS_PYSPY") or shutil.which("py-spy")
        if folder is not None and self._program is None:
            raise SystemExit("--profile needs py-spy: install it somewhere and name it in LUMOS_PYSPY")

    def start(self, scenario: str) -> subprocess.Popen[bytes] | None:
        if self._folder is None or self._program is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        how = ["--rate", "200", "--nonblocking", "--format", "raw", "--duration", "600"]
        target = ["--output", str(self._folder / f"{scenario}.txt")]
        command = [self._program, "record", "--pid", str(self._pid), *how, *target]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def _measure(stand: Stand, effort: Effort, names: list[str], profile: Path | None) -> list[Figure]:
    bench, figures, profiler = Bench(stand, effort), [], _Profiler(stand, profile)
    await bench.warm_up()
    before = _usage_events(stand), _provider_stats(stand)["requests"]
    for name in names:
        print(f"  {name} …", file=sys.stderr, flush=True)
        recording = profiler.start(name)
        figures += await SCENARIOS[name](bench)
        if recording is not None:
            recording.send_signal(2)
            recording.wait(30)
    figures.append(
        Figure("Errors in all runs", "", (float(sum(bench.errors.values())),), 0, decimals=0, note=_reasons(bench))
    )
    print(f"  usage events: {_usage_events(stand) - before[0]}, provider: {_provider_stats(stand)}", file=sys.stderr)
    return figures


def _reasons(bench: Bench) -> str:
    return ", ".join(f"{count} x {reason}" for reason, count in sorted(bench.errors.items()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--profile", type=Path)
    options = parser.parse_args()
    stand = Stand.from_json(os.environ[STAND])
    os.sched_setaffinity(0, {stand.load_core})
    effort = Effort(options.seconds, options.runs)
    figures = uvloop.run(_measure(stand, effort, options.scenarios or list(SCENARIOS), options.profile))
    print(json.dumps([asdict(figure) for figure in figures]))


if __name__ == "__main__":
    main()
