"""`/metrics` of processes that share a port: one answers for all, and what ended is not forgotten."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from core.processes import started_at
from lumos_site import siblings
from lumos_site.asgi import application
from lumos_site.siblings import Gateways, Processes, Teller, register, shared_directory


class Figures(Collector):
    def __init__(self) -> None:
        self.requests, self.open = 3, 2

    def collect(self) -> Iterable[Metric]:
        requests = CounterMetricFamily("gw_requests", "Requests", labels=["outcome"])
        requests.add_metric(["ok"], self.requests)
        yield requests
        yield GaugeMetricFamily("gw_open", "Open", value=self.open)
        latency = HistogramMetricFamily("gw_seconds", "Latency")
        latency.add_metric([], [("0.1", 1.0), ("+Inf", 2.0)], 0.7)
        yield latency


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def ended_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def another_told(directory: Path, pid: int, started: int) -> None:
    """What this process told, as if the process `pid` had."""
    told = json.loads((directory / f"gateway_{os.getpid()}.json").read_text())
    (directory / f"gateway_{pid}.json").write_text(json.dumps({**told, "pid": pid, "started": started}))


def exposed(collector: Collector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def test_one_process_answers_for_all(directory: Path) -> None:
    Teller(directory, Figures()).tell()
    another_told(directory, os.getppid(), started_at(os.getppid()))
    text = exposed(Gateways(directory))
    assert 'gw_requests_total{outcome="ok"} 6.0' in text
    assert "gw_open 4.0" in text
    assert 'gw_seconds_bucket{le="0.1"} 2.0' in text
    assert "gw_seconds_count 4.0" in text
    assert "gw_seconds_sum 1.4" in text


def test_an_ended_process_stays_in_the_sums_and_leaves_the_gauges(directory: Path) -> None:
    Teller(directory, Figures()).tell()
    another_told(directory, ended_pid(), 1)
    another_told(directory, os.getppid(), started_at(os.getppid()) - 1)  # another process has its number now
    text = exposed(Gateways(directory))
    assert 'gw_requests_total{outcome="ok"} 9.0' in text
    assert "gw_open 2.0" in text


def test_figures_are_written_when_they_changed(directory: Path) -> None:
    figures = Figures()
    teller, file = Teller(directory, figures), directory / f"gateway_{os.getpid()}.json"
    teller.tell()
    file.unlink()
    teller.tell()
    assert not file.exists()
    figures.requests += 1
    teller.tell()
    assert 'gw_requests_total{outcome="ok"} 4.0' in exposed(Gateways(directory))


def test_every_running_process_is_measured_under_its_name(directory: Path) -> None:
    register("web-1")
    other = json.dumps({"name": "web-2", "pid": ended_pid(), "started": 1})
    (directory / "process_1.json").write_text(other)
    text = exposed(Processes(directory))
    for figure in (
        "resident_memory_bytes",
        "unique_memory_bytes",
        "cpu_seconds_total",
        "open_fds",
        "start_time_seconds",
    ):
        assert f'process_{figure}{{process="web-1"}}' in text
    assert "web-2" not in text


def test_a_crash_loop_leaves_no_more_than_some_ended_processes(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siblings, "_LONG_DEAD", 2)
    dead = [ended_pid() for _ in range(4)]
    for age, pid in enumerate(dead):
        for name in (f"counter_{pid}.db", f"gateway_{pid}.json"):
            (directory / name).touch()
            os.utime(directory / name, (1000 - age, 1000 - age))
    mine = directory / f"counter_{os.getpid()}.db"
    mine.touch()
    register("web")
    left = {file.name for file in directory.iterdir()} - {f"process_{os.getpid()}.json", mine.name}
    assert left == {f"{kind}_{pid}.{end}" for pid in dead[:2] for kind, end in (("counter", "db"), ("gateway", "json"))}
    assert mine.exists()


def test_nothing_is_written_by_a_process_that_nobody_supervises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    register("web")
    assert shared_directory() is None


async def test_the_exposition_holds_what_the_others_told(directory: Path, settings: object) -> None:
    settings.METRICS_TOKEN = "a-token-that-only-prometheus-knows"
    Teller(directory, Figures()).tell()
    register("web-1")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
        answer = await client.get("/metrics", headers={"authorization": f"Bearer {settings.METRICS_TOKEN}"})
    assert answer.status_code == 200
    for figure in ('gw_requests_total{outcome="ok"} 3.0', 'process_open_fds{process="web-1"}', "python_info"):
        assert figure in answer.text
