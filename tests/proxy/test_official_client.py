"""The official OpenAI client, unmodified, against the gateway on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.proxy.serving import Served, serving, serving_in_thread
from tests.proxy.world import World

pytestmark = pytest.mark.usefixtures("either_port")
HELLO: list[Any] = [{"role": "user", "content": "Say hello to acme"}]


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    with serving_in_thread() as running:
        yield running


def client_of(served: Served, world: World, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=world.token, max_retries=0, timeout=10, **options)


def test_a_completion_is_answered_with_usage(served: Served, world: World) -> None:
    with client_of(served, world) as client:
        answer = client.chat.completions.create(model="demo-chat", messages=HELLO)
    assert "simulated" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 5
    [event] = world.wait_for_events(1)
    assert (event["status"], event["output_tokens"]) == ("ok", answer.usage.completion_tokens)


def test_a_stream_arrives_chunk_by_chunk_without_the_usage_nobody_asked_for(served: Served, world: World) -> None:
    with client_of(served, world) as client:
        chunks = list(client.chat.completions.create(model="demo-chat", messages=HELLO, stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    [event] = world.wait_for_events(1)
    assert event["estimated"] is False
    assert event["first_token_ms"] is not None


def test_usage_comes_with_a_stream_that_asks_for_it(served: Served, world: World) -> None:
    with client_of(served, world) as client:
        options: Any = {"include_usage": True}
        stream = client.chat.completions.create(model="demo-chat", messages=HELLO, stream=True, stream_options=options)
        last = list(stream)[-1]
    assert last.usage is not None
    assert last.choices == []


async def test_the_asynchronous_client_works_streamed_and_not(world: World) -> None:
    async with (
        serving() as served,
        openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=world.token, max_retries=0) as client,
    ):
        answer = await client.chat.completions.create(model="demo-fast", messages=HELLO)
        stream = await client.chat.completions.create(model="demo-fast", messages=HELLO, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        vector = await client.embeddings.create(model="demo-embed", input="acme")
    assert text == answer.choices[0].message.content
    assert len(vector.data[0].embedding) == 64


def test_models_are_listed_and_read(served: Served, world: World) -> None:
    with client_of(served, world) as client:
        names = [entry.id for entry in client.models.list()]
        one = client.models.retrieve("demo-embed")
        with pytest.raises(openai.NotFoundError) as refusal:
            client.models.retrieve("gpt-none")
    assert "demo-chat" in names
    assert one.owned_by == "demo"
    assert refusal.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("demo-429", openai.RateLimitError, "rate_limit_exceeded"),
        ("demo-500", openai.InternalServerError, "provider_error"),
        ("no-such-model", openai.NotFoundError, "model_not_found"),
    ],
)
def test_failures_become_the_clients_own_exceptions(
    served: Served, world: World, model: str, error: type[openai.APIStatusError], code: str
) -> None:
    with client_of(served, world) as client, pytest.raises(error) as caught:
        client.chat.completions.create(model=model, messages=HELLO)
    assert caught.value.code == code
    assert (caught.value.request_id or "").startswith("req_")


@pytest.mark.parametrize("model", ["demo-cut", "demo-malformed"])
def test_a_stream_that_breaks_raises_in_the_client(served: Served, world: World, model: str) -> None:
    with client_of(served, world) as client, pytest.raises(openai.APIError):
        list(client.chat.completions.create(model=model, messages=HELLO, stream=True))
    [event] = world.wait_for_events(1)
    assert event["status"] == "stream_error"
    assert event["estimated"] is True


def test_a_wrong_key_is_an_authentication_error(served: Served, world: World) -> None:
    stranger = openai.OpenAI(base_url=f"{served.url}/v1", api_key="sk-wrong", max_retries=0)
    with stranger as client, pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    assert caught.value.code == "invalid_api_key"


def test_headers_tell_id_time_and_limits(served: Served, world: World) -> None:
    body = {"model": "demo-fast", "messages": HELLO}
    headers = {"authorization": f"Bearer {world.token}"}
    answer = httpx.post(f"{served.url}/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["x-request-id"].startswith("req_")
    assert int(answer.headers["openai-processing-ms"]) < 5_000
    assert answer.headers["x-ratelimit-limit-requests"] == "1000000"
    assert answer.headers["x-ratelimit-remaining-requests"] == "999999"
    assert answer.headers["x-ratelimit-reset-requests"].endswith("ms")
