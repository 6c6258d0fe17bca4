"""Many at once: never more than there is, no unit lost, nothing for two, and everybody who can have it has it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connection, transaction

from core.clock import utc_now
from core.lifecycle import Moment, parts_of
from tenants.allocation.allocator import release, resize
from tenants.allocation.ceilings import follow_isolation
from tenants.allocation.data import AllocationState
from tenants.allocation.errors import AllocationNotFound, AllocationOver
from tenants.allocation.hosts import reserve_host
from tenants.allocation.pools import change_pool
from tenants.allocation.selectors import miscounted_pools
from tenants.allocation.taking import lock_pools
from tenants.allocation.waiting import drain_all
from tenants.data import ResourceAmounts
from tenants.models import Allocation, AllocationPart, CapacityPool
from tests.cast import TESTER, found_acme, found_globex
from tests.children import run_child
from tests.tenants.allocation.conftest import CPU, MEMORY, SLOTS, ask, pool, used
from tests.tenants.allocation.crowd import together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]
HELD, WAITING = AllocationState.HELD, AllocationState.WAITING
CALLERS, EACH, PROCESSES = 10, 25, 4
CROWD = """
from audit.api import SYSTEM
from tenants.allocation.allocator import allocate
from tenants.data import ResourceAmounts
from tests.tenants.allocation.crowd import together

def call(number):
    for turn in range({each}):
        allocate(
            tenant_id="{tenant}", request_key=f"{process}-{{number}}-{{turn}}", acting=SYSTEM, now=utc_now(),
            amounts=ResourceAmounts(cpu_millicores=10 + number % 3, memory_mib=7, worker_slots=1),
        )

