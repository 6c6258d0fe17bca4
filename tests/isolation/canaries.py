"""Canaries: a mark in every text that a tenant owns, so that an answer which shows any of it tells whose it was.

A mark is `zq<slug>x<number>x`; the number names table and column. Planted by the tables' own metadata: a new table or a
new text is marked without anybody thinking of it, unless its column stands in MACHINE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, models, transaction

from core.ids import new_ulid
from core.tenancy import platform_scope, tenant_scope
from tenants.api import Tenant

# Columns that code reads: a mark in them would be another state and not another text.
MACHINE = frozenset(
    {
        *("id", "tenant_id", "schema_name", "slug", "domain", "chain", "hash", "digest", "signature", "key_id"),
        *("dimension", "scope", "period", "month", "time_zone", "currency", "cadence", "mode", "kind", "status"),
        *("password", "wrapped", "sealed", "price_version", "subscription_id", "endpoint", "model", "provider"),
        *("member_id", "entry_id", "type_name", "action", "actor_kind", "actor_id", "plan", "region", "language"),
        *(
            "scopes",
            "checks",
            "allowed_networks",
            "session_sealed",
            "secrets",
            "events",
            "changes",
            "short_of",
            "portal_networks",
            "sha256",
            "fingerprint",
            "head",
            "steps",
            "input",
            "delivered_to",
            "username",
            "prefix",
            "value",
        ),
    }
)
_MARK = re.compile(r"zq([a-z]+)x(\d+)x")
_LONGEST = 14  # characters of a mark

_numbers: dict[str, int] = {}


def mark(slug: str, column: str) -> str:
    """The mark of one column (`table.column`) of one tenant."""
    return f"zq{slug}x{_numbers.setdefault(column, len(_numbers))}x"


def seen(text: str, slug: str) -> set[str]:
    """The columns of that tenant that the text shows."""
    columns = {number: column for column, number in _numbers.items()}
    return {columns.get(int(number), "?") for whose, number in _MARK.findall(text) if whose == slug}


def of_tenants() -> Iterator[type[models.Model]]:
    """Every table of shared space that has a tenant in it."""
    for model in apps.get_models():
        names = {field.attname for field in model._meta.concrete_fields}
        if "tenant_id" in names and model._meta.managed:
            yield model


def workspace() -> list[type[models.Model]]:
    """Every table of a tenant's own schema."""
    return list(apps.get_app_config("workspace").get_models())


def texts(model: type[models.Model]) -> Iterator[models.Field[Any, Any]]:
    """The columns of a table that hold what somebody wrote."""
    for field in model._meta.concrete_fields:
        kept = field.choices or field.primary_key or field.unique or field.is_relation or field.name in MACHINE
        long_enough = (field.max_length or _LONGEST) >= _LONGEST
        if isinstance(field, models.CharField | models.TextField | models.JSONField) and not kept and long_enough:
            yield field


def _marked(field: models.Field[Any, Any], slug: str) -> Any:
    text = mark(slug, f"{field.model._meta.db_table}.{field.column}")
    if isinstance(field, models.EmailField):
        return f"{text}@{slug}.example"
    if isinstance(field, models.JSONField):
        return [text] if isinstance(field.get_default(), list) else {"note": text}
    return text


def plant(tenant: Tenant) -> None:
    """Mark every text of every row of the tenant, in shared tables, in its schema and in its members' accounts."""
    with platform_scope():
        for model in of_tenants():
            _plant(model, model._default_manager.filter(tenant_id=tenant.id), tenant.slug)
        _plant(Tenant, Tenant.objects.filter(pk=tenant.id), tenant.slug)
        _plant(User, User.objects.filter(memberships__tenant_id=tenant.id), tenant.slug)
    with tenant_scope(tenant.ref):
        for model in workspace():
            _plant(model, model._default_manager.all(), tenant.slug)


def _plant(model: type[models.Model], rows: models.QuerySet[Any], slug: str) -> None:
    values = {field.name: _marked(field, slug) for field in texts(model)}
    if not values:
        return
    for row in list(rows):
        try:
            with transaction.atomic():
                model._default_manager.filter(pk=row.pk).update(**values)
        except DatabaseError:
            _add_marked(row, values)


def _add_marked(row: models.Model, values: dict[str, Any]) -> None:
    """For tables whose rows nobody changes: one more row like it."""
    row.pk, row._state.adding = new_ulid(), True
    for name, value in values.items():
        setattr(row, name, value)
    row.save(force_insert=True)


def unmarked(tenant: Tenant) -> list[str]:
    """Tables with texts of which no row of the tenant bears a mark: its objects there were not planted."""
    found: list[str] = []
    with platform_scope():
        shared = [model._meta.db_table for model in of_tenants() if list(texts(model))]
        found += [table for table in shared if not _bears(table, tenant, shared=True)]
    with tenant_scope(tenant.ref):
        found += [m._meta.db_table for m in workspace() if list(texts(m)) and not _bears(m._meta.db_table, tenant)]
    return found


def _bears(table: str, tenant: Tenant, *, shared: bool = False) -> bool:
    which = "WHERE tenant_id = %s AND" if shared else "WHERE"
    with connection.cursor() as cursor:
        parameters = [*([tenant.id] if shared else []), f"%zq{tenant.slug}x%"]
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table} t {which} t::text LIKE %s)", parameters)
        return bool(cursor.fetchone()[0])
