"""An outage is one line in the log of a process; every other fault keeps its traceback."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from celery.beat import SchedulingError
from django.db import OperationalError
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ConnectionError as RedisConnectionError

from core import outage_log
from core.conf import ROOT
from core.outage_log import QUIET_SECONDS, OneLinePerOutage, is_news
from core.outages import DatabaseAway
from core.redis.pipe import RedisAway
from tests.e2e.traffic import until
from tests.valkey import Server, own_server


@pytest.fixture(autouse=True)
def _nothing_failed_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_log, "_failed_at", {})


@pytest.fixture
def written() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    text, logger = io.StringIO(), logging.getLogger("tests.outage_log")
    handler = logging.StreamHandler(text)
    handler.addFilter(OneLinePerOutage())
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, text
    logger.removeHandler(handler)


def fail(error: BaseException) -> None:
    raise error


def scheduling_error() -> None:
    try:
        raise BrokerError("Error 111 connecting to 127.0.0.1:6379")
    except BrokerError as error:
        raise SchedulingError(f"Couldn't apply: {error}")  # noqa: B904 - as beat does it


@pytest.mark.parametrize(
    ("failing", "line"),
    [
        (
            lambda: fail(OperationalError("refused\n\tIs the server running?")),
            "database_unavailable, told once until it is back: refused",
        ),
        (lambda: fail(RedisConnectionError("gone")), "redis_unavailable, told once until it is back: gone"),
        (scheduling_error, "redis_unavailable, told once until it is back: Error 111 connecting to 127.0.0.1:6379"),
    ],
)
def test_fifty_failures_of_one_outage_are_one_line_without_a_traceback(
    written: tuple[logging.Logger, io.StringIO], failing: Callable[[], None], line: str
) -> None:
    logger, text = written
    for _ in range(50):
        try:
            failing()
        except Exception:
            logger.exception("Task %(name)s raised", {"name": "audit.relay_outbox"})
    assert text.getvalue() == f"{line}\n"


def test_an_exception_among_the_arguments_of_a_line_counts(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = written
    for attempt in range(9):
        logger.error("Cannot connect to %s: %s.\n%s", "redis://x", RedisConnectionError("refused"), f"again {attempt}")
    assert text.getvalue() == "redis_unavailable, told once until it is back: refused\n"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ZeroDivisionError("ours"), None),
        (OperationalError("deadlock detected"), psycopg.errors.DeadlockDetected()),
        (OperationalError("canceling statement"), psycopg.errors.QueryCanceled()),
    ],
)
def test_other_faults_are_told_each_time_with_their_traceback(
    written: tuple[logging.Logger, io.StringIO], error: Exception, cause: Exception | None
) -> None:
    logger, text = written
    error.__cause__ = cause
    for _ in range(2):
        try:
            raise error
        except Exception:
            logger.exception("failed")
    assert text.getvalue().count(f"{type(error).__name__}: {error}") == 2


def test_each_server_has_outages_of_its_own_and_a_later_one_is_news_again(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr(outage_log.time, "monotonic", lambda: moment)
    assert [is_news(DatabaseAway()), is_news(RedisAway()), is_news(DatabaseAway())] == [True, True, False]
    moment += QUIET_SECONDS
    assert not is_news(DatabaseAway())
    moment += QUIET_SECONDS + 1
    assert is_news(DatabaseAway())


_WORKER = "import django; django.setup(); from lumos_site.roles import worker; worker.main()"


class Worker:
    """A real worker process, with what it wrote."""

    def __init__(self, server: Server) -> None:
        environment = {
            **os.environ,
            "REDIS_URL": server.url,
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "LUMOS_REDIS_NAMESPACE": "outage",
            "DJANGO_SETTINGS_MODULE": "lumos_site.settings.worker",
            "LUMOS_WORKER_CONCURRENCY": "1",
            "CELERY_SKIP_CHECKS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            env=environment,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.lines: list[str] = []
        self.send_environment = environment
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.lines.extend(lines)

    def has_said(self, pattern: str, times: int = 1) -> bool:
        return len(re.findall(pattern, "".join(self.lines))) >= times

    def send(self, task: str, times: int) -> None:
        code = f"from lumos_site.celery import app\nfor _ in range({times}): app.send_task({task!r}, queue='control')"
        subprocess.run([sys.executable, "-c", code], env=self.send_environment, cwd=ROOT, check=True, timeout=60)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with own_server(tmp_path, durable=True) as server:
        yield server


@pytest.fixture
def worker(server: Server) -> Iterator[Worker]:
    server.start()
    worker = Worker(server)
    yield worker
    worker.process.kill()
    worker.process.wait()


@pytest.mark.faults
def test_a_worker_tells_in_one_line_that_the_database_is_away_and_works_on_after_redis_was(
    server: Server, worker: Worker
) -> None:
    client = server.client()
    until(lambda: worker.has_said("ready"), "the worker is ready")
    worker.send("audit.relay_outbox", 5)
    until(lambda: worker.has_said("database_unavailable"), "the first task failed")
    until(lambda: not client.exists("outage:celery:unacked", "outage:celery:control"), "the others failed too")
    server.kill()
    until(lambda: worker.has_said("redis_unavailable"), "the loss of the broker is noticed")
    client = server.start()
    until(lambda: worker.has_said("Connected to redis", 2), "it is connected again")
    worker.send("audit.relay_outbox", 5)
    until(lambda: client.llen("outage:celery:control") == 0, "it takes tasks again")
    text = "".join(worker.lines)
    assert text.count("database_unavailable") == 1
    assert text.count("redis_unavailable") == 1
    assert "Traceback" not in text
