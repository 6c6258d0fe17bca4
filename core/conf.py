"""Secrets, paths and waits of this installation; owns the secrets file and refuses to print what is in it.

The file is JSON with mode 600. Missing entries are made on demand under a file lock, so several processes that
start at once agree. A deployment of many machines sets LUMOS_SECRETS_FILE to a file that all of them share.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets as random
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TextIO

from core.errors import Unavailable
from core.faults import fault_point

# A single file that is mounted is busy; a file of a secret's volume, or a folder of others, cannot be written.
_FIXED = frozenset({errno.EBUSY, errno.EROFS, errno.EACCES, errno.EPERM, errno.EXDEV})
ROOT = Path(__file__).resolve().parent.parent


def var_dir() -> Path:
    return Path(os.environ.get("LUMOS_VAR") or ROOT / "var")


def process_role() -> str:
    """What this process is for (`web`, `worker` …), `command` when nobody said; a fork may change it."""
    return os.environ.get("LUMOS_ROLE") or "command"


def env_seconds(name: str, default: str) -> float:
    """How long to wait, from the environment; raises ValueError for what is no number of seconds."""
    text = os.environ.get(name) or default
    if not text.replace(".", "", 1).isdigit() or not 0 < float(text) <= 60:
        raise ValueError(f"{name}={text!r} is not valid; use a number of seconds above 0, up to 60")
    return float(text)


def secrets_path() -> Path:
    return Path(os.environ.get("LUMOS_SECRETS_FILE") or var_dir() / "secrets.json")


class SecretsFixed(Unavailable):
    code = "secrets_fixed"
    title = "The secrets file cannot be written where it is"


class Secrets:
    """Values by name. `repr` shows names only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, str] = {}
        self._read = (0, 0, 0)

    def __repr__(self) -> str:
        return f"Secrets({str(self._path)!r}, names={sorted(self._values)})"

    def get(self, name: str, make: Callable[[], str] = lambda: random.token_urlsafe(32)) -> str:
        """The value called `name`, made and stored when there is none yet. Raises SecretsFixed."""
        if name not in self._values and not self.find(name):
            with self._locked() as stored:
                stored.setdefault(name, "")
                stored[name] = stored[name] or make()
                self._values = dict(stored)
        return self._values[name]

    def find(self, name: str) -> str | None:
        """The value called `name`, or None; makes nothing. What another process wrote meanwhile is seen."""
        try:
            state = self._path.stat()  # asked for on every request: read only what has changed
        except OSError:
            return self._values.get(name)
        changed = (state.st_mtime_ns, state.st_ino, state.st_size)
        if changed != self._read:
            with suppress(ValueError):  # of a file that is broken what was read before holds on
                self._values, self._read = json.loads(self._path.read_text() or "{}"), changed
        return self._values.get(name)

    def put(self, changes: Mapping[str, str | None]) -> None:
        """Store values under their names; None takes a name away. All of it or nothing. Raises SecretsFixed."""
        with self._locked() as stored:
            stored.update({name: value for name, value in changes.items() if value is not None})
            for name in [name for name, value in changes.items() if value is None]:
                stored.pop(name, None)
            self._values = dict(stored)

    @contextmanager
    def _locked(self) -> Iterator[dict[str, str]]:
        with _said_clearly(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._held() as file:
                before = file.read()
                stored: dict[str, str] = json.loads(before or "{}")
                yield stored
                after = json.dumps(stored, indent=1)
                if after != before:
                    _replace(file, Path(os.path.realpath(self._path)), after)

    @contextmanager
    def _held(self) -> Iterator[TextIO]:
        """The file, locked; opened again when somebody has put another one in its place meanwhile."""
        while True:
            with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if self._path.exists() and os.path.samestat(os.fstat(file.fileno()), self._path.stat()):
                    yield file
                    return


@contextmanager
def _said_clearly(path: Path) -> Iterator[None]:
    """What an operating system calls busy or read-only, in words that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FIXED:
            raise
        why = f"The secrets file {path} cannot be written where it is ({os.strerror(error.errno)})"
        step = (
            "Mount the folder that holds it, writable, not the single file, and let LUMOS_SECRETS_FILE name the file "
            "in it; it is replaced as a whole, so that no crash leaves half of it"
        )
        raise SecretsFixed(why, next_step=step) from error


def _replace(old: TextIO, path: Path, text: str) -> None:
    """Put a file of that text, of the same owner and mode, in the old one's place: readers see one or the other."""
    made, state = path.with_name(f"{path.name}.new"), os.fstat(old.fileno())
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        if (state.st_uid, state.st_gid) != (os.fstat(file.fileno()).st_uid, os.fstat(file.fileno()).st_gid):
            os.fchown(file.fileno(), state.st_uid, state.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(state.st_mode))
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fault_point("core.secrets.written")
    try:
        os.replace(made, path)
    except OSError:
        made.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@cache
def secrets() -> Secrets:
    return Secrets(secrets_path())
