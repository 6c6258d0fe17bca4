"""Finding drift: each schema's shape as a digest, compared with the template's; changes nothing but SchemaState.

The shape is columns, constraints, indexes, policies and the grants to the tenant's own role, with the schema's name
taken out, read for many schemas in one query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import connection

from core.tenancy import platform_scope
from tenants.data import DriftReport, SchemaStatus
from tenants.fleet.heads import schemas_behind, tenant_schemas
from tenants.models import SchemaState
from tenants.provisioning.head import TEMPLATE

_BATCH = 200
# One line per fact. `replace` takes the schema's name out of defaults, constraints and indexes.
_FACTS = """
WITH facts AS (
SELECT n.nspname AS schema, concat_ws(' ', 'column', c.relname, a.attname,
         format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid)) AS fact
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT n.nspname, concat_ws(' ', 'constraint', c.relname, pg_get_constraintdef(k.oid), k.convalidated)
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = k.connamespace
 WHERE n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT n.nspname, concat_ws(' ', 'index', c.relname, i.indisunique, i.indisvalid,
         substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*$'))
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT n.nspname, concat_ws(' ', 'grant', c.relname, CASE WHEN r.rolname = n.nspname THEN 'own' ELSE r.rolname END,
         string_agg(x.privilege_type, ',' ORDER BY x.privilege_type))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL aclexplode(c.relacl) x JOIN pg_roles r ON r.oid = x.grantee
 WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm') AND x.grantee <> c.relowner
 GROUP BY n.nspname, c.relname, r.rolname
)
"""
_DIGESTS = """
SELECT schema, md5(string_agg(replace(fact, schema, '~'), E'\\n' ORDER BY replace(fact, schema, '~') COLLATE "C"))
FROM facts WHERE %(grants)s OR fact NOT LIKE 'grant %%' GROUP BY schema
"""
_LINES = "SELECT replace(fact, schema, '~') FROM facts ORDER BY 1"


def fingerprints(schemas: Sequence[str], *, grants: bool) -> dict[str, str]:
    """Digest of each schema's shape, 32 hexadecimal digits; with or without the grants on its tables."""
    found: dict[str, str] = {}
    with platform_scope(), connection.cursor() as cursor:
        for start in range(0, len(schemas), _BATCH):
            cursor.execute(_FACTS + _DIGESTS, {"schemas": list(schemas[start : start + _BATCH]), "grants": grants})
            found.update(cursor.fetchall())
    return found


def facts_of(schema: str) -> list[str]:
    """The lines that the digest is made of, for naming what differs."""
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_FACTS + _LINES, {"schemas": [schema]})
        return [row[0] for row in cursor.fetchall()]


def find_drift(*, now: datetime) -> DriftReport:
    """Compare all schemas at head with the template, and their grants with what most have; noted in SchemaState."""
    schemas = tenant_schemas()
    behind = set(schemas_behind(schemas))
    compared = [name for name in schemas if name not in behind]
    expected = set(_expected_facts())
    digests = fingerprints(compared, grants=True)
    by_digest: dict[str, list[str]] = {}
    for schema in compared:
        by_digest.setdefault(digests.get(schema, ""), []).append(schema)
    drifted: dict[str, tuple[str, ...]] = {}
    with platform_scope():
        for digest, alike in by_digest.items():
            differences = tuple(_differences(expected, alike[0]))
            drifted.update({schema: differences for schema in alike if differences})
            _note(alike, digest, differences, now)
        SchemaState.objects.exclude(schema_name__in=schemas).delete()  # schemas that are gone
    return DriftReport(len(compared), drifted)


def _expected_facts() -> Iterator[str]:
    """The template's shape with the grants that provisioning gives to a tenant's role."""
    tables = set()
    for fact in facts_of(TEMPLATE):
        if not fact.startswith("grant "):
            yield fact
        if fact.startswith("column "):
            tables.add(fact.split(" ")[1])
    for table in tables:
        verbs = "SELECT" if table == "django_migrations" else "DELETE,INSERT,SELECT,UPDATE"
        yield f"grant {table} own {verbs}"


def _differences(expected: set[str], schema: str) -> Iterator[str]:
    there = set(facts_of(schema))
    yield from sorted(f"missing: {fact}" for fact in expected - there)
    yield from sorted(f"added: {fact}" for fact in there - expected)


def _note(schemas: Sequence[str], digest: str, differences: Sequence[str], now: datetime) -> None:
    status = SchemaStatus.DRIFTED if differences else SchemaStatus.CURRENT
    rows = [
        SchemaState(
            schema_name=name, status=status, fingerprint=digest, error="; ".join(differences)[:500], checked_at=now
        )
        for name in schemas
    ]
    SchemaState.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["schema_name"],
        update_fields=["status", "fingerprint", "error", "checked_at"],
        batch_size=500,
    )
