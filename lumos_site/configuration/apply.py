"""Making the changes of a file: all of them or none, in one transaction; owns the file of new API keys."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.db import connection, transaction

from audit.api import Actor
from core.errors import LumosError, StaleState
from lumos_site.configuration.changes import Change, Run
from lumos_site.configuration.current import read_current
from lumos_site.configuration.difference import changes_between
from lumos_site.configuration.document import Document
from lumos_site.configuration.marks import ConfigurationRefused, Mistake

_LOCK = 7_052_002  # advisory lock: one application of a file at a time


def find_changes(document: Document, now: datetime) -> list[Change]:
    """What applying would do now. Raises ConfigurationRefused."""
    return changes_between(document, read_current(now))


def apply_document(
    document: Document, *, expected: Sequence[Change], acting: Actor, now: datetime, keys_file: Path
) -> Run:
    """Make the `expected` changes and write new API keys to `keys_file`. All of it or nothing.

    Raises StaleState when the difference is no longer what was expected, ConfigurationRefused when a room refuses
    a value; OSError when the keys cannot be written, and then no key was made.
    """
    run = Run(acting, now)
    before = _content(keys_file)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            changes = find_changes(document, now)
            if changes != list(expected):
                raise StaleState("The installation changed in the meantime", next_step="Run the command again")
            for change in changes:
                _make(change, run)
            if run.new_keys:
                _write_keys(keys_file, run)  # before the commit: a key that nobody could read again must not be
    except BaseException:
        if run.new_keys:
            _restore(keys_file, before)
        raise
    return run


def _make(change: Change, run: Run) -> None:
    """A room's refusal becomes a mistake of the file, with its line."""
    try:
        change.act(run)
    except ConfigurationRefused:
        raise
    except LumosError as error:
        details = [f"{name} {message}" for name, messages in error.fields.items() for message in messages]
        told = "; ".join([str(error.message).rstrip("."), *details])
        raise ConfigurationRefused([Mistake(change.place, change.subject, told)]) from error


def _content(path: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def _write_keys(path: Path, run: Run) -> None:
    """Add the new keys to what the file holds: tenant -> name -> key. Only the owner may read it."""
    stored: dict[str, dict[str, str]] = json.loads(_content(path) or b"{}")
    for slug, keys in run.new_keys.items():
        stored.setdefault(slug, {}).update(keys)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, json.dumps(stored, indent=1).encode() + b"\n")


def _restore(path: Path, before: bytes | None) -> None:
    with suppress(OSError):
        if before is None:
            path.unlink(missing_ok=True)
        elif _content(path) != before:
            _replace(path, before)


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
