"""What the profile grants is allocated at birth, follows the profile, and goes with the tenant."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.clock import utc_now
from core.lifecycle import Moment, parts_of
from tenants.allocation import machine
from tenants.allocation.allocator import CEILING, release, resize
from tenants.allocation.ceilings import follow_ceiling, follow_profiles
from tenants.allocation.data import AllocationState, by_kind
from tenants.allocation.errors import FollowsProfile
from tenants.allocation.lifecycle import follow_tenant
from tenants.allocation.machine import seed_pools
from tenants.allocation.slots import granted_amounts, worker_slots
from tenants.api import (
    ProfileField,
    TenantChanged,
    TenantType,
    effective_profile,
    effective_profiles,
    override_value,
    set_tenant_type,
)
from tenants.data import ResourceAmounts
from tenants.models import Allocation, CapacityPool
from tenants.tasks import tend_capacity
from tests.cast import TESTER, Player
from tests.tenants.allocation.conftest import CPU, GPU, MEMORY, SLOTS, ask, pool, used

pytestmark = pytest.mark.django_db


def part(moment: Moment, tenant_id: str) -> str:
    [mine] = [each for each in parts_of(moment) if each.name == "capacity"]
    return mine.run(tenant_id, utc_now())


def ceiling(player: Player) -> Allocation:
    return Allocation.objects.get(tenant=player.tenant, request_key=CEILING)


def test_a_new_tenant_gets_what_its_profile_grants_once(acme: Player) -> None:
    cpu = pool(CPU, 100_000)
    said = part(Moment.BORN, acme.tenant.id)
    assert said.startswith("CPU from main, the only pool (8,000 of 100,000 millicores in use); not rationed here: ")
    assert part(Moment.BORN, acme.tenant.id) == said
    assert used(cpu) == effective_profile(acme.tenant.id, now=utc_now()).ceiling.cpu_millicores == 8_000


def test_a_tenant_that_has_to_wait_is_born_all_the_same(acme: Player) -> None:
    pool(CPU, 100)
    assert part(Moment.BORN, acme.tenant.id).startswith("Waits, too little CPU")
    assert ceiling(acme).state == AllocationState.WAITING


def test_an_end_gives_everything_to_those_who_wait_and_leaves_no_row(acme: Player, globex: Player) -> None:
    gpu = pool(GPU, 2)
    ask(acme.tenant, "a", gpus=1)
    ask(acme.tenant, "b", gpus=1)
    waiting = ask(globex.tenant, gpus=2)
    assert part(Moment.GONE, acme.tenant.id) == "2 allocations were released"
    assert part(Moment.GONE, acme.tenant.id) == "0 allocations were released"
    assert not Allocation.objects.filter(tenant=acme.tenant).exists()
    waiting.refresh_from_db()
    assert (waiting.state, used(gpu)) == (AllocationState.HELD, 2)


def test_stopping_keeps_what_is_held() -> None:
    assert "capacity" not in {each.name for each in parts_of(Moment.STOPPED)}


def test_another_type_or_override_changes_the_ceiling(acme: Player) -> None:
    cpu, now = pool(CPU, 100_000), utc_now()
    follow_ceiling(acme.tenant.id, now=now)
    set_tenant_type(tenant_id=acme.tenant.id, tenant_type=TenantType.INDIVIDUAL, reason="x", acting=TESTER, now=now)
    follow_tenant(TenantChanged(acme.tenant.id, "ACTIVE"))
    assert used(cpu) == 500
    override_value(
        tenant_id=acme.tenant.id,
        field=ProfileField.CPU_MILLICORES,
        value=1_234,
        reason="a promise",
        acting=TESTER,
        now=now,
    )
    assert follow_profiles(now=utc_now()) == 1
    assert used(cpu) == 1_234
    assert follow_profiles(now=utc_now()) == 0


def test_the_ceiling_is_changed_by_the_profile_and_by_nobody_else(acme: Player) -> None:
    row = follow_ceiling(acme.tenant.id, now=utc_now())
    assert row is not None
    with pytest.raises(FollowsProfile):
        resize(
            tenant_id=acme.tenant.id,
            allocation_id=row.id,
            amounts=ResourceAmounts(gpus=1),
            acting=TESTER,
            now=utc_now(),
        )


def test_what_an_operator_released_stays_released(acme: Player) -> None:
    row = follow_ceiling(acme.tenant.id, now=utc_now())
    assert row is not None
    release(tenant_id=acme.tenant.id, allocation_id=row.id, acting=TESTER, now=utc_now())
    assert follow_ceiling(acme.tenant.id, now=utc_now()) is None
    assert follow_profiles(now=utc_now()) == 0


def test_the_beat_gives_older_tenants_theirs_and_suspended_ones_nothing(acme: Player, initech: Player) -> None:
    cpu = pool(CPU, 100_000)
    assert tend_capacity() == 0
    assert used(cpu) == 8_000
    assert not Allocation.objects.filter(tenant=initech.tenant).exists()


def test_the_beat_tells_of_a_pool_that_somebody_wrote_by_hand(acme: Player, capsys: pytest.CaptureFixture[str]) -> None:
    cpu = pool(CPU, 100_000)
    CapacityPool.objects.filter(pk=cpu.pk).update(used=7)
    tend_capacity()
    assert "tenants.allocation.miscounted" in capsys.readouterr().out


def test_slots_bind_where_they_are_rationed_and_only_who_was_given_some(acme: Player, globex: Player) -> None:
    everybody = [acme.tenant.id, globex.tenant.id]
    ask(acme.tenant, "before", worker_slots=3)
    assert worker_slots(everybody) == {}
    pool(SLOTS, 10)
    assert worker_slots(everybody) == {acme.tenant.id: 3}
    ask(acme.tenant, "more", worker_slots=2)
    ask(globex.tenant, worker_slots=20)
    assert worker_slots(everybody) == {acme.tenant.id: 5, globex.tenant.id: 0}


def test_what_was_allocated_beyond_the_profile_counts_for_workers_as_far_as_it_is_there(
    acme: Player, globex: Player
) -> None:
    pool(SLOTS, 100)
    pool(MEMORY, 20_000)
    for number, field in enumerate((ProfileField.CPU_MILLICORES, ProfileField.WORKER_SLOTS)):
        common = {"tenant_id": acme.tenant.id, "reason": "x", "acting": TESTER, "now": utc_now()}
        override_value(field=field, value=number * 4, **common)
    row = ask(acme.tenant, "more", worker_slots=3, memory_mib=1_000, cpu_millicores=50, gpus=2)
    ask(globex.tenant, "more", memory_mib=90_000)
    released = ask(globex.tenant, "over", worker_slots=9)
    release(tenant_id=globex.tenant.id, allocation_id=released.id, acting=TESTER, now=utc_now())
    both = {player.tenant.id for player in (acme, globex)}

    def granted() -> ResourceAmounts:
        profiles = effective_profiles(both, now=utc_now())
        found = granted_amounts(profiles)
        assert found[globex.tenant.id] == profiles[globex.tenant.id].ceiling
        return found[acme.tenant.id]

    mine = granted()
    assert (mine.worker_slots, mine.memory_mib, mine.gpus) == (4 + 3, 8_192 + 1_000, 2)
    assert mine.cpu_millicores == 0  # the profile does not limit it, and more of that is no limit
    amounts = ResourceAmounts(worker_slots=500, memory_mib=1_000)
    resize(tenant_id=acme.tenant.id, allocation_id=row.id, amounts=amounts, acting=TESTER, now=utc_now())
    assert granted().worker_slots == 4 + 3


def test_a_new_installation_gives_out_its_machine_ten_times_and_gpus_once(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    amounts = {**machine.machine_amounts(), GPU: 2}
    monkeypatch.setattr(machine, "machine_amounts", lambda: amounts)
    assert amounts[CPU] >= 1000
    assert seed_pools(acting=TESTER, now=utc_now()) == len(amounts)
    assert seed_pools(acting=TESTER, now=utc_now()) == 0
    rows = {row.kind: row for row in CapacityPool.objects.all()}
    assert (rows[MEMORY].capacity, rows[MEMORY].oversubscription) == (amounts[MEMORY], Decimal(10))
    assert rows[GPU].oversubscription == 1


def test_a_machine_without_gpus_has_no_pool_of_them() -> None:
    assert all(machine.machine_amounts().values())
    assert by_kind(ResourceAmounts()) == {}
