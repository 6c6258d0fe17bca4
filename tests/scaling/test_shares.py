"""How a tenant's ceiling is divided among its workers: never more than the whole, and nobody starves on a part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scaling.conf import MEBIBYTE
from scaling.data import WorkerLimits, WorkerShare
from scaling.shares import LEAST_MEMORY, share_of
from tenants.api import ResourceAmounts

amounts = st.one_of(st.just(0), st.integers(1, 40), st.integers(1, 2_000_000_000))
ceilings = st.builds(
    ResourceAmounts,
    cpu_millicores=amounts,
    memory_mib=amounts,
    storage_mib=amounts,
    gpus=st.integers(0, 8),
    worker_slots=st.integers(0, 200),
)


@given(ceilings, st.integers(1, 100))
def test_all_workers_together_take_no_more_than_the_whole(ceiling: ResourceAmounts, most: int) -> None:
    share = share_of(ceiling, most=most)
    assert 0 <= share.workers <= (ceiling.worker_slots or most)
    if ceiling.memory_mib:
        assert share.workers * share.limits.memory_bytes <= ceiling.memory_mib * MEBIBYTE
    if ceiling.cpu_millicores:
        assert share.workers * share.limits.cpu_millicores <= ceiling.cpu_millicores
    if ceiling.storage_mib:
        assert share.workers * share.storage_mib <= ceiling.storage_mib


@given(ceilings, st.integers(1, 100))
def test_each_that_runs_can_live_on_its_part_and_what_is_not_limited_is_not_divided(
    ceiling: ResourceAmounts, most: int
) -> None:
    share = share_of(ceiling, most=most)
    assert bool(share.limits.memory_bytes) == bool(ceiling.memory_mib)
    assert bool(share.limits.cpu_millicores) == bool(ceiling.cpu_millicores)
    assert bool(share.storage_mib) == bool(ceiling.storage_mib)
    if share.workers and ceiling.memory_mib:
        assert share.limits.memory_bytes >= LEAST_MEMORY * MEBIBYTE


@given(ceilings, st.integers(1, 100))
def test_one_more_would_not_fit(ceiling: ResourceAmounts, most: int) -> None:
    more = share_of(ceiling, most=most).workers + 1
    too_many = more > (ceiling.worker_slots or most)
    too_little = 0 < ceiling.memory_mib < more * LEAST_MEMORY or any(
        0 < amount < more for amount in (ceiling.cpu_millicores, ceiling.storage_mib)
    )
    assert too_many or too_little


def test_equal_parts_by_worker_slots() -> None:
    ceiling = ResourceAmounts(cpu_millicores=2000, memory_mib=4096, storage_mib=8192, worker_slots=4)
    assert share_of(ceiling, most=9) == WorkerShare(4, WorkerLimits(1024 * MEBIBYTE, 500), 2048)


def test_more_slots_than_memory_carries_are_fewer_workers() -> None:
    share = share_of(ResourceAmounts(memory_mib=1024, worker_slots=16), most=16)
    assert share == WorkerShare(5, WorkerLimits(204 * MEBIBYTE, 0))


def test_without_a_ceiling_there_are_as_many_as_the_profile_lets_a_policy_ask_for_and_nothing_holds_them() -> None:
    assert share_of(ResourceAmounts(), most=7) == WorkerShare(7, WorkerLimits())


def test_a_ceiling_that_carries_no_worker_runs_none() -> None:
    assert share_of(ResourceAmounts(memory_mib=64, worker_slots=8), most=8).workers == 0
