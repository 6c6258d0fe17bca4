"""`./lumos delete_tenant SLUG`: delete a tenant after the grace period, or take that back."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.api import Actor
from core.clock import utc_now
from core.errors import LumosError
from core.tenancy import platform_scope
from tenants.api import Tenant, cancel_deletion, delete_tenant, tenant_by_slug

_ACTING = Actor("system", "command", "./lumos delete_tenant")


class Command(BaseCommand):
    help = "Delete a tenant for good, after a grace period in which --cancel takes it back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--reason", default="", help="kept in the audit log")
        parser.add_argument("--name", default="", help="the tenant's name, exactly; asked for when it is missing")
        parser.add_argument("--grace-days", type=int, help="instead of LUMOS_DELETE_GRACE_DAYS; 0 deletes at once")
        parser.add_argument("--export", action="store_true", help="make a last backup, to be fetched meanwhile")
        parser.add_argument("--cancel", action="store_true", help="take the deletion back")

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            try:
                tenant = tenant_by_slug(options["slug"])
                self._cancel(tenant) if options["cancel"] else self._delete(tenant, options)
            except LumosError as error:
                raise CommandError(f"{error.message}. {error.next_step or ''}".strip()) from error

    def _cancel(self, tenant: Tenant) -> None:
        kept = cancel_deletion(tenant_id=tenant.id, acting=_ACTING, now=utc_now())
        self.stdout.write(f"{kept.slug} is kept, and {kept.get_status_display().lower()} as before.")

    def _delete(self, tenant: Tenant, options: dict[str, Any]) -> None:
        days = options["grace_days"]
        delete_tenant(
            tenant_id=tenant.id,
            typed_name=options["name"] or self._ask(tenant),
            reason=options["reason"],
            export=options["export"],
            grace=None if days is None else timedelta(days=days),
            acting=_ACTING,
            now=utc_now(),
        )
        self.stdout.write(f"{tenant.slug} is stopped. Until the grace period ends: ./lumos delete_tenant --cancel …")

    def _ask(self, tenant: Tenant) -> str:
        if not sys.stdin.isatty():
            raise CommandError(f"This deletes {tenant.slug} with all its data; say --name when that is meant")
        return input(f"This deletes {tenant.slug} with all its data. Type its name to go on: ")
