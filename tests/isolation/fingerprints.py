"""All that a tenant has, as one digest: the same before and after means that nothing of it was changed."""

from __future__ import annotations

from functools import cache

from django.db import connection

from core.tenancy import platform_scope
from tenants.api import Tenant
from tests.isolation.canaries import of_tenants, workspace

_MORE = (
    "tenants_tenant WHERE id = %(tenant)s",
    "auth_user WHERE id IN (SELECT user_id FROM tenants_membership WHERE tenant_id = %(tenant)s)",
    "audit_chainhead WHERE chain = %(tenant)s",
    "audit_auditlink WHERE chain = %(tenant)s",
)


@cache
def _question(schema: str) -> str:
    shared = [f"{model._meta.db_table} WHERE tenant_id = %(tenant)s" for model in of_tenants()]
    own = [f'"{schema}".{model._meta.db_table}' for model in workspace()]
    parts = [
        f"(SELECT coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '') FROM {_named(rows)})"
        for rows in (*shared, *_MORE, *own)
    ]
    return f"SELECT md5({' || '.join(parts)})"


def _named(rows: str) -> str:
    table, where, rest = rows.partition(" WHERE ")
    return f"{table} t{where}{rest}"


def fingerprint(tenant: Tenant) -> str:
    """A digest over every row that is the tenant's: shared tables, accounts, audit chain and its own schema."""
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_question(tenant.schema_name), {"tenant": tenant.id})
        return str(cursor.fetchone()[0])
