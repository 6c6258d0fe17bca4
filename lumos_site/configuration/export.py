"""A configuration file of what there is; owns its layout, and that no secret is in it.

Applying the file to the same installation changes nothing. Provider keys stand as `env:` placeholders; API keys
stand by name only, so another installation makes new ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import yaml

from billing.api import ChargeModel, PlanPrice, Tier
from lumos_site.configuration.document import (
    CostEntry,
    Document,
    HostEntry,
    LimitEntry,
    LimitWord,
    ModelEntry,
    OverrideEntry,
    PlanEntry,
    PoolEntry,
    ProviderEntry,
    TenantEntry,
    TypeEntry,
)
from lumos_site.configuration.plan_changes import limit_text

Plain = dict[str, Any]
HEADER = """\
# Configuration of a Lumos installation. Apply it with: ./lumos apply FILE
# Keys of providers are not in here: set the variables that stand behind `env:` where you apply it.
"""


def export_text(document: Document) -> str:
    """The file as text."""
    content: Plain = {
        "capacity": _capacity(document.pools, document.hosts),
        "providers": {entry.name: _provider(entry) for entry in document.providers},
        "models": {entry.name: _model(entry) for entry in document.models},
        "tenant_types": {entry.type.value: _type(entry) for entry in document.tenant_types},
        "plans": {entry.code: _plan(entry) for entry in document.plans},
        "tenants": {entry.slug: _tenant(entry) for entry in document.tenants},
    }
    text = yaml.dump(_kept(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return HEADER + text if any(content.values()) else HEADER


def _kept(content: Plain) -> Plain:
    """Without what is empty: nothing said means nothing changed."""
    return {name: value for name, value in content.items() if value is not None and value not in ({}, [], "")}


def _plain(entry: Any, *leave_out: str) -> Plain:
    """The fields of an entry that hold something, as YAML can say them."""
    assert is_dataclass(entry)
    names = (field.name for field in fields(entry) if field.name not in ("place", *leave_out))
    return _kept({name: _value(getattr(entry, name)) for name in names})


def _value(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_value(part) for part in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _capacity(pools: Iterable[PoolEntry], hosts: Iterable[HostEntry]) -> Plain:
    """Region, host, kind; an amount alone where there is nothing else to say."""
    content: Plain = {}
    for host in hosts:
        content.setdefault(host.region, {})[host.name] = {"reserved_for": host.reserved_for}
    for pool in pools:
        plain = _plain(pool, "region", "name", "kind")
        plain["oversubscription"] = pool.oversubscription
        if plain["oversubscription"] == 1:
            del plain["oversubscription"]
        if pool.accepting:
            del plain["accepting"]
        said = plain["capacity"] if len(plain) == 1 else plain
        content.setdefault(pool.region, {}).setdefault(pool.name, {})[pool.kind.value] = said
    return content


def _provider(entry: ProviderEntry) -> Plain:
    keys = {name: f"env:{secret.variable}" for name, secret in entry.keys.items()}
    return _kept({**_plain(entry, "name", "keys"), "keys": keys})


def _model(entry: ModelEntry) -> Plain:
    plain = _plain(entry, "name", "cost")
    if entry.context == 0:
        del plain["context"]  # not known, which a file cannot say
    return _kept({**plain, "cost": _cost(entry.cost)})


def _cost(cost: CostEntry | None) -> Plain | None:
    if cost is None:
        return None
    return {
        "currency": cost.currency,
        "input_per_million": cost.input_token.scaleb(6),
        "cached_per_million": cost.cached_token.scaleb(6),
        "output_per_million": cost.output_token.scaleb(6),
    }


def _plan(entry: PlanEntry) -> Plain:
    prices = [_price(price) for price in entry.prices or ()]
    return _kept({**_plain(entry, "code", "prices", "limits"), "prices": prices, "limits": _limits(entry.limits)})


def _price(price: PlanPrice) -> Plain:
    terms = price.terms
    content: Plain = {"meter": price.meter.value, "model": price.model, "charge_model": terms.charge_model.value}
    if terms.included_units:
        content["included_units"] = terms.included_units
    if terms.charge_model is ChargeModel.PACKAGE:
        content["package_size"] = terms.package_size
    is_tokens = price.meter.value.endswith("tokens") and terms.charge_model is not ChargeModel.PACKAGE
    if terms.charge_model in (ChargeModel.PER_UNIT, ChargeModel.PACKAGE):
        return {**content, **_amount(terms.tiers[0], is_tokens)}
    return {**content, "tiers": [_tier(tier, is_tokens) for tier in terms.tiers]}


def _tier(tier: Tier, is_tokens: bool) -> Plain:
    bound: Plain = {} if tier.up_to is None else {"up_to": tier.up_to}
    return {**bound, **_amount(tier, is_tokens)}


def _amount(tier: Tier, is_tokens: bool) -> Plain:
    """Tokens are priced by the million, as people read it."""
    amount: Plain = {"per_million": tier.unit_amount.scaleb(6)} if is_tokens else {"unit_amount": tier.unit_amount}
    return {**amount, "flat_amount": tier.flat_amount} if tier.flat_amount else amount


def _limits(limits: Iterable[LimitEntry]) -> Plain:
    return {limit.dimension.value: _limit(limit) for limit in limits}


def _limit(limit: LimitEntry) -> Any:
    word = limit.value.value if isinstance(limit.value, LimitWord) else Decimal(limit_text(limit))
    more: Plain = {} if limit.hard else {"hard": False}
    if limit.expires_at is not None:
        more["expires_at"] = limit.expires_at.isoformat()
    if limit.reason:
        more["reason"] = limit.reason
    return {"value": word, **more} if more else word


def _type(entry: TypeEntry) -> Plain:
    profile = {field.value: _value(value) for field, value in entry.profile.items()}
    return _kept({"limits": _limits(entry.limits), "profile": profile})


def _override(entry: OverrideEntry) -> Plain:
    """One that has begun says no beginning: where the file is applied it begins at once."""
    plain: Plain = {"value": _value(entry.value), "reason": entry.reason}
    if entry.valid_from is not None and not entry.begun:
        plain["valid_from"] = entry.valid_from.isoformat()
    if entry.expires_at is not None:
        plain["expires_at"] = entry.expires_at.isoformat()
    return plain


def _tenant(entry: TenantEntry) -> Plain:
    plain = _plain(entry, "slug", "members", "keys", "limits", "overrides", "scaling", "settings")
    scaling = _plain(entry.scaling) if entry.scaling else {}
    if entry.scaling and entry.scaling.queue_target == 0:
        scaling["queue_target"] = 0
    return _kept(
        {
            **plain,
            "members": {address: role.value for address, role in entry.members.items()},
            "keys": {key.name: _plain(key, "name", "revoked") for key in entry.keys},
            "limits": _limits(entry.limits),
            "overrides": {override.of.value: _override(override) for override in entry.overrides},
            "scaling": scaling,
            "settings": entry.settings,
        }
    )


class _Dumper(yaml.SafeDumper):
    """Decimals as their digits, and lists that read well."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    digits = format(value.normalize(), "f")
    kind = "float" if "." in digits else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", digits)


_Dumper.add_representer(Decimal, _represent_decimal)
