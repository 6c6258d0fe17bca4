"""Thousands of schemas brought to head: in parallel, against locks, through crashes; and drift that is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from core.clock import utc_now
from core.conf import ROOT
from core.ids import new_ulid
from core.tenancy import TenantRef, platform_scope, schema_scope, tenant_scope
from tenants.api import FleetProgress, SchemaState, SchemaStatus, find_drift, migrate_fleet, schemas_behind
from tenants.fleet.fingerprint import facts_of
from tenants.fleet.replay import Replay
from tenants.provisioning.head import TEMPLATE
from tenants.provisioning.schema import create_schema, drop_schema
from tenants.tasks import find_drift as find_drift_task
from tenants.workspace.models import Conversation

pytestmark = pytest.mark.django_db(transaction=True)


def execute(statement: str) -> None:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def schemas() -> Iterator[list[str]]:
    """Six schemas that lag behind, as a deployment finds them."""
    made = [f"t_{new_ulid()}" for _ in range(6)]
    for schema in made:
        create_schema(schema)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename ^@ 'workspace_'", [schema]
            )
            for (table,) in cursor.fetchall():
                cursor.execute(f'DROP TABLE "{schema}"."{table}" CASCADE')
            cursor.execute(f"DELETE FROM \"{schema}\".django_migrations WHERE app IN ('workspace', 'quotas')")
    yield made
    for schema in made:
        drop_schema(schema)


def test_a_schema_that_lags_is_brought_to_head_and_its_tenant_may_work_in_it(schemas: list[str]) -> None:
    assert set(schemas) <= set(schemas_behind())
    assert Replay().bring_to_head(schemas[0]) > 2
    assert schemas[0] not in schemas_behind()
    with tenant_scope(TenantRef(schemas[0][2:])):
        Conversation.objects.create(title="first", model="demo-chat", member_id="1")
        assert Conversation.objects.count() == 1


def test_the_fleet_is_migrated_in_parallel_and_every_step_is_told(schemas: list[str]) -> None:
    told: list[FleetProgress] = []
    done = migrate_fleet(parallel=3, tell=told.append)
    assert (done.total, done.migrated, done.failed) == (6, 6, ())
    assert [progress.migrated for progress in told] == [1, 2, 3, 4, 5, 6]
    assert schemas_behind(schemas) == []
    states = SchemaState.objects.filter(schema_name__in=schemas)
    assert {(state.status, state.attempts, state.error) for state in states} == {(SchemaStatus.CURRENT, 1, "")}
    assert all(state.took_ms is not None and state.migrated_at for state in states)
    assert migrate_fleet().total == 0


def test_a_replayed_schema_is_what_the_migration_command_makes(schemas: list[str]) -> None:
    by_command = f"t_{new_ulid()}"
    with schema_scope("public"), connection.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA "{by_command}"')
    try:
        call_command("migrate_schemas", schema_name=by_command, interactive=False, verbosity=0)
        Replay().bring_to_head(schemas[0])
        replayed = [fact for fact in facts_of(schemas[0]) if not fact.startswith("grant ")]
        assert facts_of(by_command) == replayed == facts_of(TEMPLATE)
    finally:
        execute(f'DROP SCHEMA "{by_command}" CASCADE')


def test_a_schema_whose_lock_is_held_stops_nobody_else_and_is_done_the_next_time(schemas: list[str]) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with platform_scope(), connections["default"].cursor() as cursor:
            cursor.execute(f'BEGIN; LOCK TABLE "{schemas[2]}".django_migrations IN SHARE MODE')
            held.set()
            release.wait(60)
            cursor.execute("ROLLBACK")
        connections["default"].close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(10)
        done = migrate_fleet(parallel=2, lock_timeout_ms=100)
        assert (done.migrated, done.failed) == (5, (schemas[2],))
        assert schemas_behind(schemas) == [schemas[2]]
        state = SchemaState.objects.get(pk=schemas[2])
        assert (state.status, state.attempts) == (SchemaStatus.FAILED, 3)
        assert "lock timeout" in state.error
    finally:
        release.set()
        holder.join()
    assert migrate_fleet().migrated == 1
    assert SchemaState.objects.get(pk=schemas[2]).status == SchemaStatus.CURRENT


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as an operator runs it, against this test's database."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    url = parts._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "lumos_site.settings.control", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_killed_run_leaves_whole_schemas_and_the_next_run_finishes(schemas: list[str]) -> None:
    killed = manage("migrate_tenants", LUMOS_FAULTS="fleet.migrate.recorded")
    assert killed.returncode == -signal.SIGKILL
    assert set(schemas_behind(schemas)) == set(schemas)
    finished = manage("migrate_tenants", "--parallel", "2")
    assert finished.returncode == 0, finished.stderr
    assert "6 of 6 schemas migrated" in finished.stdout
    assert schemas_behind(schemas) == []
    status = manage("migrate_tenants", "--status")
    assert f"{schemas[0]} CURRENT" in " ".join(status.stdout.split())
    assert "0 schemas lack migrations" in status.stdout


@pytest.mark.parametrize("number", ["0", "65"])
def test_a_senseless_number_of_threads_is_refused(number: str) -> None:
    with pytest.raises(CommandError, match="--parallel"):
        call_command("migrate_tenants", "--parallel", number)


def test_drift_is_named_fact_by_fact(schemas: list[str]) -> None:
    migrate_fleet()
    column, grant = schemas[1], schemas[4]
    execute(f'ALTER TABLE "{column}".workspace_setting ADD COLUMN sneaked integer')
    execute(f'GRANT SELECT ON "{grant}".workspace_message TO "{schemas[0]}"')
    report = find_drift(now=utc_now())
    assert report.compared >= 6
    assert set(schemas) & set(report.drifted) == {column, grant}
    assert [fact.split(" integer")[0] for fact in report.drifted[column]] == ["added: column workspace_setting sneaked"]
    assert report.drifted[grant] == (f"added: grant workspace_message {schemas[0]} SELECT",)
    assert SchemaState.objects.get(pk=column).status == SchemaStatus.DRIFTED
    assert SchemaState.objects.get(pk=schemas[0]).status == SchemaStatus.CURRENT
    assert manage("migrate_tenants", "--drift").returncode == 1
    execute(f'ALTER TABLE "{column}".workspace_setting DROP COLUMN sneaked')
    execute(f'REVOKE SELECT ON "{grant}".workspace_message FROM "{schemas[0]}"')
    assert find_drift_task() == len(find_drift(now=utc_now()).drifted)
    assert SchemaState.objects.get(pk=column).status == SchemaStatus.CURRENT


def test_a_schema_that_is_gone_is_forgotten(schemas: list[str]) -> None:
    gone = f"t_{new_ulid()}"
    SchemaState.objects.create(schema_name=gone, status=SchemaStatus.CURRENT)
    find_drift(now=utc_now())
    assert not SchemaState.objects.filter(pk=gone).exists()
