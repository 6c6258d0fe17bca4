"""What the kernel says of processes and of this machine: CPU time, resident memory, names and versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PACKAGES = ("uvicorn", "uvloop", "httptools", "hiredis", "orjson", "django")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes with all their threads, from /proc/<pid>/stat (10 ms steps)."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def resident_mb(pid: int) -> float:
    match = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


def children(pid: int) -> list[int]:
    """Every process under `pid`, itself left out."""
    direct = [
        int(child)
        for thread in Path(f"/proc/{pid}/task").iterdir()
        for child in (thread / "children").read_text().split()
    ]
    return [*direct, *(below for child in direct for below in children(child))]


def pin(pid: int, core: int) -> None:
    """Keep every thread of a process on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def load_average() -> float:
    """Runnable processes over the last minute: what else was going on when the measuring began."""
    return os.getloadavg()[0]


def description() -> list[tuple[str, str]]:
    """What the table of results needs beside it: (what, value)."""
    lscpu = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    cpu = dict(line.split(":", 1) for line in lscpu.splitlines() if ":" in line)
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return [
        ("CPU", f"{os.cpu_count()} x {cpu.get('Model name', '?').strip()}"),
        ("Virtualisation", cpu.get("Hypervisor vendor", "none").strip()),
        ("Memory", f"{int(memory[1]) / 1024 / 1024:.1f} GiB" if memory else "?"),
        ("Kernel", platform.release()),
        ("Python", sys.version.split()[0]),
        ("Packages", ", ".join(f"{name} {version(name)}" for name in _PACKAGES)),
        ("Revision", revision()),
    ]


def revision() -> str:
    """The commit that was measured, with a plus sign when files differ from it."""
    root = Path(__file__).resolve().parent.parent
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=root, check=False
    )
    dirty = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, cwd=root, check=False)
    return (head.stdout.strip() or "unknown") + ("+" if dirty.stdout.strip() else "")
