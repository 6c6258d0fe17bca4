"""The schedule while the database comes and goes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django_celery_beat.schedulers import DatabaseScheduler
from structlog.testing import capture_logs

from core import outage_log
from lumos_site.celery import app
from lumos_site.roles import scheduler as module
from lumos_site.roles.scheduler import BeatingScheduler


@pytest.fixture
def scheduler() -> BeatingScheduler:
    return BeatingScheduler(app=app, lazy=True)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The database, from now on; holds an entry for each attempt to reach it."""
    monkeypatch.setattr(outage_log, "_failed_at", {})
    attempts: list[str] = []

    def refuse() -> None:
        attempts.append("asked")
        raise OperationalError("connection refused")

    monkeypatch.setattr(module, "close_old_connections", lambda: None)
    monkeypatch.setattr(module, "connection", SimpleNamespace(ensure_connection=refuse))
    return attempts


def test_a_database_that_is_away_is_asked_once_a_second_and_told_in_one_line(
    scheduler: BeatingScheduler, away: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as lines:
        assert not any(scheduler.schedule_changed() for _ in range(50))
    assert len(away) == 1
    assert [line["event"] for line in lines] == ["lumos_site.beat.schedule_not_read"]
    monkeypatch.setattr(scheduler, "_ask_again_at", 0.0)
    with capture_logs() as more_lines:
        assert not scheduler.schedule_changed()
    assert (len(away), more_lines) == (2, [])


def test_a_change_is_asked_for_once_a_second(
    scheduler: BeatingScheduler, away: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "connection", SimpleNamespace(ensure_connection=lambda: None))
    monkeypatch.setattr(DatabaseScheduler, "schedule_changed", lambda self: True)
    assert [scheduler.schedule_changed() for _ in range(3)] == [True, False, False]
    monkeypatch.setattr(scheduler, "_ask_again_at", 0.0)
    assert scheduler.schedule_changed()
