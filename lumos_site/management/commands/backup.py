"""`./lumos backup`: one tenant's whole data as an encrypted file, and back."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.api import Actor
from core.clock import utc_now
from core.errors import LumosError
from core.ids import parse_prefixed
from core.tenancy import platform_scope
from tenants.api import (
    BackupKind,
    Tenant,
    TenantBackup,
    TenantType,
    back_up,
    backup_by_id,
    backup_manifest,
    backup_path,
    check_master_keys,
    create_tenant,
    prove_backup,
    restore_backup,
    tenant_by_slug,
)

_ACTING = Actor("system", "command", "./lumos backup")


class Command(BaseCommand):
    help = "Back up, list, prove and restore the data of single tenants."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("create", help="back up one tenant now").add_argument("tenant", help="slug")
        verbs.add_parser("list", help="show the backups").add_argument("tenant", nargs="?", help="slug; all without")
        verbs.add_parser("prove", help="restore into nothing and compare").add_argument("backup", help="bak_… id")
        restore = verbs.add_parser("restore", help="replace a tenant's own data by a backup's")
        restore.add_argument("backup", help="bak_… id")
        restore.add_argument("--into", metavar="SLUG", help="a new tenant of that slug instead of the old one")
        restore.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            try:
                check_master_keys()
                getattr(self, f"_{options['verb']}")(options)
            except LumosError as error:
                raise CommandError(f"{error.message}. {error.next_step or ''}".strip()) from error
            except OSError as error:
                raise CommandError(f"The file could not be read or written: {error}") from error

    def _create(self, options: dict[str, Any]) -> None:
        tenant = tenant_by_slug(options["tenant"])
        backup = back_up(tenant_id=tenant.id, kind=BackupKind.EXPORT, acting=_ACTING, now=utc_now())
        self.stdout.write(f"{backup.public_id}  {backup.size} bytes  {backup_path(backup)}")

    def _list(self, options: dict[str, Any]) -> None:
        rows = TenantBackup.objects.order_by("-created_at")
        if options["tenant"]:
            rows = rows.filter(tenant_id=tenant_by_slug(options["tenant"]).id)
        for backup in rows[:200]:
            proven = "proven" if backup.proven_at else ""
            self.stdout.write(
                f"{backup.public_id}  {backup.created_at:%Y-%m-%d %H:%M}Z  {backup.kind:<10}{backup.status:<8}"
                f"{backup.size or 0:>12}  ten_{backup.tenant_id}  {proven}{backup.error}".rstrip()
            )
        if not rows:
            self.stdout.write("There are no backups yet. Make one: ./lumos backup create SLUG")

    def _prove(self, options: dict[str, Any]) -> None:
        done = prove_backup(backup_id=parse_prefixed("bak", options["backup"]), now=utc_now())
        for name, proof in sorted(done.tables.items()):
            self.stdout.write(f"{name:<30}{proof.rows:>10} rows  {proof.checksum}")
        self.stdout.write("All tables are what was backed up.")

    def _restore(self, options: dict[str, Any]) -> None:
        backup = backup_by_id(parse_prefixed("bak", options["backup"]))
        tenant = self._target(backup, options)
        done = restore_backup(backup_id=backup.id, tenant_id=tenant.id, acting=_ACTING, now=utc_now())
        rows = sum(proof.rows for proof in done.tables.values())
        self.stdout.write(f"{rows} rows of {len(done.tables)} tables are back in {tenant.slug}.")

    def _target(self, backup: TenantBackup, options: dict[str, Any]) -> Tenant:
        if options["into"]:
            was = backup_manifest(backup).tenant
            return create_tenant(
                slug=options["into"],
                name=was["name"],
                type=TenantType(was["type"]),
                region=was["region"],
                acting=_ACTING,
                now=utc_now(),
            )
        old: Tenant | None = Tenant.objects.filter(pk=backup.tenant_id).first()
        if old is None:
            raise CommandError("The tenant of this backup is gone; name a new one with --into SLUG")
        if not options["yes"]:
            self._ask(old, backup)
        return old

    def _ask(self, tenant: Tenant, backup: TenantBackup) -> None:
        if not sys.stdin.isatty():
            raise CommandError(f"This replaces all own data of {tenant.slug}; add --yes when that is meant")
        self.stdout.write(
            f"This replaces all own data of {tenant.slug} by that of {backup.created_at:%Y-%m-%d %H:%M}Z."
        )
        if input(f"Type {tenant.slug} to go on: ").strip() != tenant.slug:
            raise CommandError("Nothing was changed.")
