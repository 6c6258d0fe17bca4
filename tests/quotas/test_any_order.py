"""Whatever happens in whatever order, to requests of one tenant: never above a limit, nothing leaks, sums agree.

A model in plain Python does the same beside the real scripts. Rates are left out here: time is the server's (see
test_bucket.py for their arithmetic).
"""

from __future__ import annotations

import redis as redis_library
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.ids import new_ulid
from core.redis import control
from quotas.api import BlockingQuotaEngine, Dimension, EngineKeys, Limit, Outcome, Ticket, sweep
from tests.quotas.arrange import CONCURRENT, MONEY, MONTH, limits, period_counters, request

small = st.integers(0, 40)
limit_values = st.one_of(st.none(), st.integers(0, 120))


class Tenant(RuleBasedStateMachine):
    """Open reservations are (tokens, micro, input tokens, input micro) by id."""

    tickets = Bundle("tickets")

    @initialize(tokens=limit_values, money=limit_values, places=st.one_of(st.none(), st.integers(0, 4)))
    def begin(self, tokens: int | None, money: int | None, places: int | None) -> None:
        self.redis: redis_library.Redis = control()
        self.keys = EngineKeys.of_installation()
        self.redis.set(self.keys.epoch, "test")
        self.redis.delete(self.keys.expiry, self.keys.usage)
        self.engine = BlockingQuotaEngine(self.redis)
        self.tenant_id = new_ulid()
        self.held: dict[str, tuple[int, int, int, int]] = {}
        self.used, self.closed, self.events = [0, 0], set[str](), 0
        self.change(tokens, money, places)

    @rule(tokens=limit_values, money=limit_values, places=st.one_of(st.none(), st.integers(0, 4)))
    def change(self, tokens: int | None, money: int | None, places: int | None) -> None:
        self.values = {MONTH: tokens, MONEY: money, CONCURRENT: places}
        self.limits = limits(*(Limit(d, v) for d, v in self.values.items()), tenant_id=self.tenant_id)

    @rule(target=tickets, tokens=small, micro=small, part=st.integers(0, 100))
    def reserve(self, tokens: int, micro: int, part: int) -> Ticket | None:
        inputs, input_micro = tokens * part // 100, micro * part // 100
        asked = request(
            self.limits, tokens=tokens, micro=micro, input_tokens=inputs, input_micro=input_micro, ttl_ms=3_600_000
        )
        answer = self.engine.reserve(asked)
        failing = {d for d, after in self._after(tokens, micro).items() if self._is_over(self.values[d], after)}
        assert answer.admitted is not bool(failing)
        if answer.denial:
            assert answer.denial.dimension in failing
            assert 0 <= answer.denial.remaining <= answer.denial.limit
            return None
        self.held[asked.id] = (tokens, micro, inputs, input_micro)
        return answer.ticket

    def _after(self, tokens: int, micro: int) -> dict[Dimension, int]:
        held_tokens, held_micro = (sum(row[i] for row in self.held.values()) for i in (0, 1))
        return {
            MONTH: self.used[0] + held_tokens + tokens,
            MONEY: self.used[1] + held_micro + micro,
            CONCURRENT: len(self.held) + 1,
        }

    @staticmethod
    def _is_over(limit: int | None, after: int) -> bool:
        return limit is not None and (limit == 0 or after > limit)

    @rule(ticket=tickets, tokens=st.integers(0, 90), micro=st.integers(0, 90))
    def settle(self, ticket: Ticket | None, tokens: int, micro: int) -> None:
        if ticket is None:
            return
        outcome = self.engine.settle(ticket, input_tokens=tokens, output_tokens=0, micro=micro, event=b"{}")
        self._expect(ticket, outcome, tokens, micro, events=1)

    @rule(ticket=tickets)
    def release(self, ticket: Ticket | None) -> None:
        if ticket is not None:
            self._expect(ticket, self.engine.release(ticket), 0, 0, events=0)

    def _expect(self, ticket: Ticket, outcome: Outcome, tokens: int, micro: int, *, events: int) -> None:
        if ticket.reservation_id in self.closed:
            assert outcome is Outcome.ALREADY_CLOSED
            return
        assert outcome is Outcome.BOOKED
        self._close(ticket.reservation_id, tokens, micro, events)

    def _close(self, name: str, tokens: int, micro: int, events: int) -> None:
        del self.held[name]
        self.closed.add(name)
        self.used[0] += tokens
        self.used[1] += micro
        self.events += events

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.held)))
        self.redis.zadd(self.keys.expiry, {self.keys.reservation(self.tenant_id, name): 1})
        assert sweep(self.redis).closed == 1
        self._close(name, *self.held[name][2:], events=1)

    @invariant()
    def counters_agree_with_the_model(self) -> None:
        if not hasattr(self, "held") or not (self.held or self.closed):
            return
        assert period_counters(self.redis, self.keys, self.tenant_id) == {
            "tokens_per_month:used": self.used[0],
            "tokens_per_month:held": sum(row[0] for row in self.held.values()),
            "money_per_month:used": self.used[1],
            "money_per_month:held": sum(row[1] for row in self.held.values()),
        }
        assert self.redis.xlen(self.keys.usage) == self.events
        assert self.redis.zcard(self.keys.expiry) == len(self.held)
        assert self.redis.zcard(f"{self.keys.tenant(self.tenant_id)}:leases") == len(self.held)

    def teardown(self) -> None:
        if hasattr(self, "keys"):
            self.redis.delete(self.keys.epoch, self.keys.expiry, self.keys.usage, self.keys.alerts)


TestTenant = Tenant.TestCase
TestTenant.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
