"""Making one backup: a snapshot, its dump, its proofs, a sealed file; owns the order and what a failure leaves."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from django.db import connections
from psycopg import Connection, IsolationLevel, sql

from audit.api import Actor, record
from core.conf import var_dir
from core.faults import fault_point
from core.tenancy import platform_scope
from tenants.backups.archive import Manifest, unnamed_file, write_archive
from tenants.backups.contents import TableProof, own_tables, shared_tables, write_shared_rows
from tenants.backups.postgres import dump_schema
from tenants.data import BackupKind, BackupStatus
from tenants.errors import BackupNotFound, TenantNotFound
from tenants.models import Tenant, TenantBackup

_TORN_AFTER = timedelta(hours=6)


def folder_of(tenant_id: str) -> Path:
    """Where the files of one tenant are; LUMOS_BACKUPS moves them all, to a mounted bucket for instance."""
    return Path(os.environ.get("LUMOS_BACKUPS") or var_dir() / "backups") / tenant_id


def path_of(backup: TenantBackup) -> Path:
    return folder_of(backup.tenant_id) / f"{backup.id}.lumos"


@contextmanager
def raw_connection() -> Iterator[Connection[Any]]:
    """A connection of its own as the login role, closed afterwards, whatever a snapshot or a restore set on it."""
    wrapper = connections.create_connection("default")
    try:
        wrapper.ensure_connection()
        raw: Connection[Any] = wrapper.connection
        yield raw
    finally:
        wrapper.close()


def back_up(*, tenant_id: str, kind: BackupKind, acting: Actor, now: datetime) -> TenantBackup:
    """One tenant's whole data as a sealed file, taken while the tenant works on.

    Raises TenantNotFound and BackupFailed; what failed stays listed with its reason and leaves no file.
    """
    with platform_scope():
        tenant: Tenant | None = Tenant.objects.filter(pk=tenant_id).first()
        if tenant is None:
            raise TenantNotFound()
        backup = TenantBackup.objects.create(tenant_id=tenant.id, kind=kind, created_at=now)
        record("tenants.back_up", actor=acting, tenant_id=tenant.id, target=backup.public_id, detail={"kind": kind})
        began = time.monotonic()
        try:
            manifest = _write(tenant, backup, now)
        except Exception as error:
            backup.status, backup.error = BackupStatus.FAILED, f"{type(error).__name__}: {error}"[:500]
            backup.save(update_fields=["status", "error"])
            raise
        backup.status, backup.took_ms = BackupStatus.DONE, round((time.monotonic() - began) * 1000)
        backup.size, backup.sha256 = _measure(path_of(backup))
        backup.tables = {f"{part}.{name}": proof.rows for part, name, proof in _flat(manifest)}
        backup.save(update_fields=["status", "took_ms", "size", "sha256", "tables"])
    return backup


def _flat(manifest: Manifest) -> Iterator[tuple[str, str, TableProof]]:
    for part, proofs in (("own", manifest.own), ("shared", manifest.shared)):
        for name, proof in proofs.items():
            yield part, name, proof


def _write(tenant: Tenant, backup: TenantBackup, now: datetime) -> Manifest:
    path = path_of(backup)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    torn = path.with_suffix(".part")
    try:
        with ExitStack() as files:
            dump = files.enter_context(unnamed_file())
            own, shared, rows = _read(tenant, dump, files)
            fault_point("backup.dumped")
            facts = {name: str(getattr(tenant, name)) for name in ("id", "slug", "name", "type", "plan", "region")}
            manifest = Manifest(backup.id, tenant.schema_name, facts, now.isoformat(), own, shared)
            with open(os.open(torn, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
                write_archive(target, manifest, dump, rows)
                target.flush()
                os.fsync(target.fileno())
        fault_point("backup.written")
        torn.rename(path)
    except BaseException:
        torn.unlink(missing_ok=True)
        raise
    return manifest


def _read(
    tenant: Tenant, dump: IO[bytes], files: ExitStack
) -> tuple[dict[str, TableProof], dict[str, TableProof], dict[str, IO[bytes]]]:
    """Dump, proofs and shared rows as of one moment; the shared rows as the tenant's own role sees them."""
    with raw_connection() as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot()")
            (snapshot,) = cursor.fetchone() or ("",)
            dump_schema(tenant.schema_name, snapshot=snapshot, target=dump)  # type: ignore[arg-type]
            own = own_tables(connection, tenant.schema_name)
            cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(tenant.schema_name)))
            shared, rows = {}, {}
            for table in shared_tables(connection):
                rows[table] = files.enter_context(unnamed_file())
                shared[table] = write_shared_rows(connection, table, rows[table])  # type: ignore[arg-type]
    return own, shared, rows


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def backup_by_id(backup_id: str) -> TenantBackup:
    """The finished backup of that bare id; raises BackupNotFound, also when its file is gone."""
    backup: TenantBackup | None = TenantBackup.objects.filter(pk=backup_id, status=BackupStatus.DONE).first()
    if backup is None or not path_of(backup).exists():
        raise BackupNotFound()
    return backup


def delete_backup(*, backup_id: str, acting: Actor, now: datetime) -> None:
    """File and row; a second call raises BackupNotFound."""
    backup: TenantBackup | None = TenantBackup.objects.filter(pk=backup_id).first()
    if backup is None:
        raise BackupNotFound()
    path_of(backup).unlink(missing_ok=True)
    record("tenants.delete_backup", actor=acting, tenant_id=backup.tenant_id, target=backup.public_id)
    backup.delete()


def sweep_torn(*, now: datetime) -> int:
    """Mark as failed what a killed process left running, and remove its file; returns how many."""
    torn = TenantBackup.objects.filter(status=BackupStatus.RUNNING, created_at__lt=now - _TORN_AFTER)
    for backup in torn:
        path_of(backup).with_suffix(".part").unlink(missing_ok=True)
        path_of(backup).unlink(missing_ok=True)
    return torn.update(status=BackupStatus.FAILED, error="The process that made it was ended")
