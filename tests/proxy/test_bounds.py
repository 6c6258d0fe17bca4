"""Where the gateway's own connections may lead: judged at each connect, free on a kept one."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from core.clock import utc_now
from core.errors import InvalidInput
from core.http import Address, UrlPolicy, UrlRefused, operator_policy, parse_private_networks
from proxy import pipeline
from proxy.errors import ProviderOutOfBounds
from proxy.services import add_provider, change_provider
from proxy.upstream.pool import Origin, Pool
from tests.cast import TESTER
from tests.proxy.fakeserver import fake_server, good
from tests.proxy.test_upstream import HERE, PLAIN
from tests.proxy.walks import exchange_for, running
from tests.proxy.world import make_world, model

WHO: dict[str, Any] = {"acting": TESTER, "now": utc_now()}


class Names:
    """A name server that gives one answer after the other, the last for good."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = [[ip_address(text) for text in answer] for answer in answers]
        self.asked = 0

    async def __call__(self, host: str) -> Sequence[Address]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_a_kept_connection_asks_no_name_server_again() -> None:
    names = Names(["127.0.0.1"])
    async with fake_server(good) as server:
        pool = Pool(Origin("vllm", server.port, False, ""), policy=HERE, lookup=names)
        for _ in range(20):
            await (await pool.call(PLAIN)).whole()
        assert (names.asked, server.connections) == (1, 1)
        await pool.close()


@pytest.mark.parametrize("inside", ["169.254.169.254", "10.0.0.1", "::1", "::ffff:10.0.0.1"])
async def test_a_name_that_is_bound_anew_is_judged_at_the_next_connect(inside: str) -> None:
    names = Names(["127.0.0.1"], [inside], ["127.0.0.1", inside])
    async with fake_server(good) as server:
        pool = Pool(Origin("vllm", server.port, False, ""), policy=HERE, lookup=names)
        await (await pool.call(PLAIN)).whole()
        pool.prune(10**9)
        for _ in range(2):
            with pytest.raises(ProviderOutOfBounds):
                await pool.call(PLAIN)
        assert server.connections == 1
        await pool.close()


async def test_the_next_address_is_tried_when_the_first_takes_no_connection() -> None:
    async with fake_server(good) as server:
        pool = Pool(Origin("vllm", server.port, False, ""), policy=HERE, lookup=Names(["127.0.0.2", "127.0.0.1"]))
        assert b"hello" in await (await pool.call(PLAIN)).whole()
        await pool.close()


async def test_a_provider_inside_answers_only_while_the_settings_name_its_network(redis: Any, settings: Any) -> None:
    settings.PRIVATE_NETWORKS = parse_private_networks(["10.0.0.0/8"])
    async with fake_server(good) as server:
        world = make_world(server.base_url, model("m1", "real"))
        async with running() as gateway:
            exchange = exchange_for(world.token, {"model": "m1", "messages": [{"role": "user", "content": "x"}]})
            await pipeline.run(exchange, gateway)
        assert exchange.port.status == 503
        assert exchange.port.error["code"] == "provider_address_refused"
        assert server.connections == 0


class TestAtSave:
    pytestmark = pytest.mark.django_db

    @pytest.mark.parametrize(
        "url",
        [
            "http://10.0.0.1/v1",
            "http://169.254.169.254/v1",
            "https://[::ffff:10.0.0.1]/v1",
            "https://0x7f.1/v1",
            "https://2130706433/v1",
        ],
    )
    def test_a_provider_out_of_bounds_is_neither_added_nor_changed_to(self, redis: Any, url: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            add_provider(name="p", kind="openai", base_url=url, **WHO)
        assert "base_url" in caught.value.fields
        add_provider(name="p", kind="openai", base_url="https://api.example.com/v1", **WHO)
        with pytest.raises(InvalidInput):
            change_provider(name="p", base_url=url, **WHO)

    def test_the_refusal_tells_the_operator_which_setting_opens_the_network(self, redis: Any) -> None:
        with pytest.raises(UrlRefused) as caught:
            add_provider(name="p", kind="openai", base_url="http://10.0.0.1/v1", **WHO)
        assert "LUMOS_PRIVATE_NETWORKS" in caught.value.fields["base_url"][0]

    def test_operators_may_speak_plain_http(self) -> None:
        assert isinstance(operator_policy(), UrlPolicy)
        assert operator_policy().schemes == {"http", "https"}
