"""What a thousand tenants in one database cost: pages, search, limits, a migration of all, the dump of one.

    ./lumos bench fleet [--tenants 1000] [--quick] [--write]

On servers of its own. Pages and routes are asked through Django as a browser and a program would, without a network
between. The migration makes every table of every tenant's schema anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.figures import as_text
from benchmarks.inside import figures_of
from benchmarks.machine import load_average
from benchmarks.page import write_page
from core.clock import utc_now

BEGIN, END = "<!-- bench fleet: begin -->", "<!-- bench fleet: end -->"


@dataclass(frozen=True)
class Effort:
    """How many tenants, how often each page is asked for, and how many schemas are migrated at a time."""

    tenants: int = 1_000
    times: int = 25
    parallel: int = 2


QUICK = Effort(tenants=30, times=3)


def _options(words: Sequence[str]) -> tuple[Effort, bool]:
    parser = argparse.ArgumentParser(prog="./lumos bench fleet", description=__doc__)
    parser.add_argument("--tenants", type=int, default=Effort.tenants, help="how many (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few of each: shows that it works, not how fast")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    options = parser.parse_args(words)
    return QUICK if options.quick else Effort(tenants=options.tenants), options.write


def main(words: Sequence[str]) -> int:
    effort, write = _options(words)
    busy = load_average()
    figures = figures_of("benchmarks.fleet_inside", asdict(effort))
    print(as_text(figures))
    if write:
        command = " ".join(["./lumos bench fleet", *words])
        write_page(figures, command=command, now=utc_now(), load=busy, marks=(BEGIN, END))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
