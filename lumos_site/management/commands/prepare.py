"""`manage.py prepare`: migrate, seed and publish; `--check` only says whether the schema is at head."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lumos_site.preparation import prepare
from tenants.api import schemas_behind


class Command(BaseCommand):
    help = "Migrate the database and make the first-run data; safe to run again."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-seed", action="store_true", help="make no operator, plans or demo tenants")
        parser.add_argument("--check", action="store_true", help="change nothing; fail when a schema lags behind")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            behind = schemas_behind()
            if behind:
                raise CommandError(f"{len(behind)} schemas lack migrations, the first is {behind[0]}")
            return
        self.stdout.write(json.dumps(prepare(seed=not options["no_seed"])))
