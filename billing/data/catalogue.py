"""The catalogue as other rooms may know it: plans with their newest terms, and what models cost the operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.data.prices import Meter, PriceTerms


@dataclass(frozen=True, slots=True)
class PlanPrice:
    """What a plan asks for one meter of one model; "*" stands for each model without its own price."""

    meter: Meter
    model: str
    terms: PriceTerms


@dataclass(frozen=True, slots=True)
class PlanOffer:
    """A plan and the terms of its newest published version. `tenant_types` empty: for everybody."""

    code: str
    name: str
    description: str
    tenant_types: tuple[str, ...]
    version: str
    currency: str
    monthly_fee: Decimal
    prices: tuple[PlanPrice, ...]


@dataclass(frozen=True, slots=True)
class TokenCosts:
    """What the operator pays a provider, in the currency's major unit for one token."""

    provider: str
    model: str
    currency: str
    input_token: Decimal
    cached_token: Decimal
    output_token: Decimal
    effective_from: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """A tenant's contract: half-open in time, `ends_at` None until further notice."""

    id: str
    tenant_id: str
    plan_code: str
    plan_name: str
    version: str
    currency: str
    monthly_fee: Decimal
    starts_at: datetime
    ends_at: datetime | None
