"""The least that a process in the middle can do: bytes from one connection to another, none of them looked at.

What it costs is the machine's share of a gateway's figures: a turn of the loop, a read, a write, and the kernel's TCP.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import cast

import uvloop


class Client(asyncio.Protocol):
    """A connection of the load generator, with one of its own to the provider."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._early: list[bytes] = []
        self.provider: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        loop = asyncio.get_running_loop()
        self._opening = loop.create_task(loop.create_connection(lambda: Provider(self), "127.0.0.1", self._port))

    def opened(self, provider: asyncio.Transport) -> None:
        self.provider = provider
        provider.writelines(self._early)

    def data_received(self, data: bytes) -> None:
        if self.provider is None:
            self._early.append(data)
        else:
            self.provider.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.provider is not None:
            self.provider.close()


class Provider(asyncio.Protocol):
    def __init__(self, client: Client) -> None:
        self._client = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client.opened(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._client.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.transport.close()


async def start_relay(provider_port: int) -> asyncio.Server:
    """A relay to that port of this machine, listening in this loop."""
    return await asyncio.get_running_loop().create_server(lambda: Client(provider_port), "127.0.0.1", 0, backlog=2048)


async def _serve(provider_port: int) -> None:
    server = await start_relay(provider_port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relay", description=__doc__)
    parser.add_argument("provider_port", type=int)
    uvloop.run(_serve(parser.parse_args().provider_port))


if __name__ == "__main__":
    main()
