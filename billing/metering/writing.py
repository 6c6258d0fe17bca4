"""Writes a charged batch: events and roll-ups in one statement, so that the roll-ups equal the events.

COPY into a session's own table and one INSERT from there costs a sixth of one INSERT per event. The table of events
itself cannot be copied into, because row level security is forced on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import connection

from billing.errors import IngestInterrupted
from billing.metering.charging import ChargeBook, Charged
from billing.metering.contracts import from_ms
from billing.rating import exact_amount

_COLUMNS = {
    "id": "varchar",
    "occurred_at": "timestamptz",
    "tenant_id": "varchar",
    "key_id": "varchar",
    "model": "varchar",
    "provider": "varchar",
    "endpoint": "varchar",
    "status": "varchar",
    "input_tokens": "bigint",
    "cached_tokens": "bigint",
    "output_tokens": "bigint",
    "latency_ms": "bigint",
    "first_token_ms": "bigint",
    "price_version": "varchar",
    "estimated": "boolean",
    "live": "boolean",
    "provisional_micro": "bigint",
    "subscription_id": "varchar",
    "charge": "numeric(38,12)",
    "cost": "numeric(38,12)",
    "ingested_at": "timestamptz",
}
_NAMES = ", ".join(_COLUMNS)
_STAGE = "CREATE TEMPORARY TABLE IF NOT EXISTS pg_temp.billing_stage ({}) ON COMMIT DELETE ROWS".format(
    ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
)

# What a roll-up sums, by column. metering.rollup proves the table against the same expressions.
GROUPS = "tenant_id, grain, date_trunc(grain, occurred_at, 'UTC'), model, provider, key_id, live"
SUMS = {
    "requests": "count(*)",
    "failures": "count(*) FILTER (WHERE status NOT IN ('ok', 'client_closed'))",
    "input_tokens": "sum(input_tokens)",
    "cached_tokens": "sum(cached_tokens)",
    "output_tokens": "sum(output_tokens)",
    "latency_ms": "sum(latency_ms)",
    "charge": "coalesce(sum(charge), 0)",
    "cost": "coalesce(sum(cost), 0)",
    "unpriced": "count(*) - count(charge)",
    "uncosted": "count(*) - count(cost)",
}
GRAINS = "(VALUES ('hour'), ('day')) AS grains (grain)"
KEY = "tenant_id, grain, starts_at, model, provider, key_id, live"

_ADD = ", ".join(f"{name} = billing_usagerollup.{name} + excluded.{name}" for name in SUMS)

# Rows are taken in the order of the key, as every writer would.
_INSERT = f"""
WITH fresh AS (
  INSERT INTO billing_usageevent ({_NAMES}) SELECT {_NAMES} FROM pg_temp.billing_stage
  ON CONFLICT DO NOTHING RETURNING *
), rolled AS (
  INSERT INTO billing_usagerollup ({KEY}, {", ".join(SUMS)})
  SELECT {GROUPS}, {", ".join(SUMS.values())} FROM fresh CROSS JOIN {GRAINS}
  GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
  ON CONFLICT ({KEY}) DO UPDATE SET {_ADD}
)
SELECT count(*) FROM fresh
"""  # noqa: S608 - made of the constants above

_POSITIONS = """
INSERT INTO billing_periodposition
  (tenant_id, subscription_id, price_id, period_starts_at, period_ends_at, quantity, amount)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (subscription_id, period_starts_at, price_id)
DO UPDATE SET quantity = excluded.quantity, amount = excluded.amount
"""


def known_ids(ids: list[str], oldest: datetime, newest: datetime) -> list[str]:
    """Which of these events of [oldest, newest] are stored. One array: a thousand parameters take long to bind."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM billing_usageevent WHERE id = ANY(%s) AND occurred_at BETWEEN %s AND %s",
            [ids, oldest, newest],
        )
        return [row[0] for row in cursor.fetchall()]


def write_events(charged: Sequence[Charged], costs: Iterable[Decimal | None], now: datetime) -> None:
    """Store events and add them to their roll-ups, in the caller's transaction.

    Raises IngestInterrupted when one of them is there already: then the charges are wrong and must not stay.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        cursor.execute("DELETE FROM pg_temp.billing_stage")
        with cursor.cursor.copy(f"COPY pg_temp.billing_stage ({_NAMES}) FROM STDIN") as copy:
            for row, cost in zip(charged, costs, strict=True):
                copy.write_row(_row(row, cost, now))
        cursor.execute(_INSERT)
        (stored,) = cursor.fetchone() or (0,)
    if stored != len(charged):
        raise IngestInterrupted


def _row(charged: Charged, cost: Decimal | None, now: datetime) -> tuple[object, ...]:
    fact = charged.fact
    return (
        fact.id,
        from_ms(fact.occurred_at_ms),
        fact.tenant_id,
        fact.key_id,
        fact.model,
        fact.provider,
        fact.endpoint,
        fact.status,
        fact.input_tokens,
        fact.cached_tokens,
        fact.output_tokens,
        fact.latency_ms,
        fact.first_token_ms,
        fact.price_version,
        fact.estimated,
        fact.live,
        fact.provisional_micro,
        charged.subscription_id,
        charged.charge,
        cost,
        now,
    )


def write_positions(book: ChargeBook) -> None:
    """Store every position that the batch moved."""
    rows = [
        (
            account.contract.tenant_id,
            account.contract.id,
            price_id,
            account.period.starts_at,
            account.period.ends_at,
            position.quantity,
            exact_amount(position.atto),
        )
        for account, price_id, position in book.changed()
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_POSITIONS, rows)
