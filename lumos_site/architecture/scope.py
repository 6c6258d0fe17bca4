"""Where a module's data lives and how it is fenced, as the database says it now."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models

from core.tenancy.rls import GROUP

_TABLES = """
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
  (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid),
  (SELECT coalesce(string_agg(DISTINCT g.privilege_type, ',' ORDER BY g.privilege_type), '')
     FROM information_schema.column_privileges g
     WHERE g.table_schema = 'public' AND g.table_name = c.relname AND g.grantee = %s)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""


def tables_of(room: str, fences: dict[str, tuple[bool, list[str]]]) -> list[dict[str, Any]]:
    """The module's tables: in each tenant's schema, shared and fenced, or shared and the platform's alone."""
    return [_described(model, fences) for model in _models(room)]


def _models(room: str) -> list[type[models.Model]]:
    configs = [config for config in apps.get_app_configs() if config.name.partition(".")[0] == room]
    return [model for config in configs for model in config.get_models()]


def _described(model: type[models.Model], fences: dict[str, tuple[bool, list[str]]]) -> dict[str, Any]:
    table = model._meta.db_table
    if _in_schemas(model):
        return {"table": table, "scope": "tenant_schema", "tenants_may": ["everything in their own schema"]}
    fenced, privileges = fences.get(table, (False, []))
    scope = "shared_fenced" if fenced else "shared"
    return {"table": table, "scope": scope, "tenants_may": privileges}


def _in_schemas(model: type[models.Model]) -> bool:
    return apps.get_app_config(model._meta.app_label).name in settings.TENANT_APPS


def read_fences() -> dict[str, tuple[bool, list[str]]]:
    """Of each shared table: whether row level security is forced with policies, and what tenants' roles may do."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, [GROUP])
        rows = cursor.fetchall()
    return {
        name: (bool(forced) and policies >= 2, granted.split(",") if granted else [])
        for name, forced, policies, granted in rows
    }


def foreign_keys(room: str) -> list[str]:
    """References from the module's tables into another module's: they keep both in one database."""
    return sorted(
        f"{field.model._meta.db_table}.{field.column} → {field.related_model._meta.db_table}"
        for model in _models(room)
        for field in model._meta.local_fields
        if isinstance(field, models.ForeignKey) and _room_of(field.related_model) not in (room, "django")
    )


def _room_of(model: Any) -> str:
    name: str = apps.get_app_config(model._meta.app_label).name
    return name.partition(".")[0]
