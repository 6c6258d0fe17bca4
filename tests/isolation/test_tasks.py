"""Tasks: for whom they run, and whom they refuse."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery

from core.ids import new_ulid
from core.request_id import current_request_id, request_scope
from core.tenancy import NoActiveScope, WrongTenant, current_tenant, require_tenant, tenant_scope
from core.tenancy.celery import PlatformTask, TenantTask, queue_of
from core.tenancy.context import PLATFORM, active_scope
from tests import cast

app = Celery("isolation", broker="memory://", set_as_current=False)


@app.task(base=TenantTask, name="isolation.whose")
def whose(*, tenant_id: str) -> str:
    return require_tenant().id


@app.task(base=PlatformTask, name="isolation.platform")
def platform() -> bool:
    return active_scope() == PLATFORM and current_tenant() is None


def test_a_task_runs_as_the_tenant_it_was_given_whoever_calls_it() -> None:
    mine, other = new_ulid(), new_ulid()
    with tenant_scope(cast.Tenant(id=other).ref):
        assert whose(tenant_id=mine) == mine


@pytest.mark.parametrize("arguments", [{}, {"tenant_id": None}, {"tenant_id": "acme"}, {"tenant_id": "t_x'; --"}])
def test_a_task_without_a_tenant_is_refused(arguments: dict) -> None:
    with pytest.raises(NoActiveScope):
        whose(**arguments)


def test_a_task_cannot_be_sent_without_a_tenant() -> None:
    with pytest.raises(NoActiveScope):
        whose.delay()


def test_the_worker_of_one_tenant_refuses_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = new_ulid(), new_ulid()
    monkeypatch.setenv("LUMOS_WORKER_TENANT", mine)
    assert whose(tenant_id=mine) == mine
    with pytest.raises(WrongTenant):
        whose(tenant_id=other)
    with pytest.raises(WrongTenant):
        platform()


def test_a_platform_task_sheds_the_tenant_around_it() -> None:
    with tenant_scope(cast.Tenant(id=new_ulid()).ref):
        assert platform()
        assert current_tenant() is not None


def test_threads_that_share_a_task_object_do_not_mix_tenants() -> None:
    ids = [new_ulid() for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda one: whose(tenant_id=one), ids)) == ids


def test_each_tenant_has_a_queue_of_its_own() -> None:
    first, second = new_ulid(), new_ulid()
    assert queue_of(first) != queue_of(second)


@app.task(base=PlatformTask, name="isolation.request")
def request() -> str:
    return current_request_id()


def test_what_a_task_does_bears_the_tasks_own_id() -> None:
    with request_scope("the-one-who-sent-it"):
        assert request() == "the-one-who-sent-it"
        assert request.apply(task_id="0b6e").get() == "task_0b6e"
        assert current_request_id() == "the-one-who-sent-it"
