"""The word in the environment of everything that one supervisor starts, directly or not; finds who carries it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARK = "LUMOS_SUPERVISOR"


def marked_processes(mark: str) -> Iterator[int]:
    """Processes with LUMOS_SUPERVISOR=`mark` in the environment that they, or what forked them, began with."""
    needle = f"{MARK}={mark}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if needle in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)
