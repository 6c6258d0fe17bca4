"""Two tenants in full swing and two that may not work: acme, whose every text is marked, and those who would read it.

What the stage of the admin's tests does not make, this makes by the tables' own metadata, and so acme has rows in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import models, transaction

from core.clock import utc_now
from core.ids import new_ulid
from core.tenancy import platform_scope, tenant_scope
from tenants.api import Role, Tenant, TenantType, Turn, add_member, archive_tenant, keep_turns
from tenants.workspace.models import Setting
from tests import cast
from tests.isolation.canaries import of_tenants, plant, workspace
from tests.lumos_site.stage import set_stage


@dataclass(frozen=True, slots=True)
class Estate:
    """`acme` is looked for; the others look."""

    acme: cast.Player
    globex: cast.Player
    initech: cast.Player
    umbrella: cast.Player
    olivia: cast.Operator


def settle() -> Estate:
    """Everything, in the platform's scope."""
    olivia = cast.found_olivia()
    players = set_stage(olivia)
    umbrella = cast.found("umbrella", TenantType.ENTERPRISE, email="uma@umbrella.example")
    archive_tenant(tenant_id=umbrella.tenant.id, reason="left", acting=cast.TESTER, now=utc_now())
    umbrella.tenant.refresh_from_db()
    for player in players.values():
        _furnish(player)
    acme = players["acme"].tenant
    for model in of_tenants():
        _make_one(model, model._default_manager.filter(tenant_id=acme.id), acme)
    plant(acme)
    return Estate(players["acme"], players["globex"], players["initech"], umbrella, olivia)


def _furnish(player: cast.Player) -> None:
    tenant = player.tenant
    turns = [Turn("user", "What is ours?"), Turn("assistant", "All of this.")]
    with tenant_scope(tenant.ref):
        keep_turns(member_id=str(player.owner.pk), conversation_id="", model="demo-chat", turns=turns, now=utc_now())
        Setting.objects.get_or_create(name="language", defaults={"value": "en"})
        for model in workspace():
            _make_one(model, model._default_manager.all(), tenant)


def _make_one(model: type[models.Model], rows: models.QuerySet[Any], tenant: Tenant) -> None:
    if rows.exists():
        return
    values = {field.attname: _value(field, tenant) for field in model._meta.concrete_fields if _is_asked(field)}
    values |= _SAID.get(model._meta.db_table, {})
    try:
        with transaction.atomic():
            model._default_manager.create(**values)
    except Exception as error:
        raise AssertionError(f"Make a row of {model._meta.label} for {tenant.slug} in the estate: {error}") from error


def _is_asked(field: models.Field[Any, Any]) -> bool:
    return not (field.has_default() or field.null or isinstance(field, models.AutoField))


def _value(field: models.Field[Any, Any], tenant: Tenant) -> Any:
    if field.attname == "tenant_id":
        return tenant.id
    if field.is_relation:
        return _related(field.related_model, tenant)
    if field.choices:
        return next(iter(field.flatchoices))[0]
    if isinstance(field, models.CharField | models.TextField):
        return new_ulid()[-(field.max_length or 26) :]
    for kind, value in _BY_KIND.items():
        if isinstance(field, kind):
            return value() if callable(value) else value
    return None


def _related(model: Any, tenant: Tenant) -> Any:
    """A row of another table: the tenant's own where the table knows tenants."""
    rows = model._default_manager.all()
    if any(field.attname == "tenant_id" for field in model._meta.concrete_fields):
        rows = rows.filter(tenant_id=tenant.id)
    _make_one(model, rows, tenant)
    return rows.values_list("pk", flat=True).first()


# What a constraint asks for and no column tells.
_SAID: dict[str, dict[str, Any]] = {
    "tenants_allocation": {"state": "HELD"},
    "tenants_impersonation": {"ended_at": utc_now()},
}
_BY_KIND: dict[type, Any] = {
    models.DateTimeField: utc_now,
    models.DateField: lambda: date(2026, 11, 1),
    models.BooleanField: False,
    models.IntegerField: 1,
    models.DecimalField: Decimal(1),
    models.JSONField: dict,
    models.BinaryField: b"x",
}


def member(tenant: Tenant, role: Role, now: datetime) -> Any:
    """The account of a member of that tenant with that role."""
    with platform_scope():
        email = f"{role.lower()}@{tenant.slug}.example"
        return add_member(tenant_id=tenant.id, email=email, role=role, acting=cast.TESTER, now=now).user
