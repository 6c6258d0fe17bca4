"""Brings the counters back to what PostgreSQL knows, after a loss and whenever they drift.

Whoever keeps the books registers a provider of totals; quotas itself knows no books. The protocol with it:

* After a loss the epoch key is missing and every reservation is refused. Settlements of requests in flight still
  book, onto counters that began at nothing, and write their events. The ingest must write none of those events while
  `is_recovering()`, and the provider must wait for a batch under way (the ingest's lock). Then PostgreSQL holds
  exactly what was lost, and adding it is right at any moment.
* Corrections of money come after the commit of the exact amounts and before the events leave the usage stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import redis
import structlog
from redis.exceptions import RedisError

from core.ids import new_ulid
from core.redis.pipe import RedisAway
from quotas.data import Dimension, Period, PeriodTotals
from quotas.engine import scripts
from quotas.engine.blocking import run_script
from quotas.engine.keys import EngineKeys, used_field
from quotas.periods import calendar_month

log = structlog.get_logger(__name__)

_TOKENS, _MICRO = used_field(Dimension.TOKENS_PER_MONTH), used_field(Dimension.MONEY_PER_MONTH)


class TotalsProvider(Protocol):
    """Tokens and micro-units of every tenant that used anything in the period, from PostgreSQL, committed only.

    Tokens are input + output of all events; money counts what was charged, rounded up to a micro-unit.
    """

    def __call__(self, period: Period) -> Iterable[PeriodTotals]: ...


P = TypeVar("P", bound=TotalsProvider)
_provider: list[TotalsProvider] = []


def register_totals_provider(provider: P) -> P:
    """Say who keeps the books; the last one registered counts. Usable as a decorator."""
    _provider[:] = [provider]
    return provider


def is_recovering(client: redis.Redis, *, keys: EngineKeys | None = None) -> bool:
    """Whether counters were lost and are not rebuilt yet: no reservation passes, no usage event may be ingested."""
    try:
        return not client.exists((keys or EngineKeys.of_installation()).epoch)
    except RedisError as error:
        raise RedisAway(str(error)[:200]) from error


def rebuild_tenant(
    client: redis.Redis, totals: PeriodTotals, *, period: Period, recovery_id: str, keys: EngineKeys
) -> bool:
    """Add one tenant's totals to its counters, once for each recovery; False when that was done before."""
    args = (recovery_id, period.ends_at, _TOKENS, totals.tokens, _MICRO, totals.micro)
    return bool(run_script(client, scripts.REBUILD, (keys.period(totals.tenant_id, period.id),), args))


def recover(client: redis.Redis, *, keys: EngineKeys | None = None) -> int | None:
    """Rebuild all counters if the epoch is missing, and let reservations pass again.

    Returns the number of tenants that were rebuilt, None when there was nothing to do or no provider is known.
    May run in several processes at once, and be killed and repeated at any point.
    """
    names = keys or EngineKeys.of_installation()
    if not is_recovering(client, keys=names):
        return None
    if not _provider:
        log.error("quotas.recover.no_provider")
        return None
    client.set(names.recovery, new_ulid(), nx=True)
    recovery_id = cast(bytes, client.get(names.recovery) or b"").decode()
    period = _running_period(client)
    rebuilt = 0
    for totals in _provider[0](period):
        rebuilt += rebuild_tenant(client, totals, period=period, recovery_id=recovery_id, keys=names)
    client.set(names.epoch, recovery_id)
    client.delete(names.recovery)
    log.warning("quotas.recover.done", tenants=rebuilt, recovery=recovery_id)
    return rebuilt


def _running_period(client: redis.Redis, find_period: Callable[[int], Period] = calendar_month) -> Period:
    return find_period(client.time()[0])


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a tenant's counters stood from the books, as the signed correction that was applied."""

    tenant_id: str
    tokens: int
    micro: int


def reconcile(client: redis.Redis, tenant_ids: Sequence[str], *, keys: EngineKeys | None = None) -> tuple[Drift, ...]:
    """Set counters that differ from the books, when nothing is on its way between the two.

    Does nothing while usage events wait or counters are being rebuilt, and leaves out tenants that are used in
    between: they are compared at the next quiet moment.
    """
    names = keys or EngineKeys.of_installation()
    if not _provider or is_recovering(client, keys=names) or client.xlen(names.usage):
        return ()
    period = _running_period(client)
    seen = _counters(client, tenant_ids, period, names)
    truth = {totals.tenant_id: totals for totals in _provider[0](period)}
    nothing = PeriodTotals("", period.id, 0, 0)
    repaired = []
    for tenant_id, (tokens, micro) in seen.items():
        totals = truth.get(tenant_id, nothing)
        drift = Drift(tenant_id, totals.tokens - tokens, totals.micro - micro)
        args = (period.ends_at, _TOKENS, tokens, totals.tokens, _MICRO, micro, totals.micro)
        touched = (names.period(tenant_id, period.id), names.usage)
        if (drift.tokens or drift.micro) and run_script(client, scripts.RECONCILE, touched, args):
            log.warning("quotas.reconcile.drift", tenant=tenant_id, tokens=drift.tokens, micro=drift.micro)
            repaired.append(drift)
    return tuple(repaired)


def _counters(
    client: redis.Redis, tenant_ids: Sequence[str], period: Period, keys: EngineKeys
) -> dict[str, tuple[int, int]]:
    pipeline = client.pipeline(transaction=False)
    for tenant_id in tenant_ids:
        pipeline.hmget(keys.period(tenant_id, period.id), [_TOKENS, _MICRO])
    rows = pipeline.execute()
    return {
        tenant_id: (int(tokens or 0), int(micro or 0))
        for tenant_id, (tokens, micro) in zip(tenant_ids, rows, strict=True)
    }
