"""The catalogue in a gateway process: replaced whole, without losing connections; and the simulated provider."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest

from core.ids import new_ulid
from proxy.catalogue import Catalogue
from proxy.conf import GatewaySettings
from proxy.providers import demo
from proxy.providers.base import Order, ProviderConfig
from proxy.providers.demo.words import answer_words
from proxy.records import CatalogueRecord, ModelRecord, ProviderRecord
from tests.proxy.world import model

DEMO = ProviderRecord(new_ulid(), "demo", "demo", "", "", (("pace_ms", 1),))
REAL = ProviderRecord(new_ulid(), "real", "openai", "http://127.0.0.1:9/v1", "", ())


def record(*providers: ProviderRecord, models: tuple[ModelRecord, ...] = ()) -> CatalogueRecord:
    return CatalogueRecord(providers, models or tuple(model(f"of-{row.name}", row.name) for row in providers))


async def test_a_new_catalogue_keeps_the_providers_that_did_not_change() -> None:
    catalogue = Catalogue(replace(GatewaySettings(), total_ms=0))
    catalogue.replace(record(DEMO, REAL))
    before = catalogue.routes["of-demo"].provider, catalogue.routes["of-real"].provider
    catalogue.replace(record(DEMO, replace(REAL, base_url="http://127.0.0.1:10/v1")))
    assert catalogue.routes["of-demo"].provider is before[0]
    assert catalogue.routes["of-real"].provider is not before[1]
    await asyncio.sleep(0.01)
    catalogue.replace(record(DEMO))
    assert set(catalogue.routes) == {"of-demo"}
    catalogue.prune(0.0)
    await catalogue.close()


async def test_a_provider_that_cannot_be_used_takes_only_its_own_models_away() -> None:
    catalogue = Catalogue(GatewaySettings())
    broken = (
        replace(REAL, id=new_ulid(), name="unsealed", sealed_key="v1.AAAA.AAAA"),
        replace(REAL, id=new_ulid(), name="unknown", kind="carrier-pigeon"),
        replace(REAL, id=new_ulid(), name="nowhere", base_url="not a url"),
    )
    catalogue.replace(record(DEMO, *broken))
    assert catalogue.loaded
    assert set(catalogue.routes) == {"of-demo"}
    await catalogue.close()


def test_a_catalogue_survives_its_way_through_json() -> None:
    whole = record(DEMO, REAL)
    assert CatalogueRecord.from_json(whole.to_json()) == whole


def test_a_configuration_never_shows_its_secret() -> None:
    config = ProviderConfig("real", "openai", "http://x", "sk-secret", {}, 1000)
    assert "sk-secret" not in repr(config)


class TestDemo:
    def provider(self, pace_ms: int = 1) -> demo.DemoProvider:
        return demo.build(ProviderConfig("demo", "demo", "", "", {"pace_ms": pace_ms}, 1000))

    def order(self, name: str = "demo-chat", stream: bool = True, **changes: Any) -> Order:
        request = {"model": name, "messages": [{"role": "user", "content": "hello there"}], **changes}
        endpoint = "embeddings" if "embed" in name else "chat.completions"
        return Order("req_1", endpoint, name, stream, b"", request)

    async def test_the_same_request_gets_the_same_words(self) -> None:
        answers = [await (await self.provider().call(self.order())).whole() for _ in range(2)]
        one, two = (re.sub(rb'"created":\d+', b"", answer) for answer in answers)
        assert one == two
        assert b"include_usage" not in one
        assert b'"usage"' not in one

    async def test_a_limit_on_output_is_kept(self) -> None:
        inbox = await self.provider().call(self.order(stream=False, max_tokens=3))
        answer = await inbox.whole()
        assert b'"finish_reason":"length"' in answer
        assert b'"completion_tokens":3' in answer

    async def test_a_paused_answer_waits_and_an_aborted_one_ends(self) -> None:
        inbox = await self.provider().call(self.order())
        await inbox.opened()
        assert inbox.source is not None
        inbox.source.pause()
        await asyncio.sleep(0.02)
        size = inbox.size
        await asyncio.sleep(0.02)
        assert inbox.size == size
        inbox.source.resume()
        assert (await inbox.whole()).endswith(b"data: [DONE]\n\n")
        other = await self.provider().call(self.order())
        await other.opened()
        other.release()
        await asyncio.sleep(0.02)
        assert not other.complete

    async def test_the_slow_model_is_slow_and_the_pace_can_be_set(self) -> None:
        began = asyncio.get_running_loop().time()
        await (await self.provider().call(self.order("demo-slow"))).opened()
        assert asyncio.get_running_loop().time() - began > 1.9
        provider = self.provider(pace_ms=30)
        began = asyncio.get_running_loop().time()
        await (await provider.call(self.order(max_tokens=5))).whole()
        assert asyncio.get_running_loop().time() - began > 0.15
        provider.prune(0.0)
        await provider.close()

    async def test_embeddings_depend_on_the_text_only_and_come_in_both_encodings(self) -> None:
        provider = self.provider()
        plain = await (await provider.call(self.order("demo-embed", False, input=["a", "b"]))).whole()
        again = await (await provider.call(self.order("demo-embed", False, input=["a", "b"]))).whole()
        packed = await (
            await provider.call(self.order("demo-embed", False, input="a", encoding_format="base64"))
        ).whole()
        assert plain == again
        assert b'"embedding":"' in packed

    @pytest.mark.parametrize(
        ("messages", "quoted"),
        [
            (
                [{"role": "user", "content": [{"type": "text", "text": "in parts"}, {"type": "image_url"}]}],
                '"in parts"',
            ),
            ([{"role": "system", "content": "x"}], "nothing"),
            ([{"role": "user", "content": None}], "nothing"),
            ([{"role": "user", "content": "long " * 100}], "…"),
        ],
    )
    def test_the_words_speak_of_the_request(self, messages: list[Any], quoted: str) -> None:
        text = "".join(answer_words("demo-chat", {"messages": messages}))
        assert "simulated" in text
        assert quoted in text
