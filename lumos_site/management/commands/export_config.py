"""`./lumos export-config`: writes what there is as a configuration file, without secrets.

Django names a command after its file; `export-config.py` beside this one gives it the name with a hyphen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from core.clock import utc_now
from core.tenancy import platform_scope
from lumos_site.configuration.current import read_current
from lumos_site.configuration.export import export_text


class Command(BaseCommand):
    help = "Write providers, models, plans, tenants, keys, limits and policies as a file for ./lumos apply."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, help="file to write (default: standard output)")

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            try:
                text = export_text(read_current(utc_now()).document)
            except DatabaseError as error:
                raise CommandError(f"The database refused: {error}. Is it migrated? Run: ./lumos prepare") from error
        if options["output"] is None:
            self.stdout.write(text, ending="")
            return
        try:
            options["output"].write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error.strerror}") from error
