"""`./lumos migrate_tenants`: brings the tenants' schemas to head, several at a time, and shows how far it is."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import utc_now
from core.tenancy import platform_scope
from tenants.api import FleetProgress, SchemaState, find_drift, migrate_fleet, schemas_behind


class Command(BaseCommand):
    help = "Migrate all tenants' schemas. Safe to interrupt and to run again; what is at head is skipped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--parallel", type=int, default=2, metavar="N", help="schemas at a time (default 2)")
        parser.add_argument("--status", action="store_true", help="show a table of the schemas, change nothing")
        parser.add_argument("--drift", action="store_true", help="compare each schema with the template, then show it")

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            if options["drift"]:
                self._drift()
            elif options["status"]:
                self._status()
            else:
                self._migrate(options["parallel"])

    def _migrate(self, parallel: int) -> None:
        if not 1 <= parallel <= 64:
            raise CommandError("--parallel must be between 1 and 64")
        if "public" in schemas_behind(["public"]):
            raise CommandError("The public schema lacks migrations and goes first: ./lumos prepare does both")
        bar = Bar(sys.stderr)
        done = migrate_fleet(parallel=parallel, tell=bar.show)
        bar.end()
        self.stdout.write(f"{done.migrated} of {done.total} schemas migrated in {bar.elapsed:.1f} s.")
        if done.failed:
            self._table(SchemaState.objects.filter(schema_name__in=done.failed))
            raise CommandError(f"{len(done.failed)} schemas stay behind. Mend the reason above, then run this again.")

    def _status(self) -> None:
        self._table(SchemaState.objects.order_by("status", "schema_name"))
        behind = schemas_behind()
        self.stdout.write(f"{len(behind)} schemas lack migrations.")

    def _drift(self) -> None:
        report = find_drift(now=utc_now())
        for schema, differences in sorted(report.drifted.items()):
            self.stdout.write(schema)
            self.stdout.writelines(f"  {difference}" for difference in differences)
        self.stdout.write(f"{report.compared} schemas compared, {len(report.drifted)} differ from the template.")
        if report.drifted:
            raise CommandError("Schemas have drifted; docs/runbooks/schema-drift.md tells what to do")

    def _table(self, rows: Any) -> None:
        self.stdout.write(f"{'schema':<30}{'status':<12}{'tries':>5}{'ms':>8}  {'migrated':<22}error")
        for row in rows.iterator(chunk_size=500):
            migrated = f"{row.migrated_at:%Y-%m-%d %H:%M:%S}Z" if row.migrated_at else "-"
            took = "-" if row.took_ms is None else row.took_ms
            line = f"{row.schema_name:<30}{row.status:<12}{row.attempts:>5}{took:>8}  {migrated:<22}{row.error}"
            self.stdout.write(line.rstrip())


class Bar:
    """A line that grows on a terminal; a line every ten seconds elsewhere."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._live = stream, stream.isatty()
        self._began = self._said = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def show(self, progress: FleetProgress) -> None:
        done = progress.migrated + len(progress.failed)
        text = f"{done}/{progress.total} schemas, {len(progress.failed)} failed, {self.elapsed:.0f} s"
        if self._live:
            width = max(10, min(40, shutil.get_terminal_size().columns - 50))
            full = width * done // max(1, progress.total)
            self._stream.write(f"\r\033[K[{'#' * full}{'.' * (width - full)}] {text}")
            self._stream.flush()
        elif time.monotonic() - self._said >= 10:
            self._said = time.monotonic()
            self._stream.write(text + "\n")

    def end(self) -> None:
        if self._live:
            self._stream.write("\n")
