"""Proof that the sums equal the events: roll-ups by their figures, positions by their charges. Repairs nothing.

A difference means that somebody wrote past the ingest, so it is reported for a person to look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import connection, transaction

from billing.metering.lock import lock_usage
from billing.metering.writing import GRAINS, GROUPS, KEY, SUMS
from billing.metrics import ROLLUP_DRIFT

log = structlog.get_logger(__name__)
_SHOWN = 100

_ROLLUPS = f"""
SELECT 'rollup', coalesce(e.tenant_id, r.tenant_id), coalesce(e.grain, r.grain), coalesce(e.starts_at, r.starts_at)
FROM (
  SELECT {KEY}, {", ".join(SUMS)} FROM (
    SELECT {GROUPS}, {", ".join(SUMS.values())} FROM billing_usageevent CROSS JOIN {GRAINS}
    WHERE occurred_at >= %s AND occurred_at < %s GROUP BY 1, 2, 3, 4, 5, 6, 7
  ) AS summed ({KEY}, {", ".join(SUMS)})
) AS e
FULL JOIN (
  SELECT {KEY}, {", ".join(SUMS)} FROM billing_usagerollup WHERE starts_at >= %s AND starts_at < %s
) AS r USING ({KEY})
WHERE ({", ".join(f"e.{name}" for name in SUMS)}) IS DISTINCT FROM ({", ".join(f"r.{name}" for name in SUMS)})
ORDER BY 4, 2, 3 LIMIT {_SHOWN}
"""  # noqa: S608 - made of constants

_POSITIONS = f"""
SELECT 'position', p.tenant_id, p.subscription_id, p.period_starts_at
FROM (
  SELECT tenant_id, subscription_id, period_starts_at, period_ends_at, sum(amount) AS amount
  FROM billing_periodposition WHERE period_ends_at > %s AND period_starts_at < %s GROUP BY 1, 2, 3, 4
) AS p
WHERE p.amount IS DISTINCT FROM (
  SELECT coalesce(sum(u.charge), 0) FROM billing_usageevent u
  WHERE u.tenant_id = p.tenant_id AND u.subscription_id = p.subscription_id
    AND u.occurred_at >= p.period_starts_at AND u.occurred_at < p.period_ends_at
)
ORDER BY 4, 2 LIMIT {_SHOWN}
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Difference:
    """A sum that is not that of its events. `what` is rollup or position, `name` its grain or subscription."""

    what: str
    tenant_id: str
    name: str
    starts_at: datetime


def prove_rollups(*, starts_at: datetime, ends_at: datetime) -> tuple[Difference, ...]:
    """Compare all sums of [starts_at, ends_at), which begins and ends with a UTC day; empty when all agree.

    Waits for a batch under way, and holds the ingest back meanwhile.
    """
    span = [starts_at, ends_at]
    with transaction.atomic(), connection.cursor() as cursor:
        lock_usage(wait=True)
        cursor.execute(_ROLLUPS, [*span, *span])
        rows = cursor.fetchall()
        cursor.execute(_POSITIONS, span)
        rows += cursor.fetchall()
    differences = tuple(Difference(*row) for row in rows)
    ROLLUP_DRIFT.set(len(differences))
    for difference in differences[:10]:
        log.error(
            "billing.rollup.differs",
            what=difference.what,
            tenant=difference.tenant_id,
            name=difference.name,
            starts_at=difference.starts_at.isoformat(),
        )
    return differences
