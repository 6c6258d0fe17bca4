"""What this process may serve while the counters cannot be asked, for tenants whose failure policy is conservative.

A lease is a small share of each hard limit, and lasts an hour whether the outage does or not: a tenth of the rate, a
hundredth of a month's tokens and money. So a budget is overrun by a hundredth for each process and hour at most, and
what was served is booked as soon as the counters are back. Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from proxy.gcra import SECOND, Gcra
from quotas.api import Dimension, Kind, Limit, Unit

RATE_SHARE, PERIOD_SHARE = 10, 100
LASTS = 3600 * SECOND
_UNLIMITED_RATE = 60  # requests a minute in an outage, where no limit says otherwise
_KEPT = 10_000


_REQUESTS = Dimension.REQUESTS_PER_MINUTE


class _Lease:
    __slots__ = ("_left", "_rate", "begun")

    def __init__(self, limits: Iterable[Limit], now: int) -> None:
        hard = [limit for limit in limits if limit.hard and limit.value is not None]
        requests = min((_share(x, RATE_SHARE) for x in hard if x.dimension is _REQUESTS), default=_UNLIMITED_RATE)
        self.begun = now
        self._rate = Gcra(rate=requests, burst=requests, per_seconds=60) if requests else None
        periods = [limit for limit in hard if limit.dimension.kind is Kind.PERIOD]
        self._left = {limit.dimension.unit: _share(limit, PERIOD_SHARE) for limit in periods}

    def take(self, tokens: int, micro: int, now: int) -> bool:
        """Whether that much may go; what is refused takes nothing."""
        asked = {Unit.TOKENS: tokens, Unit.MICRO: micro}
        if any(asked[unit] > left for unit, left in self._left.items()):
            return False
        if self._rate is None or self._rate.wait("", now):
            return False
        for unit in self._left:
            self._left[unit] -= asked[unit]
        return True


def _share(limit: Limit, part: int) -> int:
    """At least one of whatever is allowed at all."""
    return -(-(limit.value or 0) // part)


class Leases:
    """By tenant, and by key where a key has limits of its own. `now` is monotonic nanoseconds."""

    def __init__(self) -> None:
        self._leases: OrderedDict[str, _Lease] = OrderedDict()

    def admit(
        self, tenant: str, limits: Iterable[Limit], *, tokens: int, micro: int, now: int, key: str = "",
        key_limits: Iterable[Limit] = (),
    ) -> bool:  # fmt: skip
        """Whether a request of so many tokens and micro-units may be served uncounted."""
        if key and not self._of(f"{tenant} {key}", key_limits, now).take(tokens, micro, now):
            return False
        return self._of(tenant, limits, now).take(tokens, micro, now)

    def _of(self, name: str, limits: Iterable[Limit], now: int) -> _Lease:
        lease = self._leases.get(name)
        if lease is None or now - lease.begun >= LASTS:
            lease = self._leases[name] = _Lease(limits, now)
            self._leases.move_to_end(name)
            if len(self._leases) > _KEPT:
                self._leases.popitem(last=False)
        return lease
