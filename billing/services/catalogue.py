"""Writes of the catalogue: plans, their versions, and what models cost. Nothing published is ever changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from audit.api import Actor, emit, record
from billing.catalogue import STARTING_PLANS
from billing.data import PlanChanged, PlanPrice
from billing.errors import InvalidPrice, UnknownPlan
from billing.models import ModelCost, Plan, PlanVersion, Price
from billing.rating import check_terms
from core.errors import InvalidInput

_MOST = Decimal(10) ** 12


@transaction.atomic
def save_plan(
    *,
    code: str,
    name: str,
    acting: Actor,
    now: datetime,
    description: str = "",
    tenant_types: Sequence[str] = (),
    position: int = 0,
) -> Plan:
    """Make a plan or change how it is presented; what it costs is in its versions. Nothing new: nothing happens."""
    plan = Plan.objects.select_for_update().filter(code=code).first()
    wanted = {"name": name, "description": description, "tenant_types": list(tenant_types), "position": position}
    if plan is None:
        plan = Plan(code=code, created_at=now)
    elif all(getattr(plan, field) == value for field, value in wanted.items()):
        return plan
    for field, value in wanted.items():
        setattr(plan, field, value)
    plan.full_clean(validate_unique=False)
    plan.save()
    record("billing.save_plan", actor=acting, tenant_id=None, target=plan.public_id, detail={"code": code})
    return plan


@transaction.atomic
def publish_plan_version(
    *,
    plan_code: str,
    currency: str,
    monthly_fee: Decimal,
    prices: Sequence[PlanPrice],
    acting: Actor,
    now: datetime,
) -> PlanVersion:
    """Offer a plan under new terms. Tenants keep theirs until they are subscribed anew.

    Terms equal to the newest version's publish nothing and return that one. Raises UnknownPlan, InvalidPrice,
    InvalidInput.
    """
    plan = Plan.objects.select_for_update().filter(code=plan_code).first()
    if plan is None:
        raise UnknownPlan(fields={"plan": ["does not exist"]})
    _check_version(currency, monthly_fee, prices)
    newest = plan.versions.exclude(published_at=None).order_by("-number").first()
    if newest is not None and _has_terms(newest, currency, monthly_fee, prices):
        return newest
    number = newest.number + 1 if newest is not None else 1
    code = f"{plan.code}@{number}"
    version = PlanVersion.objects.create(
        plan=plan, number=number, code=code, currency=currency, monthly_fee=monthly_fee, created_at=now
    )
    Price.objects.bulk_create(_price_row(version, price) for price in prices)
    version.published_at = now
    version.save(update_fields=["published_at"])
    record("billing.publish_version", actor=acting, tenant_id=None, target=plan.public_id, detail={"version": code})
    emit(PlanChanged(plan.code, code))
    return version


def _check_version(currency: str, monthly_fee: Decimal, prices: Sequence[PlanPrice]) -> None:
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise InvalidInput(fields={"currency": ["must be three capital letters"]})
    if not _is_amount(monthly_fee):
        raise InvalidInput(fields={"monthly_fee": ["must be from 0 to 10^12 with at most 12 decimals"]})
    seen = set()
    for index, price in enumerate(prices):
        if (price.meter, price.model) in seen or not price.model:
            raise InvalidPrice(fields={f"prices.{index}": ["needs a model, and one price for it and the meter"]})
        seen.add((price.meter, price.model))
        try:
            check_terms(price.terms)
        except InvalidPrice as error:
            raise InvalidPrice(
                fields={f"prices.{index}.{name}": messages for name, messages in error.fields.items()}
            ) from error


def _is_amount(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and 0 <= amount <= _MOST and exponent >= -12


def _has_terms(version: PlanVersion, currency: str, monthly_fee: Decimal, prices: Sequence[PlanPrice]) -> bool:
    stored = {(price.meter, price.model): price.terms for price in version.prices.all()}
    wanted = {(price.meter.value, price.model): price.terms for price in prices}
    return version.currency == currency and version.monthly_fee == monthly_fee and stored == wanted


def _price_row(version: PlanVersion, price: PlanPrice) -> Price:
    terms = price.terms
    return Price(
        plan_version=version,
        meter=price.meter,
        model=price.model,
        charge_model=terms.charge_model,
        included_units=terms.included_units,
        package_size=terms.package_size,
        tiers=[tier.to_dict() for tier in terms.tiers],
    )


@transaction.atomic
def seed_catalogue(*, acting: Actor, now: datetime) -> list[str]:
    """Publish the plans that an installation starts with, where there is none of that code; returns their codes."""
    missing = [plan for plan in STARTING_PLANS if not Plan.objects.filter(code=plan.code).exists()]
    for plan in missing:
        save_plan(
            code=plan.code,
            name=plan.name,
            description=plan.description,
            tenant_types=plan.types,
            position=STARTING_PLANS.index(plan) * 10,
            acting=acting,
            now=now,
        )
        publish_plan_version(
            plan_code=plan.code,
            currency="USD",
            monthly_fee=plan.monthly_fee,
            prices=plan.prices,
            acting=acting,
            now=now,
        )
    return [plan.code for plan in missing]


@transaction.atomic
def set_model_cost(
    *,
    provider: str,
    model: str,
    input_token: Decimal,
    output_token: Decimal,
    acting: Actor,
    now: datetime,
    cached_token: Decimal | None = None,
    currency: str = "USD",
    effective_from: datetime | None = None,
) -> ModelCost:
    """Say what the operator pays for a model's tokens from `effective_from` (now) on; what is so already stays.

    Cached tokens without a cost of their own cost what input costs. The past is not rewritten: raises InvalidInput.
    """
    since = effective_from or now
    cached = input_token if cached_token is None else cached_token
    amounts = {"input_token": input_token, "cached_token": cached, "output_token": output_token}
    _check_costs(amounts)
    rows = ModelCost.objects.select_for_update().filter(provider=provider, model=model)
    if (newest := rows.order_by("-version").first()) is not None:
        if newest.currency == currency and all(getattr(newest, name) == amounts[name] for name in amounts):
            return newest
        if since <= newest.effective_from:
            raise InvalidInput(fields={"effective_from": ["must be after that of the newest cost"]})
    cost = ModelCost.objects.create(
        provider=provider,
        model=model,
        version=newest.version + 1 if newest else 1,
        currency=currency,
        effective_from=since,
        created_at=now,
        **amounts,
    )
    detail = {"version": cost.version}
    record("billing.set_cost", actor=acting, tenant_id=None, target=f"{provider}/{model}", detail=detail)
    return cost


def _check_costs(amounts: Mapping[str, Decimal]) -> None:
    reason = "must be from 0 to 10^12 with at most 12 decimals"
    if faults := {name: [reason] for name, amount in amounts.items() if not _is_amount(amount)}:
        raise InvalidInput(fields=faults)
