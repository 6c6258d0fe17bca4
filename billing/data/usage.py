"""Usage facts as they travel on the stream, and sums of them; owns their JSON form and what is malformed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class UsageStatus(StrEnum):
    """How a request ended, as the gateway saw it."""

    OK = "ok"
    CLIENT_CLOSED = "client_closed"
    UPSTREAM_ERROR = "upstream_error"
    STREAM_ERROR = "stream_error"
    ABANDONED = "abandoned"


class MalformedUsage(ValueError):
    """A usage entry that cannot be read; `field` names what is wrong with it."""

    def __init__(self, field_name: str, reason: str) -> None:
        self.field = field_name
        self.reason = reason
        super().__init__(f"{field_name}: {reason}")


_STATUSES = frozenset(status.value for status in UsageStatus)
_MOST = 10**15  # what Redis scripts count exactly
_MOST_TOKENS = 10**12  # more than any request, little enough for sums of a table to stay in their columns
_TEXTS = {
    "id": 40,
    "tenant_id": 26,
    "key_id": 40,
    "model": 200,
    "provider": 100,
    "endpoint": 60,
    "price_version": 80,
}
_REQUIRED_TEXTS = frozenset({"id", "tenant_id", "model"})
_NUMBERS = {
    "input_tokens": _MOST_TOKENS,
    "cached_tokens": _MOST_TOKENS,
    "output_tokens": _MOST_TOKENS,
    "occurred_at_ms": _MOST,
    "latency_ms": _MOST,
    "first_token_ms": _MOST,
    "provisional_micro": _MOST,
}
_OPTIONAL = frozenset({"first_token_ms"})
_FLAGS = ("estimated", "live")


@dataclass(frozen=True, slots=True)
class UsageFact:
    """One request's usage, as settled by the gateway: the entry `e` of the stream key("usage").

    `id` ("req_<ulid>") is the reservation's id and the idempotency key: a second fact with the same id
    changes nothing. `input_tokens` is the total, cached ones included. `occurred_at_ms` is the instant at
    which the request was admitted (epoch milliseconds); it decides the billing period. `provisional_micro` is
    what settlement added to the money counter; the ingest corrects the counter by the exact charge.
    `price_version` is `PriceSheet.version` of the sheet used for it. `live=False`: stored, never charged.
    """

    id: str
    tenant_id: str
    key_id: str
    model: str
    provider: str
    endpoint: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    status: str
    occurred_at_ms: int
    latency_ms: int
    first_token_ms: int | None
    price_version: str
    estimated: bool
    provisional_micro: int
    live: bool

    @property
    def reached_a_provider(self) -> bool:
        """Whether a price per request applies: not to a provider that failed, nor to a request whose client left
        before it was sent, of which nothing was used."""
        if self.status == UsageStatus.CLIENT_CLOSED:
            return bool(self.input_tokens or self.output_tokens)
        return self.status != UsageStatus.UPSTREAM_ERROR

    def to_json(self) -> bytes:
        return json.dumps({name: getattr(self, name) for name in _FACT_FIELDS}, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, raw: bytes | str) -> UsageFact:
        """Reads and checks one entry; raises MalformedUsage."""
        try:
            decoded: object = json.loads(raw)
        except ValueError as error:
            raise MalformedUsage("e", "is not JSON") from error
        return cls.from_mapping(decoded)

    @classmethod
    def from_mapping(cls, decoded: object) -> UsageFact:
        """The same for an entry that is decoded already. Unknown fields are left out."""
        if not isinstance(decoded, dict):
            raise MalformedUsage("e", "is not an object")
        try:
            values = [decoded[name] for name in _FACT_FIELDS]
        except KeyError as error:
            raise MalformedUsage(str(error.args[0]), "is missing") from error
        return cls(*values).checked()

    def checked(self) -> UsageFact:
        """The same fact, once every field was looked at; raises MalformedUsage."""
        _check_texts(self)
        _check_counts(self)
        _check_rest(self)
        return self


_FACT_FIELDS: tuple[str, ...] = tuple(UsageFact.__slots__)


def _check_rest(fact: UsageFact) -> None:
    for name in _FLAGS:
        if type(getattr(fact, name)) is not bool:
            raise MalformedUsage(name, "is neither true nor false")
    if type(fact.status) is not str or fact.status not in _STATUSES:
        raise MalformedUsage("status", "is not a known status")
    if fact.cached_tokens > fact.input_tokens:
        raise MalformedUsage("cached_tokens", "is more than input_tokens")


def _check_texts(fact: UsageFact) -> None:
    """Printable text only: control characters and lone surrogates cannot be stored."""
    for name, most in _TEXTS.items():
        value = getattr(fact, name)
        if type(value) is not str or len(value) > most or not value.isprintable():
            raise MalformedUsage(name, f"is not printable text of at most {most} characters")
        if not value and name in _REQUIRED_TEXTS:
            raise MalformedUsage(name, "is empty")


def _check_counts(fact: UsageFact) -> None:
    for name, most in _NUMBERS.items():
        value = getattr(fact, name)
        if value is None and name in _OPTIONAL:
            continue
        if type(value) is not int or not 0 <= value <= most:
            raise MalformedUsage(name, f"is not a whole number from 0 to {most}")


@dataclass(frozen=True, slots=True)
class UsageFigures:
    """Sums over usage events. `unpriced` events wait for a price, `uncosted` ones for a provider's cost."""

    requests: int = 0
    failures: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    charge: Decimal = ZERO
    cost: Decimal = ZERO
    unpriced: int = 0
    uncosted: int = 0
    latency_ms: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def margin(self) -> Decimal:
        return self.charge - self.cost


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """The figures of the hour or day that starts at `starts_at`; those without usage are points too."""

    starts_at: datetime
    figures: UsageFigures


@dataclass(frozen=True, slots=True)
class UsageShare:
    """The figures of one model, key or tenant over a span."""

    label: str
    figures: UsageFigures
