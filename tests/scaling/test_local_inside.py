"""The part inside a worker, the agent's front door and the settings, each without the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from celery import signals

from core.conf import ROOT
from core.redis import control
from scaling.backends.local import __main__ as front_door
from scaling.backends.local import inside, store
from scaling.backends.local.agent import _lock
from scaling.conf import worker_settings
from scaling.data import WorkerStatus
from scaling.models import ScalingDecision, ScalingPolicy
from tests.scaling.running import eventually

WATCHED = (signals.worker_ready, signals.task_prerun, signals.task_postrun, signals.worker_shutting_down)


@pytest.fixture
def celery_signals():
    """Celery's signals as they were, afterwards."""
    before = [list(watched.receivers or []) for watched in WATCHED]
    yield
    for watched, receivers in zip(WATCHED, before, strict=True):
        watched.receivers = receivers


def test_a_worker_tells_its_status_in_its_file(tmp_path, monkeypatch, celery_signals):
    path = tmp_path / "state"
    monkeypatch.setenv(inside.STATE_FILE, str(path))
    monkeypatch.setenv(inside.ORPHAN_SECONDS, "2")
    graces: list[float] = []
    monkeypatch.setattr(inside, "_watch_parent", graces.append)
    inside.install()
    assert graces == [2.0]
    told = []
    for sent in (*WATCHED, signals.task_postrun):
        sent.send(sender=None)
        told.append(path.read_text().split()[0])
    assert told == ["idle", "busy", "idle", "draining", "draining"]
    assert float(path.read_text().split()[1]) == pytest.approx(time.time(), abs=5)


def test_a_process_that_no_agent_started_is_left_alone(monkeypatch):
    monkeypatch.delenv(inside.STATE_FILE, raising=False)
    before = threading.active_count()
    inside.install()
    assert threading.active_count() == before


def test_a_shorter_word_leaves_nothing_of_a_longer_one(tmp_path):
    file = inside.StatusFile(str(tmp_path / "state"))
    file.write(WorkerStatus.STARTING)
    length = (tmp_path / "state").stat().st_size
    file.write(WorkerStatus.IDLE)
    assert (tmp_path / "state").read_text().startswith("idle     ")
    assert (tmp_path / "state").stat().st_size == length


def test_a_worker_without_its_parent_ends_itself(monkeypatch):
    """The last resort, when a task holds up the shutdown that the kernel's signal began."""
    ended = threading.Event()
    parents = iter([10, 10, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(os, "kill", lambda pid, number: ended.set() if number == signal.SIGKILL else None)
    inside._watch_parent(0.05)
    assert ended.wait(5)


def test_the_front_door_runs_the_agent_until_it_is_told_to_stop(local, redis):
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stopper = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGTERM))
    stopper.start()
    try:
        assert front_door.main() == 0
    finally:
        stopper.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_the_front_door_turns_a_second_agent_away(local, redis, capsys):
    with _lock(local):
        assert front_door.main() == 1
    assert capsys.readouterr().err.startswith("Another local backend runs for")


def test_the_agent_needs_neither_django_nor_celery():
    code = "import scaling.backends.local.__main__, sys; print([m for m in ('django', 'celery') if m in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"


def test_a_setting_that_is_no_number_stops_the_start(monkeypatch):
    monkeypatch.setenv("LUMOS_WORKER_MEMORY_MB", "much")
    with pytest.raises(ValueError, match="LUMOS_WORKER_MEMORY_MB='much' is not valid; use a whole number"):
        worker_settings()


def test_rows_show_themselves_to_an_operator():
    assert str(ScalingPolicy(tenant_id="x", min_replicas=1, max_replicas=3)) == "x 1 to 3"
    assert str(ScalingDecision(sentence="Kept acme.")) == "Kept acme."


def test_a_supervisor_can_tell_the_agent_by_its_pid(local, redis):
    """The report in Redis is the heartbeat that the supervisor waits for."""
    process = subprocess.Popen([sys.executable, "manage.py", "run_local_backend"], cwd=ROOT)
    try:
        report = eventually(lambda: control().get(store.observed_key()), "the first report")
        assert json.loads(report)["pid"] == process.pid
    finally:
        process.terminate()
        assert process.wait(15) == 0
