"""Checks of the data fence: what the tenant's own role can reach, tried as that role; changes nothing.

Every attempt runs in a savepoint that is rolled back. Evidence names no other tenant.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext_lazy as _

from core.ids import new_ulid
from core.tenancy import NoActiveScope, TenantRef, clear_scope, platform_scope, tenant_scope
from core.tenancy.cache import make_key
from core.tenancy.celery import TenantTask, queue_of
from core.tenancy.channels import group_name
from core.tenancy.rls import GROUP
from tenants.isolation.registry import Broken, FenceKind, NotApplicable, Unprovable, proves
from tenants.provisioning.head import TEMPLATE

_NO_RIGHTS = "42501"  # insufficient_privilege, of row security too
_POWERS = ("rolcanlogin", "rolsuper", "rolcreatedb", "rolcreaterole", "rolreplication", "rolbypassrls")
_MEMBER_OF = """
SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
WHERE r.rolname = %s ORDER BY g.rolname
"""
_OTHER_SCHEMAS = """
SELECT count(*), count(*) FILTER (WHERE has_schema_privilege(%(role)s, oid, 'USAGE')), min(nspname)
FROM pg_namespace WHERE (nspname ~ '^t_[0-9a-z]{26}$' OR nspname = %(template)s) AND nspname <> %(role)s
"""
_SHARED = """
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
  has_any_column_privilege(%s, c.oid, 'SELECT') AND has_column_privilege(%s, c.oid, 'tenant_id', 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attname = 'tenant_id' AND NOT a.attisdropped ORDER BY c.relname
"""


@contextmanager
def _as_tenant(tenant: TenantRef) -> Iterator[Any]:
    """A cursor of the tenant's role, whose work is taken back."""
    with tenant_scope(tenant), transaction.atomic(), connection.cursor() as cursor:
        yield cursor
        transaction.set_rollback(True)


def _asked(question: str, parameters: Any) -> list[tuple[Any, ...]]:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(question, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _refusal(tenant: TenantRef, statement: str, parameters: Any = ()) -> str | None:
    """How PostgreSQL refuses the tenant's role, without names in it; None when it obeys. Raises Unprovable.

    Only a lack of rights is a refusal: a statement that fails for anything else says nothing of the fence.
    """
    try:
        with _as_tenant(tenant) as cursor:
            cursor.execute(statement, parameters)
    except DatabaseError as error:
        state = getattr(error.__cause__, "sqlstate", None)
        if state != _NO_RIGHTS:
            raise Unprovable(f"The attempt failed, but not for a lack of rights (SQLSTATE {state}).") from error
        return str(error).split("\n", 1)[0].split(' for table "')[0].split(" for schema ")[0]
    return None


@proves(FenceKind.DATA, "role_has_no_powers", _("The database role has no powers of its own"))
def role_has_no_powers(tenant: TenantRef) -> str:
    """The role cannot log in, and is no more than a member of the tenants' group."""
    columns = ", ".join(_POWERS)
    rows = _asked(f"SELECT {columns} FROM pg_roles WHERE rolname = %s", [tenant.schema_name])  # noqa: S608 - our names
    if not rows:
        raise Broken("The tenant's role does not exist.")
    powers = [name.removeprefix("rol") for name, held in zip(_POWERS, rows[0], strict=True) if held]
    groups = [name for (name,) in _asked(_MEMBER_OF, [tenant.schema_name])]
    if powers or groups != [GROUP]:
        more = len([name for name in groups if name != GROUP])
        raise Broken(f"Role {tenant.schema_name} has {', '.join(powers) or 'no powers'}, and {more} other roles.")
    return f"Role {tenant.schema_name}: no login, no superuser, no bypass of row security; member of {GROUP} only."


@proves(FenceKind.DATA, "other_schemas_closed", _("Other tenants' schemas are closed"))
def other_schemas_closed(tenant: TenantRef) -> str:
    """No schema of another tenant may be used, and reading one is refused."""
    parameters = {"role": tenant.schema_name, "template": TEMPLATE}
    [(total, opened, example)] = _asked(_OTHER_SCHEMAS, parameters)
    if opened:
        raise Broken(f"The role may use {opened} of {total} other schemas.")
    if not total:
        raise NotApplicable("There is no other schema yet.")
    refusal = _refusal(tenant, f'SELECT * FROM "{example}".workspace_conversation LIMIT 1')  # noqa: S608 - the catalogue's
    if refusal is None:
        raise Broken("A table in another schema could be read.")
    return f"0 of {total} other schemas may be used. Reading a conversation in one of them: {refusal}."


@proves(FenceKind.DATA, "shared_tables_fenced", _("Shared tables are fenced by rows"))
def shared_tables_fenced(tenant: TenantRef) -> str:
    """Every shared table with a tenant in it has forced row level security."""
    role = tenant.schema_name
    tables = _asked(_SHARED, [role, role])
    bare = [name for name, forced, _may_read in tables if not forced]
    if bare:
        raise Broken(f"Row level security is not forced on {', '.join(bare)}.")
    return f"Row level security is forced on all {len(tables)} shared tables that hold tenants' rows."


@proves(FenceKind.DATA, "shared_rows_hidden", _("Other tenants' rows are not shown"))
def shared_rows_hidden(tenant: TenantRef) -> str:
    """As the tenant: ask each shared table that it may read for rows of anybody else."""
    role = tenant.schema_name
    readable = [name for name, _forced, may_read in _asked(_SHARED, [role, role]) if may_read]
    shown = [name for name in readable if _foreign_row(tenant, name)]
    if shown:
        raise Broken(f"Rows of other tenants are shown in {', '.join(shown)}.")
    with platform_scope(), connection.cursor() as cursor:
        holding = [name for name in readable if _has_foreign(cursor, name, tenant.id)]
    return (
        f"{len(readable)} shared tables may be read; {len(holding)} of them hold rows of other tenants,"
        " and none of those was shown."
    )


def _foreign_row(tenant: TenantRef, table: str) -> bool:
    with _as_tenant(tenant) as cursor:
        return _has_foreign(cursor, table, tenant.id)


def _has_foreign(cursor: Any, table: str, tenant_id: str) -> bool:
    # Tables without a default partition plan quickly; the index on the tenant ends the search at the first row.
    cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE tenant_id <> %s)", [tenant_id])  # noqa: S608 - the catalogue's
    return bool(cursor.fetchone()[0])


@proves(FenceKind.DATA, "foreign_write_refused", _("Nothing can be written in another tenant's name"))
def foreign_write_refused(tenant: TenantRef) -> str:
    """As the tenant: write an entry of the audit log in somebody else's name."""
    statement = (
        "INSERT INTO audit_auditentry (id, at, tenant_id, actor_kind, actor_id, actor_label, action, target, reason,"
        " detail, request_id) VALUES (%s, now(), %s, 'system', 'check', 'check', 'check', 'check', '', '{}', '')"
    )
    refusal = _refusal(tenant, statement, [new_ulid(), new_ulid()])
    if refusal is None:
        raise Broken("A row in another tenant's name could be written.")
    return f"Writing a row in another tenant's name: {refusal}."


@proves(FenceKind.DATA, "no_scope_no_query", _("Code that says for nobody gets no query"))
def no_scope_no_query(tenant: TenantRef) -> str:
    """Code that says for whom it runs neither by tenant nor as the platform gets no query."""
    try:
        with clear_scope(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except NoActiveScope as error:
        return f"A query outside of any scope: {type(error).__name__}, “{error.title}”."
    raise Broken("A query outside of any scope was answered.")


class _Probe(TenantTask):
    """Never sent anywhere: only asked to run for nobody."""

    name = "tenants.isolation.probe"

    def run(self) -> None:
        raise Broken("A task without a tenant ran.")


@proves(FenceKind.DATA, "task_without_tenant_refused", _("A task without a tenant is refused"))
def task_without_tenant_refused(tenant: TenantRef) -> str:
    """A task that names no tenant is refused before it begins."""
    try:
        _Probe()()
    except NoActiveScope as error:
        return f"A task sent without a tenant: {type(error).__name__}, refused before its first line."
    raise Broken("A task without a tenant ran.")


@proves(FenceKind.DATA, "names_carry_tenant", _("Cache, channels and queues carry the tenant"))
def names_carry_tenant(tenant: TenantRef) -> str:
    """Cache keys, channel groups and queues bear the tenant's id, and a cache key for nobody is not made."""
    with tenant_scope(tenant):
        names = (make_key("check", "lumos", 1), group_name(tenant.id, "check"), queue_of(tenant.id))
    bare = [name for name in names if tenant.id not in name]
    try:
        with clear_scope():
            bare.append(make_key("check", "lumos", 1))
    except NoActiveScope:
        pass
    if bare:
        raise Broken(f"These names do not tell the tenant: {', '.join(bare)}.")
    return f"Cache key {names[0]}, channel group {names[1]}, queue {names[2]}; a cache key for nobody is refused."
