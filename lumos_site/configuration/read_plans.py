"""The sections `plans` and `tenant_types`: prices and default limits; owns their fields, prices nothing."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import yaml

from billing.api import ChargeModel, InvalidPrice, Meter, PlanPrice, PriceTerms, Tier, check_terms
from core.money import to_micro
from lumos_site.configuration.document import LimitEntry, LimitWord, PlanEntry, TypeEntry
from lumos_site.configuration.fields import Fields
from lumos_site.configuration.marks import Source
from lumos_site.configuration.read_profiles import instant, read_profile
from quotas.api import Dimension
from tenants.api import TenantType

_PLAN = ("name", "description", "tenant_types", "currency", "monthly_fee", "prices", "limits")
_AMOUNT = ("unit_amount", "per_million", "flat_amount")
_PRICE = ("meter", "model", "charge_model", "included_units", "package_size", "tiers", *_AMOUNT)
_TIER = ("up_to", *_AMOUNT)
_MONEY = Dimension.MONEY_PER_MONTH
ZERO = Decimal(0)


def read_plan(code: str, source: Source, node: yaml.Node, path: str) -> PlanEntry:
    fields = Fields(source, node, path, _PLAN)
    if not code.replace("-", "").isalnum() or not code[:1].isalpha() or code != code.lower() or len(code) > 40:
        fields.mistake("", "a plan's code has lower-case letters, digits and hyphens, and starts with a letter")
    prices = fields.listed("prices", _price)
    return PlanEntry(
        code=code,
        name=fields.text("name", longest=80),
        description=fields.text("description"),
        tenant_types=_types(fields),
        currency=fields.currency(),
        monthly_fee=fields.number("monthly_fee"),
        prices=_once(fields, tuple(price for price in prices if price)) if fields.has("prices") else None,
        limits=read_limits(fields),
        place=fields.place,
    )


def read_type(name: str, source: Source, node: yaml.Node, path: str) -> TypeEntry:
    fields = Fields(source, node, path, ("limits", "profile"))
    if name.upper() not in TenantType.__members__:
        fields.mistake("", f"must be one of {', '.join(TenantType)}")
        return TypeEntry(TenantType.INDIVIDUAL)
    profile = next(iter(fields.each("profile", read_profile)), {})
    return TypeEntry(TenantType(name.upper()), read_limits(fields), profile, fields.place)


def _types(fields: Fields) -> tuple[TenantType, ...] | None:
    names = fields.names("tenant_types")
    if names is None:
        return None
    if {name.upper() for name in names} - set(TenantType.__members__):
        fields.mistake("tenant_types", f"choose from {', '.join(TenantType)}")
        return None
    return tuple(TenantType(name.upper()) for name in names)


def _once(fields: Fields, prices: tuple[PlanPrice, ...]) -> tuple[PlanPrice, ...]:
    seen: set[tuple[Meter, str]] = set()
    for price in prices:
        if (price.meter, price.model) in seen:
            fields.mistake("prices", f"{price.meter} of {price.model} is priced twice")
        seen.add((price.meter, price.model))
    return prices


def _price(source: Source, node: yaml.Node, path: str) -> PlanPrice | None:
    fields = Fields(source, node, path, _PRICE)
    fields.require("meter")
    meter = fields.choice("meter", Meter)
    charge = fields.choice("charge_model", ChargeModel)
    if charge is None:
        charge = ChargeModel.GRADUATED if fields.has("tiers") else ChargeModel.PER_UNIT
    tiers = _tiers(fields)
    if meter is None or not tiers:
        return None
    terms = PriceTerms(
        charge_model=charge,
        tiers=tiers,
        included_units=fields.number("included_units") or ZERO,
        package_size=fields.number("package_size") or Decimal(1),
    )
    try:
        check_terms(terms)
    except InvalidPrice as error:
        for name, messages in error.fields.items():
            fields.mistake(name.split(".")[0], f"{name} {'; '.join(messages)}")
    return PlanPrice(meter, fields.text("model", longest=200) or "*", terms)


def _tiers(fields: Fields) -> tuple[Tier, ...]:
    """The tiers of a price, or its own amount as the only one."""
    if not fields.has("tiers"):
        return (Tier(None, _amount(fields), fields.number("flat_amount") or ZERO),)
    for name in filter(fields.has, _AMOUNT):
        fields.mistake(name, "stands in the tiers when there are tiers")
    tiers = fields.listed("tiers", _tier)
    if not tiers:
        fields.mistake("tiers", "needs at least one tier")
    return tiers


def _tier(source: Source, node: yaml.Node, path: str) -> Tier:
    fields = Fields(source, node, path, _TIER)
    return Tier(fields.number("up_to"), _amount(fields), fields.number("flat_amount") or ZERO)


def _amount(fields: Fields) -> Decimal:
    """What one unit costs, from `unit_amount` or from `per_million`."""
    if fields.has("unit_amount") == fields.has("per_million"):
        fields.mistake("unit_amount", "is needed, or per_million, and not both")
        return ZERO
    million = fields.number("per_million")
    return million.scaleb(-6) if million is not None else fields.number("unit_amount") or ZERO


def read_limits(fields: Fields, *more: str) -> tuple[LimitEntry, ...]:
    """The map `limits`: a number, `unlimited`, `default`, or a map of value, hard and `more`, for each dimension."""
    return tuple(entry for entry in fields.named("limits", partial(_limit, more)) if entry is not None)


def _limit(more: tuple[str, ...], name: str, source: Source, node: yaml.Node, path: str) -> LimitEntry | None:
    if name not in set(Dimension):
        source.mistake(node, path, f"is no limit; choose from {', '.join(Dimension)}")
        return None
    if not isinstance(node, yaml.MappingNode):
        node = yaml.MappingNode("tag:yaml.org,2002:map", [(_value_key(node), node)], node.start_mark, node.end_mark)
    fields = Fields(source, node, path, ("value", "hard", *more))
    fields.require("value")
    value = _limit_value(fields, Dimension(name))
    hard, ends, reason = fields.flag("hard"), instant(fields, "expires_at"), fields.text("reason")
    if value is None:
        return None
    return LimitEntry(Dimension(name), value, hard is not False, ends, reason, fields.place)


def _value_key(node: yaml.Node) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", "value", node.start_mark, node.end_mark)


def _limit_value(fields: Fields, dimension: Dimension) -> int | LimitWord | None:
    word = fields.word("value")
    if word in set(LimitWord):
        return LimitWord(word)
    if dimension is _MONEY:
        amount = fields.number("value")
        return None if amount is None else to_micro(amount)
    return fields.whole("value")
