"""What crosses the quotas app's border: dimensions, limits, reservations and their answers; no rule, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import cast

from core.events import DomainEvent, event_type

# Redis' Lua counts in doubles, exact to 2^53. Sums of a few limits must stay below that.
MOST = 10**15


class Dimension(StrEnum):
    """What is limited. Money is in micro-units of the tenant's currency."""

    REQUESTS_PER_MINUTE = "requests_per_minute"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    TOKENS_PER_MONTH = "tokens_per_month"
    MONEY_PER_MONTH = "money_per_month"
    CONCURRENT_REQUESTS = "concurrent_requests"

    @property
    def kind(self) -> Kind:
        return _MEASURES[self][0]

    @property
    def unit(self) -> Unit:
        return _MEASURES[self][1]

    @property
    def window_us(self) -> int:
        """Length of a rate's window in microseconds; 0 for what is no rate."""
        return MINUTE_US if self.kind is Kind.RATE else 0


class Kind(IntEnum):
    """How a dimension counts. The numbers are spoken with the Lua scripts."""

    RATE = 0  # flows off evenly; burst = limit
    PERIOD = 1  # used + held since the period began
    LEVEL = 2  # taken and given back


class Unit(IntEnum):
    """Which of a reservation's amounts a dimension counts. The numbers are positions in the scripts' amounts."""

    REQUESTS = 1
    TOKENS = 2
    MICRO = 3


MINUTE_US = 60_000_000
_MEASURES: dict[Dimension, tuple[Kind, Unit]] = {
    Dimension.REQUESTS_PER_MINUTE: (Kind.RATE, Unit.REQUESTS),
    Dimension.TOKENS_PER_MINUTE: (Kind.RATE, Unit.TOKENS),
    Dimension.TOKENS_PER_MONTH: (Kind.PERIOD, Unit.TOKENS),
    Dimension.MONEY_PER_MONTH: (Kind.PERIOD, Unit.MICRO),
    Dimension.CONCURRENT_REQUESTS: (Kind.LEVEL, Unit.REQUESTS),
}


class LimitScope(StrEnum):
    """Whose limit it is."""

    TENANT = "tenant"
    KEY = "key"


class LimitSource(StrEnum):
    """Where a limit's value comes from, weakest first."""

    BUILT_IN = "built_in"
    TENANT_TYPE = "tenant_type"
    PLAN = "plan"
    OVERRIDE = "override"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Limit:
    """`value` None: unlimited; 0: nothing is allowed. Soft limits (`hard=False`) are counted and alerted only.

    `version` rises with every change of the limit, so that alerts are armed again.
    """

    dimension: Dimension
    value: int | None
    hard: bool = True
    version: int = 0
    source: LimitSource = LimitSource.BUILT_IN


@dataclass(frozen=True, slots=True)
class SetLimit:
    """A limit as somebody set it; `value` None is unlimited. Only a tenant's own one may end and have a reason."""

    value: int | None
    hard: bool
    expires_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredLimits:
    """What was set for tenant types (by name), plans (by code) and tenants (by bare id)."""

    of_types: Mapping[str, Mapping[Dimension, SetLimit]]
    of_plans: Mapping[str, Mapping[Dimension, SetLimit]]
    of_tenants: Mapping[str, Mapping[Dimension, SetLimit]]


