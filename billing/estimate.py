"""What a request costs by a price sheet; pure, for the gateway's path, on the same rating as the bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from billing.data import Meter, PriceSheet
from billing.errors import UnknownPrice
from billing.rating import Curve

_ATTO_IN_MICRO = 10**12
_MEMO = 4096  # model names come from callers: what is remembered of them must not grow with them


@dataclass(frozen=True, slots=True)
class MeteredPrice:
    """A price of the sheet, ready for rating."""

    id: str
    meter: Meter
    curve: Curve


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """The prices that meter one model's requests; None where the plan has none for that meter."""

    model: str
    input: MeteredPrice | None
    cached: MeteredPrice | None
    output: MeteredPrice | None
    requests: MeteredPrice | None

    def metered(
        self, input_tokens: int, cached_tokens: int, output_tokens: int, requests: int = 1
    ) -> list[tuple[MeteredPrice, int]]:
        """Which price counts how many units of one request.

        Cached tokens without a price of their own count as input. Raises UnknownPrice when a kind of token
        was used that the plan does not price: giving it away takes a price of zero. A price per request is an
        addition and may be absent, unless it is all that there could be.
        """
        counted: list[tuple[MeteredPrice, int]] = []
        plain_tokens = input_tokens if self.cached is None else input_tokens - cached_tokens
        if plain_tokens:
            counted.append((self.input or self._refuse(Meter.INPUT_TOKENS), plain_tokens))
        if self.cached is not None and cached_tokens:
            counted.append((self.cached, cached_tokens))
        if output_tokens:
            counted.append((self.output or self._refuse(Meter.OUTPUT_TOKENS), output_tokens))
        if self.requests is not None:
            counted.append((self.requests, requests))
        elif self.input is None and self.output is None:
            self._refuse(Meter.REQUESTS)
        return counted

    def _refuse(self, meter: Meter) -> MeteredPrice:
        raise UnknownPrice(
            f"The plan has no price for {meter.value.replace('_', ' ')} of the model {self.model!r}",
            next_step="Choose a model of the plan, or ask for a plan that sells this one",
        )


def prices_of(sheet: PriceSheet, model: str) -> ModelPrices:
    """The prices of one model: for each meter its own, else that of "*". Kept in the sheet's memo."""
    known = sheet.memo.get(model)
    if known is None:
        if len(sheet.memo) >= _MEMO:
            sheet.memo.clear()
        known = sheet.memo[model] = _find_prices(sheet, model)
    return cast(ModelPrices, known)


def _find_prices(sheet: PriceSheet, model: str) -> ModelPrices:
    found: dict[Meter, MeteredPrice] = {}
    for price in sorted(sheet.prices, key=lambda price: price.model == model):
        if price.model in (model, "*"):
            found[price.meter] = MeteredPrice(price.id, price.meter, Curve(price.terms))
    return ModelPrices(
        model=model,
        input=found.get(Meter.INPUT_TOKENS),
        cached=found.get(Meter.CACHED_TOKENS),
        output=found.get(Meter.OUTPUT_TOKENS),
        requests=found.get(Meter.REQUESTS),
    )


def estimate_micro(  # noqa: PLR0917 - the gateway calls this for each request, and keywords cost there
    sheet: PriceSheet,
    model: str,
    input_tokens: int,
    cached_tokens: int,
    output_tokens: int,
    position: Mapping[str, int] | None = None,
) -> int:
    """Micro-units that this usage costs at `position` (units per price id), rounded up once.

    `input_tokens` is the total, cached ones included. `position` is `sheet.positions_at(now_ms)` or newer;
    None stands for `sheet.positions`. Raises UnknownPrice rather than answer 0 for what has no price.
    """
    so_far = sheet.positions if position is None else position
    prices = sheet.memo.get(model) or prices_of(sheet, model)
    atto = 0
    for price, units in cast(ModelPrices, prices).metered(input_tokens, cached_tokens, output_tokens):
        atto += price.curve.between(so_far.get(price.id, 0), units)
    return -(-atto // _ATTO_IN_MICRO)
