"""Quota readings as meters a person understands: words, percentages and how serious it is; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from core.money import from_micro
from portal import formats
from quotas.api import Dimension, LimitScope, MeterReading, Unit

THRESHOLDS = (80, 90, 95)

_LABELS: dict[Dimension, Promise] = {
    Dimension.REQUESTS_PER_MINUTE: gettext_lazy("Requests per minute"),
    Dimension.TOKENS_PER_MINUTE: gettext_lazy("Tokens per minute"),
    Dimension.TOKENS_PER_MONTH: gettext_lazy("Tokens this month"),
    Dimension.MONEY_PER_MONTH: gettext_lazy("Spend this month"),
    Dimension.CONCURRENT_REQUESTS: gettext_lazy("Requests in progress"),
}
_ORDER = (
    Dimension.MONEY_PER_MONTH,
    Dimension.TOKENS_PER_MONTH,
    Dimension.REQUESTS_PER_MINUTE,
    Dimension.TOKENS_PER_MINUTE,
    Dimension.CONCURRENT_REQUESTS,
)


class Severity(StrEnum):
    CALM = "calm"
    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


_SEVERITY_WORDS: dict[Severity, Promise] = {
    Severity.NOTICE: gettext_lazy("over 80 %"),
    Severity.WARNING: gettext_lazy("over 90 %"),
    Severity.CRITICAL: gettext_lazy("over 95 %"),
}


@dataclass(frozen=True, slots=True)
class Amount:
    """A figure for the eye and, for a hover, all of it."""

    text: str
    exact: str


@dataclass(frozen=True, slots=True)
class Meter:
    """One meter, ready to draw. Percentages of the bar end at 100; `percent` in words does not."""

    name: str
    label: str
    severity: Severity
    severity_words: str
    used: Amount
    held: Amount
    has_held: bool
    limit: Amount | None
    is_hard: bool
    percent: int
    used_width: str
    held_width: str
    resets_at: datetime | None
    thresholds: tuple[int, ...] = THRESHOLDS

    @property
    def percent_words(self) -> str:
        """A little is not nothing."""
        return "<1" if self.percent == 0 and self.used_width != _width(Decimal(0)) else str(self.percent)

    @property
    def bar_percent(self) -> int:
        """What a screen reader is told: a meter's value may not pass its end."""
        return min(self.percent, 100)


def meters_of(readings: Sequence[MeterReading], currency: str) -> list[Meter]:
    """The meters in the order in which people look for them."""
    by_dimension = {reading.dimension: reading for reading in readings if reading.scope is LimitScope.TENANT}
    return [_meter(by_dimension[dimension], currency) for dimension in _ORDER if dimension in by_dimension]


def _meter(reading: MeterReading, currency: str) -> Meter:
    limit = reading.limit.value
    percent = reading.percent or 0
    used_share = _share(reading.used, limit)
    severity = severity_of(percent) if limit is not None else Severity.CALM
    is_money = reading.dimension.unit is Unit.MICRO
    return Meter(
        name=reading.dimension.value,
        label=str(_LABELS[reading.dimension]),
        severity=severity,
        severity_words=str(_SEVERITY_WORDS.get(severity, "")),
        used=_amount(reading.used, currency if is_money else ""),
        held=_amount(reading.held, currency if is_money else ""),
        has_held=reading.held > 0,
        limit=None if limit is None else _amount(limit, currency if is_money else ""),
        is_hard=reading.limit.hard,
        percent=percent,
        used_width=_width(used_share),
        held_width=_width(_share(reading.used + reading.held, limit) - used_share),
        resets_at=reading.resets_at,
    )


def _amount(value: int, currency: str) -> Amount:
    """A count, or micro-units of money when a currency is given."""
    if currency:
        return Amount(formats.money(from_micro(value), currency), formats.money_exact(from_micro(value), currency))
    return Amount(formats.short(value), formats.exact(value))


def severity_of(percent: int) -> Severity:
    """How serious a use is, by the thresholds at which alerts are sent."""
    if percent >= 95:
        return Severity.CRITICAL
    if percent >= 90:
        return Severity.WARNING
    return Severity.NOTICE if percent >= 80 else Severity.CALM


def _share(value: int, limit: int | None) -> Decimal:
    if limit is None:
        return Decimal(0)
    return min(Decimal(value) * 100 / limit, Decimal(100)) if limit else Decimal(100)


def _width(share: Decimal) -> str:
    return f"{share.quantize(Decimal('0.01'))}%"
