"""The rating engine: from units to exact amounts; no database, no clock, no float, no rounding.

Everything is a cumulative difference: the amount of a slice is the period's amount after it less the period's
amount before it. So the slices of a period sum to the whole, in whatever pieces they come. The same functions
price a reservation, an event and a bill line.

Tier arithmetic (what Stripe, OpenMeter and Kill Bill agree on): bounds are inclusive; graduated prices each tier
by itself and adds a tier's flat amount with its first unit; volume prices all units by the tier of the
total; package counts started packages. Included units are free and come before the first tier.

Inside, units are integers of 10^-6 and amounts integers of 10^-18, so every product is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal, FloatOperation, Inexact, InvalidOperation
from itertools import pairwise

from billing.data import ChargeModel, PriceTerms, RatedSlice, SliceKind, Tier
from billing.errors import InvalidPrice, InvalidQuantity

Quantity = Decimal | int
Step = tuple[int, int, int, int]  # (ceiling, floor, amount at the floor, amount per unit)

_EXACT = Context(prec=90, traps=[Inexact, InvalidOperation, FloatOperation])
_ZERO = Decimal(0)
UNIT = 10**6
_ATTO_IN_PICO = 10**6
_MOST_UNITS = 10**18
_MOST_AMOUNT = 10**12
_OPEN = _MOST_UNITS * UNIT * 10


class Curve:
    """Price terms made ready for use: the period's amount as a function of its units, as straight steps."""

    __slots__ = ("free", "package", "steps", "terms")

    def __init__(self, terms: PriceTerms) -> None:
        self.terms = terms
        self.free = _scaled(terms.included_units, 6)
        self.package = _scaled(terms.package_size, 6) if terms.charge_model is ChargeModel.PACKAGE else 0
        self.steps = tuple(self._make_steps())

    def _make_steps(self) -> Iterator[Step]:
        if self.free:
            yield self.free, 0, 0, 0
        floor, base, whole = self.free, 0, self.terms.charge_model is ChargeModel.VOLUME
        for tier in self.terms.tiers:
            ceiling = _OPEN if tier.up_to is None else self.free + _scaled(tier.up_to, 6)
            unit, flat = _scaled(tier.unit_amount, 12), _scaled(tier.flat_amount, 18)
            if whole:
                yield ceiling, self.free, flat, unit
                continue
            yield ceiling, floor, base + flat, unit
            floor, base = ceiling, base + flat + (ceiling - floor) * unit

    def total(self, units: int) -> int:
        """The amount, in 10^-18, of a period with `units`, in 10^-6."""
        if self.package:
            started = -(-max(units - self.free, 0) // self.package)
            return started * self.steps[-1][3] * UNIT
        for ceiling, floor, base, unit in self.steps:
            if units <= ceiling:
                return base + (units - floor) * unit if units > floor else 0
        raise InvalidQuantity(fields={"quantity": ["is beyond the last tier"]})

    def between(self, before: Quantity, quantity: Quantity) -> int:
        """The amount, in 10^-18, of `quantity` units after `before` units."""
        start = _units(before)
        return self.total(start + _units(quantity)) - (start and self.total(start))

    def tier_at(self, units: Quantity) -> int:
        """The stage that the next unit falls into: 0 while units are included, then the tiers from 1."""
        position = _units(units)
        stage = sum(1 for ceiling, _, _, _ in self.steps if position >= ceiling)
        return stage if self.free else stage + 1


def rate(terms: PriceTerms, before: Quantity, quantity: Quantity) -> tuple[RatedSlice, ...]:
    """The slices that `quantity` further units make when `before` units of the period are rated already.

    Their amounts sum to `amount_of` of the same arguments. No units make no slice. Raises InvalidQuantity for
    a negative, infinite or too fine quantity.
    """
    curve = Curve(terms)
    start = _units(before)
    return tuple(_slices(curve, start, start + _units(quantity)))


def amount_of(terms: PriceTerms, before: Quantity, quantity: Quantity) -> Decimal:
    """The exact amount of `quantity` units after `before` units of the same period."""
    return exact_amount(Curve(terms).between(before, quantity))


def exact_amount(atto: int) -> Decimal:
    """An amount in 10^-18 as Decimal: 12 decimals, 18 where they are needed."""
    pico, rest = divmod(atto, _ATTO_IN_PICO)
    return _EXACT.scaleb(Decimal(atto), -18) if rest else _EXACT.scaleb(Decimal(pico), -12)


def _units(quantity: Quantity) -> int:
    units = quantity * UNIT if type(quantity) is int else _scaled_quantity(quantity)
    if not 0 <= units <= _MOST_UNITS * UNIT:
        raise InvalidQuantity(fields={"quantity": ["must be from 0 to 10^18"]})
    return units


def _scaled_quantity(quantity: Quantity) -> int:
    try:
        return _scaled(_EXACT.create_decimal(quantity), 6)
    except (ArithmeticError, ValueError, TypeError) as error:
        message = "must be a finite decimal number with at most 6 decimals"
        raise InvalidQuantity(fields={"quantity": [message]}) from error


def _scaled(number: Decimal, places: int) -> int:
    """The number times 10^places; raises an ArithmeticError or ValueError when that is not a whole number."""
    return int(_EXACT.to_integral_exact(_EXACT.scaleb(number, places)))


def _plain(units: int) -> Decimal:
    whole, rest = divmod(units, UNIT)
    return _EXACT.scaleb(Decimal(units), -6) if rest else Decimal(whole)


def _slices(curve: Curve, start: int, stop: int) -> Iterator[RatedSlice]:
    free = min(stop, curve.free) - min(start, curve.free)
    if free:
        yield RatedSlice(SliceKind.INCLUDED, 0, _plain(free), _plain(free), _ZERO, _ZERO, _ZERO)
    start, stop = max(start - curve.free, 0), max(stop - curve.free, 0)
    if stop == start:
        return
    model = curve.terms.charge_model
    if model is ChargeModel.PACKAGE:
        yield _package_slice(curve, start, stop)
    elif model is ChargeModel.VOLUME:
        yield from _volume_slices(curve.terms, start, stop)
    else:
        yield from _graduated_slices(curve.terms, start, stop)


def _graduated_slices(terms: PriceTerms, start: int, stop: int) -> Iterator[RatedSlice]:
    for number, ((floor, _), (ceiling, tier)) in enumerate(pairwise(_bounds(terms)), start=1):
        low, high = max(start, floor), min(stop, ceiling)
        if low < high:
            flat = tier.flat_amount if low == floor else _ZERO
            yield _slice(SliceKind.USAGE, number, high - low, tier.unit_amount, flat)


def _volume_slices(terms: PriceTerms, start: int, stop: int) -> Iterator[RatedSlice]:
    """The new units at the tier of the new total, and what that tier changes about the units before."""
    number, tier = _volume_tier(terms, stop)
    flat = _ZERO if start else tier.flat_amount
    yield _slice(SliceKind.USAGE, number, stop - start, tier.unit_amount, flat)
    old_number, old = _volume_tier(terms, start)
    if start and old_number != number:
        change = _EXACT.subtract(tier.unit_amount, old.unit_amount)
        flat = _EXACT.subtract(tier.flat_amount, old.flat_amount)
        yield _slice(SliceKind.REPRICING, number, start, change, flat)


def _package_slice(curve: Curve, start: int, stop: int) -> RatedSlice:
    packages = -(-stop // curve.package) - -(-start // curve.package)
    unit_amount = curve.terms.tiers[0].unit_amount
    amount = _EXACT.multiply(Decimal(packages), unit_amount)
    return RatedSlice(SliceKind.USAGE, 1, _plain(stop - start), Decimal(packages), unit_amount, _ZERO, amount)


def _bounds(terms: PriceTerms) -> Iterator[tuple[int, Tier]]:
    """Each tier with its upper bound, after a zeroth one that ends at 0."""
    yield 0, terms.tiers[0]
    for tier in terms.tiers:
        yield (_OPEN if tier.up_to is None else _scaled(tier.up_to, 6)), tier


def _volume_tier(terms: PriceTerms, units: int) -> tuple[int, Tier]:
    bounds = enumerate(_bounds(terms))
    return next((number, tier) for number, (bound, tier) in bounds if number and units <= bound)


def _slice(kind: SliceKind, tier: int, units: int, unit_amount: Decimal, flat: Decimal) -> RatedSlice:
    quantity = _plain(units)
    amount = _EXACT.fma(quantity, unit_amount, flat)
    return RatedSlice(kind, tier, quantity, quantity, unit_amount, flat, amount)


def check_terms(terms: PriceTerms) -> None:
    """Raises InvalidPrice that names each field that is wrong; only terms that passed may be published."""
    faults = dict(_terms_faults(terms))
    if faults:
        raise InvalidPrice(fields={name: [message] for name, message in faults.items()})


def _terms_faults(terms: PriceTerms) -> Iterator[tuple[str, str]]:
    if not _is_number(terms.included_units, _MOST_UNITS, 6):
        yield "included_units", "must be from 0 to 10^18 with at most 6 decimals"
    if not _is_number(terms.package_size, _MOST_UNITS, 6) or not terms.package_size:
        yield "package_size", "must be more than 0 with at most 6 decimals"
    if not terms.tiers or terms.tiers[-1].up_to is not None:
        yield "tiers", "must end with a tier without an upper bound"
    single = terms.charge_model in (ChargeModel.PER_UNIT, ChargeModel.PACKAGE)
    if single and (len(terms.tiers) != 1 or terms.tiers[0].flat_amount):
        yield "tiers", f"{terms.charge_model.value} takes exactly one tier, without a flat amount"
    for index, tier in enumerate(terms.tiers):
        for name, amount in (("unit_amount", tier.unit_amount), ("flat_amount", tier.flat_amount)):
            if not _is_number(amount, _MOST_AMOUNT, 12):
                yield f"tiers.{index}.{name}", "must be from 0 to 10^12 with at most 12 decimals"
    yield from _bound_faults(terms.tiers)


def _bound_faults(tiers: tuple[Tier, ...]) -> Iterator[tuple[str, str]]:
    floor = _ZERO
    for index, tier in enumerate(tiers[:-1]):
        if tier.up_to is None or not _is_number(tier.up_to, _MOST_UNITS, 6) or tier.up_to <= floor:
            yield f"tiers.{index}.up_to", "must be more than the bound before it, with at most 6 decimals"
        else:
            floor = tier.up_to


def _is_number(number: Decimal, most: int, places: int) -> bool:
    """Whether 0 <= number <= most, with at most so many decimals."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and 0 <= number <= most and -exponent <= places
