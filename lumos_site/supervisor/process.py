"""One child process in a session of its own: started, listened to, waited for and stopped without leaving anything.

Its end is seen through a pidfd and not through its pipes, because an orphan may hold those for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lumos_site.supervisor.linux import dies_with_parent, kill_group

GATE_FD, NOTIFY_FD = "LUMOS_GATE_FD", "LUMOS_NOTIFY_FD"


@dataclass(frozen=True, slots=True)
class Launch:
    """What to execute and as whom. `owner` is (uid, gid), None for the caller's own."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    owner: tuple[int, int] | None = None
    inherited: tuple[int, ...] = ()
    death_signal: int = signal.SIGTERM


@dataclass(slots=True)
class Pipes:
    """Our ends: `notes` tells when the child waits or is ready, `gate` lets it go on."""

    notes: int
    gate: int | None
    theirs: tuple[int, ...] = field(default=())


class Child:
    """A running child. Create with `Child.start`; always `await end()` or `stop()` it."""

    def __init__(
        self, name: str, popen: subprocess.Popen[bytes], pipes: Pipes, on_line: Callable[[str, str], None]
    ) -> None:
        self.name = name
        self.pid = popen.pid
        self.exit_code: int | None = None
        self.is_ready, self.ended = asyncio.Event(), asyncio.Event()
        self.waiting_since: float | None = None
        self._popen, self._pipes, self._on_line = popen, pipes, on_line
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(popen.pid)
        assert popen.stdout is not None
        self._output = popen.stdout.fileno()
        os.set_blocking(self._output, False)
        self._loop.add_reader(self._output, self._read_output)
        self._loop.add_reader(pipes.notes, self._read_notes)
        self._loop.add_reader(self._pidfd, self._reap)

    @classmethod
    def start(cls, name: str, launch: Launch, on_line: Callable[[str, str], None], *, gated: bool = False) -> Child:
        pipes, variables = _open_pipes(gated)
        owner = {"user": launch.owner[0], "group": launch.owner[1], "extra_groups": []} if launch.owner else {}
        try:
            popen = subprocess.Popen(  # type: ignore[call-overload] # noqa: S603 - our own command lines
                list(launch.command),
                env={**launch.environment, **variables},
                cwd=launch.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
                pass_fds=(*launch.inherited, *pipes.theirs),
                preexec_fn=dies_with_parent(launch.death_signal),  # noqa: PLW1509 - this process has one thread
                **owner,
            )
        finally:
            for descriptor in pipes.theirs:
                os.close(descriptor)
        return cls(name, popen, pipes, on_line)

    def open_gate(self) -> None:
        """Let the child go on; without effect when it has no gate or is gone."""
        if self._pipes.gate is not None:
            with suppress(BrokenPipeError):
                os.write(self._pipes.gate, b"o")
            os.close(self._pipes.gate)
            self._pipes.gate = None

    def send(self, number: int) -> None:
        if not self.ended.is_set():
            with suppress(ProcessLookupError):
                self._popen.send_signal(number)

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
        notes = os.read(self._pipes.notes, 64)
        if not notes:
            self._loop.remove_reader(self._pipes.notes)
        if b"w" in notes:
            self.waiting_since = time.monotonic()
        if b"r" in notes:
            self.is_ready.set()

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        kill_group(self.pid)
        self.exit_code = self._popen.wait()
        self._read_output()
        if self._rest:
            self._on_line(self.name, self._rest.decode(errors="replace"))
        self._close()
        self.ended.set()

    def _close(self) -> None:
        self._loop.remove_reader(self._output)
        self._loop.remove_reader(self._pipes.notes)
        assert self._popen.stdout is not None
        self._popen.stdout.close()
        os.close(self._pidfd)
        os.close(self._pipes.notes)
        if self._pipes.gate is not None:
            os.close(self._pipes.gate)
            self._pipes.gate = None


def _open_pipes(gated: bool) -> tuple[Pipes, dict[str, str]]:
    """Our ends, and the variables that tell the child its own."""
    notes, their_notes = os.pipe()
    variables = {NOTIFY_FD: str(their_notes)}
    if not gated:
        return Pipes(notes, None, (their_notes,)), variables
    their_gate, gate = os.pipe()
    return Pipes(notes, gate, (their_notes, their_gate)), {**variables, GATE_FD: str(their_gate)}


def describe_exit(code: int | None) -> str:
    """The exit code in words: `exit code 3`, `killed by SIGKILL`."""
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
