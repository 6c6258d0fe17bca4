"""Price terms, the sheet that the gateway prices by, and rated slices; no rule of pricing stands here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import cast

ZERO = Decimal(0)


class Meter(StrEnum):
    """What a price counts. Input tokens leave out cached ones where the plan prices those by themselves."""

    INPUT_TOKENS = "input_tokens"
    CACHED_TOKENS = "cached_tokens"
    OUTPUT_TOKENS = "output_tokens"
    REQUESTS = "requests"


class ChargeModel(StrEnum):
    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to and including `up_to` (None: all further) cost `unit_amount` each, `flat_amount` once."""

    up_to: Decimal | None
    unit_amount: Decimal
    flat_amount: Decimal = ZERO

    def to_dict(self) -> dict[str, str | None]:
        bound = None if self.up_to is None else str(self.up_to)
        return {"up_to": bound, "unit_amount": str(self.unit_amount), "flat_amount": str(self.flat_amount)}

    @classmethod
    def from_dict(cls, row: Mapping[str, str | None]) -> Tier:
        bound = row["up_to"]
        return cls(
            up_to=None if bound is None else Decimal(bound),
            unit_amount=Decimal(row["unit_amount"] or 0),
            flat_amount=Decimal(row.get("flat_amount") or 0),
        )


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """How a quantity becomes an amount. `included_units` are free and stand before the first tier.

    Per unit and package have one tier; a package's `unit_amount` is the amount of a started package of
    `package_size` units.
    """

    charge_model: ChargeModel
    tiers: tuple[Tier, ...]
    included_units: Decimal = ZERO
    package_size: Decimal = Decimal(1)

    def to_dict(self) -> dict[str, object]:
        return {
            "charge_model": self.charge_model.value,
            "tiers": [tier.to_dict() for tier in self.tiers],
            "included_units": str(self.included_units),
            "package_size": str(self.package_size),
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, object]) -> PriceTerms:
        tiers = cast("list[Mapping[str, str | None]]", row["tiers"])
        return cls(
            charge_model=ChargeModel(cast(str, row["charge_model"])),
            tiers=tuple(Tier.from_dict(tier) for tier in tiers),
            included_units=Decimal(cast(str, row.get("included_units", "0"))),
            package_size=Decimal(cast(str, row.get("package_size", "1"))),
        )


@dataclass(frozen=True, slots=True)
class SheetPrice:
    """One price of a plan version; `model` is an exact name, or "*" for each model without its own price."""

    id: str
    meter: Meter
    model: str
    terms: PriceTerms


@dataclass(frozen=True, slots=True)
class PriceSheet:
    """Everything the gateway needs to price a request of one tenant without asking anybody.

    `positions` are the whole units per price id that the running period had when the sheet was made. They go
    stale inside a tier, which changes no amount; when a tenant enters another, TierCrossed asks for a new one.
    From `period_ends_ms` on they no longer hold (see `positions_at`).
    """

    version: str
    currency: str
    prices: tuple[SheetPrice, ...]
    period_ends_ms: int
    positions: Mapping[str, int]
    memo: dict[str, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def positions_at(self, now_ms: int) -> Mapping[str, int]:
        return self.positions if now_ms < self.period_ends_ms else {}

    def to_json(self) -> bytes:
        return json.dumps(self.to_dict(), separators=(",", ":")).encode()

    def to_dict(self) -> dict[str, object]:
        return {
            "version": self.version,
            "currency": self.currency,
            "period_ends_ms": self.period_ends_ms,
            "positions": dict(self.positions),
            "prices": [
                {
                    "id": price.id,
                    "meter": price.meter.value,
                    "model": price.model,
                    "terms": price.terms.to_dict(),
                }
                for price in self.prices
            ],
        }

    @classmethod
    def from_json(cls, raw: bytes | str) -> PriceSheet:
        return cls.from_dict(json.loads(raw))

    @classmethod
    def from_dict(cls, row: Mapping[str, object]) -> PriceSheet:
        prices = cast("list[Mapping[str, object]]", row["prices"])
        return cls(
            version=cast(str, row["version"]),
            currency=cast(str, row["currency"]),
            period_ends_ms=cast(int, row["period_ends_ms"]),
            positions=cast("Mapping[str, int]", row["positions"]),
            prices=tuple(
                SheetPrice(
                    id=cast(str, price["id"]),
                    meter=Meter(cast(str, price["meter"])),
                    model=cast(str, price["model"]),
                    terms=PriceTerms.from_dict(cast("Mapping[str, object]", price["terms"])),
                )
                for price in prices
            ),
        )


class SliceKind(StrEnum):
    INCLUDED = "included"
    USAGE = "usage"
    REPRICING = "repricing"


@dataclass(frozen=True, slots=True)
class RatedSlice:
    """A part of a line inside one tier: `quantity` * `unit_amount` + `flat_amount` = `amount`, exactly.

    `tier` counts from 1 (0: the included units). Packages count packages in `quantity`, units in `units`.
    A repricing slice is the difference that a volume price makes on units that were rated before.
    """

    kind: SliceKind
    tier: int
    units: Decimal
    quantity: Decimal
    unit_amount: Decimal
    flat_amount: Decimal
    amount: Decimal

    @property
    def formula(self) -> str:
        """The arithmetic in figures, such as `50000 * 0.0005 + 3 = 28`, with a real multiplication sign."""
        flat = f" + {_plain(self.flat_amount)}" if self.flat_amount else ""
        return f"{_plain(self.quantity)} \u00d7 {_plain(self.unit_amount)}{flat} = {_plain(self.amount)}"


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f") if number else "0"
