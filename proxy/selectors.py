"""Reads of the catalogue that more than one caller shares; facts and lists, never lazy rows, never a secret."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from proxy.data import ModelFacts, ProviderFacts, ProviderKeyFacts, ProviderKind
from proxy.models import Model, Provider
from tenants.api import effective_profile


def all_providers() -> list[ProviderFacts]:
    """Every provider with its keys, by name."""
    return [
        ProviderFacts(
            id=row.id,
            name=row.name,
            kind=ProviderKind(row.kind),
            base_url=row.base_url,
            enabled=row.enabled,
            options=dict(row.options),
            keys=tuple(ProviderKeyFacts(key.name, key.last_four) for key in row.keys.all()),
        )
        for row in Provider.objects.prefetch_related("keys").order_by("name")
    ]


def all_models() -> list[ModelFacts]:
    """Every model, by name."""
    return _models(Model.objects.all())


def usable_models() -> list[ModelFacts]:
    """The models that gateways serve: enabled, of an enabled provider. Works in a tenant's scope too."""
    return _models(Model.objects.filter(enabled=True, provider__enabled=True))


def models_of(tenant_id: str, *, now: datetime) -> list[ModelFacts]:
    """Those of the usable models that the tenant may use. Raises TenantNotFound."""
    allowed = effective_profile(tenant_id, now=now).allowed_models
    return [model for model in usable_models() if not allowed or model.name in allowed]


def _models(rows: QuerySet[Model]) -> list[ModelFacts]:
    """Names of columns, because a tenant's role may read no other column of a provider."""
    columns = ("name", "provider__name", "upstream_name", "kinds", "context", "max_output", "default_output", "enabled")
    return [
        ModelFacts(
            name=row["name"],
            provider=row["provider__name"],
            upstream_name=row["upstream_name"],
            kinds=tuple(row["kinds"]),
            context=row["context"],
            max_output=row["max_output"],
            default_output=row["default_output"],
            enabled=row["enabled"],
        )
        for row in rows.order_by("name").values(*columns)
    ]
