"""What the tests of the loop share: a moment, and a backend's report written by hand where no process is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection

from core.conf import secrets_path
from core.redis import control
from scaling.backends.local import store
from scaling.conf import LocalSettings, local_settings
from scaling.data import Fleet, Machine, TenantWorkers, WorkerStatus, WorkerView
from tests.scaling.running import workers_alive

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GIB = 1024**3


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def worker(
    pid: int = 1, *, cpu: int | None = 10, rss: int = 100 * 1024**2, status: WorkerStatus = WorkerStatus.IDLE
) -> WorkerView:
    return WorkerView(pid, 1.0, status, cpu, rss, 60)


def report(at: datetime, tenants: dict[str, list[WorkerView]], *, available: int = 16 * GIB) -> None:
    """Say what the agent would say."""
    seen = {tenant_id: TenantWorkers(tuple(workers)) for tenant_id, workers in tenants.items()}
    store.write_report(control(), Fleet(at, Machine(16 * GIB, available, 2), seen), agent_pid=1)


def orders() -> dict[str, int]:
    return {tenant_id: target.replicas for tenant_id, target in store.read_targets(control()).items()}


@pytest.fixture
def commits(django_capture_on_commit_callbacks):
    """Run what waits for the commit, although the test's own transaction never commits."""

    def running():
        return django_capture_on_commit_callbacks(execute=True)

    return running


@pytest.fixture
def local(tmp_path, monkeypatch) -> Iterator[LocalSettings]:
    """A local backend of its own, for this process and those that it starts; nothing of it stays."""
    monkeypatch.setenv("LUMOS_SECRETS_FILE", str(secrets_path()))
    monkeypatch.setenv("LUMOS_VAR", str(tmp_path))
    monkeypatch.setenv("LUMOS_WORKER_ORPHAN_SECONDS", "3")
    monkeypatch.setenv("LUMOS_WORKER_STOP_SECONDS", "4")
    settings = local_settings()
    settings.run_dir.mkdir(parents=True)
    yield settings
    for process in workers_alive(settings.home):
        process.kill()


@pytest.fixture
def small_workers(monkeypatch) -> None:
    """Workers of the small application, which start quickly."""
    monkeypatch.setenv("LUMOS_CELERY_APP", "tests.scaling.worker_app")


@pytest.fixture
def worker_database(monkeypatch) -> None:
    """Workers of the product use the test's database."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    monkeypatch.setenv("DATABASE_URL", parts._replace(path=f"/{connection.settings_dict['NAME']}").geturl())
