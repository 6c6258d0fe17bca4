"""Handing a ready schema to a new tenant; owns that none is given twice, and the rows that make it a tenant's."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from tenants.models import Tenant
from tenants.provisioning.head import code_head

# One statement, since each costs two round trips behind the fence. Who waited for a row that another creation has
# locked would wait for that whole creation, so locked ones are skipped. Its row gone, a schema is nobody else's.
_TAKE_OVER = """
WITH claimed AS (
  DELETE FROM tenants_pooledschema WHERE id = (
    SELECT id FROM tenants_pooledschema
    WHERE head = %(head)s AND to_regnamespace('t_' || id) IS NOT NULL
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
  ) RETURNING id
), tenant AS (
  INSERT INTO tenants_tenant (id, schema_name, slug, name, type, status, status_reason, plan, region, created_at)
  SELECT id, 't_' || id, %(slug)s, %(name)s, %(type)s, %(status)s, '', %(plan)s, %(region)s, %(created_at)s FROM claimed
), domain AS (
  INSERT INTO tenants_domain (tenant_id, domain, is_primary) SELECT id, %(domain)s, true FROM claimed
)
SELECT id FROM claimed
"""
_FIELDS = ("slug", "name", "type", "status", "plan", "region", "created_at")


def take_over(tenant: Tenant) -> bool:
    """Store the tenant and its portal's address with a ready schema's id; False when none is ready.

    Within the caller's transaction: a creation that breaks off gives the schema back. Raises IntegrityError for a slug
    or address that is taken.
    """
    values = {name: getattr(tenant, name) for name in _FIELDS}
    values |= {"head": code_head(), "domain": f"{tenant.slug}.{settings.BASE_DOMAIN}"}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_OVER, values)
        row = cursor.fetchone()
    if row is None:
        return False
    tenant.id, tenant.schema_name = row[0], f"t_{row[0]}"
    return True
