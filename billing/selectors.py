"""Contracts, prices and bills of one tenant; owns no sum of usage (see figures) and no write.

All of these work in the tenant's own scope and in the platform's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Q, Sum

from billing.bills import BilledPlan, MeteredPeriod, make_bill
from billing.data import Bill, Meter, Period, PlanOffer, PlanPrice, PriceSheet, SubscriptionFacts, TokenCosts
from billing.errors import NoSubscription, UnknownPlan
from billing.metering.contracts import Contract, contract_of, contracts_of, from_ms, to_ms
from billing.metering.lock import lock_usage
from billing.models import ModelCost, PeriodPosition, PlanVersion, Subscription, UsageRollup
from core.money import to_micro
from quotas.api import Period as QuotaPeriod
from quotas.api import PeriodTotals
from tenants.api import all_tenant_facts


def newest_version(plan_code: str) -> PlanVersion:
    """The version of the plan that is sold now; raises UnknownPlan."""
    version = (
        PlanVersion.objects.filter(plan__code=plan_code, retired_at=None)
        .exclude(published_at=None)
        .select_related("plan")
        .order_by("-number")
        .first()
    )
    if version is None:
        raise UnknownPlan(fields={"plan": ["is not a published plan"]})
    return version


def subscription_at(tenant_id: str, now: datetime) -> Subscription:
    """The tenant's subscription in force at `now`, with plan version and plan; raises NoSubscription."""
    subscription = (
        Subscription.objects.filter(tenant_id=tenant_id, starts_at__lte=now)
        .filter(Q(ends_at=None) | Q(ends_at__gt=now))
        .select_related("plan_version__plan")
        .order_by("-starts_at")
        .first()
    )
    if subscription is None:
        raise NoSubscription()
    return subscription


def price_sheet(tenant_id: str, now: datetime) -> PriceSheet:
    """What the gateway needs to price this tenant's requests; raises NoSubscription."""
    contract = contract_of(subscription_at(tenant_id, now))
    period = contract.period_at(to_ms(now))
    positions = _units_of(contract, period)
    return PriceSheet(
        version=contract.sheet.version,
        currency=contract.sheet.currency,
        prices=contract.sheet.prices,
        period_ends_ms=to_ms(period.ends_at),
        positions={price_id: int(units) for price_id, units in positions.items()},
    )


def running_bill(tenant_id: str, now: datetime) -> Bill:
    """The bill of the billing period that `now` is in, as far as usage was taken in; raises NoSubscription.

    The fee is that of the plan in force. Usage under a plan that was left within the period keeps that plan's
    prices and makes lines of its own.
    """
    subscription = subscription_at(tenant_id, now)
    current = contract_of(subscription)
    period = current.period_at(to_ms(now))
    version = subscription.plan_version
    plan = BilledPlan(
        code=version.plan.code,
        name=version.plan.name,
        version=version.code,
        currency=version.currency,
        monthly_fee=version.monthly_fee,
    )
    contracts = [current, *_replaced(tenant_id, current, period)]
    metered = [MeteredPeriod(contract.sheet, _units_of(contract, period)) for contract in contracts]
    return make_bill(tenant_id=tenant_id, plan=plan, period=period, metered=metered, as_of=now)


def _replaced(tenant_id: str, current: Contract, period: Period) -> Iterator[Contract]:
    held = contracts_of([tenant_id], period.starts_at, period.ends_at).get(tenant_id, [])
    return (contract for contract in held if contract.starts_ms < current.starts_ms)


def _units_of(contract: Contract, period: Period) -> dict[str, Decimal]:
    rows = PeriodPosition.objects.filter(subscription_id=contract.id, period_starts_at=period.starts_at)
    return dict(rows.values_list("price_id", "quantity"))


def period_totals(period: QuotaPeriod) -> Iterable[PeriodTotals]:
    """Each tenant's tokens and micro-units of a calendar month, for the quota counters.

    Waits for a batch of the ingest that is under way, so that what is read here is all that was taken from the
    stream.
    """
    with transaction.atomic():
        lock_usage(wait=True)
        rows = list(
            UsageRollup.objects.filter(
                grain=UsageRollup.Grain.DAY,
                starts_at__gte=from_ms(period.starts_at * 1000),
                starts_at__lt=from_ms(period.ends_at * 1000),
            )
            .values("tenant_id")
            .annotate(tokens=Sum("input_tokens") + Sum("output_tokens"), money=Sum("charge"))
            .order_by("tenant_id")
        )
    living = {facts.id for facts in all_tenant_facts()}  # a deleted tenant's books are kept, its counters are not
    return [
        PeriodTotals(row["tenant_id"], period.id, int(row["tokens"]), to_micro(row["money"]))
        for row in rows
        if row["tenant_id"] in living
    ]


def plan_offers() -> tuple[PlanOffer, ...]:
    """Each plan with its newest published version, in the order of the price list."""
    versions = (
        PlanVersion.objects.exclude(published_at=None)
        .filter(retired_at=None)
        .select_related("plan")
        .prefetch_related("prices")
        .order_by("plan__position", "plan__code", "number")
    )
    newest = {version.plan_id: version for version in versions}
    return tuple(_offer(version) for version in newest.values())


def _offer(version: PlanVersion) -> PlanOffer:
    prices = sorted(version.prices.all(), key=lambda price: (price.model != "*", price.model, price.meter))
    return PlanOffer(
        code=version.plan.code,
        name=version.plan.name,
        description=version.plan.description,
        tenant_types=tuple(version.plan.tenant_types),
        version=version.code,
        currency=version.currency,
        monthly_fee=version.monthly_fee,
        prices=tuple(PlanPrice(Meter(price.meter), price.model, price.terms) for price in prices),
    )


def model_costs(now: datetime) -> tuple[TokenCosts, ...]:
    """What each model costs the operator at `now`; for the operator's eyes only."""
    rows = ModelCost.objects.filter(effective_from__lte=now).order_by("provider", "model", "effective_from")
    newest = {(row.provider, row.model): row for row in rows}
    return tuple(
        TokenCosts(
            provider=row.provider,
            model=row.model,
            currency=row.currency,
            input_token=row.input_token,
            cached_token=row.cached_token,
            output_token=row.output_token,
            effective_from=row.effective_from,
        )
        for row in newest.values()
    )


def subscription_facts(tenant_id: str, now: datetime) -> SubscriptionFacts:
    """The tenant's contract at `now`; raises NoSubscription."""
    row = subscription_at(tenant_id, now)
    version = row.plan_version
    return SubscriptionFacts(
        id=row.id,
        tenant_id=row.tenant_id,
        plan_code=version.plan.code,
        plan_name=version.plan.name,
        version=version.code,
        currency=version.currency,
        monthly_fee=version.monthly_fee,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
    )
