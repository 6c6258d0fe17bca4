"""What beat, billing and deletions do to the counters: sweep what was abandoned, correct, forget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import redis
from redis.exceptions import RedisError

from core.redis.pipe import RedisAway
from quotas.data import Dimension
from quotas.engine import scripts
from quotas.engine.blocking import run_script
from quotas.engine.keys import EngineKeys, used_field

_BATCH = 200
_SCAN = 1000
_CORRECTION_KEPT_MS = 40 * 86_400_000


@dataclass(frozen=True, slots=True)
class Swept:
    """`vanished`: entries of the index whose reservation was gone; more than none means that Redis lost keys."""

    closed: int
    vanished: int


def sweep(client: redis.Redis, *, keys: EngineKeys | None = None, limit: int = 10_000) -> Swept:
    """Close reservations that nobody settled before they expired: charge the input estimate, write their event."""
    names = keys or EngineKeys.of_installation()
    closed = vanished = 0
    while closed + vanished < limit:
        done = run_script(client, scripts.SWEEP, (names.expiry, names.alerts, names.usage), (_BATCH,))
        closed, vanished = closed + done[0], vanished + done[1]
        if sum(done) < _BATCH:
            break
    return Swept(closed, vanished)


def correct_money(
    client: redis.Redis,
    *,
    tenant_id: str,
    period_id: str,
    delta_micro: int,
    correction_id: str,
    keys: EngineKeys | None = None,
) -> bool:
    """Add a signed difference to the money used in a period, once for each correction id.

    False: nothing was changed, for the id was applied before, or counters are being rebuilt from PostgreSQL and
    will be exact without it. The caller must have committed the exact amounts first.
    """
    names = keys or EngineKeys.of_installation()
    touched = (names.period(tenant_id, period_id), names.correction(tenant_id, correction_id), names.epoch)
    field = used_field(Dimension.MONEY_PER_MONTH)
    return bool(run_script(client, scripts.CORRECT, touched, (field, delta_micro, _CORRECTION_KEPT_MS)) == 1)


def open_reservations(client: redis.Redis, tenant_id: str, *, keys: EngineKeys | None = None) -> int:
    """How many requests of the tenant are neither settled nor given back nor swept. Raises RedisAway."""
    return len(_expiring(client, tenant_id, keys or EngineKeys.of_installation()))


def forget_tenant(client: redis.Redis, tenant_id: str, *, keys: EngineKeys | None = None) -> int:
    """Take a deleted tenant out of the counters, the index and the alerts; returns how many entries that were.

    To be called when none of its requests is open any more. Raises RedisAway.
    """
    names = keys or EngineKeys.of_installation()
    try:
        counters = list(client.scan_iter(match=f"{names.tenant(tenant_id)}:*", count=_SCAN))
        expiring = _expiring(client, tenant_id, names)
        alerts = _alerts_of(client, tenant_id, names)
        if counters:
            client.unlink(*counters)
        if expiring:
            client.zrem(names.expiry, *expiring)
        if alerts:
            client.xdel(names.alerts, *alerts)
    except RedisError as error:
        raise RedisAway(str(error)[:200]) from error
    return len(counters) + len(expiring) + len(alerts)


def _expiring(client: redis.Redis, tenant_id: str, names: EngineKeys) -> list[bytes]:
    """The keys of its open reservations."""
    mine = f"{names.tenant(tenant_id)}:*"
    try:
        return [name for name, _score in client.zscan_iter(names.expiry, match=mine, count=_SCAN)]
    except RedisError as error:
        raise RedisAway(str(error)[:200]) from error


def _alerts_of(client: redis.Redis, tenant_id: str, names: EngineKeys) -> list[bytes]:
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(names.alerts))
    return [number for number, fields in entries if fields.get(b"tenant") == tenant_id.encode()]
