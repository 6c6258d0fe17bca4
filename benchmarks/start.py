"""How long `./lumos up` takes, on an empty var/ and again on what it left there, and what CPU and memory it costs.

    ./lumos bench start [--runs 5] [--write]

Each run starts the whole product as a person would, reads the times that it prints, and stops it with Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.figures import Figure, as_text
from benchmarks.machine import children, load_average
from benchmarks.page import write_page
from core.clock import utc_now
from core.conf import ROOT
from core.processes import dies_with_parent
from lumos_site.embedded.ports import pick_free_port

BEGIN, END = "<!-- bench start: begin -->", "<!-- bench start: end -->"
_LAST_WORDS = "Stop with Ctrl-C."
_NOT_OURS = ("DATABASE_URL", "REDIS_URL", "LUMOS_")
_TICK = os.sysconf("SC_CLK_TCK")


class StartFailed(Exception):
    """The product did not come up; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds and MB of one start; `cpu` is of all processes, ended ones too."""

    first_page: float
    all_up: float
    cpu: float
    web_mb: float
    together_mb: float


def read_times(lines: Iterable[str]) -> tuple[float, float]:
    """Seconds until the first page and until everything was up, from the words at the end of a start."""
    text = "\n".join(lines)
    page = re.search(r"first page after ([\d.]+) s", text)
    wall = re.search(r"/ wall ([\d.]+) s", text)
    if page is None or wall is None:
        raise StartFailed(text)
    return float(page[1]), float(wall[1])


def measure(var: Path) -> Start:
    """One start on `var` to its last words, and its stop."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
    process = subprocess.Popen(
        [str(ROOT / "lumos"), "up", "--port", str(pick_free_port())],
        env={**kept, "LUMOS_VAR": str(var)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=dies_with_parent(signal.SIGTERM),
    )
    assert process.stdout is not None
    lines = []
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if _LAST_WORDS in line:
                break
        first_page, all_up = read_times(lines)
        pids = [process.pid, *children(process.pid)]
        web = next(pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() == "lumos-web")
        return Start(
            first_page, all_up, _cpu_seconds(pids), psutil.Process(web).memory_info().rss / 1e6, _together(pids)
        )
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


def _cpu_seconds(pids: Iterable[int]) -> float:
    """Of these and of their children that have ended and were reaped; one that ends meanwhile is its parent's."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICK


def _together(pids: Iterable[int]) -> float:
    """Megabytes that these take, what several share counted once."""
    size = 0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            size += psutil.Process(pid).memory_full_info().pss
    return size / 1e6


def figures(starts: dict[str, list[Start]]) -> list[Figure]:
    """`starts` by "cold" and "warm"."""
    cold, warm = starts["cold"], starts["warm"]
    return [
        Figure("First page, empty var/", "s", tuple(start.first_page for start in cold), 12.0),
        Figure("First page, warm", "s", tuple(start.first_page for start in warm), 3.0),
        Figure("Everything up, empty var/", "s", tuple(start.all_up for start in cold)),
        Figure("Everything up, warm", "s", tuple(start.all_up for start in warm)),
        Figure("CPU of all processes, empty var/", "s", tuple(start.cpu for start in cold)),
        Figure("CPU of all processes, warm", "s", tuple(start.cpu for start in warm)),
        Figure("Resident memory of the web process", "MB", tuple(start.web_mb for start in warm), 150, decimals=0),
        Figure("Memory of all processes, shared pages once", "MB", tuple(s.together_mb for s in warm), decimals=0),
    ]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./lumos bench start", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="starts of each kind (default %(default)s)")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    options = parser.parse_args(words)
    busy = load_average()
    if busy > 0.5:
        print(f"Something else runs on this machine (load {busy:.1f}): the figures will not be fair.", file=sys.stderr)
    measured = figures(_starts(options.runs))
    print(as_text(measured))
    if options.write:
        command = " ".join(["./lumos bench start", *words])
        write_page(measured, command=command, now=utc_now(), load=busy, marks=(BEGIN, END))
    return 0 if all(figure.met is not False for figure in measured) else 3


def _starts(runs: int) -> dict[str, list[Start]]:
    starts: defaultdict[str, list[Start]] = defaultdict(list)
    for run in range(runs):
        var = Path(tempfile.mkdtemp(prefix="lumos-start-"))
        var.chmod(0o755)  # the database's own account has to pass through
        try:
            for kind in ("cold", "warm"):
                starts[kind].append(measure(var))
                print(f"  {run + 1} {kind}: first page after {starts[kind][-1].first_page:.2f} s", file=sys.stderr)
        finally:
            shutil.rmtree(var)
    return starts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
