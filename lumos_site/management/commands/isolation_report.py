"""`./lumos isolation_report SLUG`: every check of the four fences around one tenant, now, with its evidence."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.api import Actor
from core.clock import utc_now
from core.errors import LumosError
from core.tenancy import platform_scope
from tenants.api import Outcome, report_checks, run_isolation_report, tenant_by_slug

_ACTING = Actor("system", "command", "./lumos isolation_report")
_MARKS = {Outcome.PASSED: "ok", Outcome.FAILED: "FAILED", Outcome.NOT_APPLICABLE: "-", Outcome.COULD_NOT_RUN: "UNSURE"}


class Command(BaseCommand):
    help = "Run the isolation report of a tenant. Exit code 1 when a fence does not hold or a check could not run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", help="slug")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with platform_scope():
                tenant = tenant_by_slug(options["tenant"])
            report = run_isolation_report(tenant_id=tenant.id, acting=_ACTING, now=utc_now())
        except LumosError as error:
            raise CommandError(f"{error.message}. {error.next_step or ''}".strip()) from error
        for result in report_checks(report):
            mark = _MARKS[result.outcome]
            self.stdout.write(f"{mark:<7}{result.fence:<9}{result.name:<32}{result.ms:>6} ms  {result.evidence}")
        self.stdout.write(f"{report.public_id}  {report.outcome}  {report.took_ms} ms")
        if report.outcome != Outcome.PASSED:
            sys.exit(1)
