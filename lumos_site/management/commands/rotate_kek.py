"""`./lumos rotate_kek`: wrap everything with a new version of the master key, while the installation works on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.api import Actor
from core import master_keys
from core.clock import utc_now
from core.errors import LumosError
from core.tenancy import platform_scope
from proxy.api import publish_catalogue, seal_provider_keys_anew
from tenants.api import (
    Rotation,
    check_master_keys,
    known_fingerprints,
    master_key_uses,
    oldest_envelopes,
    retire_master_key,
    rotate_master_key,
)

_ACTING = Actor("system", "command", "./lumos rotate_kek")


class Command(BaseCommand):
    help = "Rotate the master key: a new version, everything wrapped with it. Run again, it goes on where it stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--status", action="store_true", help="show the versions and how much each wraps")
        parser.add_argument("--retire", type=int, metavar="VERSION", help="forget an old version that wraps nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            try:
                if options["status"]:
                    self._status()
                elif options["retire"] is not None:
                    self._retire(options["retire"])
                else:
                    self._rotate()
            except LumosError as error:
                raise CommandError(f"{error.message}. {error.next_step or ''}".strip()) from error

    def _status(self) -> None:
        check_master_keys()
        uses = master_key_uses()
        for version, expected in sorted(known_fingerprints().items()):
            mark = "current" if version == master_keys.current_version() else ""
            state = self._state(version, expected)
            self.stdout.write(f"v{version:<4}{state:<10}{uses.get(version, 0):>8} wrapped  {mark}".rstrip())
        for place, count in oldest_envelopes().items():
            self.stdout.write(
                f"{place}: {count} of the oldest form, which needs v1; enter anew what the next run leaves"
            )

    @staticmethod
    def _state(version: int, expected: str) -> str:
        key = master_keys.find(version)
        if key is None:
            return "missing"
        return "there" if master_keys.fingerprint(key) == expected else "another"

    def _retire(self, version: int) -> None:
        retire_master_key(version=version, acting=_ACTING, now=utc_now(), tell=publish_catalogue)
        self.stdout.write(f"v{version} is forgotten.")

    def _rotate(self) -> None:
        if check_master_keys():
            seal_provider_keys_anew(acting=_ACTING, now=utc_now())
        done = rotate_master_key(acting=_ACTING, now=utc_now(), tell=self._tell)
        publish_catalogue()
        changed = f"{done.data_keys} data keys and {done.envelopes} sealed values were changed"
        self.stdout.write(f"v{done.version} wraps everything: {changed}.")

    def _tell(self, progress: Rotation) -> None:
        self.stdout.write(f"{progress.data_keys} data keys, {progress.envelopes} sealed values", ending="\r")
