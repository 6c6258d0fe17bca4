"""Fixtures that every test may use: the database at head with the tenants' template, a clean Redis, the cast.

The runner starts PostgreSQL and gives its address in DATABASE_URL; each xdist worker has a database and a Redis
namespace of its own. Tests run in the platform's scope unless they enter another: `no_scope` takes it away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis as redis_library
from coverage import Coverage
from django.contrib.auth.signals import user_logged_in
from django.utils import translation

from core import changes, master_keys
from core.clock import utc_now
from core.proof import note_proof
from core.redis import namespace
from core.tenancy import clear_scope, platform_scope
from core.tenancy.context import PLATFORM, set_scope
from lumos_site.celery import app
from tests import cast

_LOG = "audit_auditentry, audit_entrynames, audit_auditlink, audit_chainhead"
_SEEDED = "tenants_tenanttypeprofile"  # its rows are made by a migration


def pytest_configure(config: pytest.Config) -> None:
    """Database set-up and tear-down belong to no test, so they run as the platform.

    In an xdist worker Django is set up before the worker's namespace is known, so the broker is told of it here.
    """
    set_scope(PLATFORM)
    master_keys.make(1)
    options = {**app.conf.broker_transport_options, "global_keyprefix": f"{namespace()}:celery:"}
    app.conf.broker_transport_options = options
    user_logged_in.connect(_a_forced_login_is_a_whole_one)


def pytest_sessionfinish() -> None:
    """Writes down the lines that ran: a worker that takes its time to end is killed before it would do so itself."""
    measured = Coverage.current()
    if measured is not None:
        measured.save()


def _a_forced_login_is_a_whole_one(request: Any, user: Any, **_more: Any) -> None:
    """`client.force_login` stands for a sign-in with a second factor, a moment ago; real ones prove theirs."""
    if not request.path:
        note_proof(request.session, account_id=user.pk, factor=True, now=utc_now())


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    from lumos_site.schema import migrate_template_for_tests

    with django_db_blocker.unblock(), platform_scope():
        migrate_template_for_tests()
        _flush_as_tests_need_it()
    yield
    with django_db_blocker.unblock(), platform_scope():
        _end_other_sessions()


def _flush_as_tests_need_it() -> None:
    """Tests that commit are cleaned up by truncating every table, which the audit log refuses its owner too.

    So the refusal is taken away inside that one transaction, by what only an owner of the functions can do; and the
    rows that migrations made are put back in it.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'audit_refuse_change'")
        refusal = cursor.fetchone()[0]
        cursor.execute(f"CREATE SCHEMA seeded; CREATE TABLE seeded.rows AS TABLE {_SEEDED}")
    consent = refusal[: refusal.index("BEGIN")] + "BEGIN RETURN NULL; END $function$"
    truncate = connection.ops.sql_flush

    def sql_flush(style: Any, tables: Any, **options: Any) -> list[str]:
        statements = truncate(style, tables, **options)
        opened = [consent, f"GRANT TRUNCATE ON {_LOG} TO CURRENT_USER"]
        seeded = f"INSERT INTO {_SEEDED} TABLE seeded.rows"
        closed = [refusal, seeded, f"REVOKE TRUNCATE ON {_LOG} FROM CURRENT_USER"]
        return [*opened, *statements, *closed] if statements else []

    connection.ops.sql_flush = sql_flush  # type: ignore[method-assign]


def _end_other_sessions() -> None:
    """Threads of async tests keep connections, and a database in use cannot be dropped."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


@pytest.fixture(autouse=True)
def _platform() -> Iterator[None]:
    set_scope(PLATFORM)
    translation.deactivate()  # a page leaves the language of whom it was for
    _forget_what_was_rolled_back()
    yield
    set_scope(PLATFORM)


def _forget_what_was_rolled_back() -> None:
    """A test's tenants go without a word, and a memory would give its hosts to those of the next one."""
    for follower in changes._followers.values():
        follower._forget()


@pytest.fixture
def no_scope() -> Iterator[None]:
    with clear_scope():
        yield


@pytest.fixture
def redis() -> Iterator[redis_library.Redis]:
    """The control plane's Redis client, with this worker's keys removed before and after."""
    from core.redis import control

    client = control()
    _forget(client)
    yield client
    _forget(client)


def _forget(client: redis_library.Redis) -> None:
    from core.redis import namespace

    if keys := list(client.scan_iter(f"{namespace()}:*", count=1000)):
        client.delete(*keys)


@pytest.fixture
def committed(transactional_db: None) -> Iterator[None]:
    """For tests that commit: no schemas and roles before, which others left, and none afterwards.

    Emptying the tables would leave them.
    """
    _drop_schemas()
    yield
    set_scope(PLATFORM)
    _drop_schemas()


def _drop_schemas() -> None:
    from tenants.fleet.heads import tenant_schemas
    from tenants.provisioning.schema import drop_schema

    for schema in tenant_schemas():
        drop_schema(schema)


@pytest.fixture
def acme(db: None) -> cast.Player:
    return cast.found_acme()


@pytest.fixture
def globex(db: None) -> cast.Player:
    return cast.found_globex()


@pytest.fixture
def initech(db: None) -> cast.Player:
    return cast.found_initech()


@pytest.fixture
def olivia(db: None) -> cast.Operator:
    return cast.found_olivia()
