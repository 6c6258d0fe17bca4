"""One child process in a session of its own: started, listened to, waited for and stopped without leaving anything.

Its end is seen through a pidfd and not through its pipes, because an orphan may hold those for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.processes import dies_with_parent, kill_session
from lumos_site.roles.notes import NOTIFY_FD


@dataclass(frozen=True, slots=True)
class Started:
    """A process that was made just now; `wait` reaps it and returns its exit code, as subprocess counts it."""

    pid: int
    wait: Callable[[], int]


class Launch(Protocol):
    """How a child comes to be."""

    async def start(self, output: int, notes: int) -> Started:
        """Make it our child, in a session of its own, with its lines on `output` and `notes` to say that it is ready.

        Both descriptors are still the caller's to close.
        """


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a program. `owner` is (uid, gid), None for the caller's own; `given` descriptors are closed here after."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    owner: tuple[int, int] | None = None
    given: tuple[int, ...] = ()
    death_signal: int = signal.SIGTERM

    async def start(self, output: int, notes: int) -> Started:
        owner = {"user": self.owner[0], "group": self.owner[1], "extra_groups": []} if self.owner else {}
        try:
            popen = subprocess.Popen(  # type: ignore[call-overload] # noqa: ASYNC220, S603 - our own command lines
                list(self.command),
                env={**self.environment, NOTIFY_FD: str(notes)},
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(*self.given, notes),
                preexec_fn=dies_with_parent(self.death_signal),  # noqa: PLW1509 - this process has one thread
                **owner,
            )
        finally:
            for descriptor in self.given:
                os.close(descriptor)
        return Started(popen.pid, popen.wait)


class Child:
    """A running child. Create with `Child.start`; always wait for `ended`, or `stop` it."""

    def __init__(
        self, name: str, started: Started, output: int, notes: int, on_line: Callable[[str, str], None]
    ) -> None:
        self.name, self.pid = name, started.pid
        self.exit_code: int | None = None
        self.is_ready, self.ended = asyncio.Event(), asyncio.Event()
        self._wait, self._output, self._notes, self._on_line = started.wait, output, notes, on_line
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(started.pid)
        os.set_blocking(output, False)
        self._loop.add_reader(output, self._read_output)
        self._loop.add_reader(notes, self._read_notes)
        self._loop.add_reader(self._pidfd, self._reap)

    @classmethod
    async def start(cls, name: str, launch: Launch, on_line: Callable[[str, str], None]) -> Child:
        output, their_output = os.pipe()
        notes, their_notes = os.pipe()
        try:
            started = await launch.start(their_output, their_notes)
        except BaseException:
            os.close(output)
            os.close(notes)
            raise
        finally:
            os.close(their_output)
            os.close(their_notes)
        return cls(name, started, output, notes, on_line)

    def send(self, number: int) -> None:
        if not self.ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def stop(self, number: int, grace: float) -> None:
        """Ask by signal `number`, wait `grace` seconds, then kill."""
        self.send(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), grace)
        self.send(signal.SIGKILL)
        await self.ended.wait()

    def _read_output(self) -> None:
        try:
            data = os.read(self._output, 65_536)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._output)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(self.name, line.decode(errors="replace"))

    def _read_notes(self) -> None:
        if os.read(self._notes, 64):
            self.is_ready.set()
        else:
            self._loop.remove_reader(self._notes)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        kill_session(self.pid)
        self.exit_code = self._wait()
        self._read_output()
        if self._rest:
            self._on_line(self.name, self._rest.decode(errors="replace"))
        for descriptor in (self._output, self._notes):
            self._loop.remove_reader(descriptor)
        for descriptor in (self._output, self._notes, self._pidfd):
            os.close(descriptor)
        self.ended.set()


def describe_exit(code: int | None) -> str:
    """The exit code in words: `exit code 3`, `killed by SIGKILL`."""
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
