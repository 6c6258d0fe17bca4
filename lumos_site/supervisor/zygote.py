"""The supervisor's side of the zygote: the process that has imported the product and forks the roles.

Importing Django and the product takes a second of CPU in each process; a fork takes milliseconds, and shares the
memory. What it forks becomes the supervisor's own child (see `roles.zygote`), so a zygote that dies takes no role
along, and a new one is started like any other component.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from lumos_site.roles import CONTROL_FD
from lumos_site.supervisor.component import says_ready
from lumos_site.supervisor.process import Child, Execute, Started

_PATIENCE_SECONDS = 60.0


class Order(TypedDict):
    """One fork, as it is sent. `descriptors` names those that follow output and notes, by variable."""

    parent: int
    name: str
    role: str
    options: list[str]
    descriptors: list[str]


class Zygote:
    """`execute` makes the command that runs it from the variable that names its end of the socket."""

    def __init__(self, execute: Callable[[Mapping[str, str], tuple[int, ...]], Execute]) -> None:
        self._execute = execute
        self._socket: socket.socket | None = None
        self._is_there = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    def launch(self) -> Execute:
        self._lose()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        descriptor = theirs.detach()
        return self._execute({CONTROL_FD: str(descriptor)}, (descriptor,))

    async def probe(self, child: Child) -> None:
        await says_ready(child)
        self._is_there.set()

    async def fork(self, order: Order, descriptors: list[int]) -> int:
        """The pid of a new child of ours; waits for a zygote, and for the next one when it dies over this."""
        while True:
            await self._is_there.wait()
            async with self._one_at_a_time:
                try:
                    if self._socket is not None:
                        async with asyncio.timeout(_PATIENCE_SECONDS):
                            return await _ask(self._socket, order, descriptors)
                except (OSError, ValueError):  # a time-out is an OSError too
                    self._lose()  # it is gone, or will be when it reads the end; its watcher starts another
                except asyncio.CancelledError:
                    self._lose()  # nobody would read the answer
                    raise

    def _lose(self) -> None:
        self._is_there.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None


async def _ask(connection: socket.socket, order: Order, descriptors: list[int]) -> int:
    socket.send_fds(connection, [json.dumps(order).encode()], descriptors)
    return int(await asyncio.get_running_loop().sock_recv(connection, 64))


@dataclass(frozen=True, slots=True)
class Fork:
    """A role as a fork of the zygote. `inherited` are descriptors by the variable under which the role expects them."""

    zygote: Zygote
    name: str
    role: str
    options: tuple[str, ...] = ()
    inherited: Mapping[str, int] = field(default_factory=dict)

    async def start(self, output: int, notes: int) -> Started:
        order = Order(
            parent=os.getpid(),
            name=self.name,
            role=self.role,
            options=list(self.options),
            descriptors=list(self.inherited),
        )
        pid = await self.zygote.fork(order, [output, notes, *self.inherited.values()])
        return Started(pid, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
