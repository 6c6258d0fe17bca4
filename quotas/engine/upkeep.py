"""What beat and billing do to the counters: sweep what was abandoned, correct what was estimated."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from quotas.data import Dimension
from quotas.engine import scripts
from quotas.engine.blocking import run_script
from quotas.engine.keys import EngineKeys, used_field

_BATCH = 200
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
