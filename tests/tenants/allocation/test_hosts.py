"""Hosts of one's own: who is placed where by isolation level, what moves when it changes, and who waits for whom."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection

from audit.models import AuditEntry
from core.clock import utc_now
from core.lifecycle import Moment, parts_of
from tenants.allocation.allocator import release, resize
from tenants.allocation.ceilings import follow_isolation, follow_profiles
from tenants.allocation.data import AllocationState, amounts_of
from tenants.allocation.errors import PoolInUse, PoolNotFound
from tenants.allocation.hosts import host_standing, reserve_host
from tenants.allocation.lifecycle import follow_tenant
from tenants.allocation.machine import HOST
from tenants.allocation.selectors import holdings_of, wanted_by
from tenants.allocation.slots import worker_slots, worker_slots_here
from tenants.allocation.waiting import drain_all
from tenants.api import (
    IsolationLevel,
    ProfileField,
    Tenant,
    TenantChanged,
    TenantNotFound,
    TenantType,
    override_value,
    set_tenant_type,
)
from tenants.data import ResourceAmounts
from tenants.models import Allocation, CapacityPool, TenantTypeProfile
from tenants.profiles.built_in import BUILT_IN
from tests.cast import TESTER, Player
from tests.tenants.allocation.conftest import CPU, MEMORY, SLOTS, ask, pool, used

pytestmark = pytest.mark.django_db
EVERYBODY_SHARES: str = import_module("tenants.migrations.0017_isolation").EVERYBODY_SHARES
NO_HOST = "Waits, no CPU on a host of its own; reserve a host for it, or give it standard isolation."
HELD, WAITING = AllocationState.HELD, AllocationState.WAITING


def level(tenant: Tenant, value: IsolationLevel = IsolationLevel.DEDICATED) -> None:
    common = {"tenant_id": tenant.id, "acting": TESTER, "now": utc_now()}
    override_value(field=ProfileField.ISOLATION_LEVEL, value=value.value, reason="by contract", **common)


def reserve(name: str, tenant: Tenant | None) -> None:
    reserve_host(region="local", name=name, tenant_id=tenant.id if tenant else None, acting=TESTER, now=utc_now())


def hosts(row: Allocation) -> set[str]:
    return {holding.pool for holding in holdings_of([row]).get(row.pk, {}).values()}


def test_who_has_dedicated_isolation_is_placed_on_hosts_of_its_own_only_and_nobody_else_is(
    acme: Player, globex: Player
) -> None:
    for name in ("a", "b"):
        pool(CPU, 1000, name=name)
    level(acme.tenant)
    waits = ask(acme.tenant, "before", cpu_millicores=100)
    assert (waits.state, waits.reason) == (WAITING, NO_HOST)
    reserve("a", acme.tenant)
    waits.refresh_from_db()
    assert (waits.state, hosts(waits)) == (HELD, {"a"})
    assert hosts(ask(acme.tenant, "after", cpu_millicores=100)) == {"a"}
    assert hosts(ask(globex.tenant, cpu_millicores=900)) == {"b"}
    assert ask(globex.tenant, "more", cpu_millicores=500).state == WAITING
    reserve("b", None)
    assert AuditEntry.objects.filter(action="capacity.reserve_host").count() == 1


def test_everything_may_be_reserved_for_others(acme: Player, globex: Player) -> None:
    pool(CPU, 1000, name="a")
    reserve("a", acme.tenant)
    assert ask(globex.tenant, cpu_millicores=1).reason == "Waits, all CPU is reserved for others."
    level(acme.tenant)
    assert hosts(ask(acme.tenant, cpu_millicores=1)) == {"a"}


def test_who_waits_for_a_host_of_its_own_keeps_nobody_from_those_that_are_shared(acme: Player, globex: Player) -> None:
    cpu = pool(CPU, 1000, name="a")
    level(acme.tenant)
    mine = ask(acme.tenant, priority=9, cpu_millicores=100)
    assert ask(globex.tenant, cpu_millicores=1000).state == HELD
    other = ask(globex.tenant, "second", cpu_millicores=100)
    assert (other.state, used(cpu)) == (WAITING, 1000)
    pool(CPU, 100, name="b")
    for row in (mine, other):
        row.refresh_from_db()
    assert (mine.state, other.state) == (WAITING, HELD)


def test_a_host_on_which_others_hold_something_is_not_reserved(acme: Player, globex: Player) -> None:
    pool(CPU, 1000, name="a")
    ask(globex.tenant, cpu_millicores=1)
    for tenant in (acme.tenant, globex.tenant):
        with pytest.raises(PoolInUse):
            reserve("a", tenant)
    pool(CPU, 1000, name="b")
    reserve("b", acme.tenant)
    level(acme.tenant)
    ask(acme.tenant, cpu_millicores=1)
    with pytest.raises(PoolInUse):
        reserve("b", None)
    with pytest.raises(PoolNotFound):
        reserve("nowhere", acme.tenant)
    with pytest.raises(TenantNotFound):
        reserve_host(region="local", name="a", tenant_id="0" * 26, acting=TESTER, now=utc_now())


def test_a_new_pool_is_reserved_as_its_host_is(acme: Player) -> None:
    pool(CPU, 1000, name="a")
    reserve("a", acme.tenant)
    assert pool(MEMORY, 1000, name="a").reserved_for_id == acme.tenant.id
    assert pool(MEMORY, 1000, name="b").reserved_for_id is None


def test_another_level_moves_what_is_held_and_back(acme: Player) -> None:
    shared = pool(CPU, 1000, name="a")
    pool(CPU, 1000, name="b")
    reserve("b", acme.tenant)
    level(acme.tenant, IsolationLevel.STANDARD)
    first, second = (ask(acme.tenant, key, cpu_millicores=300) for key in ("first", "second"))
    assert hosts(first) == hosts(second) == {"a"}
    level(acme.tenant)
    follow_tenant(TenantChanged(acme.tenant.id, "ACTIVE"))
    assert hosts(first) == hosts(second) == {"b"}
    assert host_standing(acme.tenant.id, now=utc_now()).shared == ()
    assert used(shared) == 0
    assert follow_isolation(acme.tenant.id, now=utc_now()) == 0
    level(acme.tenant, IsolationLevel.STANDARD)
    assert follow_profiles(now=utc_now()) == 1
    assert {row.dedicated for row in Allocation.objects.filter(tenant=acme.tenant)} == {False}


def test_what_finds_no_room_at_the_new_level_waits_and_holds_nothing(acme: Player) -> None:
    cpu = pool(CPU, 1000, name="a")
    row = ask(acme.tenant, cpu_millicores=300)
    level(acme.tenant)
    amounts = amounts_of(wanted_by(row))
    row = resize(tenant_id=acme.tenant.id, allocation_id=row.id, amounts=amounts, acting=TESTER, now=utc_now())
    assert (row.state, used(cpu)) == (WAITING, 0)


def test_who_waits_for_more_and_gets_another_level_gives_back_what_is_in_the_wrong_place(
    acme: Player, globex: Player
) -> None:
    cpu = pool(CPU, 1000, name="a")
    row = ask(acme.tenant, cpu_millicores=300)
    other = ask(globex.tenant, cpu_millicores=600)
    more = ResourceAmounts(cpu_millicores=900)
    row = resize(tenant_id=acme.tenant.id, allocation_id=row.id, amounts=more, acting=TESTER, now=utc_now())
    assert row.state == AllocationState.GROWING
    level(acme.tenant)
    release(tenant_id=globex.tenant.id, allocation_id=other.id, acting=TESTER, now=utc_now())  # before any event
    row.refresh_from_db()
    assert (row.state, row.reason, row.dedicated, used(cpu)) == (WAITING, NO_HOST, True, 0)
    assert follow_isolation(acme.tenant.id, now=utc_now()) == 0
    assert host_standing(acme.tenant.id, now=utc_now()).hosts == ()


def test_what_somebody_has_to_give_back_goes_to_who_waits_in_the_same_round(acme: Player, globex: Player) -> None:
    pool(CPU, 1000, name="a")
    row = ask(acme.tenant, cpu_millicores=900)
    more = ResourceAmounts(cpu_millicores=2000)
    resize(tenant_id=acme.tenant.id, allocation_id=row.id, amounts=more, acting=TESTER, now=utc_now())
    waits = ask(globex.tenant, priority=1, cpu_millicores=1000)
    level(acme.tenant)
    assert drain_all(now=utc_now()) == 1
    assert hosts(waits) == {"a"}


def test_a_host_of_which_a_pool_was_left_out_is_reserved_as_a_whole(acme: Player, globex: Player) -> None:
    pool(CPU, 1000, name="a")
    reserve("a", acme.tenant)
    level(acme.tenant)
    ask(acme.tenant, cpu_millicores=10)
    left_out = pool(MEMORY, 1000, name="a")
    CapacityPool.objects.filter(pk=left_out.pk).update(reserved_for=None)  # by hand, past every rule
    reserve("a", acme.tenant)
    assert set(CapacityPool.objects.values_list("reserved_for_id", flat=True)) == {acme.tenant.id}


def test_an_upgrade_leaves_everybody_where_they_are_unless_somebody_chose_the_level(
    acme: Player, globex: Player
) -> None:
    cpu = pool(CPU, 100_000, name="a")
    follow_profiles(now=utc_now())
    taken = used(cpu)
    rows = TenantTypeProfile.objects
    rows.filter(tenant_type__in=["ENTERPRISE", "GOVERNMENT"]).update(isolation_level="DEDICATED")
    rows.filter(tenant_type="EDUCATIONAL").update(isolation_level="DEDICATED", version=2)
    with connection.cursor() as cursor:
        cursor.execute(EVERYBODY_SHARES)
    chosen = rows.filter(isolation_level="DEDICATED").values_list("tenant_type", flat=True)
    assert list(chosen) == ["EDUCATIONAL"]
    assert (follow_profiles(now=utc_now()), used(cpu)) == (0, taken)


def test_a_new_authority_waits_for_no_host_that_nobody_has(acme: Player) -> None:
    cpu, now = pool(CPU, 100_000, name="a"), utc_now()
    set_tenant_type(tenant_id=acme.tenant.id, tenant_type=TenantType.GOVERNMENT, reason="x", acting=TESTER, now=now)
    follow_tenant(TenantChanged(acme.tenant.id, "ACTIVE"))
    assert used(cpu) == 4_000
    assert all(start[ProfileField.ISOLATION_LEVEL] == IsolationLevel.STANDARD for start in BUILT_IN.values())


def test_on_this_machine_slots_of_other_reserved_hosts_are_worth_nothing_and_its_owner_is_alone(
    acme: Player, globex: Player
) -> None:
    both = {acme.tenant.id, globex.tenant.id}
    for name in (HOST, "rack-7"):
        pool(SLOTS, 10, name=name)
    reserve("rack-7", acme.tenant)
    level(acme.tenant)
    ask(acme.tenant, worker_slots=4)
    ask(globex.tenant, worker_slots=2)
    assert worker_slots(both) == {acme.tenant.id: 4, globex.tenant.id: 2}
    assert worker_slots_here(both) == {acme.tenant.id: 0, globex.tenant.id: 2}
    for held in Allocation.objects.all():
        release(tenant_id=held.tenant_id, allocation_id=held.id, acting=TESTER, now=utc_now())
    reserve("rack-7", None)
    reserve(HOST, acme.tenant)
    ask(acme.tenant, "again", worker_slots=4)
    ask(globex.tenant, "again", worker_slots=2)
    assert worker_slots(both) == {acme.tenant.id: 4, globex.tenant.id: 2}
    assert worker_slots_here(both) == {acme.tenant.id: 4, globex.tenant.id: 0}


def test_the_end_of_a_tenant_gives_its_hosts_to_everybody(acme: Player, globex: Player) -> None:
    pool(CPU, 1000, name="a")
    reserve("a", acme.tenant)
    level(acme.tenant)
    ask(acme.tenant, cpu_millicores=1000)
    waits = ask(globex.tenant, cpu_millicores=10)
    [mine] = [each for each in parts_of(Moment.GONE) if each.name == "capacity"]
    for _twice in range(2):
        mine.run(acme.tenant.id, utc_now())
    waits.refresh_from_db()
    assert waits.state == HELD
    assert CapacityPool.objects.get().reserved_for_id is None
