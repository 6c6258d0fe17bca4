"""Patterns that read another tenant's rows with the stock backend of the library, replayed against ours.

Each one runs with the fence and must never see a foreign row; the negative control at the end takes the fence away
and must see one, so that these tests can fail.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.db import connection, connections, transaction
from django.db.utils import DatabaseError, ProgrammingError

from core.clock import utc_now
from core.tenancy import NoActiveScope, TenantRef, clear_scope, platform_scope, run_in_tenant, tenant_scope
from core.tenancy.cache import make_key
from core.tenancy.context import PLATFORM, Scope, set_scope
from tenants.api import ApiKey, Tenant
from tenants.provisioning.schema import drop_schema
from tenants.workspace.models import Conversation
from tests import cast

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 40


@pytest.fixture
def pair(transactional_db: None) -> Iterator[tuple[TenantRef, TenantRef]]:
    """Two tenants with one secret row each, gone with schema and role afterwards."""
    refs = (cast.found_acme().tenant.ref, cast.found_globex().tenant.ref)
    for ref in refs:
        run_in_tenant(ref, _write_secret, ref.slug)
    yield refs
    set_scope(PLATFORM)
    for ref in refs:
        drop_schema(ref.schema_name)


def _write_secret(title: str) -> None:
    Conversation.objects.create(title=title, model="demo", member_id="1")


def _titles() -> list[str]:
    return list(Conversation.objects.values_list("title", flat=True))


async def _titles_async() -> list[str]:
    return [title async for title in Conversation.objects.values_list("title", flat=True)]


def _read_and_close() -> list[str]:
    try:
        return _titles()
    finally:
        connection.close()


async def _many(pair: tuple[TenantRef, TenantRef], read: Callable[[TenantRef], object]) -> int:
    """How many of ROUNDS concurrent reads did not return exactly the reader's own row."""

    async def one(ref: TenantRef) -> bool:
        return await read(ref) == [ref.slug]

    with clear_scope():
        answers = await asyncio.gather(*(one(pair[number % 2]) for number in range(ROUNDS)))
    return answers.count(False)


async def test_a_scope_around_an_awaited_thread_reads_only_its_own_rows(pair: tuple[TenantRef, TenantRef]) -> None:
    async def read(ref: TenantRef) -> list[str]:
        async with tenant_scope(ref):
            await asyncio.sleep(0)
            return await sync_to_async(_titles)()

    assert await _many(pair, read) == 0


async def test_the_async_orm_reads_only_its_own_rows(pair: tuple[TenantRef, TenantRef]) -> None:
    async def read(ref: TenantRef) -> list[str]:
        with tenant_scope(ref):
            await asyncio.sleep(0)
            return await _titles_async()

    assert await _many(pair, read) == 0


async def test_a_thread_of_its_own_reads_only_its_own_rows(pair: tuple[TenantRef, TenantRef]) -> None:
    async def read(ref: TenantRef) -> list[str]:
        with tenant_scope(ref):
            return await sync_to_async(_read_and_close, thread_sensitive=False)()

    assert await _many(pair, read) == 0


async def test_to_thread_reads_only_its_own_rows(pair: tuple[TenantRef, TenantRef]) -> None:
    async def read(ref: TenantRef) -> list[str]:
        with tenant_scope(ref):
            return await asyncio.to_thread(_read_and_close)

    assert await _many(pair, read) == 0


async def test_a_task_that_outlives_the_block_keeps_its_tenant(pair: tuple[TenantRef, TenantRef]) -> None:
    async def later() -> list[str]:
        await asyncio.sleep(0.02)
        return await sync_to_async(_titles)()

    with tenant_scope(pair[0]):
        task = asyncio.create_task(later())
    with tenant_scope(pair[1]):
        assert await sync_to_async(_titles)() == ["globex"]
    assert await task == ["acme"]


def test_a_thread_without_a_context_is_refused(pair: tuple[TenantRef, TenantRef]) -> None:
    caught: list[BaseException] = []

    def read() -> None:
        try:
            _titles()
        except NoActiveScope as error:
            caught.append(error)
        finally:
            connections.close_all()

    with tenant_scope(pair[0]):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_without_a_scope_nothing_runs(no_scope: None) -> None:
    with pytest.raises(NoActiveScope):
        Tenant.objects.count()


def test_a_savepoint_rollback_does_not_bring_the_former_tenant_back(pair: tuple[TenantRef, TenantRef]) -> None:
    with transaction.atomic(), tenant_scope(pair[0]):
        assert _titles() == ["acme"]
        with pytest.raises(RuntimeError, match="undo"), transaction.atomic(), tenant_scope(pair[1]):
            assert _titles() == ["globex"]
            raise RuntimeError("undo")
        assert _titles() == ["acme"]


