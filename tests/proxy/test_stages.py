"""Each stage of the pipeline by itself, and their order."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.errors import LumosError, Unavailable
from core.redis import control, key
from proxy import pipeline
from proxy.endpoints import models as models_endpoint
from proxy.errors import (
    CredentialRefused,
    LayerLimited,
    ModelNotAllowed,
    ModelNotFound,
    NotJson,
    NotReady,
    Overloaded,
    PriceUnknown,
    ProviderMalformed,
    QuotaSpent,
    RequestRefused,
    ScopeMissing,
    TenantSuspended,
    TooManyCredentials,
)
from proxy.exchange import Exchange
from proxy.gateway import Gateway
from proxy.pipeline import admit, authenticate, forward, limit, relay, reserve, route, settle
from proxy.records import epoch_name, key_name
from quotas.api import Dimension, Limit
from tenants.keyformat import new_key
from tests.proxy.fakeserver import Call, completion, fake_server, good, usage_of
from tests.proxy.walks import CHAT_BODY, exchange_for, port_of, running
from tests.proxy.world import World, digest_of, model, sheet


@pytest.fixture
async def gateway(world: World) -> AsyncIterator[Gateway]:
    async with running() as running_gateway:
        yield running_gateway


async def through(exchange: Exchange, gateway: Gateway, *stages: pipeline.Stage) -> Exchange:
    for stage in stages:
        await stage(exchange, gateway)
    return exchange


async def known(gateway: Gateway, world: World, content: Any = None, **options: Any) -> Exchange:
    """An exchange whose caller is authenticated."""
    return await through(exchange_for(world.token, content, **options), gateway, authenticate.identify)


async def routed(gateway: Gateway, world: World, content: Any = None, **options: Any) -> Exchange:
    return await through(await known(gateway, world, content, **options), gateway, route.choose)


class TestOrder:
    def test_the_stages_stand_in_the_order_of_the_house(self) -> None:
        assert (
            limit.by_address,
            limit.overall,
            authenticate.identify,
            admit.check_rights,
            route.choose,
            reserve.hold,
            forward.call,
            relay.pass_on,
            settle.close,
        ) == pipeline.STAGES
        assert pipeline.STAGES[:4] == pipeline.ENTRANCE

    async def test_an_unauthenticated_flood_never_reaches_authentication(self, world: World) -> None:
        async with running(ip_rate=1, ip_burst=3) as gateway:
            statuses = []
            for _ in range(10):
                exchange = exchange_for(new_key("live"))
                await pipeline.run(exchange, gateway)
                statuses.append(port_of(exchange).status)
                assert port_of(exchange).bodies_read == 0
        assert statuses == [401] * 3 + [429] * 7
        assert len(gateway.directory._unknown) == 3

    async def test_a_refusal_keeps_the_later_stages_from_running(self, gateway: Gateway, world: World) -> None:
        exchange = exchange_for(world.token, {**CHAT_BODY, "model": "none"})
        await pipeline.run(exchange, gateway)
        assert port_of(exchange).status == 404
        assert exchange.admission is None
        assert world.events() == []


class TestLimit:
    async def test_an_address_has_a_rate_and_says_when_to_return(self, world: World) -> None:
        now = time.monotonic_ns()

        async def ask(milliseconds: int, ip: str = "192.0.2.1") -> None:
            exchange = exchange_for(None, ip=ip)
            exchange.started_ns = now + milliseconds * 1_000_000
            await limit.by_address(exchange, gateway)

        async with running(ip_rate=10, ip_burst=2) as gateway:
            await ask(0)
            await ask(0)
            with pytest.raises(LayerLimited) as refused:
                await ask(1)
            assert (refused.value.status, refused.value.code) == (429, "ip_rate_limit_exceeded")
            assert refused.value.retry_after_ms == 99
            await ask(1, ip="192.0.2.2")
            with pytest.raises(LayerLimited):
                await ask(99)
            await ask(100)

    @pytest.mark.parametrize(
        ("one", "two", "same"),
        [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
            ("::ffff:192.0.2.7", "192.0.2.7", True),
            ("fe80::1%eth0", "fe80::2%eth1", True),
            ("192.0.2.1", "192.0.2.2", False),
            ("bad:address", "bad:address", True),
        ],
    )
    def test_addresses_count_by_who_holds_them(self, one: str, two: str, same: bool) -> None:
        assert (limit.network_of(one) == limit.network_of(two)) is same

    def test_only_our_own_proxies_are_believed(self) -> None:
        forged = [(b"x-forwarded-for", b"6.6.6.6, 198.51.100.1, 10.0.0.9")]
        assert limit.client_address("10.0.0.1", forged, 0) == "10.0.0.1"
        assert limit.client_address("10.0.0.1", forged, 1) == "10.0.0.9"
        assert limit.client_address("10.0.0.1", forged, 2) == "198.51.100.1"
        assert limit.client_address("10.0.0.1", forged, 9) == "10.0.0.1"
        assert limit.client_address("10.0.0.1", [], 1) == "10.0.0.1"

    async def test_the_process_has_a_rate_and_a_draining_one_takes_nothing(self, world: World) -> None:
        async with running(global_rate=1, global_burst=1) as gateway:
            await limit.overall(exchange_for(None), gateway)
            with pytest.raises(Overloaded) as refused:
                await limit.overall(exchange_for(None, ip="192.0.2.9"), gateway)
            assert refused.value.status == 503
        async with running() as gateway:
            gateway.draining = True
            with pytest.raises(Overloaded):
                await limit.overall(exchange_for(None), gateway)


class TestAuthenticate:
    async def test_a_known_key_costs_no_round_trip(self, gateway: Gateway, world: World) -> None:
        exchange = await known(gateway, world)
        assert exchange.tenant is not None
        assert exchange.tenant.id == world.tenant_id
        await gateway.pipe.close()
        again = await known(gateway, world)
        assert again.key is exchange.key

    async def test_a_mistyped_key_costs_no_round_trip(self, gateway: Gateway) -> None:
        await gateway.pipe.close()
        token = new_key("live")
        for wrong in (token[:-1] + ("a" if token[-1] != "a" else "b"), "sk-proj-abc", "lum_live_", "x" * 5000):
            with pytest.raises(CredentialRefused):
                await through(exchange_for(wrong), gateway, authenticate.identify)
        with pytest.raises(Unavailable):
            await through(exchange_for(token), gateway, authenticate.identify)

    async def test_unknown_revoked_expired_and_orphaned_keys_look_the_same(
        self, gateway: Gateway, world: World
    ) -> None:
        expired, orphan = new_key("live"), new_key("live")
        world.publish_key(expired, expires_at_ms=1)
        world.publish_key(orphan, tenant_id="0" * 26)
        world.revoke()
        bodies = set()
        for token in (new_key("live"), expired, orphan, world.token, None):
            exchange = exchange_for(token)
            await pipeline.run(exchange, gateway)
            assert port_of(exchange).status == 401
            bodies.add(port_of(exchange).sent[0])
        assert len(bodies) == 1

    async def test_a_key_ends_with_the_millisecond_that_it_names(self, gateway: Gateway, world: World) -> None:
        token, ends = new_key("live"), 1_795_000_000_000
        world.publish_key(token, expires_at_ms=ends)

        async def ask(moment: int) -> None:
            exchange = exchange_for(token)
            exchange.occurred_at_ms = moment
            await through(exchange, gateway, authenticate.identify)

        await ask(ends - 1)
        with pytest.raises(CredentialRefused):
            await ask(ends)

    async def test_when_redis_lost_what_was_published_nobody_is_told_to_be_unknown(self, world: World) -> None:
        control().delete(epoch_name(), key_name(digest_of(world.token)))
        async with running() as gateway:
            with pytest.raises(NotReady):
                await through(exchange_for(world.token), gateway, authenticate.identify)
            assert len(gateway.directory._unknown) == 0

    async def test_an_unknown_key_is_remembered_for_a_moment_and_forgotten_when_it_is_born(
        self, gateway: Gateway, world: World
    ) -> None:
        token = new_key("live")
        with pytest.raises(CredentialRefused):
            await through(exchange_for(token), gateway, authenticate.identify)
        assert len(gateway.directory._unknown) == 1
        with pytest.raises(CredentialRefused):
            await through(exchange_for(token), gateway, authenticate.identify)
        world.publish_key(token)
        await asyncio.sleep(0.2)
        await through(exchange_for(token), gateway, authenticate.identify)

    async def test_a_key_under_an_older_pepper_is_found_and_dropped(
        self, gateway: Gateway, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("proxy.directory.current_version", lambda purpose: 2)
        await known(gateway, world)
        assert len(gateway.directory._aliases) == 1
        world.revoke()
        await asyncio.sleep(0.2)
        with pytest.raises(CredentialRefused):
            await known(gateway, world)

    async def test_the_caches_are_bounded(self, world: World) -> None:
        async with running(key_cache=2, unknown_cache=2) as gateway:
            for _ in range(5):
                token = new_key("live")
                with pytest.raises(CredentialRefused):
                    await through(exchange_for(token), gateway, authenticate.identify)
                world.publish_key(token)
                await asyncio.sleep(0.05)
                await through(exchange_for(token), gateway, authenticate.identify)
            assert len(gateway.directory._keys) == 2
            assert len(gateway.directory._unknown) <= 2

    async def test_a_record_read_before_a_change_is_not_kept_after_it(self, gateway: Gateway, world: World) -> None:
        fetching = asyncio.ensure_future(known(gateway, world))
        await asyncio.sleep(0)
        gateway.directory.drop_all()
        await fetching
        assert world.digest not in gateway.directory._keys

    def test_credentials_are_found_wherever_clients_put_them(self) -> None:
        for header in ((b"authorization", b"Bearer k"), (b"authorization", b"bearer  k"), (b"x-api-key", b"k")):
            assert authenticate.credential([header]) == "k"
        same = [(b"authorization", b"Bearer k"), (b"api-key", b"k")]
        assert authenticate.credential(same) == "k"
        with pytest.raises(TooManyCredentials):
            authenticate.credential([(b"authorization", b"Bearer k"), (b"x-api-key", b"other")])
        for headers in ([], [(b"authorization", b"")], [(b"authorization", b"Bearer ")], [(b"x-api-key", b"\xff")]):
            with pytest.raises(CredentialRefused):
                authenticate.credential(headers)

    async def test_nobody_is_known_while_revocations_might_not_arrive(self, gateway: Gateway, world: World) -> None:
        await known(gateway, world)
        gateway.tail.attached = False
        with pytest.raises(NotReady):
            await known(gateway, world)


class TestAdmit:
    async def test_a_suspended_tenant_is_told_so_and_an_archived_one_is_unknown(self, world: World) -> None:
        world.publish_tenant(status="SUSPENDED")
        async with running() as gateway:
            with pytest.raises(TenantSuspended):
                await through(await known(gateway, world), gateway, admit.check_rights)
            world.publish_tenant(status="ARCHIVED")
            await asyncio.sleep(0.2)
            with pytest.raises(CredentialRefused):
                await known(gateway, world)

    async def test_a_key_needs_the_scope(self, gateway: Gateway, world: World) -> None:
        world.publish_key(scopes=("usage:read",))
        with pytest.raises(ScopeMissing):
            await through(await known(gateway, world), gateway, admit.check_rights)

    async def test_a_flood_of_one_tenant_or_key_is_refused_without_a_round_trip(self, world: World) -> None:
        world.publish_tenant(requests_per_minute=4)
        async with running() as gateway:
            exchange = await known(gateway, world)
            for _ in range(8):
                await admit.check_rights(exchange, gateway)
            with pytest.raises(LayerLimited) as refused:
                await admit.check_rights(exchange, gateway)
            assert refused.value.code == "tenant_rate_limit_exceeded"
        world.publish_tenant()
        world.publish_key(limits=(Limit(Dimension.REQUESTS_PER_MINUTE, 1),))
        async with running() as gateway:
            exchange = await known(gateway, world)
            for _ in range(2):
                await admit.check_rights(exchange, gateway)
            with pytest.raises(LayerLimited) as refused:
                await admit.check_rights(exchange, gateway)
            assert refused.value.code == "key_rate_limit_exceeded"


class TestRoute:
    async def test_a_model_finds_its_provider(self, gateway: Gateway, world: World) -> None:
        exchange = await routed(gateway, world, {**CHAT_BODY, "stream": True})
        assert exchange.route is not None
        assert exchange.route.provider.name == "demo"
        assert exchange.stream
        assert exchange.scanner is not None

    async def test_models_that_may_not_be_used_are_told_apart(self, gateway: Gateway, world: World) -> None:
        with pytest.raises(ModelNotFound):
            await routed(gateway, world, {**CHAT_BODY, "model": "none"})
        with pytest.raises(RequestRefused) as refused:
            await routed(gateway, world, {**CHAT_BODY, "model": "demo-embed"})
        assert refused.value.param == "model"
        with pytest.raises(RequestRefused):
            await routed(gateway, world, {"model": "demo-fast", "input": "x"}, endpoint=route.EMBEDDINGS)
        world.publish_key(models=("demo-chat",))
        await asyncio.sleep(0.2)
        with pytest.raises(ModelNotAllowed):
            await routed(gateway, world)

    async def test_a_test_key_reaches_simulated_models_only(self, world: World) -> None:
        world.publish_catalogue(model("gpt-x", "real"), upstream="http://127.0.0.1:9/v1")
        world.publish_key(live=False)
        async with running() as gateway:
            await routed(gateway, world)
            with pytest.raises(ModelNotAllowed):
                await routed(gateway, world, {**CHAT_BODY, "model": "gpt-x"})

    async def test_without_a_catalogue_nothing_is_said_about_models(self, gateway: Gateway, world: World) -> None:
        gateway.catalogue.routes = {}
        gateway.catalogue.loaded = False
        with pytest.raises(NotReady):
            await routed(gateway, world)
        with pytest.raises(NotReady):
            await models_endpoint.list_models.serve(exchange_for(world.token), gateway, "/v1/models")

    async def test_only_json_of_a_bearable_size_is_read(self, world: World) -> None:
        async with running(body_limit=100) as gateway:
            exchange = await known(gateway, world)
            exchange.headers = [(b"content-type", b"text/plain")]
            with pytest.raises(NotJson):
                await route.choose(exchange, gateway)
            exchange.headers = [(b"content-type", b"application/json"), (b"content-length", b"101")]
            with pytest.raises(LumosError) as refused:
                await route.choose(exchange, gateway)
            assert refused.value.status == 413
            assert port_of(exchange).bodies_read == 0


class TestReserve:
    async def held(self, gateway: Gateway, world: World, content: Any = None, **options: Any) -> Exchange:
        return await through(await routed(gateway, world, content, **options), gateway, reserve.hold)

    async def test_output_is_held_at_the_callers_limit_within_the_models(self, gateway: Gateway, world: World) -> None:
        assert (await self.held(gateway, world)).output_limit == 1024
        assert (await self.held(gateway, world, {**CHAT_BODY, "max_tokens": 10, "n": 3})).output_limit == 30
        assert (await self.held(gateway, world, {**CHAT_BODY, "max_completion_tokens": 99_999})).output_limit == 4096

    async def test_an_embedding_holds_no_output(self, gateway: Gateway, world: World) -> None:
        content = {"model": "demo-embed", "input": "hello world"}
        exchange = await self.held(gateway, world, content, endpoint=route.EMBEDDINGS)
        assert (exchange.input_estimate, exchange.output_limit) == (3, 0)

    @pytest.mark.parametrize(
        ("limits", "error", "words"),
        [
            ({"requests_per_minute": 1}, LayerLimited, "requests per minute"),
            ({"tokens_per_minute": 1100}, LayerLimited, "tokens per minute"),
            ({"concurrent_requests": 1}, LayerLimited, "concurrent requests"),
            ({"tokens_per_month": 1100}, QuotaSpent, "tokens per month"),
            ({"money_per_month": 3000}, QuotaSpent, "money per month"),
        ],
    )
    async def test_every_limit_refuses_and_says_which_it_was(
        self, world: World, limits: dict[str, int], error: type[LumosError], words: str
    ) -> None:
        world.publish_tenant(**limits)
        async with running() as gateway:
            await self.held(gateway, world)
            second = exchange_for(world.token)
            await pipeline.run(second, gateway)
        assert isinstance(second.error, error)
        assert words in port_of(second).error["message"]
        assert port_of(second).status == 429
        should_retry = port_of(second).headers[b"x-should-retry"]
        assert should_retry == (b"true" if error is LayerLimited else b"false")
        assert (b"retry-after" in port_of(second).headers) is (error is LayerLimited)

    async def test_what_can_never_fit_is_not_worth_a_retry(self, world: World) -> None:
        world.publish_tenant(tokens_per_minute=100)
        async with running() as gateway:
            exchange = exchange_for(world.token)
            await pipeline.run(exchange, gateway)
        assert port_of(exchange).headers[b"x-should-retry"] == b"false"
        assert "waiting does not help" in port_of(exchange).error["message"]

    async def test_a_keys_own_limit_counts_beside_the_tenants(self, world: World) -> None:
        world.publish_key(limits=(Limit(Dimension.TOKENS_PER_MINUTE, 1100),))
        async with running() as gateway:
            await self.held(gateway, world)
            with pytest.raises(LayerLimited, match="key"):
                await self.held(gateway, world)

    async def test_a_model_without_a_price_is_refused(self, world: World) -> None:
        world.publish_tenant(prices=sheet(model="other"))
        async with running() as gateway:
            with pytest.raises(PriceUnknown):
                await self.held(gateway, world)
            exchange = await routed(gateway, world)
            assert exchange.tenant is not None
            exchange.tenant = type(exchange.tenant)(world.tenant_id, "acme", "ACTIVE", exchange.tenant.limits, None)
            with pytest.raises(PriceUnknown):
                await reserve.hold(exchange, gateway)

    async def test_a_test_key_costs_no_money_and_is_marked(self, world: World) -> None:
        world.publish_tenant(money_per_month=1)
        world.publish_key(live=False)
        async with running() as gateway:
            exchange = exchange_for(world.token)
            await pipeline.run(exchange, gateway)
        assert port_of(exchange).status == 200
        [event] = world.wait_for_events(1)
        assert (event["live"], event["provisional_micro"]) == (False, 0)

    async def test_what_cannot_be_measured_is_refused(self, gateway: Gateway, world: World) -> None:
        deep: Any = 1
        for _ in range(300):
            deep = [deep]
        with pytest.raises(RequestRefused):
            await self.held(gateway, world, json.dumps({**CHAT_BODY, "tools": deep}).encode())

    async def test_a_lost_redis_is_an_honest_503(self, gateway: Gateway, world: World) -> None:
        exchange = await routed(gateway, world)
        await gateway.pipe.close()
        with pytest.raises(NotReady) as refused:
            await reserve.hold(exchange, gateway)
        assert (refused.value.status, refused.value.retry_after_ms) == (503, 1000)
        assert gateway.tally.redis_failures == 1

    async def test_a_change_number_that_never_arrives_makes_the_process_forget(
        self, gateway: Gateway, world: World
    ) -> None:
        await self.held(gateway, world)
        assert gateway.directory._keys
        control().incr(key("gw", "sequence"))
        await self.held(gateway, world)
        for _ in range(40):
            await asyncio.sleep(0.05)
            if not gateway.directory._keys:
                break
        assert not gateway.directory._keys


class TestForwardAndRelay:
    async def finished(self, act: Any, content: dict[str, Any], *models: Any) -> tuple[Exchange, list[Call]]:
        from tests.proxy.world import make_world

        async with fake_server(act) as server:
            world = make_world(server.base_url, *models)
            async with running() as gateway:
                exchange = exchange_for(world.token, content)
                await pipeline.run(exchange, gateway)
            return exchange, server.calls

    async def test_the_body_reaches_the_provider_as_it_came(self, redis: Any) -> None:
        raw = b'{ "messages" : [{"role":"user","content":"x"}], "model":"m1", "temperature": 0.10 }'
        from tests.proxy.world import make_world

        async with fake_server(good) as server:
            world = make_world(server.base_url, model("m1", "real"))
            async with running() as gateway:
                await pipeline.run(exchange_for(world.token, raw), gateway)
        [call] = server.calls
        assert call.body == raw
        assert call.headers["authorization"] == "Bearer sk-upstream-secret"
        assert call.headers["x-client-request-id"].startswith("req_")
        assert "lum_" not in str(call.headers)

    async def test_an_alias_becomes_the_providers_name(self, redis: Any) -> None:
        _, [call] = await self.finished(good, {**CHAT_BODY, "model": "best"}, model("best", "real", "up-1"))
        assert call.json["model"] == "up-1"

    async def test_output_limits_are_clamped_only_when_needed(self, redis: Any) -> None:
        content = {**CHAT_BODY, "model": "m1", "max_tokens": 999_999}
        _, [call] = await self.finished(good, content, model("m1", "real"))
        assert call.json["max_tokens"] == 4096

    async def test_usage_is_asked_for_on_behalf_of_a_client_that_did_not(self, redis: Any) -> None:
        exchange, [call] = await self.finished(good, {**CHAT_BODY, "model": "m1", "stream": True}, model("m1", "real"))
        assert call.json["stream_options"] == {"include_usage": True}
        assert b'"usage":{' not in b"".join(port_of(exchange).sent)
        assert exchange.usage is not None
        content = {**CHAT_BODY, "model": "m1", "stream": True, "stream_options": {"include_obfuscation": False}}
        _, [call] = await self.finished(good, content, model("m1", "real"))
        assert call.json["stream_options"] == {"include_obfuscation": False, "include_usage": True}

    async def test_a_whole_answer_passes_byte_for_byte(self, redis: Any) -> None:
        text = b'{"id":"x",  "choices":[ ], "usage":{"prompt_tokens":4,"completion_tokens":2}, "n":1.0}'

        async def act(call: Call) -> None:
            await call.answer(200, text, content_type="application/json")

        exchange, _ = await self.finished(act, {**CHAT_BODY, "model": "m1"}, model("m1", "real"))
        assert port_of(exchange).sent == [text]
        assert exchange.usage is not None
        assert exchange.usage.input_tokens == 4

    @pytest.mark.parametrize("stream", [True, False])
    async def test_a_page_instead_of_an_answer_is_the_providers_fault(self, redis: Any, stream: bool) -> None:
        async def act(call: Call) -> None:
            await call.answer(200, b"<html>maintenance</html>", content_type="text/html")

        content = {**CHAT_BODY, "model": "m1", "stream": stream}
        exchange, _ = await self.finished(act, content, model("m1", "real"))
        assert isinstance(exchange.error, ProviderMalformed)
        assert (port_of(exchange).status, port_of(exchange).error["code"]) == (502, "provider_malformed")

    async def test_a_stream_that_is_refused_is_a_status_and_not_an_event(self, redis: Any) -> None:
        async def act(call: Call) -> None:
            error = {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}
            await call.answer_json({"error": error}, status=400)

        content = {**CHAT_BODY, "model": "m1", "stream": True}
        exchange, _ = await self.finished(act, content, model("m1", "real"))
        assert port_of(exchange).status == 400
        assert port_of(exchange).error["code"] == "context_length_exceeded"

    async def test_a_provider_that_cannot_be_reached_is_a_502(self, redis: Any) -> None:
        from tests.proxy.world import make_world

        world = make_world("http://127.0.0.1:9/v1", model("m1", "real"))
        async with running() as gateway:
            exchange = exchange_for(world.token, {**CHAT_BODY, "model": "m1"})
            await pipeline.run(exchange, gateway)
        assert port_of(exchange).status == 502
        [event] = world.wait_for_events(1)
        assert (event["status"], event["input_tokens"], event["provisional_micro"]) == ("upstream_error", 0, 0)


class TestSettle:
    async def test_the_event_says_what_happened(self, redis: Any) -> None:
        from tests.proxy.world import make_world

        async def act(call: Call) -> None:
            await call.answer_json(completion("hi", usage_of(1000, 500, cached=200)))

        async with fake_server(act) as server:
            world = make_world(server.base_url, model("m1", "real"))
            async with running() as gateway:
                exchange = exchange_for(world.token, {**CHAT_BODY, "model": "m1"})
                await pipeline.run(exchange, gateway)
        [event] = world.wait_for_events(1)
        assert event["id"] == exchange.id
        assert event["tenant_id"] == world.tenant_id
        assert (event["input_tokens"], event["cached_tokens"], event["output_tokens"]) == (1000, 200, 500)
        assert (event["model"], event["provider"], event["endpoint"]) == ("m1", "real", "chat.completions")
        assert (event["provisional_micro"], event["price_version"]) == (2000, "test-1")
        assert (event["estimated"], event["live"], event["status"]) == (False, True, "ok")

    async def test_missing_usage_is_estimated_and_marked(self, redis: Any) -> None:
        from tests.proxy.world import make_world

        async def act(call: Call) -> None:
            await call.answer_json(completion("some words " * 40))

        async with fake_server(act) as server:
            world = make_world(server.base_url, model("m1", "real"))
            async with running() as gateway:
                await pipeline.run(exchange_for(world.token, {**CHAT_BODY, "model": "m1"}), gateway)
        [event] = world.wait_for_events(1)
        assert event["estimated"] is True
        assert event["output_tokens"] > 100
        assert event["input_tokens"] > 0

    async def test_a_price_that_is_gone_at_the_end_stops_no_booking(self, gateway: Gateway, world: World) -> None:
        exchange = await through(await routed(gateway, world), gateway, reserve.hold, forward.call, relay.pass_on)
        assert exchange.tenant is not None
        exchange.tenant = type(exchange.tenant)(world.tenant_id, "acme", "ACTIVE", exchange.tenant.limits, None)
        await settle.close(exchange, gateway)
        [event] = world.wait_for_events(1)
        assert event["provisional_micro"] == 0

    async def test_an_unexpected_fault_is_a_plain_500_and_is_booked(
        self, gateway: Gateway, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(exchange: Exchange, gateway: Gateway) -> None:
            raise ZeroDivisionError("secret")

        monkeypatch.setattr(pipeline, "_OPENING", (*pipeline._OPENING[:6], broken))
        exchange = exchange_for(world.token)
        await pipeline.run(exchange, gateway)
        assert port_of(exchange).status == 500
        assert port_of(exchange).error["code"] == "internal_error"
        [event] = world.wait_for_events(1)
        assert event["status"] == "upstream_error"
