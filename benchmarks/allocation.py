"""How fast resources are given out: one at a time, by several and by a hundred at once, and when nothing is left.

    ./lumos bench allocation [--quick] [--write]

On servers of its own, PostgreSQL as durable as an installation's: an allocation that was answered is on disk. Callers
are threads of several processes, each with a connection of its own. Each asks for four kinds from two hosts; afterwards
the counts of the pools are compared with what is held of them.
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

BEGIN, END = "<!-- bench allocation: begin -->", "<!-- bench allocation: end -->"


@dataclass(frozen=True)
class Effort:
    """How much is measured: allocations one at a time, and in each crowd; callers of the crowd; tenants that ask."""

    singles: int = 300
    together: int = 1_000
    callers: int = 100
    processes: int = 4
    tenants: int = 50


QUICK = Effort(singles=20, together=80, callers=8, processes=2, tenants=4)


def _options(words: Sequence[str]) -> tuple[Effort, bool]:
    parser = argparse.ArgumentParser(prog="./lumos bench allocation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few of each: shows that it works, not how fast")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    options = parser.parse_args(words)
    return QUICK if options.quick else Effort(), options.write


def main(words: Sequence[str]) -> int:
    effort, write = _options(words)
    busy = load_average()
    if busy > 0.5:
        print(f"Something else runs on this machine (load {busy:.1f}): the figures will not be fair.", file=sys.stderr)
    figures = figures_of("benchmarks.allocation_inside", asdict(effort))
    print(as_text(figures))
    if write:
        command = " ".join(["./lumos bench allocation", *words])
        write_page(figures, command=command, now=utc_now(), load=busy, marks=(BEGIN, END))
    return 0 if all(figure.met is not False for figure in figures) else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
