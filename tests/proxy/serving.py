"""A real uvicorn around the gateway, by protocol or by plain ASGI, in the test's own loop or in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import uvicorn

from core.redis import redis_url
from proxy import asgi
from proxy.conf import GatewaySettings
from proxy.gateway import Gateway
from proxy.protocol import GatewayProtocol

TEST_SETTINGS = replace(GatewaySettings(), ip_rate=100_000, ip_burst=100_000, drain_seconds=3)


PORTS: dict[str, Any] = {"asgi": "httptools", "protocol": GatewayProtocol}


class Ways:
    """Which of the two ways the hot routes take from the server; the fixture `either_port` runs a test on each."""

    chosen = "protocol"


class Served:
    """Where the gateway listens, the server, and the gateway itself."""

    def __init__(self, port: int, server: uvicorn.Server, gateway: Gateway) -> None:
        self.port = port
        self.server = server
        self.gateway = gateway

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """The test keeps its signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: Any, access_log: bool) -> tuple[_Server, socket.socket]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    options: dict[str, Any] = {"lifespan": "off", "log_config": None, "proxy_headers": False}
    config = uvicorn.Config(app, http=PORTS[Ways.chosen], ws="websockets-sansio", access_log=access_log, **options)
    return _Server(config), listening


@asynccontextmanager
async def running_server(
    app: Any = asgi.application, *, access_log: bool = False, **settings: int
) -> AsyncIterator[Served]:
    """The gateway behind a real socket, in this loop; at the end of the block the server ends as in production."""
    gateway = Gateway(replace(TEST_SETTINGS, **settings), redis_url())
    await gateway.start()
    asgi._gateway = gateway
    server, listening = _server(app, access_log)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield Served(listening.getsockname()[1], server, gateway)
    finally:
        server.should_exit = True
        await task
        asgi._gateway = None
        await gateway.stop()


@asynccontextmanager
async def serving(app: Any = asgi.application, **settings: int) -> AsyncIterator[Served]:
    """The same; at the end of the block it waits for nobody."""
    async with running_server(app, **settings) as served:
        try:
            yield served
        finally:
            served.server.force_exit = True


@contextmanager
def serving_in_thread(app: Any = asgi.application, **settings: int) -> Iterator[Served]:
    """The same in a thread, for clients that block."""
    ready = threading.Event()
    stop: asyncio.Event | None = None
    loop = asyncio.new_event_loop()
    served: list[Served] = []

    async def main() -> None:
        nonlocal stop
        stop = asyncio.Event()
        async with serving(app, **settings) as running:
            served.append(running)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield served[0]
    finally:
        assert stop is not None
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
