"""The rule of placement, case by case and by property; no database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tenants.allocation.data import Holding, PoolFacts, ResourceKind, amounts_of, by_kind
from tenants.allocation.placement import place, queued

CPU, MEMORY, STORAGE, GPU, SLOTS = ResourceKind


def host(name: str, kind: ResourceKind = CPU, limit: int = 10, used: int = 0, **more: Any) -> PoolFacts:
    return PoolFacts(f"{name}-{kind}", "local", name, kind, limit, Decimal(1), used, **more)


def chosen(placement: Any) -> dict[ResourceKind, str]:
    return {choice.kind: choice.pool.name for choice in placement.choices}


def test_the_least_full_of_equal_hosts_is_taken_and_of_equally_full_ones_the_first() -> None:
    assert chosen(place({CPU: 1}, [host("a", used=5), host("b", used=4)])) == {CPU: "b"}
    placed = place({CPU: 1}, [host("b"), host("a")])
    assert chosen(placed) == {CPU: "a"}
    assert "b is as good, and later in the alphabet" in placed.sentence
    assert "a would be fuller" in place({CPU: 1}, [host("a", used=5), host("b")]).sentence


def test_fullness_is_a_share_and_not_a_number() -> None:
    assert chosen(place({CPU: 1}, [host("small", limit=10, used=2), host("large", limit=100, used=25)])) == {
        CPU: "large"
    }


def test_one_host_with_room_for_everything_beats_two_emptier_ones() -> None:
    pools = [host("a"), host("b", MEMORY), host("c", used=8), host("c", MEMORY, used=8)]
    assert chosen(place({CPU: 1, MEMORY: 1}, pools)) == {CPU: "c", MEMORY: "c"}


def test_what_is_held_stays_where_it_fits_and_else_moves_whole() -> None:
    mine = {CPU: Holding(CPU, f"a-{CPU}", "a", 4)}
    stays = place({CPU: 6}, [host("a", used=8), host("b")], mine)
    assert [(c.pool.name, c.amount, c.more) for c in stays.choices] == [("a", 6, 2)]
    assert stays.sentence == (
        "CPU from a, where it is already (10 of 10 millicores in use; passed over: b would mean to move)."
    )
    moves = place({CPU: 7}, [host("a", used=8), host("b")], mine)
    assert [(c.pool.name, c.amount, c.more) for c in moves.choices] == [("b", 7, 7)]
    assert "a is 1 millicores short" in moves.sentence


def test_a_closed_pool_keeps_what_is_in_it_and_takes_nothing_new() -> None:
    mine = {CPU: Holding(CPU, f"a-{CPU}", "a", 4)}
    closed = [host("a", used=4, accepting=False)]
    assert place({CPU: 3}, closed, mine).fits
    assert place({CPU: 5}, closed, mine).sentence == "Waits, too little CPU: a takes nothing new."


def test_amounts_go_to_kinds_and_back_without_the_empty_ones() -> None:
    amounts = amounts_of({GPU: 2, SLOTS: 1})
    assert (by_kind(amounts), amounts.storage_mib) == ({GPU: 2, SLOTS: 1}, 0)


def test_only_kinds_that_somebody_in_front_waits_for_keep_back() -> None:
    assert queued([CPU], [{GPU}, {MEMORY}]) is None
    behind = queued([CPU, GPU], [{GPU}, {MEMORY}])
    assert behind is not None
    assert (behind.fits, behind.short, behind.sentence) == (False, (GPU,), "Waits behind others for GPUs.")


kinds = st.sampled_from([CPU, MEMORY, GPU])
pools = st.lists(
    st.builds(
        lambda name, kind, limit, share, accepting: host(
            name, kind, limit, used=limit * share // 100, accepting=accepting
        ),
        st.sampled_from("abc"),
        kinds,
        st.integers(0, 50),
        st.integers(0, 100),
        st.booleans(),
    ),
    max_size=9,
    unique_by=lambda pool: pool.id,
)
wishes = st.dictionaries(kinds, st.integers(1, 30), min_size=1)


@given(wishes, pools, st.data())
def test_all_or_none_and_never_beyond_a_limit(
    wanted: dict[ResourceKind, int], there: list[PoolFacts], data: st.DataObject
) -> None:
    held = {}
    for pool in there:
        if pool.used and pool.kind not in held and data.draw(st.booleans()):
            held[pool.kind] = Holding(pool.kind, pool.id, pool.name, data.draw(st.integers(1, pool.used)))
    placed = place(wanted, there, held)
    rationed = {pool.kind for pool in there}
    assert {choice.kind for choice in placed.choices} == (set(wanted) & rationed if placed.fits else set())
    for choice in placed.choices:
        mine = held.get(choice.kind)
        assert choice.amount == wanted[choice.kind]
        assert choice.more == choice.amount - (mine.amount if mine and mine.pool_id == choice.pool.id else 0)
        assert choice.more <= 0 or (choice.pool.accepting and choice.pool.used + choice.more <= choice.pool.limit)
    for kind in placed.short:
        assert all(
            pool.free < wanted[kind] or not pool.accepting
            for pool in there
            if pool.kind is kind and (kind not in held or held[kind].pool_id != pool.id)
        )
    assert placed.sentence.endswith(".")
    assert placed.sentence[0].isupper()


@given(wishes, pools)
def test_the_order_of_the_pools_changes_nothing(wanted: dict[ResourceKind, int], there: list[PoolFacts]) -> None:
    assert chosen(place(wanted, there)) == chosen(place(wanted, there[::-1]))
