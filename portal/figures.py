"""What the portal asks of quotas and billing; owns what is shown when one of them has no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import structlog

from billing.api import (
    Bill,
    NoSubscription,
    Period,
    UnknownPrice,
    UsagePoint,
    UsageShare,
    estimate_micro,
    price_sheet,
    running_bill,
    usage_by_day,
    usage_by_model,
)
from core.errors import Unavailable
from core.money import from_micro
from core.tenancy import platform_scope
from portal import formats
from portal.usage.filters import UsageFilter
from proxy.api import ModelFacts, ModelKind, models_of
from quotas.api import MeterReading, usage_of
from tenants.api import setting_of

log = structlog.get_logger(__name__)
_WELL_BEHAVED = ("demo-chat", "demo-fast")
_NO_CURRENCY = "USD"  # a tenant without a plan has no money figures but zeros


def readings_or_none(tenant_id: str, now: datetime) -> Sequence[MeterReading] | None:
    """The tenant's quota meters; None while the counters cannot be read."""
    try:
        return usage_of(tenant_id, now=now)
    except Unavailable as error:
        log.warning("portal.figures.meters_away", error=error.message)
        return None


def bill_or_none(tenant_id: str, now: datetime) -> Bill | None:
    """The running bill; None for a tenant without a plan."""
    try:
        return running_bill(tenant_id, now)
    except NoSubscription:
        return None


def currency_of(bill: Bill | None) -> str:
    return bill.currency if bill else _NO_CURRENCY


def daily_usage(tenant_id: str, wanted: UsageFilter, now: datetime) -> list[UsagePoint]:
    """One point for each day of the span, oldest first."""
    first, end = wanted.span(now)
    return list(usage_by_day(tenant_id, first, end, model=wanted.model))


def model_shares(tenant_id: str, wanted: UsageFilter, now: datetime) -> list[UsageShare]:
    """The figures of each model in the span."""
    first, end = wanted.span(now)
    return list(usage_by_model(tenant_id, first, end))


def period_by_model(tenant_id: str, period: Period, now: datetime) -> list[UsageShare]:
    return list(usage_by_model(tenant_id, period.starts_at, period.ends_at))


def chat_models(tenant_id: str, now: datetime, preferred: str = "") -> list[ModelFacts]:
    """What a conversation may be had with, the best to begin with first: `preferred`, when it may be used.

    The catalogue is the operator's, hence the scope; no secret is in it.
    """
    with platform_scope():
        models = models_of(tenant_id, now=now)
    return sorted((model for model in models if ModelKind.CHAT in model.kinds), key=partial(_eagerness, preferred))


def _eagerness(preferred: str, model: ModelFacts) -> tuple[bool, bool, bool, str]:
    """Real providers before the simulated one, whose other models misbehave on purpose."""
    is_demo = model.provider == "demo"
    return model.name != preferred, is_demo, is_demo and model.name not in _WELL_BEHAVED, model.name


def example_model(tenant_id: str, now: datetime) -> str:
    """A model's name for examples to copy: the one that the tenant begins with, else one that works."""
    preferred = setting_of(tenant_id, "playground.default_model")
    return next((model.name for model in chat_models(tenant_id, now, preferred)), "MODEL")


def charge_estimate(tenant_id: str, model: str, usage: Mapping[str, object], now: datetime) -> str:
    """What that usage costs the tenant by its prices, in words; empty when it is not known."""
    read = _count(usage.get("prompt_tokens"))
    cached, written = _cached(usage), _count(usage.get("completion_tokens"))
    if read is None or cached is None or written is None or cached > read:
        return ""
    try:
        sheet = price_sheet(tenant_id, now)
        micro = estimate_micro(sheet, model, read, cached, written)
    except (NoSubscription, UnknownPrice):
        return ""
    return formats.money_exact(from_micro(micro), sheet.currency)


def _cached(usage: Mapping[str, object]) -> int | None:
    details = usage.get("prompt_tokens_details")
    return _count(details.get("cached_tokens") or 0) if isinstance(details, dict) else 0


def _count(value: object) -> int | None:
    """The browser tells these, so they are believed as far as they are counts."""
    return value if type(value) is int and 0 <= value < 10**9 else None
