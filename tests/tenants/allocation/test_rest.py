"""Capacity through the REST API: operators steer, tenants read their own amounts and nothing of the machines."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import ProgrammingError, transaction

from core.tenancy import tenant_scope
from tenants.allocation.data import OwnAllocation
from tenants.allocation.selectors import own_allocations
from tenants.models import Allocation, AllocationPart, CapacityPool
from tests.cast import Operator, Player
from tests.rest import Caller, path_of
from tests.tenants.allocation.conftest import CPU, GPU, ask, pool

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
POOL = {"name": "host-1", "kind": "cpu_millicores", "capacity": 4000, "oversubscription": "1.5"}


@pytest.fixture
def caller(olivia: Operator) -> Caller:
    return Caller(olivia.token)


def test_pools_are_added_resized_closed_and_removed(caller: Caller) -> None:
    made = caller.post("/capacity/pools", POOL)
    assert made.status_code == 201
    body: dict[str, Any] = made.json()
    assert (body["limit"], body["used"], body["free"], body["oversubscription"]) == (6000, 0, 6000, "1.5")
    assert caller.get("/capacity/pools").json()["data"] == [body]
    assert caller.get(f"/capacity/pools/{body['id']}").json() == body
    changed = caller.put(f"/capacity/pools/{body['id']}", {"capacity": 10, "accepting": False}).json()
    assert (changed["limit"], changed["accepting"]) == (15, False)
    assert caller.post("/capacity/pools", POOL).json()["code"] == "pool_taken"
    assert caller.delete(f"/capacity/pools/{body['id']}").status_code == 204
    assert caller.get(f"/capacity/pools/{body['id']}").json()["code"] == "pool_not_found"
    assert caller.get("/capacity/pools/pool_1").status_code == 404


def test_an_allocation_lives_from_asking_to_release(caller: Caller, acme: Player, globex: Player) -> None:
    caller.post("/capacity/pools", POOL)
    path = path_of(acme.tenant, "/allocations")
    made = caller.post(path, {"request_key": "train", "amounts": {"cpu_millicores": 5000}})
    assert made.status_code == 201
    body = made.json()
    assert (body["state"], body["holdings"][0]["pool"]) == ("HELD", "host-1")
    assert "the only pool" in body["explanation"]
    waiting = caller.post(
        path_of(globex.tenant, "/allocations"), {"request_key": "x", "amounts": {"cpu_millicores": 3000}}
    ).json()
    assert (waiting["state"], waiting["ahead"]) == ("WAITING", 0)
    assert [row["id"] for row in caller.get("/capacity/waiting?region=local").json()["data"]] == [waiting["id"]]
    moved = caller.post(path_of(globex.tenant, f"/allocations/{waiting['id']}/move-up"))
    assert moved.json()["state"] == "WAITING"
    assert caller.post("/capacity/waiting/retry", {"region": "local"}).json() == {"placed": 0}
    resized = caller.put(f"{path}/{body['id']}", {"amounts": {"cpu_millicores": 1000}}).json()
    assert resized["held"]["cpu_millicores"] == 1000
    assert caller.get(path_of(globex.tenant, f"/allocations/{waiting['id']}")).json()["state"] == "HELD"
    assert caller.delete(f"{path}/{body['id']}").status_code == 204
    assert caller.get(path).json()["data"] == []
    assert caller.get(f"{path}/alloc_none").json()["code"] == "allocation_not_found"
    assert caller.put(f"{path}/{body['id']}", {"amounts": {"gpus": 1}}).json()["code"] == "allocation_over"


def test_what_is_wrong_is_told_field_by_field(caller: Caller, acme: Player) -> None:
    path = path_of(acme.tenant, "/allocations")
    assert caller.post(path, {"request_key": "x", "amounts": {}}).json()["code"] == "amounts_not_usable"
    problem = caller.post(path, {"request_key": "", "amounts": {"gpus": -1}}).json()
    assert {error["pointer"] for error in problem["errors"]} == {"#/request_key", "#/amounts/gpus"}


def test_a_key_reads_its_own_amounts_without_hosts_or_reasons_and_changes_nothing(acme: Player, globex: Player) -> None:
    pool(CPU, 100)
    ask(acme.tenant, cpu_millicores=60)
    ask(globex.tenant, cpu_millicores=60)
    caller = Caller(acme.plaintext)
    [row] = caller.get(path_of(acme.tenant, "/allocations")).json()["data"]
    assert (row["state"], row["held"]["cpu_millicores"]) == ("HELD", 60)
    assert set(row) == {
        "id",
        "request_key",
        "region",
        "state",
        "wanted",
        "held",
        "asked_at",
        "waiting_since",
        "placed_at",
    }
    assert caller.get(path_of(globex.tenant, "/allocations")).status_code == 404
    assert caller.post(path_of(acme.tenant, "/allocations"), {}).status_code == 403
    assert caller.get("/capacity/pools").status_code == 403
    assert caller.delete(path_of(acme.tenant, f"/allocations/{row['id']}")).status_code == 403


def test_in_a_tenants_scope_there_are_its_own_rows_and_columns_only(acme: Player, globex: Player) -> None:
    pool(GPU, 1)
    mine, theirs = ask(acme.tenant, gpus=1), ask(globex.tenant, gpus=1)
    with tenant_scope(acme.tenant.ref):
        assert [row.id for row in own_allocations(acme.tenant.id)] == [mine.id]
        assert own_allocations(globex.tenant.id) == []
        assert list(AllocationPart.objects.values_list("allocation_id", flat=True)) == [mine.id]
        assert not Allocation.objects.filter(pk=theirs.pk).values("id").exists()
    for hidden in (
        lambda: list(Allocation.objects.values("reason")),
        lambda: list(AllocationPart.objects.values("pool_id")),
        lambda: list(CapacityPool.objects.values("used")),
        lambda: Allocation.objects.update(priority=9),
        lambda: AllocationPart.objects.filter(tenant_id=acme.tenant.id).delete(),
    ):
        with tenant_scope(acme.tenant.ref), pytest.raises(ProgrammingError), transaction.atomic():
            hidden()
    [row] = own_allocations(globex.tenant.id)
    assert isinstance(row, OwnAllocation)
    assert (row.state, row.id) == ("WAITING", theirs.id)


def test_a_host_is_reserved_for_a_tenant_and_given_back(caller: Caller, acme: Player) -> None:
    made = caller.post("/capacity/pools", POOL).json()
    path, tenant_id = f"/capacity/pools/{made['id']}/reservation", f"ten_{acme.tenant.id}"
    assert made["reserved_for"] is None
    assert caller.put(path, {"tenant_id": tenant_id}).json()["reserved_for"] == tenant_id
    assert caller.put(path, {"tenant_id": "ten_x"}).status_code == 400
    assert Caller(acme.plaintext).put(path, {"tenant_id": None}).status_code == 403
    assert caller.put(path, {"tenant_id": None}).json()["reserved_for"] is None
