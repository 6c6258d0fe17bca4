"""The web process: uvicorn on the listening socket that the supervisor bound; owns the server's options only."""

from __future__ import annotations

import os
import socket
from importlib import import_module

import uvicorn

from core.logging import configure_libraries
from core.outage_log import OneLinePerOutage
from lumos_site.roles import LISTEN_FD
from lumos_site.roles.notes import tell_ready


class Server(uvicorn.Server):
    """Tells the supervisor when it accepts connections, and lets open streams end before it closes them."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        tell_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()  # new connections wait on the supervisor's socket for the next process
        await import_module("lumos_site.asgi").drain()
        await super().shutdown(sockets)


def configuration() -> uvicorn.Config:
    return uvicorn.Config(
        "lumos_site.asgi:application",
        loop="uvloop",
        http="lumos_site.asgi:HttpProtocol",
        ws="websockets-sansio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who may be believed is decided by LUMOS_TRUSTED_PROXIES, inside
        timeout_keep_alive=75,
        timeout_graceful_shutdown=8,
        backlog=2048,
    )


_configuration = configuration()
_configuration.load()


def main() -> None:
    configure_libraries(OneLinePerOutage())
    listening = socket.socket(fileno=int(os.environ.pop(LISTEN_FD)))
    os.set_inheritable(listening.fileno(), False)
    Server(_configuration).run(sockets=[listening])


if __name__ == "__main__":
    main()
