"""What most tests of the gateway start from: a published world and its credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.proxy.serving import PORTS, Ways
from tests.proxy.world import World, make_world
from tests.valkey import own_server


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What is about the bytes on a connection runs on the loop of production, the rest on Python's own."""
    return {"uvloop": uvloop.new_event_loop} if "test_ports" in item.nodeid else {"asyncio": asyncio.new_event_loop}


@pytest.fixture
def own_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server to be held up without holding up anybody else's tests. Ask for it before `world`."""
    with own_server(tmp_path) as server:
        server.start()
        monkeypatch.setenv("REDIS_URL", server.url)
        monkeypatch.setenv("LUMOS_REDIS_ANSWER_SECONDS", "1")
        yield


@pytest.fixture
def world(redis: Any) -> World:
    return make_world()


@pytest.fixture(params=list(PORTS))
def either_port(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test once over ASGI and once over the protocol; its value says which it is."""
    monkeypatch.setattr(Ways, "chosen", request.param)
    return str(request.param)
