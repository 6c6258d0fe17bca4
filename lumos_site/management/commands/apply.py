"""`./lumos apply FILE.yaml`: shows what a configuration file would change, asks where it takes away, applies it."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from audit.api import Actor
from core.clock import utc_now
from core.conf import var_dir
from core.errors import LumosError
from core.tenancy import platform_scope
from lumos_site.configuration.apply import apply_document, find_changes
from lumos_site.configuration.changes import Change
from lumos_site.configuration.document import Document
from lumos_site.configuration.marks import ConfigurationRefused
from lumos_site.configuration.read import read_file
from tenants.api import check_master_keys


class Command(BaseCommand):
    help = "Apply a configuration file: providers, models, prices, plans, tenants, keys, limits and policies."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="YAML file; docs/configuration.md describes it")
        parser.add_argument("--dry-run", action="store_true", help="show the difference, change nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask before something is taken away")
        parser.add_argument(
            "--keys-file",
            type=Path,
            default=None,
            help="where new API keys are written, with mode 600 (default var/new-keys.json)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            try:
                self._apply(read_file(options["file"]), options)
            except ConfigurationRefused as refused:
                raise CommandError(f"{refused}\n{refused.title}.") from refused
            except LumosError as error:
                raise CommandError(f"{error.message}. {error.next_step or ''}".strip()) from error
            except DatabaseError as error:
                raise CommandError(f"The database refused: {error}. Is it migrated? Run: ./lumos prepare") from error
            except OSError as error:
                raise CommandError(f"Nothing was changed: {error}") from error

    def _apply(self, document: Document, options: dict[str, Any]) -> None:
        check_master_keys()
        now = utc_now()
        changes = find_changes(document, now)
        for change in changes:
            self.stdout.write(str(change))
        if not changes:
            self.stdout.write("Nothing to change.")
        elif options["dry_run"]:
            self.stdout.write(f"{_counted(changes)} would be made; nothing was changed (--dry-run).")
        elif self._may(changes, options["yes"]):
            keys_file: Path = options["keys_file"] or var_dir() / "new-keys.json"
            acting = Actor("system", "apply", f"{_account()} by ./lumos apply")
            run = apply_document(document, expected=changes, acting=acting, now=now, keys_file=keys_file)
            self.stdout.write(f"{_counted(changes)} made.")
            if run.new_keys:
                count = sum(map(len, run.new_keys.values()))
                self.stdout.write(f"{count} new API key{'s' * (count > 1)} written to {keys_file} (mode 600).")
        else:
            raise CommandError("Nothing was changed.")

    def _may(self, changes: list[Change], yes: bool) -> bool:
        """Whether somebody agreed to what takes something away."""
        taking = [change for change in changes if change.is_destructive]
        if yes or not taking:
            return True
        if not sys.stdin.isatty():
            raise CommandError(
                f"{_counted(taking)} would take something away; look at the lines with a minus, then add --yes."
            )
        answer = input(f"{_counted(taking)} would take something away. Go on? [y/N] ")
        return answer.strip().lower() in ("y", "yes")


def _counted(changes: list[Change]) -> str:
    return f"{len(changes)} change{'s' * (len(changes) > 1)}"


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
