"""From where the gateway lets in: keys, pages and sockets, from the published record and soon after each change."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.clock import utc_now
from core.networks import networks_of
from core.redis import control
from proxy import pipeline
from proxy.errors import AddressNotAllowed
from proxy.pipeline import admit, authenticate
from proxy.publish import publish_key, publish_tenant
from proxy.records import KeyRecord, TenantRecord, key_name, tenant_name
from proxy.tokens import mint_browser_token
from tenants.api import set_key_networks, set_tenant_networks
from tests.cast import TESTER, Player
from tests.proxy.fakeserver import endless, fake_server
from tests.proxy.walks import exchange_for, running
from tests.proxy.world import World, make_world, model

ELSEWHERE = networks_of(("203.0.113.0/24",))


async def enters(gateway: Any, token: str, ip: str) -> bool:
    exchange = exchange_for(token, ip=ip)
    await authenticate.identify(exchange, gateway)
    try:
        await admit.check_rights(exchange, gateway)
    except AddressNotAllowed:
        return False
    return True


async def test_a_key_is_let_in_where_both_its_tenant_and_itself_allow_it(world: World) -> None:
    world.publish_tenant(networks=networks_of(("203.0.113.0/24", "2001:db8::/32")))
    world.publish_key(networks=networks_of(("203.0.113.64/26", "2001:db8::/32")))
    async with running() as gateway:
        for ip, expected in (
            ("203.0.113.70", True),
            ("::ffff:203.0.113.70", True),
            ("203.0.113.1", False),
            ("198.51.100.1", False),
            ("2001:db8::1", True),
            ("2001:db9::1", False),
            ("not an address", False),
        ):
            assert await enters(gateway, world.token, ip) is expected, ip


async def test_a_page_of_the_portal_follows_the_portals_list_and_a_program_the_programs(world: World) -> None:
    page = mint_browser_token(world.tenant_id, 7, utc_now())
    world.publish_tenant(portal_networks=ELSEWHERE)
    async with running() as gateway:
        assert not await enters(gateway, page, "192.0.2.1")
        assert await enters(gateway, page, "203.0.113.1")
        assert await enters(gateway, world.token, "192.0.2.1")


async def test_the_refusal_is_an_answer_that_no_retry_mends(world: World) -> None:
    world.publish_tenant(networks=ELSEWHERE)
    async with running() as gateway:
        exchange = exchange_for(world.token)
        await pipeline.run(exchange, gateway)
    assert exchange.port.status == 403
    assert exchange.port.error["code"] == "address_not_allowed"
    assert "192.0.2.1" in exchange.port.error["message"]
    assert exchange.port.headers[b"x-should-retry"] == b"false"
    assert exchange.port.bodies_read == 0


async def test_a_stream_ends_when_its_address_is_closed_and_others_go_on(redis: Any) -> None:
    async with fake_server(endless) as server:
        world = make_world(server.base_url, model("m1", "real"))
        async with running() as gateway:
            ask = {"model": "m1", "stream": True, "messages": [{"role": "user", "content": "x"}]}
            outside = exchange_for(world.token, ask, ip="192.0.2.1")
            inside = exchange_for(world.token, ask, ip="203.0.113.1")
            tasks = [asyncio.create_task(pipeline.run(each, gateway)) for each in (outside, inside)]
            while not (outside.begun and inside.begun):
                await asyncio.sleep(0.01)
            world.publish_tenant(networks=ELSEWHERE)
            await asyncio.wait_for(tasks[0], 5)
            assert outside.error is not None
            assert not tasks[1].done()
            world.publish_key(networks=networks_of(("198.51.100.0/24",)))
            await asyncio.wait_for(tasks[1], 5)
            assert inside.error is not None


def test_records_of_before_let_everybody_in(world: World) -> None:
    for kind, name in ((KeyRecord, key_name(world.digest)), (TenantRecord, tenant_name(world.tenant_id))):
        raw = control().get(name)
        record = kind.from_json(raw.replace(b'"networks":[],', b"").replace(b'"portal_networks":[],', b""))
        assert record.networks == ()


@pytest.mark.django_db
def test_both_lists_reach_the_gateways_by_themselves(redis: Any, acme: Player) -> None:
    who: dict[str, Any] = {"acting": TESTER, "now": utc_now()}
    publish_key(acme.key.id, utc_now())
    publish_tenant(acme.tenant.id, utc_now())
    set_tenant_networks(tenant_id=acme.tenant.id, networks=["10.0.0.0/8"], portal_networks=["11.0.0.0/8"], **who)
    set_key_networks(tenant_id=acme.tenant.id, key_id=acme.key.id, networks=["10.1.0.0/16"], **who)
    publish_key(acme.key.id, utc_now())
    publish_tenant(acme.tenant.id, utc_now())
    tenant = TenantRecord.from_json(redis.get(tenant_name(acme.tenant.id)))
    key = KeyRecord.from_json(redis.get(key_name(acme.key.digest)))
    assert (tenant.networks, tenant.portal_networks) == (networks_of(("10.0.0.0/8",)), networks_of(("11.0.0.0/8",)))
    assert key.networks == networks_of(("10.1.0.0/16",))


async def test_a_change_counts_for_a_key_that_is_remembered(world: World) -> None:
    async with running() as gateway:
        assert await enters(gateway, world.token, "192.0.2.1")
        world.publish_tenant(networks=ELSEWHERE)
        async with asyncio.timeout(10):
            while await enters(gateway, world.token, "192.0.2.1"):
                await asyncio.sleep(0.01)
