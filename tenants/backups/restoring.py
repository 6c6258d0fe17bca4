"""Bringing a backup back, into the tenant it came from, into a new one, or into nothing to prove it.

All of it is one transaction: the old schema goes and the restored one stands in its place, or nothing happened. The
dump is replayed under the target's schema name; its rows pass by untouched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from django.db import transaction
from psycopg import Connection, sql

from audit.api import Actor, record
from core.faults import fault_point
from core.ids import new_ulid
from core.tenancy import platform_scope
from tenants.backups.archive import DUMP, Manifest, opened, unnamed_file
from tenants.backups.contents import TableProof, own_tables
from tenants.backups.making import backup_by_id, path_of, raw_connection
from tenants.backups.postgres import script_of
from tenants.errors import BackupFailed, BackupNotTrue, TenantNotFound
from tenants.fleet.replay import Replay
from tenants.models import Tenant, TenantBackup
from tenants.provisioning.schema import grants
from tenants.webhooks.announce import announce
from tenants.webhooks.data import EventName

_BATCH = 1 << 16


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, table by table, and how many migrations were made up for."""

    manifest: Manifest
    tables: Mapping[str, TableProof]
    migrated: int = 0


def manifest_of(backup: TenantBackup) -> Manifest:
    """What the file says it holds; raises SealBroken."""
    with path_of(backup).open("rb") as source, opened(source, backup) as (manifest, _):
        return manifest


def restore(*, backup_id: str, tenant_id: str, acting: Actor, now: datetime) -> Restored:
    """Replace the own data of `tenant_id` by the backup's, while all others work on.

    The tenant's rows in shared tables (usage, invoices, keys) stay as they are: they are the operator's books. Raises
    BackupNotFound, TenantNotFound, SealBroken, BackupFailed and BackupNotTrue; nothing is changed then.
    """
    with platform_scope():
        backup = backup_by_id(backup_id)
        tenant: Tenant | None = Tenant.objects.filter(pk=tenant_id).first()
        if tenant is None:
            raise TenantNotFound()
        with raw_connection() as connection:
            done = _restore(connection, backup, tenant.schema_name)
        migrated = Replay().bring_to_head(tenant.schema_name)  # a backup may be older than the code
        detail = {"backup": backup.public_id, "rows": sum(proof.rows for proof in done.tables.values())}
        told = {"backup": backup.public_id, "made_at": backup.created_at.isoformat()}
        with transaction.atomic():
            record("tenants.restore", actor=acting, tenant_id=tenant.id, target=tenant.public_id, detail=detail)
            announce(tenant_id=tenant.id, event=EventName.TENANT_DATA_RESTORED, data=told, now=now)
    return Restored(done.manifest, done.tables, migrated)


def prove(*, backup_id: str, now: datetime) -> Restored:
    """Restore into a schema that nobody ever sees, compare every table, and take it all back."""
    with platform_scope():
        backup = backup_by_id(backup_id)
        with raw_connection() as connection, connection.transaction(force_rollback=True):
            done = _restore(connection, backup, f"t_{new_ulid()}")
        TenantBackup.objects.filter(pk=backup.pk).update(proven_at=now)
    return done


def _restore(connection: Connection[Any], backup: TenantBackup, schema: str) -> Restored:
    with path_of(backup).open("rb") as source, opened(source, backup) as (manifest, parts), unnamed_file() as dump:
        for name, part in parts:  # to the very end: a file that was cut there must not be believed
            _keep(part, dump if name == DUMP else None)
        with connection.transaction():
            dump.seek(0)
            connection.execute("SET LOCAL lock_timeout = '30s'")
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
            _replay(connection, script_of(dump), manifest.schema.encode(), schema.encode())
            found = own_tables(connection, schema)
            _compare(manifest.own, found)
            _let_in(connection, schema)
            fault_point("restore.loaded")
    return Restored(manifest, found)


def _let_in(connection: Connection[Any], schema: str) -> None:
    """The tenant's role may enter with the commit; the schema of a proof belongs to nobody and has no role."""
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [schema]).fetchone():
        connection.execute(grants(schema).encode())


def _keep(part: IO[bytes], target: IO[bytes] | None) -> None:
    while piece := part.read(_BATCH):
        if target is not None:
            target.write(piece)


def _compare(expected: Mapping[str, TableProof], found: Mapping[str, TableProof]) -> None:
    wrong = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    if wrong:
        raise BackupNotTrue(f"These tables differ from what the manifest says: {', '.join(wrong)}")


def _replay(connection: Connection[Any], script: Iterator[bytes], old: bytes, new: bytes) -> None:
    """Run the script of pg_restore with one schema name in place of the other, which is a token of its own anywhere.

    Between `COPY … FROM stdin;` and `\\.` are rows, which are handed on as they are; a row never is `\\.`, because the
    format escapes backslashes. Other lines that begin with a backslash are for psql.
    """
    waiting: list[bytes] = []
    for told in script:
        if told.startswith(b"\\"):
            continue
        line = told.replace(old, new)
        if not line.startswith(b"COPY "):
            waiting.append(line)
            continue
        connection.execute(b"".join(waiting))
        waiting.clear()
        with connection.cursor() as cursor, cursor.copy(line.rstrip().removesuffix(b";")) as copy:
            for row in _rows(script):
                copy.write(row)
    connection.execute(b"".join(waiting))
    connection.execute("SELECT set_config('search_path', 'public', true)")


def _rows(script: Iterator[bytes]) -> Iterator[bytes]:
    for row in script:
        if row == b"\\.\n":
            return
        yield row
    raise BackupFailed("The dump ends in the middle of a table")
