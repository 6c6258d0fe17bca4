"""Price terms that several tests use, written as tables."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from billing.data import ChargeModel, Meter, PriceSheet, PriceTerms, SheetPrice, Tier

D = Decimal


def tiers(*rows: tuple[str | None, str, str]) -> tuple[Tier, ...]:
    """(up_to, unit amount, flat amount) for each tier."""
    return tuple(Tier(None if bound is None else D(bound), D(unit), D(flat)) for bound, unit, flat in rows)


def graduated(*rows: tuple[str | None, str, str], included: str = "0") -> PriceTerms:
    return PriceTerms(ChargeModel.GRADUATED, tiers(*rows), D(included))


def volume(*rows: tuple[str | None, str, str], included: str = "0") -> PriceTerms:
    return PriceTerms(ChargeModel.VOLUME, tiers(*rows), D(included))


def per_unit(amount: str, included: str = "0") -> PriceTerms:
    return PriceTerms(ChargeModel.PER_UNIT, tiers((None, amount, "0")), D(included))


def package(amount: str, size: str, included: str = "0") -> PriceTerms:
    return PriceTerms(ChargeModel.PACKAGE, tiers((None, amount, "0")), D(included), D(size))


def sheet(*prices: tuple[str, Meter, str, PriceTerms], positions: dict[str, int] | None = None) -> PriceSheet:
    """A sheet of (id, meter, model, terms)."""
    return PriceSheet(
        version="test@1",
        currency="USD",
        prices=tuple(SheetPrice(*price) for price in prices),
        period_ends_ms=2_000_000_000_000,
        positions=positions or {},
    )


amounts = st.decimals(min_value=0, max_value=1000, places=12, allow_nan=False)
flats = st.one_of(st.just(D(0)), st.decimals(min_value=0, max_value=1000, places=2))
units = st.one_of(
    st.integers(min_value=0, max_value=10**7).map(D),
    st.decimals(min_value=0, max_value=10**6, places=6, allow_nan=False),
)


@st.composite
def any_terms(draw: st.DrawFn, models: tuple[ChargeModel, ...] = tuple(ChargeModel)) -> PriceTerms:
    """Valid terms of any charge model, with and without included units and flat amounts."""
    model = draw(st.sampled_from(models))
    included = draw(st.one_of(st.just(D(0)), units))
    if model in (ChargeModel.PER_UNIT, ChargeModel.PACKAGE):
        size = draw(st.decimals(min_value=D("0.000001"), max_value=1000, places=6))
        return PriceTerms(model, (Tier(None, draw(amounts)),), included, size)
    bounds = sorted(draw(st.sets(st.integers(min_value=1, max_value=10**6), max_size=4)))
    rows = [Tier(D(bound), draw(amounts), draw(flats)) for bound in bounds]
    return PriceTerms(model, (*rows, Tier(None, draw(amounts), draw(flats))), included)
