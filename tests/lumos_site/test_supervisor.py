"""The supervisor with real children: order, restart, reverse stop, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.conf import ROOT

SCRIPT = Path(__file__).with_name("little_supervisor.py")


class Little:
    """A running little supervisor and what its components noted."""

    def __init__(self, directory: Path, *components: str) -> None:
        self._notes = directory / "notes"
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(directory), *components],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )

    def notes(self) -> list[tuple[str, str, int]]:
        """(component, what, pid) in the order in which it happened."""
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        return [(name, what, int(pid)) for name, what, pid in (line.split() for line in lines)]

    def said(self, what: str) -> list[str]:
        return [name for name, said, _ in self.notes() if said == what]

    def pid_of(self, name: str) -> int:
        return [pid for noted, what, pid in self.notes() if (noted, what) == (name, "starts")][-1]

    def wait_for(self, fact: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not fact():
            assert time.monotonic() < deadline, self.notes()
            time.sleep(0.02)

    def wait_for_starts(self, name: str, times: int) -> None:
        self.wait_for(lambda: self.said("ready").count(name) == times)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_component_starts_when_what_it_needs_is_ready_and_stops_before_it(little: Callable[..., Little]) -> None:
    run = little("web:database", "database+slow", "worker:web")
    run.wait_for(lambda: len(run.said("ready")) == 3)
    code, _ = run.end()
    facts = [(name, what) for name, what, _ in run.notes()]
    up = [(name, what) for name in ("database", "web", "worker") for what in ("starts", "ready")]
    assert facts == [*up, ("worker", "stops"), ("web", "stops"), ("database", "stops")]
    assert code == 0


def test_independent_components_start_side_by_side(little: Callable[..., Little]) -> None:
    run = little("one+slow", "two+slow")
    run.wait_for(lambda: len(run.said("ready")) == 2)
    assert [what for _, what, _ in run.notes()] == ["starts", "starts", "ready", "ready"]


def test_a_killed_component_is_started_again(little: Callable[..., Little]) -> None:
    run = little("database", "web:database")
    run.wait_for(lambda: len(run.said("ready")) == 2)
    first = run.pid_of("database")
    os.kill(first, signal.SIGKILL)
    run.wait_for(lambda: run.said("ready").count("database") == 2)
    assert run.pid_of("database") != first
    _, output = run.end()
    assert "database ended (killed by SIGKILL); starting it again in 0.2 s" in output
    assert "database is back after" in output


def test_the_pause_before_a_restart_grows_with_each_crash(little: Callable[..., Little]) -> None:
    run = little("web")
    for crash in (1, 2, 3):
        run.wait_for_starts("web", crash)
        os.kill(run.pid_of("web"), signal.SIGKILL)
    run.wait_for_starts("web", 4)
    _, output = run.end()
    for pause in ("0.2", "0.4", "0.8"):
        assert f"starting it again in {pause} s" in output


def test_a_component_that_ends_before_it_is_ready_ends_the_start(little: Callable[..., Little]) -> None:
    run = little("database", "web:database+broken", "worker:web")
    output, _ = run.process.communicate(timeout=20)
    assert run.process.returncode == 1
    assert "web stopped (exit code 3) before it was ready; see its lines above." in output
    assert "I am broken" in output
    assert run.said("stops") == ["database"]
    assert "worker" not in run.said("starts")


def test_lines_carry_the_name_of_their_component(little: Callable[..., Little]) -> None:
    run = little("web")
    run.wait_for(lambda: run.said("ready") == ["web"])
    _, output = run.end()
    assert any(" web " in line and line.endswith("| hello from web") for line in output.splitlines())


def test_a_component_that_ignores_the_request_is_killed_after_its_grace(little: Callable[..., Little]) -> None:
    run = little("web+stubborn")
    run.wait_for(lambda: run.said("ready") == ["web"])
    began = time.monotonic()
    code, _ = run.end(signal.SIGINT)
    assert 0.9 < time.monotonic() - began < 6
    assert code == 0
    assert not is_alive(run.pid_of("web"))


def test_a_second_interrupt_does_not_wait_for_the_grace(little: Callable[..., Little]) -> None:
    run = little("web+stubborn", "worker:web+stubborn")
    run.wait_for(lambda: len(run.said("ready")) == 2)
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    began = time.monotonic()
    run.end(signal.SIGINT)
    assert time.monotonic() - began < 0.9


def test_grandchildren_in_sessions_of_their_own_are_taken_along(little: Callable[..., Little]) -> None:
    run = little("agent+parent")
    run.wait_for(lambda: run.said("ready") == ["agent"])
    grandchild = next(int(what.split("=")[1]) for _, what, _ in run.notes() if what.startswith("child="))
    run.end()
    assert not is_alive(grandchild)


def test_nothing_outlives_a_killed_supervisor(little: Callable[..., Little]) -> None:
    run = little("database", "web:database", "agent+parent")
    run.wait_for(lambda: len(run.said("ready")) == 3)
    pids = [run.pid_of(name) for name in ("database", "web", "agent")]
    pids += [int(what.split("=")[1]) for _, what, _ in run.notes() if what.startswith("child=")]
    run.process.kill()
    run.wait_for(lambda: not any(is_alive(pid) for pid in pids))


def test_even_what_ignores_signals_does_not_outlive_a_killed_supervisor(little: Callable[..., Little]) -> None:
    run = little("web+stubborn")
    run.wait_for(lambda: run.said("ready") == ["web"])
    pid = run.pid_of("web")
    run.process.kill()
    run.wait_for(lambda: not is_alive(pid), seconds=20)
