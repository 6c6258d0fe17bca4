"""A gateway without the installation's master key: it calls nobody and says why, and opens when the key is back."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from core import master_keys
from lumos_site import health
from proxy.records import CatalogueRecord, catalogue_name
from tests.proxy.serving import Served, serving
from tests.proxy.world import World


@pytest.fixture(autouse=True)
def _expect_nothing() -> Iterator[None]:
    master_keys.expect({})
    yield
    master_keys.expect({})


def publish(world: World, *keys: tuple[int, str]) -> None:
    raw: Any = world.redis.get(catalogue_name())
    record = CatalogueRecord.from_json(raw)
    world.redis.set(catalogue_name(), CatalogueRecord(record.providers, record.models, keys).to_json())
    world.announce("catalogue", "")


async def ask(served: Served, world: World, path: str = "/v1/chat/completions") -> httpx.Response:
    body = {"model": "demo-fast", "messages": [{"role": "user", "content": "hi"}]}
    async with httpx.AsyncClient(timeout=20, headers={"authorization": f"Bearer {world.token}"}) as client:
        return await client.post(served.url + path, json=body)


async def wait_for(served: Served, world: World, status: int) -> httpx.Response:
    async with asyncio.timeout(15):
        while (answer := await ask(served, world)).status_code != status:
            await asyncio.sleep(0.05)
    return answer


async def test_another_master_key_than_the_published_one_seals_the_gateway(world: World) -> None:
    async with serving() as served:
        assert (await ask(served, world)).status_code == 200
        publish(world, (1, "0" * 32))
        answer = await wait_for(served, world, 503)
        assert answer.json()["error"]["code"] == "sealed"
        assert answer.headers["x-should-retry"] == "true"
        right = master_keys.find(1)
        assert right is not None
        publish(world, (1, master_keys.fingerprint(right)))
        await wait_for(served, world, 200)


async def test_it_opens_by_itself_when_the_key_is_put_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMOS_MASTER_KEY_CURRENT", "7")  # a version that nobody has
    async with serving() as served:
        assert (await ask(served, world)).json()["error"]["code"] == "sealed"
        assert health.is_sealed()
        monkeypatch.setenv("LUMOS_MASTER_KEY_V7", base64.b64encode(os.urandom(32)).decode())
        await wait_for(served, world, 200)


async def test_sealed_is_told_where_a_machine_asks_whether_it_is_ready(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    monkeypatch.setenv("LUMOS_MASTER_KEY_CURRENT", "7")
    async with serving():
        await health.answer_health("/readyz", "gateway", send)
        await health.answer_health("/livez", "gateway", send)
    assert [message["status"] for message in told if "status" in message] == [503, 200]
    assert b'"master_key"' in told[1]["body"]