together({callers}, call)
"""


def test_a_thousand_from_four_processes_are_never_over_what_there_is_and_lose_nothing() -> None:
    tenant = found_acme().tenant
    for name in ("a", "b"):
        pool(CPU, 2000, name=name, ratio="1.5")
        pool(MEMORY, 10_000, name=name)
    slots = pool(SLOTS, 700, name="a")

    def start(process: int) -> str:
        body = CROWD.format(each=EACH, callers=CALLERS, tenant=tenant.id, process=process)
        ended = run_child(body, seconds=300)
        return ended.stderr if ended.returncode else ""

    with ThreadPoolExecutor(PROCESSES) as crowd:
        assert [error for error in crowd.map(start, range(PROCESSES)) if error] == []
    states = list(Allocation.objects.values_list("state", flat=True))
    assert len(states) == PROCESSES * CALLERS * EACH
    placed = states.count(HELD)
    assert states.count(WAITING) == len(states) - placed
    assert miscounted_pools() == []
    assert all(each.used <= each.limit for each in CapacityPool.objects.all())
    assert AllocationPart.objects.count() == placed * 3  # all kinds of each, or none
    assert used(slots) == placed
    # What waits could not be placed: the smallest request does not fit any more, or nobody waits for its kinds.
    assert drain_all(now=utc_now()) == 0
    assert placed >= 500


def test_of_ten_callers_with_one_name_one_allocation_comes() -> None:
    tenant = found_acme().tenant
    cpu = pool(CPU, 1000)
    rows = together(10, lambda number: ask(tenant, "same", cpu_millicores=100))
    assert len({row.pk for row in rows}) == 1
    assert used(cpu) == 100


def test_while_some_give_back_and_others_ask_everything_ends_up_given_out() -> None:
    tenant, other = found_acme().tenant, found_globex().tenant
    cpu = pool(CPU, 1000)
    held = [ask(tenant, f"held-{number}", cpu_millicores=100) for number in range(10)]

    def call(number: int) -> None:
        if number % 2:
            ask(other, f"new-{number}", cpu_millicores=100)
        else:
            row = held[number // 2]
            release(tenant_id=row.tenant_id, allocation_id=row.pk, acting=TESTER, now=utc_now())

    together(20, call)
    assert used(cpu) == 1000
    assert Allocation.objects.filter(tenant=other, state=HELD).count() == 10


def test_resizes_up_and_down_at_once_keep_the_count_and_starve_nobody() -> None:
    tenant = found_acme().tenant
    cpu = pool(CPU, 1000)
    rows = [ask(tenant, f"row-{number}", cpu_millicores=100) for number in range(10)]

    def call(number: int) -> None:
        row = rows[number % 10]
        for turn in range(4):
            amounts = ResourceAmounts(cpu_millicores=60 + 40 * ((number + turn) % 3))
            resize(tenant_id=tenant.id, allocation_id=row.pk, amounts=amounts, acting=TESTER, now=utc_now())

    together(20, call)
    assert used(cpu) <= 1000
    drain_all(now=utc_now())
    change_pool(pool_id=cpu.pk, capacity=2000, acting=TESTER, now=utc_now())
    assert not Allocation.objects.filter(waiting_since__isnull=False).exists()
    assert used(cpu) == sum(row.cpu_millicores for row in Allocation.objects.all())


def test_the_end_of_a_tenant_and_its_resizes_at_once_never_wait_for_each_other_in_a_circle() -> None:
    tenant = found_acme().tenant
    pool(CPU, 10_000)
    rows = [ask(tenant, f"row-{number}", cpu_millicores=100) for number in range(8)]
    [end] = [part for part in parts_of(Moment.GONE) if part.name == "capacity"]

    def call(number: int) -> None:
        if not number:
            end.run(tenant.id, utc_now())
            return
        for turn in range(8):
            amounts = ResourceAmounts(cpu_millicores=60 + 10 * turn)
            with suppress(AllocationOver, AllocationNotFound):
                row = rows[(number + turn) % len(rows)]
                resize(tenant_id=tenant.id, allocation_id=row.pk, amounts=amounts, acting=TESTER, now=utc_now())

    together(5, call)
    assert not Allocation.objects.exists()
    assert CapacityPool.objects.get().used == 0


def test_a_move_in_several_regions_takes_pools_in_their_order_and_not_in_that_of_its_rows() -> None:
    tenant = found_acme().tenant
    for region in ("y", "x"):  # the order of their ids
        pool(CPU, 1000, region=region)
    for region in ("x", "y"):
        ask(tenant, region, region=region, cpu_millicores=100)
    Allocation.objects.update(dedicated=True)  # as if the tenant had been dedicated until now
    began = threading.Event()

    def call(number: int) -> int:
        if number:
            assert began.wait(60)
            return follow_isolation(tenant.id, now=utc_now())
        with transaction.atomic():
            lock_pools("y")
            began.set()
            _until_somebody_waits_for_a_lock()
            return len(lock_pools("x"))

    assert together(2, call) == [1, 2]
    assert miscounted_pools() == []
    assert set(Allocation.objects.values_list("dedicated", flat=True)) == {False}


@pytest.mark.parametrize("first", ["reserve", "add"])
def test_a_pool_that_comes_while_its_host_is_reserved_is_reserved_too(first: str) -> None:
    tenant = found_acme().tenant
    pool(CPU, 1000, name="a")

    def reserve() -> None:
        reserve_host(region="local", name="a", tenant_id=tenant.id, acting=TESTER, now=utc_now())

    def add() -> None:
        pool(MEMORY, 1000, name="a")

    one, other = (reserve, add) if first == "reserve" else (add, reserve)
    began = threading.Event()

    def call(number: int) -> None:
        if number:
            assert began.wait(60)
            other()
            return
        with transaction.atomic():
            one()
            began.set()
            _until_somebody_waits_for_a_lock()

    together(2, call)
    assert list(CapacityPool.objects.values_list("reserved_for_id", flat=True)) == [tenant.id] * 2


def _until_somebody_waits_for_a_lock() -> None:
    with connection.cursor() as cursor:
        for _turn in range(600):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits")
