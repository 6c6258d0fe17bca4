"""Giving out, waiting, growing, giving back: one caller at a time."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from audit.models import AuditEntry
from core.clock import utc_now
from core.errors import InvalidInput
from tenants.allocation.allocator import ResourceAllocator, release, resize
from tenants.allocation.data import AllocationState
from tenants.allocation.errors import (
    AllocationNotFound,
    AllocationOver,
    AmountsNotUsable,
    PoolInUse,
    PoolTaken,
    RequestKeyTaken,
)
from tenants.allocation.pools import change_pool, remove_pool
from tenants.allocation.waiting import drain_all, move_up, retry_waiting
from tenants.data import ResourceAmounts
from tenants.errors import WrongStatus
from tenants.models import Allocation, CapacityPool, Tenant
from tests.cast import TESTER, Player
from tests.tenants.allocation.conftest import CPU, GPU, MEMORY, SLOTS, ask, pool, used

pytestmark = pytest.mark.django_db
WAITING, HELD, GROWING, RELEASED = AllocationState


def give_back(row: Allocation) -> Allocation:
    return release(tenant_id=row.tenant_id, allocation_id=row.id, acting=TESTER, now=utc_now())


def change(row: Allocation, **amounts: int) -> Allocation:
    return resize(
        tenant_id=row.tenant_id, allocation_id=row.id, amounts=ResourceAmounts(**amounts), acting=TESTER, now=utc_now()
    )


def state(row: Allocation) -> str:
    return Allocation.objects.get(pk=row.pk).state


def test_all_kinds_are_taken_and_told(acme: Player) -> None:
    cpu, memory = pool(CPU, 4000), pool(MEMORY, 8192)
    row = ask(acme.tenant, cpu_millicores=1500, memory_mib=1024)
    assert (row.state, used(cpu), used(memory)) == (HELD, 1500, 1024)
    facts = ResourceAllocator.explain(tenant_id=acme.tenant.id, allocation_id=row.id)
    assert facts.held == facts.wanted == ResourceAmounts(cpu_millicores=1500, memory_mib=1024)
    assert facts.sentence == (
        "CPU from main, the only pool (1,500 of 4,000 millicores in use); "
        "memory from main, the only pool (1,024 of 8,192 MiB in use)."
    )
    entry = AuditEntry.objects.get(action="capacity.allocate")
    assert (entry.tenant_id, entry.after) == (acme.tenant.id, {"cpu_millicores": 1500, "memory_mib": 1024})


def test_asking_again_under_the_same_name_changes_nothing_and_something_else_is_a_conflict(acme: Player) -> None:
    cpu = pool(CPU, 4000)
    first = ask(acme.tenant, cpu_millicores=1500)
    assert ask(acme.tenant, cpu_millicores=1500).pk == first.pk
    assert used(cpu) == 1500
    with pytest.raises(RequestKeyTaken):
        ask(acme.tenant, cpu_millicores=1600)
    give_back(first)
    assert ask(acme.tenant, cpu_millicores=1600).pk != first.pk
    assert used(cpu) == 1600


def test_all_kinds_or_none_also_when_one_only_is_short(acme: Player) -> None:
    cpu, gpu = pool(CPU, 4000), pool(GPU, 1)
    row = ask(acme.tenant, cpu_millicores=1000, gpus=2)
    assert (row.state, used(cpu), used(gpu)) == (WAITING, 0, 0)
    assert row.reason == "Waits, too little GPUs: main is 1 short."


def test_a_kind_without_a_pool_is_not_rationed(acme: Player) -> None:
    cpu = pool(CPU, 4000)
    row = ask(acme.tenant, cpu_millicores=1000, gpus=2)
    assert (row.state, used(cpu)) == (HELD, 1000)
    assert row.reason.endswith("; not rationed here: GPUs.")
    nowhere = ask(acme.tenant, "elsewhere", region="moon", gpus=2)
    assert (nowhere.state, nowhere.reason) == (HELD, "Nothing of it is rationed in this region.")


def test_who_was_given_what_nobody_counted_gets_it_from_the_first_pool_of_it(acme: Player, globex: Player) -> None:
    pool(CPU, 4000)
    first = ask(acme.tenant, cpu_millicores=1000, gpus=2)
    second = ask(globex.tenant, gpus=2)
    gpu = pool(GPU, 3)
    assert (state(first), state(second), used(gpu)) == (HELD, WAITING, 2)
    change_pool(pool_id=gpu.pk, capacity=4, acting=TESTER, now=utc_now())
    assert (state(second), used(gpu)) == (HELD, 4)


def test_the_host_with_room_for_all_is_preferred_and_the_others_are_told_why(acme: Player) -> None:
    pool(CPU, 2000, name="host-a")
    pool(CPU, 9000, name="host-b")
    pool(MEMORY, 4096, name="host-c")
    pool(MEMORY, 4096, name="host-a")
    row = ask(acme.tenant, cpu_millicores=2000, memory_mib=1000)
    assert row.reason == (
        "CPU from host-a, the best fit (2,000 of 2,000 millicores in use; passed over: "
        "host-b has no room for the rest); "
        "memory from host-a, the best fit (1,000 of 4,096 MiB in use; passed over: host-c has no room for the rest)."
    )


def test_oversubscription_is_given_out_to_the_last_unit_and_not_beyond(acme: Player, globex: Player) -> None:
    cpu = pool(CPU, 3, ratio="1.5")
    assert ask(acme.tenant, cpu_millicores=4).state == HELD
    assert ask(globex.tenant, cpu_millicores=1).state == WAITING
    assert (used(cpu), CapacityPool.objects.get().limit) == (4, 4)


def test_the_table_itself_refuses_more_than_there_is(acme: Player) -> None:
    cpu = pool(CPU, 3, ratio="1.5")
    with pytest.raises(IntegrityError, match="pool_never_over_capacity"), transaction.atomic():
        CapacityPool.objects.filter(pk=cpu.pk).update(used=5)


def test_what_is_released_goes_to_who_waits_longest_unless_somebody_is_more_important(
    acme: Player, globex: Player
) -> None:
    cpu = pool(CPU, 1000)
    holder = ask(acme.tenant, "holder", cpu_millicores=1000)
    first = ask(globex.tenant, "first", cpu_millicores=600)
    second = ask(globex.tenant, "second", cpu_millicores=400)
    urgent = ask(acme.tenant, "urgent", cpu_millicores=500, priority=5)
    assert second.reason == "Waits behind others for CPU."
    give_back(holder)
    assert [state(row) for row in (urgent, first, second)] == [HELD, WAITING, WAITING]
    assert used(cpu) == 500
    give_back(urgent)
    assert [state(row) for row in (first, second)] == [HELD, HELD]
    assert AuditEntry.objects.filter(action="capacity.place").count() == 3


def test_a_newcomer_passes_those_who_wait_for_something_else_and_no_others(acme: Player, globex: Player) -> None:
    pool(CPU, 1000)
    pool(GPU, 1)
    blocked = ask(acme.tenant, cpu_millicores=500, gpus=2)
    assert ask(globex.tenant, "cpu", cpu_millicores=700).state == HELD
    behind = ask(globex.tenant, "gpu", gpus=1)
    assert (behind.state, behind.reason) == (WAITING, "Waits behind others for GPUs.")
    give_back(blocked)
    assert state(behind) == HELD


def test_growing_waits_with_what_is_held_and_shrinking_is_at_once(acme: Player, globex: Player) -> None:
    cpu, memory = pool(CPU, 1000), pool(MEMORY, 1000)
    row = ask(acme.tenant, cpu_millicores=400, memory_mib=800)
    other = ask(globex.tenant, cpu_millicores=500)
    row = change(row, cpu_millicores=600, memory_mib=300)
    assert (row.state, used(cpu), used(memory)) == (GROWING, 900, 300)
    assert row.reason == "Waits, too little CPU: main is 100 millicores short."
    change(other, cpu_millicores=400)
    assert (state(row), used(cpu)) == (HELD, 1000)
    row = change(row, memory_mib=300)
    assert (row.state, used(cpu), used(memory)) == (HELD, 400, 300)


def test_who_gives_up_waiting_for_more_lets_the_next_one_pass(acme: Player, globex: Player) -> None:
    cpu = pool(CPU, 1000)
    row = ask(acme.tenant, cpu_millicores=400)
    row = change(row, cpu_millicores=2000)
    small = ask(globex.tenant, cpu_millicores=100)
    assert (row.state, small.state) == (GROWING, WAITING)
    row = change(row, cpu_millicores=400)
    assert (row.state, state(small), used(cpu)) == (HELD, HELD, 500)


def test_what_outgrows_its_host_moves_as_a_whole(acme: Player) -> None:
    small, large = pool(CPU, 1000, name="a"), pool(CPU, 3000, name="b")
    change_pool(pool_id=large.pk, accepting=False, acting=TESTER, now=utc_now())
    row = ask(acme.tenant, cpu_millicores=900)
    assert (used(small), used(large)) == (900, 0)
    assert change(row, cpu_millicores=2000).state == GROWING
    change_pool(pool_id=large.pk, accepting=True, acting=TESTER, now=utc_now())
    assert (used(small), used(large), state(row)) == (0, 2000, HELD)


def test_releasing_twice_gives_back_once_and_what_is_released_cannot_be_resized(acme: Player) -> None:
    cpu = pool(CPU, 1000)
    row = ask(acme.tenant, cpu_millicores=400)
    ask(acme.tenant, "other", cpu_millicores=100)
    give_back(row)
    assert (give_back(row).state, used(cpu)) == (RELEASED, 100)
    with pytest.raises(AllocationOver):
        change(row, cpu_millicores=1)


def test_moving_up_beside_the_highest_priority_is_that_priority(acme: Player, globex: Player) -> None:
    pool(CPU, 1)
    ask(acme.tenant, cpu_millicores=5, priority=2**31 - 1)
    second = ask(globex.tenant, cpu_millicores=5)
    move_up(tenant_id=second.tenant_id, allocation_id=second.pk, acting=TESTER, now=utc_now())
    second.refresh_from_db()
    assert second.priority == 2**31 - 1


def test_moving_up_puts_in_front_and_retrying_finds_what_came_free(acme: Player, globex: Player) -> None:
    cpu = pool(CPU, 100)
    first = ask(acme.tenant, cpu_millicores=500)
    second = ask(globex.tenant, cpu_millicores=100)
    assert state(second) == WAITING
    move_up(tenant_id=second.tenant_id, allocation_id=second.pk, acting=TESTER, now=utc_now())
    assert (state(first), state(second)) == (WAITING, HELD)
    with pytest.raises(AllocationOver):
        move_up(tenant_id=second.tenant_id, allocation_id=second.pk, acting=TESTER, now=utc_now())
    CapacityPool.objects.filter(pk=cpu.pk).update(capacity=600)
    assert retry_waiting(region="local", acting=TESTER, now=utc_now()) == 1
    assert drain_all(now=utc_now()) == 0
    assert state(first) == HELD


def test_the_round_of_upkeep_places_what_nobody_else_did(acme: Player) -> None:
    cpu = pool(CPU, 100)
    row = ask(acme.tenant, cpu_millicores=500)
    CapacityPool.objects.filter(pk=cpu.pk).update(capacity=500)
    assert drain_all(now=utc_now()) == 1
    assert state(row) == HELD


def test_a_pool_is_never_smaller_than_what_was_given_out_of_it(acme: Player) -> None:
    cpu = pool(CPU, 1000)
    row = ask(acme.tenant, cpu_millicores=400)
    for smaller in ({"capacity": 399}, {"oversubscription": cpu.oversubscription / 4}):
        with pytest.raises(PoolInUse):
            change_pool(pool_id=cpu.pk, acting=TESTER, now=utc_now(), **smaller)
    with pytest.raises(PoolInUse):
        remove_pool(pool_id=cpu.pk, acting=TESTER, now=utc_now())
    assert change_pool(pool_id=cpu.pk, capacity=400, acting=TESTER, now=utc_now()).capacity == 400
    give_back(row)
    remove_pool(pool_id=cpu.pk, acting=TESTER, now=utc_now())
    assert not CapacityPool.objects.exists()


def test_pools_that_cannot_be_are_refused_field_by_field(acme: Player) -> None:
    pool(CPU, 1)
    with pytest.raises(PoolTaken):
        pool(CPU, 2)
    with pytest.raises(InvalidInput) as refused:
        pool(CPU, -1, name="a b", ratio="0.001")
    assert set(refused.value.fields) == {"name", "capacity", "oversubscription"}
    with pytest.raises(InvalidInput):
        pool(CPU, 1, name="x", ratio="1.234")


@pytest.mark.parametrize("amounts", [{}, {"gpus": -1}, {"gpus": 10**12 + 1}])
def test_amounts_are_whole_and_above_nothing(acme: Player, amounts: dict[str, int]) -> None:
    with pytest.raises(AmountsNotUsable):
        ask(acme.tenant, **amounts)


def test_a_name_is_needed_and_nobody_elses_allocation_is_reached(acme: Player, globex: Player) -> None:
    with pytest.raises(InvalidInput):
        ask(acme.tenant, " ", gpus=1)
    row = ask(acme.tenant, gpus=1)
    for call in (
        lambda: release(tenant_id=globex.tenant.id, allocation_id=row.id, acting=TESTER, now=utc_now()),
        lambda: ResourceAllocator.explain(tenant_id=globex.tenant.id, allocation_id=row.id),
        lambda: move_up(tenant_id=globex.tenant.id, allocation_id=row.id, acting=TESTER, now=utc_now()),
    ):
        with pytest.raises(AllocationNotFound):
            call()
    assert state(row) == HELD


def test_who_is_being_deleted_gets_nothing(acme: Player) -> None:
    Tenant.objects.filter(pk=acme.tenant.pk).update(status="DELETING")
    with pytest.raises(WrongStatus):
        ask(acme.tenant, gpus=1)


def test_the_place_in_the_list_is_told(acme: Player, globex: Player) -> None:
    pool(SLOTS, 1)
    ask(acme.tenant, worker_slots=2)
    row = ask(globex.tenant, worker_slots=1)
    assert ResourceAllocator.explain(tenant_id=globex.tenant.id, allocation_id=row.id).ahead == 1
