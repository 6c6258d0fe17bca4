"""`./lumos bench`: puts up the stand, measures, prints the figures beside the goals, writes docs/performance.md.

`./lumos bench tenants` measures the creation of tenants instead, `fleet` what a thousand of them cost, `allocation` how
fast resources are given out, `start` the start of the product; see the modules of these names.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import subprocess
import sys
from pathlib import Path

import orjson

from benchmarks import allocation, fleet, start, tenants
from benchmarks.figures import Figure, as_text
from benchmarks.machine import load_average
from benchmarks.measure import STAND
from benchmarks.page import write_page
from benchmarks.scenarios import SCENARIOS
from benchmarks.stand import Stand, StandFailed, standing
from core.clock import utc_now
from core.conf import ROOT
from core.processes import dies_with_parent
from lumos_site.devtools.servers import ThrowAway, throw_away
from lumos_site.embedded.errors import EmbeddedServerError
from lumos_site.supervisor.errors import StartFailed
from lumos_site.supervisor.marks import MARK


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./lumos bench", description=__doc__)
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"one of {', '.join(SCENARIOS)}; all by default"
    )
    parser.add_argument("--quick", action="store_true", help="one short run of each: shows that it works, not how fast")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median counts (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one run (default %(default)s)")
    parser.add_argument("--gateway-core", type=int, default=0, help="core of the gateway (default %(default)s)")
    parser.add_argument(
        "--load-core", type=int, default=1, help="core of load, provider and Redis (default %(default)s)"
    )
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="record the gateway with py-spy into FOLDER")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    options = parser.parse_args()
    unknown = set(options.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error(f"there is no scenario {sorted(unknown)[0]}; choose from {', '.join(SCENARIOS)}")
    cores = os.sched_getaffinity(0)
    if not {options.gateway_core, options.load_core} <= cores:
        parser.error(f"this machine offers the cores {sorted(cores)}; choose two with --gateway-core and --load-core")
    if options.quick:
        options.runs, options.seconds = 1, 1.5
    return options


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _run(servers: ThrowAway, options: argparse.Namespace) -> list[Figure]:
    cores = {"gateway_core": options.gateway_core, "load_core": options.load_core}
    async with standing(servers, **cores, say=_say) as stand:
        _say("Measuring")
        return await asyncio.to_thread(_measure, servers, stand, options)


def _measure(servers: ThrowAway, stand: Stand, options: argparse.Namespace) -> list[Figure]:
    words = [*options.scenarios, "--seconds", str(options.seconds), "--runs", str(options.runs)]
    if options.profile:
        words += ["--profile", str(options.profile)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.measure", *words],
        env={**os.environ, STAND: stand.to_json(), MARK: servers.mark},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        preexec_fn=dies_with_parent(15),
        check=False,
    )
    if done.returncode != 0:
        raise StandFailed("The measuring stopped; see its lines above")
    return [Figure(**{**row, "values": tuple(row["values"])}) for row in orjson.loads(done.stdout)]


def main() -> int:
    others = {"tenants": tenants.main, "fleet": fleet.main, "allocation": allocation.main, "start": start.main}
    if sys.argv[1:2] and sys.argv[1] in others:
        return others[sys.argv[1]](sys.argv[2:])
    options = _options()
    busy = load_average()
    if busy > 0.5:
        _say(f"Something else runs on this machine (load {busy:.1f}): the figures will not be fair.")
    try:
        figures = asyncio.run(_run(throw_away(), options))
    except (StandFailed, StartFailed, EmbeddedServerError) as failure:
        _say(f"lumos: {failure}")
        return 1
    print(as_text(figures))
    if options.write:
        command = shlex.join(["./lumos", "bench", *sys.argv[1:]])
        page = write_page(figures, command=command, now=utc_now(), load=busy)
        _say(f"Written to {page.relative_to(ROOT)}")
    return 0 if all(figure.met is not False for figure in figures) else 3


if __name__ == "__main__":
    sys.exit(main())
