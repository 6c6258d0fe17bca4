"""How fast tenants come into being: one at a time, by 100 callers at once, and both beside 3,000 schemas.

    ./lumos bench tenants [--schemas 3000] [--quick] [--write]

On servers of its own, PostgreSQL as durable as an installation's: a creation that was answered is on disk. Callers are
threads of several processes, each with a connection of its own. Every tenant is looked at afterwards: each with a
schema and a role that are nobody else's.
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

BEGIN, END = "<!-- bench tenants: begin -->", "<!-- bench tenants: end -->"


@dataclass(frozen=True)
class Effort:
    """How much is measured: creations one at a time, callers at once and what they create, schemas to stand beside."""

    singles: int = 300
    callers: int = 100
    together: int = 1_000
    schemas: int = 3_000
    processes: int = 4


QUICK = Effort(singles=20, callers=20, together=100, schemas=150, processes=2)


def _options(words: Sequence[str]) -> tuple[Effort, bool]:
    parser = argparse.ArgumentParser(prog="./lumos bench tenants", description=__doc__)
    parser.add_argument("--schemas", type=int, default=Effort.schemas, help="to stand beside (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few of each: shows that it works, not how fast")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    options = parser.parse_args(words)
    return QUICK if options.quick else Effort(schemas=options.schemas), options.write


def main(words: Sequence[str]) -> int:
    effort, write = _options(words)
    busy = load_average()
    if busy > 0.5:
        print(f"Something else runs on this machine (load {busy:.1f}): the figures will not be fair.", file=sys.stderr)
    figures = figures_of("benchmarks.tenants_inside", asdict(effort))
    print(as_text(figures))
    if write:
        command = " ".join(["./lumos bench tenants", *words])
        write_page(figures, command=command, now=utc_now(), load=busy, marks=(BEGIN, END))
    return 0 if all(figure.met is not False for figure in figures) else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
