"""One embedded Valkey: its options and where its data is; starting and watching it is the supervisor's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lumos_site.embedded.binaries import valkey_server


@dataclass(frozen=True, slots=True)
class Valkey:
    """A server on 127.0.0.1 with a password. `durable` False is for throw-away test servers only."""

    data: Path
    port: int
    password: str
    durable: bool = True

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def _config(self) -> Path:
        return self.data / "valkey.conf"

    def prepare(self) -> None:
        """Write the configuration, as a file of mode 600 because command lines are public."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self.password}",
            f'dir "{self.data}"',
            "daemonize no",
            "databases 16",
            "tcp-backlog 511",
            "maxmemory-policy noeviction",
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            "aof-load-truncated yes",
            'save ""',
            "set-proc-title no",
            "loglevel warning",
        ]
        self._config.touch(mode=0o600)
        self._config.write_text("\n".join(lines) + "\n")

    def command(self) -> list[str]:
        return [str(valkey_server()), str(self._config)]
