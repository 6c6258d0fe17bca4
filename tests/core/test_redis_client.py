"""What a Redis that is away costs the control plane: two seconds a call at most, and nothing once it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from channels_redis.core import RedisChannelLayer
from django.conf import settings
from django.core.cache import caches
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.redis import connect_seconds, connection_options, control
from core.tenancy.celery import PlatformTask
from lumos_site.celery import broker_settings
from tests.valkey import Server, own_server

pytestmark = pytest.mark.faults
MOST_SECONDS = 2.0


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("LUMOS_REDIS_CONNECT_SECONDS", raising=False)  # which the test run lengthens
    monkeypatch.delenv("LUMOS_REDIS_ANSWER_SECONDS", raising=False)
    with own_server(tmp_path) as server:
        server.start()
        monkeypatch.setenv("REDIS_URL", server.url)
        yield server


@pytest.fixture
def celery(server: Server) -> Iterator[Celery]:
    app = Celery("redis-client", set_as_current=False)
    app.conf.update(broker_settings(server.url))
    yield app
    app.close()


def refused_after(call: Callable[[], object], *errors: type[Exception]) -> float:
    """Seconds until the call gave up."""
    began = time.monotonic()
    with pytest.raises(errors):
        call()
    return time.monotonic() - began


def test_calls_to_a_killed_redis_end_at_once_and_the_first_after_its_restart_gets_through(server: Server) -> None:
    assert control().ping()
    server.kill()
    assert max(refused_after(control().ping, RedisConnectionError) for _ in range(5)) < 0.5
    server.start()
    assert control().ping()


def test_a_hung_redis_costs_a_call_two_seconds_at_most_whether_it_was_connected_or_not(server: Server) -> None:
    assert control().ping()
    with server.held():
        connected = refused_after(control().ping, RedisTimeoutError, RedisConnectionError)
        fresh = refused_after(control().ping, RedisTimeoutError, RedisConnectionError)
    assert max(connected, fresh) < MOST_SECONDS
    assert control().ping()


def test_a_command_whose_answer_is_lost_is_not_sent_again(server: Server) -> None:
    """It may have been carried out: sent twice, it would count twice."""
    control().set("counter", 0)
    with server.held():
        refused_after(lambda: control().incr("counter"), RedisTimeoutError)
    time.sleep(0.2)
    assert control().get("counter") == b"1"


def test_a_task_is_sent_or_refused_within_two_seconds_and_sent_again_when_redis_is_back(
    server: Server, celery: Celery
) -> None:
    @celery.task(base=PlatformTask, name="redis-client.nothing")
    def nothing() -> None: ...

    def send() -> None:
        nothing.apply_async(queue="control")

    send()
    with server.held():
        assert max(refused_after(send, OperationalError) for _ in range(2)) < MOST_SECONDS
    send()
    server.kill()
    assert max(refused_after(send, OperationalError) for _ in range(3)) < 0.5
    client = server.start()
    send()
    assert client.llen(f"{celery.conf.broker_transport_options['global_keyprefix']}control") == 1


def test_the_cache_gives_up_as_soon(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.CACHES["default"], "LOCATION", server.url)
    monkeypatch.setitem(settings.CACHES["default"], "OPTIONS", connection_options())
    cache: Any = caches.create_connection("default")
    cache.set("name", "value")
    with server.held():
        assert refused_after(lambda: cache.get("name"), RedisError) < MOST_SECONDS
    assert cache.get("name") == "value"


async def test_a_message_to_a_socket_is_refused_in_time_and_sent_when_redis_is_back(server: Server) -> None:
    [host] = settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"]
    layer = RedisChannelLayer(hosts=[{**host, "address": server.url, "socket_connect_timeout": connect_seconds()}])
    await layer.send("one", {"type": "note"})
    await asyncio.to_thread(server.kill)
    began = time.monotonic()
    with pytest.raises(RedisConnectionError):
        await layer.send("one", {"type": "note"})
    assert time.monotonic() - began < MOST_SECONDS
    await asyncio.to_thread(server.start)
    await layer.send("one", {"type": "note"})
    assert (await layer.receive("one"))["type"] == "note"
    await layer.close_pools()


@pytest.mark.parametrize("text", ["0", "-1", "soon", "61", "1.2.3"])
def test_a_wait_that_is_no_number_of_seconds_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LUMOS_REDIS_ANSWER_SECONDS", text)
    with pytest.raises(ValueError, match="LUMOS_REDIS_ANSWER_SECONDS="):
        connection_options()
