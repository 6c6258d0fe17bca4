"""What is served while counters cannot be asked: by failure policy, within a lease, and booked afterwards."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.redis import key
from proxy.errors import NotReady
from proxy.gcra import SECOND
from proxy.leases import LASTS, Leases
from proxy.pipeline import authenticate, reserve, route, run
from proxy.records import TenantRecord, tenant_name
from quotas.api import Dimension, EngineKeys, Limit
from tests.proxy.walks import exchange_for, port_of, running
from tests.proxy.world import World, limits_of, sheet

RATE, MONEY, TOKENS = Dimension.REQUESTS_PER_MINUTE, Dimension.MONEY_PER_MONTH, Dimension.TOKENS_PER_MONTH


def ask(leases: Leases, *limits: Limit, tokens: int = 1, micro: int = 1, now: int = SECOND, **key: Any) -> bool:
    return leases.admit("acme", limits, tokens=tokens, micro=micro, now=now, **key)


class TestLease:
    def test_a_tenth_of_the_rate_passes(self) -> None:
        leases = Leases()
        assert [ask(leases, Limit(RATE, 30)) for _ in range(4)] == [True, True, True, False]
        assert ask(leases, Limit(RATE, 30), now=SECOND * 60)

    def test_whatever_is_allowed_at_all_has_one_and_nothing_has_none(self) -> None:
        assert ask(Leases(), Limit(RATE, 1))
        assert not ask(Leases(), Limit(RATE, 0))
        assert not ask(Leases(), Limit(MONEY, 0))

    def test_a_hundredth_of_the_months_money_and_tokens_passes_and_a_refusal_takes_nothing(self) -> None:
        leases = Leases()
        limits = (Limit(MONEY, 1000), Limit(TOKENS, 10_000))
        assert not ask(leases, *limits, micro=11)
        assert not ask(leases, *limits, tokens=101)
        assert ask(leases, *limits, micro=10, tokens=99)
        assert not ask(leases, *limits, micro=1, tokens=1)

    def test_it_begins_anew_after_an_hour_and_not_before(self) -> None:
        leases = Leases()
        assert ask(leases, Limit(MONEY, 100))
        assert not ask(leases, Limit(MONEY, 100), now=LASTS)
        assert ask(leases, Limit(MONEY, 100), now=SECOND + LASTS)

    def test_soft_and_missing_limits_give_a_modest_rate(self) -> None:
        leases = Leases()
        assert [ask(leases, Limit(RATE, 1, hard=False), Limit(MONEY, None)) for _ in range(61)].count(True) == 60

    def test_a_keys_own_limit_counts_beside_the_tenants_and_tenants_do_not_share(self) -> None:
        leases = Leases()
        own: dict[str, Any] = {"key": "k1", "key_limits": (Limit(RATE, 10),)}
        assert [ask(leases, Limit(RATE, 100), **own) for _ in range(2)] == [True, False]
        assert ask(leases, Limit(RATE, 100))
        assert leases.admit("globex", (Limit(RATE, 10),), tokens=1, micro=1, now=SECOND)

    def test_the_book_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("proxy.leases._KEPT", 2)
        leases = Leases()
        for name in "abc":
            leases.admit(name, (), tokens=1, micro=1, now=SECOND)
        assert len(leases._leases) == 2

    @given(st.lists(st.integers(0, 50), max_size=60))
    def test_no_hour_serves_more_than_its_share_of_the_money(self, asked: list[int]) -> None:
        leases, limit = Leases(), Limit(MONEY, 10_000)
        served = sum(micro for place, micro in enumerate(asked) if ask(leases, limit, micro=micro, now=SECOND * place))
        assert served <= 100


def publish(world: World, policy: str, **limits: Any) -> None:
    record = TenantRecord(
        world.tenant_id, "acme", "ACTIVE", limits_of(world.tenant_id, **limits), sheet(), failure_policy=policy
    )
    world.redis.set(tenant_name(world.tenant_id), record.to_json())
    world.announce("tenant", world.tenant_id)


def lose_counters(world: World) -> None:
    world.redis.delete(EngineKeys.of_installation().epoch)


class TestPolicy:
    async def test_fail_closed_refuses_what_cannot_be_counted(self, world: World) -> None:
        publish(world, "FAIL_CLOSED")
        lose_counters(world)
        async with running() as gateway:
            exchange = exchange_for(world.token)
            await authenticate.identify(exchange, gateway)
            await route.choose(exchange, gateway)
            with pytest.raises(NotReady):
                await reserve.hold(exchange, gateway)
            assert (gateway.tally.leased, gateway.tally.redis_failures) == (0, 1)

    async def test_conservative_serves_within_the_lease_and_books_everything(self, world: World) -> None:
        publish(world, "CONSERVATIVE", requests_per_minute=20)
        lose_counters(world)
        async with running() as gateway:
            exchanges = [exchange_for(world.token) for _ in range(3)]
            for exchange in exchanges:
                await run(exchange, gateway)
            assert [port_of(exchange).status for exchange in exchanges] == [200, 200, 503]
            assert gateway.tally.leased == 2
        served = world.wait_for_events(2)
        assert [event["id"] for event in served] == [exchange.id for exchange in exchanges[:2]]
        counters: Any = [name for name in world.redis.scan_iter(f"{key('quota')}*period*")]
        [period] = counters
        spent = int(world.redis.hget(period, "money_per_month:used"))
        assert spent == sum(event["provisional_micro"] for event in served) > 0

    async def test_a_record_of_an_earlier_version_fails_closed_and_allows_all_models(self, world: World) -> None:
        fields = orjson.loads(world.redis.get(tenant_name(world.tenant_id)))
        del fields["models"], fields["failure_policy"]
        record = TenantRecord.from_json(orjson.dumps(fields))
        assert (record.failure_policy, record.models, record.may_use("anything")) == ("FAIL_CLOSED", (), True)
