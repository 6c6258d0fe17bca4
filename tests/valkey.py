"""A Valkey of one test alone, to be killed, held up and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis as redis_library

from lumos_site.embedded.binaries import valkey_server
from lumos_site.embedded.ports import pick_free_port


@dataclass
class Server:
    """`durable` writes each change to disk before it answers; otherwise a restart finds nothing."""

    folder: Path
    port: int
    durable: bool = False
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> redis_library.Redis:
        """Return a client of the server when that answers."""
        options = ["--appendonly", "yes", "--appendfsync", "always"] if self.durable else []
        self.process = subprocess.Popen(
            [
                *(str(valkey_server()), "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--dir", str(self.folder), *options),
            ],
            stdout=subprocess.DEVNULL,
        )
        client = self.client()
        for _ in range(500):
            try:
                client.ping()
                return client
            except redis_library.RedisError:
                time.sleep(0.02)
        raise AssertionError("the test's server did not start")

    def client(self) -> redis_library.Redis:
        return redis_library.Redis(port=self.port, socket_timeout=5)

    def kill(self) -> None:
        """With -9, as a machine that fails does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside the block the server takes connections and answers nothing."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def own_server(folder: Path, *, durable: bool = False) -> Iterator[Server]:
    """Not started yet; killed at the end."""
    server = Server(folder, pick_free_port(), durable)
    try:
        yield server
    finally:
        if server.process is not None:
            server.kill()
