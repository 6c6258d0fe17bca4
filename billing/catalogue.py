"""The plans that an installation starts with, as tables; owns the offer, writes nothing.

Amounts are per million tokens, the way price lists are read. An operator changes them by publishing a version.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from billing.data import ChargeModel, Meter, PlanPrice, PriceTerms, Tier

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class StartingPlan:
    """`types`: the types of tenant it is meant for, by name."""

    code: str
    name: str
    description: str
    types: tuple[str, ...]
    monthly_fee: Decimal
    prices: tuple[PlanPrice, ...]


def _tokens(meter: Meter, included_millions: int, *tiers: tuple[int | None, str]) -> PlanPrice:
    """Graduated tiers of (up to so many millions, amount per million)."""
    rows = tuple(
        Tier(None if bound is None else bound * _MILLION, Decimal(amount) / _MILLION) for bound, amount in tiers
    )
    return PlanPrice(meter, "*", PriceTerms(ChargeModel.GRADUATED, rows, included_millions * _MILLION))


STARTING_PLANS = (
    StartingPlan(
        code="free",
        name="Free",
        description="To try things out: a small monthly allowance, then per token.",
        types=("INDIVIDUAL",),
        monthly_fee=Decimal(0),
        prices=(
            _tokens(Meter.INPUT_TOKENS, 1, (None, "3.00")),
            _tokens(Meter.CACHED_TOKENS, 1, (None, "0.75")),
            _tokens(Meter.OUTPUT_TOKENS, 1, (None, "12.00")),
        ),
    ),
    StartingPlan(
        code="pro",
        name="Pro",
        description="For people and small teams who build.",
        types=("INDIVIDUAL", "SMALL_BUSINESS"),
        monthly_fee=Decimal("20.00"),
        prices=(
            _tokens(Meter.INPUT_TOKENS, 5, (100, "2.50"), (1_000, "2.20"), (None, "2.00")),
            _tokens(Meter.CACHED_TOKENS, 5, (100, "0.60"), (1_000, "0.55"), (None, "0.50")),
            _tokens(Meter.OUTPUT_TOKENS, 1, (20, "10.00"), (200, "9.00"), (None, "8.00")),
        ),
    ),
    StartingPlan(
        code="business",
        name="Business",
        description="For companies with a product in production.",
        types=("SMALL_BUSINESS", "ENTERPRISE"),
        monthly_fee=Decimal("200.00"),
        prices=(
            _tokens(Meter.INPUT_TOKENS, 50, (1_000, "2.00"), (10_000, "1.75"), (None, "1.50")),
            _tokens(Meter.CACHED_TOKENS, 50, (1_000, "0.50"), (10_000, "0.45"), (None, "0.40")),
            _tokens(Meter.OUTPUT_TOKENS, 10, (200, "8.00"), (2_000, "7.25"), (None, "6.50")),
        ),
    ),
    StartingPlan(
        code="enterprise",
        name="Enterprise",
        description="For organisations with many teams and the largest volumes.",
        types=("ENTERPRISE",),
        monthly_fee=Decimal("2000.00"),
        prices=(
            _tokens(Meter.INPUT_TOKENS, 500, (10_000, "1.60"), (100_000, "1.40"), (None, "1.20")),
            _tokens(Meter.CACHED_TOKENS, 500, (10_000, "0.40"), (100_000, "0.35"), (None, "0.30")),
            _tokens(Meter.OUTPUT_TOKENS, 100, (2_000, "6.40"), (20_000, "5.60"), (None, "4.80")),
        ),
    ),
    StartingPlan(
        code="campus",
        name="Campus",
        description="For schools and universities: a generous allowance at teaching rates.",
        types=("EDUCATIONAL",),
        monthly_fee=Decimal("100.00"),
        prices=(
            _tokens(Meter.INPUT_TOKENS, 100, (2_000, "1.25"), (None, "1.00")),
            _tokens(Meter.CACHED_TOKENS, 100, (2_000, "0.30"), (None, "0.25")),
            _tokens(Meter.OUTPUT_TOKENS, 20, (400, "5.00"), (None, "4.00")),
        ),
    ),
    StartingPlan(
        code="public-sector",
        name="Public sector",
        description="For authorities: one flat rate for all volumes, so that a budget can be planned.",
        types=("GOVERNMENT",),
        monthly_fee=Decimal("500.00"),
        prices=(
            _tokens(Meter.INPUT_TOKENS, 100, (None, "1.80")),
            _tokens(Meter.CACHED_TOKENS, 100, (None, "0.45")),
            _tokens(Meter.OUTPUT_TOKENS, 20, (None, "7.20")),
        ),
    ),
)