@dataclass(frozen=True, slots=True)
class LimitStep:
    """One step of the way to an effective limit; `applies` is true for the one that decided.

    `by`, `reason` and `expires_at` are told of a tenant's own limit only.
    """

    source: LimitSource
    label: str
    value: int | None
    hard: bool
    applies: bool
    by: str = ""
    reason: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EffectiveLimits:
    """A tenant's limits, one for each dimension, and how each came about (`steps`, not part of the record)."""

    tenant_id: str
    limits: tuple[Limit, ...]
    steps: Mapping[Dimension, tuple[LimitStep, ...]] = field(default_factory=dict, compare=False, repr=False)

    def __getitem__(self, dimension: Dimension) -> Limit:
        for limit in self.limits:
            if limit.dimension is dimension:
                return limit
        raise KeyError(dimension)

    def to_record(self) -> dict[str, object]:
        """JSON-able; what the gateway's configuration carries."""
        return {
            "tenant_id": self.tenant_id,
            "limits": [[limit.dimension.value, limit.value, limit.hard, limit.version] for limit in self.limits],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> EffectiveLimits:
        rows = cast("Sequence[tuple[str, int | None, bool, int]]", record["limits"])
        limits = tuple(Limit(Dimension(name), value, hard, version) for name, value, hard, version in rows)
        return cls(tenant_id=cast(str, record["tenant_id"]), limits=limits)


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span [starts_at, ends_at) in epoch seconds; `id` is part of the counters' keys."""

    id: str
    starts_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class ReserveRequest:
    """What a request may cost at most, before it is forwarded.

    `id` is the request's id ("req_<ulid>") and the idempotency key. `tokens` = input estimate + capped output,
    `micro` their price. `input_tokens` and `input_micro` are what an abandoned reservation is charged, and
    `abandoned_event` is the complete usage event that is then written, byte by byte: status "abandoned", the same
    input estimate, `provisional_micro` = `input_micro`. `ttl_ms` must outlast the longest stream.
    Keep `limits` and `key_limits` as long as they are valid: the engine compiles each pair of objects once.
    """

    id: str
    limits: EffectiveLimits
    tokens: int
    micro: int
    input_tokens: int
    input_micro: int
    abandoned_event: bytes
    key_id: str = ""
    key_limits: tuple[Limit, ...] = ()
    ttl_ms: int = 900_000


@dataclass(frozen=True, slots=True)
class Window:
    """For the x-ratelimit-* headers: the rate limit nearest to its end. `reset_ms`: until all of it is free."""

    limit: int
    remaining: int
    reset_ms: int


@dataclass(frozen=True, slots=True)
class Denial:
    """Which limit said no. `remaining` is never negative; `reset_seconds` None: waiting does not help."""

    dimension: Dimension
    scope: LimitScope
    limit: int
    remaining: int
    reset_seconds: int | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """What settles or releases an admitted reservation; keep it until then. `plan` is opaque."""

    reservation_id: str
    tenant_id: str
    plan: bytes


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a reservation: `ticket` when admitted, else `denial`.

    `requests` and `tokens` are None when no rate limit applies. `sequence` is the gateway configuration's change
    number as Redis knows it (0: none yet): a process whose own number is behind missed a change.
    """

    ticket: Ticket | None
    denial: Denial | None
    requests: Window | None
    tokens: Window | None
    sequence: int

    @property
    def admitted(self) -> bool:
        return self.denial is None


class Outcome(IntEnum):
    """What became of a settlement or release. The numbers are spoken with the Lua scripts."""

    ALREADY_CLOSED = 0  # settled, released or swept before; nothing changed
    BOOKED = 1
    UNKNOWN = 2  # release only: Redis does not know the reservation; nothing changed
    BOOKED_WITHOUT_RESERVATION = 3  # Redis lost the reservation; booked and emitted once all the same


@dataclass(frozen=True, slots=True)
class MeterReading:
    """One meter as shown to people. `resets_at` None: a level, or nothing to wait for."""

    dimension: Dimension
    scope: LimitScope
    used: int
    held: int
    limit: Limit
    resets_at: datetime | None

    @property
    def percent(self) -> int | None:
        """Used and held in percent of the limit, rounded down; None when unlimited."""
        if self.limit.value is None:
            return None
        return (self.used + self.held) * 100 // self.limit.value if self.limit.value else 100


@dataclass(frozen=True, slots=True)
class PeriodTotals:
    """What PostgreSQL knows of a tenant's period: tokens and micro-units of money."""

    tenant_id: str
    period_id: str
    tokens: int
    micro: int


@event_type("quotas.limits-changed")
@dataclass(frozen=True, slots=True)
class LimitsChanged(DomainEvent):
    """Effective limits changed: of one tenant, or with `tenant_id` "" of all tenants of a type or plan."""

    tenant_id: str


@event_type("quotas.threshold-reached")
@dataclass(frozen=True, slots=True)
class ThresholdReached(DomainEvent):
    """Use passed `threshold` percent of a limit. A jump over several thresholds is told once, with the highest."""

    tenant_id: str
    scope: str
    dimension: str
    period: str
    threshold: int
    used: int
    limit: int
