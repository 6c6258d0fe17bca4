"""The stock of ready schemas: filled slowly, handed out once each, never at other migrations than the code's."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from core.clock import utc_now
from core.locks import alone
from core.tenancy import platform_scope, tenant_scope
from tenants import api
from tenants.conf import pool_settings
from tenants.models import PooledSchema, Tenant, TenantDataKey
from tenants.provisioning import pool
from tenants.provisioning.head import TEMPLATE, code_head
from tenants.provisioning.schema import create_schema, drop_schema, schema_exists
from tenants.services.data_keys import data_key_of, destroy_data_key
from tenants.tasks import fill_pool
from tenants.workspace.models import Conversation
from tests import cast
from tests.tenants.conftest import has_role, schemas

pytestmark = pytest.mark.django_db
NOW = utc_now()


def fill(target: int) -> pool.Filled:
    return pool.fill_pool(now=NOW, target=target, most=target)


def create(slug: str = "hooli", **changes: object) -> Tenant:
    facts = {"slug": slug, "name": "Hooli", "type": api.TenantType.ENTERPRISE, "acting": cast.TESTER, "now": NOW}
    return api.create_tenant(**(facts | changes))


def tell_the_template(migration: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TEMPLATE}.django_migrations (app, name, applied) VALUES ('workspace', %s, now())",
            [migration],
        )


def test_a_ready_schema_has_its_tables_role_and_key() -> None:
    assert fill(1) == pool.Filled(led=True, made=1)
    ready = PooledSchema.objects.get()
    assert ready.head == code_head()
    assert schema_exists(ready.schema_name)
    assert has_role(ready.schema_name)
    assert len(data_key_of(ready.id)) == 32


def test_creating_a_tenant_takes_a_ready_schema_under_its_final_name() -> None:
    fill(2)
    before, ready = schemas(), {row.schema_name for row in PooledSchema.objects.all()}
    tenant = create()
    assert schemas() == before
    assert tenant.schema_name in ready
    assert {row.schema_name for row in PooledSchema.objects.all()} == ready - {tenant.schema_name}
    with tenant_scope(tenant.ref):
        assert Conversation.objects.count() == 0
    assert len(data_key_of(tenant.id)) == 32


def test_with_an_empty_pool_a_tenant_is_created_all_the_same() -> None:
    tenant = create()
    assert tenant.is_active
    assert schema_exists(tenant.schema_name)
    assert not PooledSchema.objects.exists()
    [step] = api.job_steps(api.TenantJob.objects.get(tenant_id=tenant.id))[:1]
    assert step.note == "no schema was ready, so one was made"


def test_a_schema_at_other_migrations_is_never_handed_out_and_is_replaced() -> None:
    fill(1)
    PooledSchema.objects.update(head="older")
    old = PooledSchema.objects.get()
    assert create().schema_name != old.schema_name
    assert api.ready_schemas() == 0
    assert fill(1) == pool.Filled(led=True, made=0, dropped=1)
    assert fill(1) == pool.Filled(led=True, made=1, dropped=0)
    assert not schema_exists(old.schema_name)
    assert not has_role(old.schema_name)
    assert not TenantDataKey.objects.filter(pk=old.id).exists()


def test_a_schema_that_was_dropped_behind_our_back_is_not_handed_out() -> None:
    fill(1)
    drop_schema(PooledSchema.objects.get().schema_name)
    assert schema_exists(create().schema_name)


def test_while_the_template_is_at_other_migrations_nothing_is_made_or_thrown_away() -> None:
    fill(1)
    tell_the_template("9999_newer")
    PooledSchema.objects.update(head="newer")
    assert fill(2) == pool.Filled(led=False)
    assert PooledSchema.objects.count() == 1
    with pytest.raises(api.TemplateBehind):
        create()
    assert not Tenant.objects.filter(slug="hooli").exists()


def test_a_template_without_tables_makes_no_schema() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {TEMPLATE} CASCADE")
        cursor.execute(f"CREATE SCHEMA {TEMPLATE}")
    with pytest.raises(api.TemplateBehind):
        create_schema("t_7zzzzzzzzzzzzzzzzzzzzzzzzz")


def test_one_round_makes_no_more_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMOS_POOL_SIZE", "5")
    monkeypatch.setenv("LUMOS_POOL_PER_SECOND", "1")
    assert [fill_pool() for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize(
    ("name", "value"), [("SIZE", "many"), ("SIZE", "10001"), ("PER_SECOND", "0"), ("PER_SECOND", "-1")]
)
def test_a_setting_that_is_no_number_of_that_kind_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"LUMOS_POOL_{name}", value)
    with pytest.raises(ValueError, match=f"LUMOS_POOL_{name}"):
        pool_settings()


def test_a_data_key_opens_in_its_own_row_only_and_is_gone_when_destroyed() -> None:
    fill(2)
    first, second = TenantDataKey.objects.order_by("tenant_id")
    TenantDataKey.objects.filter(pk=second.pk).update(wrapped=first.wrapped)
    with pytest.raises(Exception, match="cannot be opened"):
        data_key_of(second.tenant_id)
    assert destroy_data_key(tenant_id=first.tenant_id)
    assert not destroy_data_key(tenant_id=first.tenant_id)
    with pytest.raises(api.TenantNotFound):
        data_key_of(first.tenant_id)
    assert bytes(second.wrapped).hex() not in repr(second)


@pytest.mark.usefixtures("committed")
def test_one_process_fills_at_a_time() -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with platform_scope(), alone(pool.LOCK) as mine:
            assert mine
            held.set()
            done.wait(20)
        connections.close_all()

    with ThreadPoolExecutor(1) as other:
        holding = other.submit(hold)
        assert held.wait(20)
        assert fill(1) == pool.Filled(led=False)
        done.set()
        holding.result()
    assert fill(1).made == 1
