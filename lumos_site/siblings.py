"""What the processes of one supervisor tell each other for `/metrics`, in files of one directory; counts nothing.

prometheus_client keeps its values there, one file a process, because PROMETHEUS_MULTIPROC_DIR names it. Beside them
each process leaves its name, and each gateway its figures, which are plain integers for the sake of the hot path. A
process that ended keeps its part of the sums: a counter must not fall.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.processes import figures_of, started_at

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_LONG_DEAD = 50
"""So many ended processes are remembered; when a crash loop makes more, the sums fall once, as after a restart."""


def shared_directory() -> Path | None:
    """None in a process that nobody supervises: it answers for itself."""
    named = os.environ.get(DIRECTORY)
    return Path(named) if named else None


def register(name: str) -> None:
    """Leave the name of this process where `/metrics` finds it."""
    directory = shared_directory()
    if directory is not None:
        _forget_long_dead(directory)
        _write(directory / f"process_{os.getpid()}.json", {"name": name})


class Teller:
    """Leaves this gateway's figures for whichever process is asked."""

    def __init__(self, directory: Path, collector: Collector) -> None:
        self._directory, self._collector = directory, collector
        self._told: list[Any] = []

    def tell(self) -> None:
        rows = [
            (metric.name, metric.documentation, metric.type, [(s.name, s.labels, s.value) for s in metric.samples])
            for metric in self._collector.collect()
        ]
        if rows != self._told:
            self._told = rows
            _write(self._directory / f"gateway_{os.getpid()}.json", {"rows": rows})

    async def tell_every_second(self) -> None:
        while True:
            self.tell()
            await asyncio.sleep(1)


class Gateways(Collector):
    """The sums of all gateways of this supervisor. Gauges of ended processes count no longer."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        sums: defaultdict[str, defaultdict[tuple[str, tuple[tuple[str, str], ...]], float]]
        sums = defaultdict(lambda: defaultdict(float))
        for content, is_alive in _read_all(self._directory, "gateway"):
            for name, documentation, kind, samples in content["rows"]:
                families.setdefault(name, Metric(name, documentation, kind))
                for sample, labels, value in samples if is_alive or kind != "gauge" else ():
                    sums[name][sample, tuple(labels.items())] += value
        for name, family in families.items():
            for (sample, labels), value in sums[name].items():
                family.add_sample(sample, dict(labels), value)
            yield family


class Processes(Collector):
    """Memory, CPU, descriptors and start of every process that registered, under the client library's own names."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        label = ["process"]
        memory = GaugeMetricFamily("process_resident_memory_bytes", "Resident memory, shared pages too.", labels=label)
        own = GaugeMetricFamily("process_unique_memory_bytes", "What its end would give back.", labels=label)
        cpu = CounterMetricFamily("process_cpu_seconds", "User and system CPU time.", labels=label)
        open_files = GaugeMetricFamily("process_open_fds", "Open file descriptors.", labels=label)
        start = GaugeMetricFamily("process_start_time_seconds", "Start, in seconds since the epoch.", labels=label)
        for content, is_alive in _read_all(self._directory, "process"):
            if not is_alive:
                continue
            try:
                figures = figures_of(content["pid"])
            except (OSError, ValueError):  # it ended meanwhile
                continue
            name = [content["name"]]
            memory.add_metric(name, figures.resident_bytes)
            own.add_metric(name, figures.own_bytes)
            cpu.add_metric(name, figures.cpu_seconds)
            open_files.add_metric(name, figures.open_files)
            start.add_metric(name, figures.created_at)
        yield from (memory, own, cpu, open_files, start)


def _write(file: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({**content, "pid": os.getpid(), "started": started_at(os.getpid())}))
    fresh.replace(file)


def _read_all(directory: Path, kind: str) -> Iterator[tuple[dict[str, Any], bool]]:
    """What each process has written, and whether that process still runs."""
    for file in directory.glob(f"{kind}_*.json"):
        try:
            content = json.loads(file.read_text())
        except FileNotFoundError:
            continue
        try:
            is_alive = started_at(content["pid"]) == content["started"]
        except OSError:
            is_alive = False
        yield content, is_alive


def _forget_long_dead(directory: Path) -> None:
    files = defaultdict(list)
    for file in directory.iterdir():
        files[file.stem.rpartition("_")[2]].append(file)
    dead = [pid for pid in files if not Path(f"/proc/{pid}").exists()]
    dead.sort(key=lambda pid: max(file.stat().st_mtime for file in files[pid]))
    for pid in dead[:-_LONG_DEAD]:
        for file in files[pid]:
            file.unlink(missing_ok=True)
