"""Bringing the whole fleet to head: rounds, threads, retries; owns the order, and what it tells the operator.

The truth is what each schema has recorded, so a run that was killed is resumed by starting another: what is done is
skipped. The template goes first and alone, so that every tenant created from then on starts at head; the rounds
afterwards also catch a tenant that was being copied at that moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import structlog
from django.db import DatabaseError, connection, connections

from core.clock import utc_now
from core.tenancy import platform_scope
from tenants.data import FleetProgress, SchemaStatus
from tenants.fleet.heads import schemas_behind, tenant_schemas
from tenants.fleet.replay import Replay
from tenants.models import SchemaState
from tenants.provisioning.head import TEMPLATE
from tenants.provisioning.schema import create_template

log = structlog.get_logger(__name__)
ATTEMPTS = 3
_LOCK = 7_052_004  # advisory: one run at a time, the others wait
# A connection keeps about 0.75 MiB of catalogue per schema that it touched, until it is closed.
_SCHEMAS_PER_CONNECTION = 100

Tell = Callable[[FleetProgress], None]


def migrate_template() -> int:
    """The schema that new ones are copied from, made when it is missing; returns how many migrations it lacked."""
    create_template()
    return Replay().bring_to_head(TEMPLATE)


def migrate_fleet(
    *, parallel: int = 2, tell: Tell = lambda progress: None, lock_timeout_ms: int = 5000
) -> FleetProgress:
    """Bring template and tenants' schemas to head; `tell` hears after each schema.

    A lock that is not to be had within `lock_timeout_ms` puts the schema at the end of the queue, so that a busy
    tenant waits for nobody's migration and nobody's migration for a busy tenant.
    Returns the last state: `failed` names what stays behind after three attempts, with its reason in SchemaState.
    """
    with platform_scope(), only_one(_LOCK):
        if schemas_behind([TEMPLATE]):
            migrate_template()
        run = _Run(tell, lock_timeout_ms)
        while behind := [name for name in schemas_behind(tenant_schemas()) if name not in run.failed]:
            run.add(behind)
            run.work_off(max(1, min(parallel, len(behind))))
        return run.progress()


@dataclass(slots=True)
class _Run:
    """One run over the fleet, shared by its threads."""

    tell: Tell
    lock_timeout_ms: int
    queue: SimpleQueue[tuple[str, int]] = field(default_factory=SimpleQueue)
    total: int = 0
    migrated: int = 0
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def progress(self) -> FleetProgress:
        return FleetProgress(self.total, self.migrated, tuple(self.failed))

    def add(self, schemas: Sequence[str]) -> None:
        self.total += len(schemas)
        for schema in schemas:
            self.queue.put((schema, 1))

    def work_off(self, parallel: int) -> None:
        with ThreadPoolExecutor(parallel, thread_name_prefix="fleet") as pool:
            for worker in [pool.submit(self._worker) for _ in range(parallel)]:
                worker.result()

    def _worker(self) -> None:
        with platform_scope():
            try:
                replay = Replay()
                for count, (schema, attempt) in enumerate(self._waiting(), start=1):
                    self._migrate(replay, schema, attempt)
                    if count % _SCHEMAS_PER_CONNECTION == 0:
                        connection.close()
            finally:
                connection.close()

    def _waiting(self) -> Iterator[tuple[str, int]]:
        while True:
            try:
                yield self.queue.get_nowait()
            except Empty:
                return

    def _migrate(self, replay: Replay, schema: str, attempt: int) -> None:
        began = time.monotonic()
        _note(schema, SchemaStatus.MIGRATING, attempts=attempt, error="")
        try:
            replay.bring_to_head(schema, lock_timeout_ms=self.lock_timeout_ms)
        except Exception as error:  # whatever a migration raises stops this schema only, and is told to the operator
            self._failed(schema, attempt, error)
            return
        took = round((time.monotonic() - began) * 1000)
        _note(schema, SchemaStatus.CURRENT, attempts=attempt, took_ms=took, migrated_at=utc_now())
        with self.lock:
            self.migrated += 1
            self.tell(self.progress())

    def _failed(self, schema: str, attempt: int, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"[:500]
        log.warning("tenants.fleet.migration_failed", schema=schema, attempt=attempt, error=reason)
        _note(schema, SchemaStatus.FAILED, attempts=attempt, error=reason)
        # A lock that was not to be had is worth another try, after the others; so is a lost connection.
        if isinstance(error, DatabaseError) and attempt < ATTEMPTS:
            if connection.connection is None or connection.connection.closed:
                connection.close()
            time.sleep(0.1 * attempt)
            self.queue.put((schema, attempt + 1))
            return
        with self.lock:
            self.failed.append(schema)
            self.tell(self.progress())


def _note(schema: str, status: SchemaStatus, **fields: object) -> None:
    SchemaState.objects.update_or_create(schema_name=schema, defaults={"status": status, **fields})


@contextmanager
def only_one(lock: int) -> Iterator[None]:
    """Hold an advisory lock on a connection of its own, which migrations do not close."""
    keeper = connections.create_connection("default")
    try:
        with keeper.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [lock])
            yield
    finally:
        keeper.close()