def test_a_failed_statement_does_not_move_the_next_block(pair: tuple[TenantRef, TenantRef]) -> None:
    with tenant_scope(pair[0]), pytest.raises(DatabaseError), transaction.atomic():
        connection.cursor().execute("SELECT 1/0")
    with tenant_scope(pair[1]):
        assert _titles() == ["globex"]


def test_a_schema_that_is_gone_is_an_error_and_never_the_public_one() -> None:
    with tenant_scope(TenantRef("7zzzzzzzzzzzzzzzzzzzzzzzzz")), pytest.raises(DatabaseError):
        _titles()


def test_when_the_switch_fails_the_connection_is_dropped(pair: tuple[TenantRef, TenantRef]) -> None:
    with tenant_scope(pair[0]):
        assert _titles() == ["acme"]
    with tenant_scope(TenantRef("7zzzzzzzzzzzzzzzzzzzzzzzzz")), pytest.raises(DatabaseError):
        _titles()
    assert connection.connection is None
    with tenant_scope(pair[1]):
        assert _titles() == ["globex"]


def test_a_name_with_its_schema_in_front_is_refused(pair: tuple[TenantRef, TenantRef]) -> None:
    with tenant_scope(pair[1]), pytest.raises(ProgrammingError, match="permission denied"):
        connection.cursor().execute(f"SELECT * FROM {pair[0].schema_name}.workspace_conversation")


def test_shared_tables_show_a_tenant_its_own_rows_only(pair: tuple[TenantRef, TenantRef]) -> None:
    with tenant_scope(pair[1]):
        assert [row.slug for row in Tenant.objects.all()] == ["globex"]
        assert {key.tenant_id for key in ApiKey.objects.all()} == {pair[1].id}
        assert ApiKey.objects.filter(tenant_id=pair[0].id).update(revoked_at=utc_now()) == 0


def test_a_tenant_may_revoke_its_key_and_change_nothing_else_of_it(pair: tuple[TenantRef, TenantRef]) -> None:
    with tenant_scope(pair[0]):
        assert ApiKey.objects.update(revoked_at=utc_now()) == 1
        with pytest.raises(ProgrammingError, match="permission denied"):
            ApiKey.objects.update(scopes=["inference"])


def test_a_tenant_cannot_write_a_row_in_anothers_name(pair: tuple[TenantRef, TenantRef]) -> None:
    with tenant_scope(pair[1]), pytest.raises(DatabaseError, match="row-level security"):
        ApiKey.objects.create(tenant_id=pair[0].id, name="planted", digest="0" * 64, prefix="x", last_four="y")


@pytest.mark.parametrize(
    "table",
    [
        "auth_user",
        "django_session",
        "tenants_operatortoken",
        "tenants_tenantjob",
        "tenants_tenantdatakey",
        "tenants_pooledschema",
    ],
)
def test_a_tenant_cannot_read_accounts_sessions_jobs_and_keys(pair: tuple[TenantRef, TenantRef], table: str) -> None:
    with tenant_scope(pair[1]), pytest.raises(ProgrammingError, match="permission denied"):
        connection.cursor().execute(f"SELECT * FROM {table}")


async def test_cache_keys_name_their_tenant_in_the_event_loop(pair: tuple[TenantRef, TenantRef]) -> None:
    for ref in pair:
        with tenant_scope(ref):
            cache.set("who", ref.slug)
    for ref in pair:
        with tenant_scope(ref):
            assert cache.get("who") == ref.slug
            assert await cache.aget("who") == ref.slug


def test_no_cache_key_is_built_for_nobody(no_scope: None) -> None:
    with pytest.raises(NoActiveScope):
        make_key("who", "lumos", 1)


def test_a_commit_hook_does_not_run_as_the_tenant_that_registered_it(pair: tuple[TenantRef, TenantRef]) -> None:
    seen: list[list[str]] = []
    with platform_scope(), transaction.atomic():
        with tenant_scope(pair[0]):
            transaction.on_commit(lambda: seen.append(run_in_tenant(pair[0], _titles)))
        with tenant_scope(pair[1]):
            assert _titles() == ["globex"]
    assert seen == [["acme"]]


async def test_the_negative_control_reads_foreign_rows_without_the_fence(pair: tuple[TenantRef, TenantRef]) -> None:
    """The library's own way: the tenant is a property of the shared thread's connection, set in one hop and used in
    the next. One role for all, no row security: this is what the tests above protect from."""
    current: dict[str, str] = {}

    def switch(ref: TenantRef) -> None:
        current["schema"] = ref.schema_name

    def read_as_the_library_does() -> list[str]:
        token = set_scope(Scope(current["schema"]))
        try:
            return _titles()
        finally:
            set_scope(token.old_value if isinstance(token.old_value, Scope) else None)

    async def read(ref: TenantRef) -> list[str]:
        await sync_to_async(switch)(ref)
        await asyncio.sleep(0)
        return await sync_to_async(read_as_the_library_does)()

    assert await _many(pair, read) > 0
