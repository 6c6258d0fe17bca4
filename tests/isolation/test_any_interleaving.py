"""Three tenants do whatever they do, in any order and all at once: nobody ever sees the mark of somebody else.

A state machine chooses tenants and operations, and how they run: one after another, in threads, in one event loop, or
through the channel layer. The budget here is that of the suite; LUMOS_ISOLATION_STEPS=100000 makes it the long proof.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import connections
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from core.tenancy import clear_scope
from core.tenancy.channels import group_name
from core.tenancy.context import PLATFORM, set_scope
from tenants.api import TenantType
from tests.cast import Player
from tests.isolation.canaries import seen
from tests.isolation.fences import renew_shared_thread
from tests.isolation.operations import OPERATIONS, found_marked, mark

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis", "committed")]
STEPS = int(os.environ.get("LUMOS_ISOLATION_STEPS") or 60)
AT_ONCE, AVERAGE = 20, 5  # steps of one example at most, and about so many as it has
SLUGS = ("acme", "globex", "umbrella")

one_call = st.tuples(st.integers(0, 2), st.sampled_from(sorted(OPERATIONS)))
calls = st.lists(one_call, min_size=2, max_size=6)


def foreign_marks(player: Player, text: str) -> list[str]:
    """Whose marks, other than the player's own, a text shows."""
    return [slug for slug in SLUGS if slug != player.tenant.slug and f"zq{slug}x" in text]


class ThreeTenants(RuleBasedStateMachine):
    players: ClassVar[Sequence[Player]] = ()
    done: ClassVar[int] = 0

    @initialize()
    def begin(self) -> None:
        self.wrong: list[str] = []
        self.pool = ThreadPoolExecutor(3)

    def _do(self, call: tuple[int, str]) -> None:
        player = self.players[call[0]]
        with clear_scope():
            text = OPERATIONS[call[1]](player)
        type(self).done += 1
        self.wrong += [f"{player.tenant.slug} saw {slug}'s in {call[1]}" for slug in foreign_marks(player, text)]

    @rule(call=one_call)
    def alone(self, call: tuple[int, str]) -> None:
        self._do(call)

    @rule(calls=calls)
    def in_threads(self, calls: list[tuple[int, str]]) -> None:
        list(self.pool.map(self._do, calls))

    @rule(calls=calls, sensitive=st.booleans())
    def in_one_loop(self, calls: list[tuple[int, str]], sensitive: bool) -> None:
        async def all_of_them() -> None:
            options: dict[str, Any] = {} if sensitive else {"executor": self.pool}
            call = sync_to_async(self._do, thread_sensitive=sensitive, **options)
            await asyncio.gather(*(call(each) for each in calls))

        asyncio.run(all_of_them())

    @rule(senders=st.lists(st.integers(0, 2), min_size=1, max_size=6))
    def through_channels(self, senders: list[int]) -> None:
        async def everybody_listens() -> None:
            layer: Any = get_channel_layer()
            names = [await layer.new_channel() for _ in self.players]
            for player, name in zip(self.players, names, strict=True):
                await layer.group_add(group_name(player.tenant.id, "news"), name)
            for sender in senders:
                player = self.players[sender]
                await layer.group_send(group_name(player.tenant.id, "news"), {"type": "news", "text": mark(player)})
            for number, name in enumerate(names):
                for _ in range(senders.count(number)):
                    heard = await asyncio.wait_for(layer.receive(name), 10)
                    marks = foreign_marks(self.players[number], str(heard))
                    self.wrong += [f"{number} heard {slug}" for slug in marks]
            for player, name in zip(self.players, names, strict=True):
                await layer.group_discard(group_name(player.tenant.id, "news"), name)
            await layer.close_pools()

        asyncio.run(everybody_listens())

    @invariant()
    def nobody_saw_anybody_else(self) -> None:
        assert getattr(self, "wrong", []) == []

    def teardown(self) -> None:
        for _ in range(12):
            self.pool.submit(connections.close_all)
        self.pool.shutdown()


@pytest.fixture
def three(committed: None, settings: Any) -> Iterator[Sequence[Player]]:
    settings.REST_REQUESTS_PER_MINUTE = 10_000_000
    asyncio.run(renew_shared_thread())
    kinds = (TenantType.ENTERPRISE, TenantType.INDIVIDUAL, TenantType.SMALL_BUSINESS)
    yield [found_marked(slug, kind, f"owner@{slug}.example") for slug, kind in zip(SLUGS, kinds, strict=True)]
    asyncio.run(renew_shared_thread())
    set_scope(PLATFORM)


def test_whatever_happens_in_whatever_order_nobody_sees_a_foreign_mark(three: Sequence[Player]) -> None:
    ThreeTenants.players, ThreeTenants.done = three, 0
    run_state_machine_as_test(
        ThreeTenants,
        settings=settings(
            max_examples=max(1, STEPS // AVERAGE),
            stateful_step_count=AT_ONCE,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert ThreeTenants.done >= STEPS


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_each_operation_shows_the_players_own_mark(three: Sequence[Player], name: str) -> None:
    """Else it could not show anybody else's, and the machine would prove nothing."""
    acme = three[0]
    for each in ("keep_conversation", "remember"):
        OPERATIONS[each](acme)
    text = OPERATIONS[name](acme)
    assert foreign_marks(acme, text) == []
    if name != "ask_for_others":
        assert seen(text, "acme")


def test_a_foreign_mark_is_told(three: Sequence[Player]) -> None:
    assert foreign_marks(three[0], OPERATIONS["list_keys"](three[1])) == ["globex"]
