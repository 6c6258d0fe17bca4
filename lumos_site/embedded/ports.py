"""Which local ports the embedded servers listen on: remembered between runs, changed only when somebody took one."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

# Below the range from which Linux takes the ports of outgoing connections, so a remembered port stays free.
LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def pick_free_port() -> int:
    # Not for secrets: random, so that two installations that start at once seldom choose the same.
    for port in random.SystemRandom().sample(range(LOWEST, HIGHEST), 200):
        if is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST}")


def remembered_port(file: Path, server: str) -> int:
    """The port of `server`, from `file` when it is still free, else a new one that is written there."""
    try:
        known: dict[str, int] = json.loads(file.read_text())
    except (OSError, ValueError):
        known = {}
    port = known.get(server)
    if port is None or not is_free(port):
        port = pick_free_port()
        file.write_text(json.dumps({**known, server: port}, indent=1))
    return port
