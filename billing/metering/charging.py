"""Gives each event its exact charge, by cumulative difference over its period's position; owns no table.

Whatever the order in which events arrive, their charges sum to the amount of the whole period, which is what the
bill says. Nothing here reads or writes: positions come in, and changed ones go out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.data import Period, UsageFact
from billing.errors import UnknownPrice
from billing.estimate import MeteredPrice, prices_of
from billing.metering.contracts import Contract
from billing.rating import UNIT, Curve, exact_amount
from quotas.api import calendar_month

_ATTO_IN_MICRO = 10**12
_DAY_MS = 86_400_000  # a UTC day lies in one month
_NOTHING = Decimal(0)

PeriodKey = tuple[str, datetime]  # subscription, start of the period


@dataclass(slots=True)
class Position:
    """Units and amount, in 10^-18, of one price in one period; `opened_at`: the units before this batch."""

    quantity: int = 0
    atto: int = 0
    opened_at: int = 0
    curve: Curve | None = None  # set when the batch moves it


@dataclass(slots=True)
class PeriodAccount:
    """All positions of one period of one contract."""

    contract: Contract
    period: Period
    positions: dict[str, Position]
    atto: int

    def charge(self, price: MeteredPrice, units: int) -> int:
        """Book units; returns their amount in 10^-18: the period's amount with them, less what it was before."""
        position = self.positions.get(price.id)
        if position is None:
            position = self.positions[price.id] = Position()
        position.quantity += units
        position.curve = price.curve
        total = price.curve.total(position.quantity * UNIT)
        amount = total - position.atto
        position.atto = total
        self.atto += amount
        return amount


@dataclass(frozen=True, slots=True)
class Charged:
    """A fact and its charge; None: no price was known."""

    fact: UsageFact
    subscription_id: str | None
    charge: Decimal | None


class ChargeBook:
    """Charges the facts of one batch, one after the other, and keeps what must be written with them."""

    def __init__(self, contracts: Mapping[str, Sequence[Contract]]) -> None:
        self._contracts = contracts
        self._accounts: dict[PeriodKey, PeriodAccount] = {}
        self._months: dict[int, str] = {}
        self.corrections: defaultdict[tuple[str, str], int] = defaultdict(int)

    def period_keys(self, facts: Sequence[UsageFact]) -> dict[PeriodKey, Contract]:
        """The periods whose positions `charge` will ask for."""
        keys: dict[PeriodKey, Contract] = {}
        for fact in facts:
            contract = self._contract_of(fact)
            if contract is not None and fact.live:
                keys[contract.id, contract.period_at(fact.occurred_at_ms).starts_at] = contract
        return keys

    def open(self, key: PeriodKey, contract: Contract, positions: dict[str, Position]) -> None:
        """Hand in the stored positions of a period."""
        period = contract.period_at(int(key[1].timestamp() * 1000))
        total = sum(position.atto for position in positions.values())
        self._accounts[key] = PeriodAccount(contract, period, positions, total)

    def charge(self, fact: UsageFact) -> Charged:
        """Test keys cost nothing; a fact without contract or price stays uncharged until somebody prices it."""
        contract = self._contract_of(fact)
        if not fact.live:
            self._correct(fact, 0)
            return Charged(fact, contract.id if contract else None, _NOTHING)
        if contract is None:
            self._correct(fact, 0)
            return Charged(fact, None, None)
        account = self._accounts[contract.id, contract.period_at(fact.occurred_at_ms).starts_at]
        try:
            metered = prices_of(contract.sheet, fact.model).metered(
                fact.input_tokens,
                fact.cached_tokens,
                fact.output_tokens,
                requests=fact.reached_a_provider,
            )
        except UnknownPrice:
            self._correct(fact, 0)
            return Charged(fact, contract.id, None)
        return Charged(fact, contract.id, exact_amount(self._book(fact, account, metered)))

    def changed(self) -> Iterator[tuple[PeriodAccount, str, Position]]:
        """Every position to write, with its account and price id."""
        for account in self._accounts.values():
            for price_id, position in account.positions.items():
                if position.curve is not None:
                    yield account, price_id, position

    def tenants_in_new_tier(self) -> list[str]:
        """Those of whom a price left the tier that it was in before the batch."""
        return sorted(
            {
                account.contract.tenant_id
                for account, _, position in self.changed()
                if position.curve is not None
                and position.curve.tier_at(position.opened_at) != position.curve.tier_at(position.quantity)
            }
        )

    def _book(self, fact: UsageFact, account: PeriodAccount, metered: list[tuple[MeteredPrice, int]]) -> int:
        before, total = account.atto, 0
        for price, units in metered:
            total += account.charge(price, units)
        # The counter shall read the period's total rounded up, not a sum of roundings.
        self._correct(fact, -(-account.atto // _ATTO_IN_MICRO) + (-before // _ATTO_IN_MICRO))
        return total

    def _correct(self, fact: UsageFact, exact_micro: int) -> None:
        difference = exact_micro - fact.provisional_micro
        if not difference:
            return
        day = fact.occurred_at_ms // _DAY_MS
        month = self._months.get(day)
        if month is None:
            month = self._months[day] = calendar_month(fact.occurred_at_ms // 1000).id
        self.corrections[fact.tenant_id, month] += difference

    def _contract_of(self, fact: UsageFact) -> Contract | None:
        for contract in self._contracts.get(fact.tenant_id, ()):
            if contract.holds_at(fact.occurred_at_ms):
                return contract
        return None
