"""Money as exact numbers: Decimal at rest and in rating, integers of micro-units in Redis, a float nowhere."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

MICRO = 1_000_000
_MINOR_DIGITS = {
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "CLP": 0,
    "KWD": 3,
    "BHD": 3,
    "OMR": 3,
    "TND": 3,
}  # ISO 4217; others: 2


def to_micro(amount: Decimal) -> int:
    """Micro-units of an amount, rounded up, so that a limit never lets more through than it says."""
    return int((amount * MICRO).to_integral_value(rounding=ROUND_CEILING))


def from_micro(micro: int) -> Decimal:
    return Decimal(micro).scaleb(-6)


def minor_digits(currency: str) -> int:
    return _MINOR_DIGITS.get(currency, 2)


def round_money(amount: Decimal, currency: str) -> Decimal:
    """The amount in the currency's minor unit, half up: the single rounding of an invoice line."""
    return amount.quantize(Decimal(1).scaleb(-minor_digits(currency)), rounding=ROUND_HALF_UP)
