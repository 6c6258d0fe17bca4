"""Secrets and paths of this installation; owns the secrets file and refuses to print what is in it.

The file is JSON with mode 600. Missing entries are made on demand under a file lock, so several processes that
start at once agree. A deployment of many machines sets LUMOS_SECRETS_FILE to a file that all of them share.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets as random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def var_dir() -> Path:
    return Path(os.environ.get("LUMOS_VAR") or ROOT / "var")


def process_role() -> str:
    """What this process is for (`web`, `worker` …), `command` when nobody said; a fork may change it."""
    return os.environ.get("LUMOS_ROLE") or "command"


def secrets_path() -> Path:
    return Path(os.environ.get("LUMOS_SECRETS_FILE") or var_dir() / "secrets.json")


class Secrets:
    """Values by name. `repr` shows names only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, str] = {}
        self._read_at = 0

    def __repr__(self) -> str:
        return f"Secrets({str(self._path)!r}, names={sorted(self._values)})"

    def get(self, name: str, make: Callable[[], str] = lambda: random.token_urlsafe(32)) -> str:
        """The value called `name`, made and stored when there is none yet."""
        if name not in self._values:
            with self._locked() as stored:
                stored.setdefault(name, "")
                stored[name] = stored[name] or make()
                self._values = dict(stored)
        return self._values[name]

    def find(self, name: str) -> str | None:
        """The value called `name`, or None; makes nothing. What another process wrote meanwhile is seen."""
        try:
            changed_at = self._path.stat().st_mtime_ns  # asked for on every request: read only what has changed
        except OSError:
            return self._values.get(name)
        if changed_at != self._read_at:
            self._values, self._read_at = json.loads(self._path.read_text() or "{}"), changed_at
        return self._values.get(name)

    def put(self, changes: Mapping[str, str | None]) -> None:
        """Store values under their names; None takes a name away. All of it or nothing."""
        with self._locked() as stored:
            stored.update({name: value for name, value in changes.items() if value is not None})
            for name in [name for name, value in changes.items() if value is None]:
                stored.pop(name, None)
            self._values = dict(stored)

    @contextmanager
    def _locked(self) -> Iterator[dict[str, str]]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before = file.read()
            stored: dict[str, str] = json.loads(before or "{}")
            yield stored
            after = json.dumps(stored, indent=1)
            if after != before:
                self._replace(file.fileno(), after)

    @staticmethod
    def _replace(descriptor: int, text: str) -> None:
        os.pwrite(descriptor, text.encode(), 0)
        os.ftruncate(descriptor, len(text.encode()))
        os.fsync(descriptor)


@cache
def secrets() -> Secrets:
    return Secrets(secrets_path())
