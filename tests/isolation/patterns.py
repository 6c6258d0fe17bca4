"""The ways in which async code has read another tenant's rows, each as one function over a fence and two tenants.

A pattern makes `times` reads, alternately for one tenant and the other, interleaved as an event loop does it, and
counts: how many showed a row of the other one (`leaks`), how many were refused or failed, how many were right. Letters
are those of the published findings: a-j of the security notes, A1-A8 of the tenancy notes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.cache import cache
from django.db import connections, transaction
from django.http import StreamingHttpResponse

from core.tenancy import TenantRef, clear_scope
from tenants.api import ApiKey
from tenants.workspace.models import Conversation
from tests.isolation.fences import Fence

Pair = tuple[TenantRef, TenantRef]
_AT_ONCE = 20


@dataclass(slots=True)
class Count:
    leaks: int = 0
    refused: int = 0
    right: int = 0
    last_refusal: str = ""


def titles() -> list[str]:
    return list(Conversation.objects.values_list("title", flat=True))


def key_names() -> list[str]:
    return list(ApiKey.objects.values_list("name", flat=True))


def _judge(count: Count, answer: Any, ref: TenantRef, pair: Pair) -> None:
    others = {other.slug for other in pair if other != ref}
    if isinstance(answer, BaseException) or answer is None:
        count.refused += 1
        count.last_refusal = repr(answer)
    elif others & set(answer):
        count.leaks += 1
    else:
        count.right += answer == [ref.slug]


async def _alternate(fence: Fence, pair: Pair, times: int, one: Callable[[TenantRef], Awaitable[Any]]) -> Count:
    """`one` for each tenant in turn, so many at once, after somebody who entered the first one and left it so."""
    count = Count()
    with clear_scope():
        await asyncio.create_task(fence.enter_for_good(pair[0]))
        for start in range(0, times, _AT_ONCE):
            refs = [pair[number % 2] for number in range(start, min(start + _AT_ONCE, times))]
            answers = await asyncio.gather(*(one(ref) for ref in refs), return_exceptions=True)
            for ref, answer in zip(refs, answers, strict=True):
                _judge(count, answer, ref, pair)
    return count


async def socket(fence: Fence, pair: Pair, times: int) -> Count:
    """a, A1: a consumer sets its tenant when it connects, and reads at each message."""

    class Reading(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await fence.enter_for_good(self.scope["ref"])
            await self.accept()

        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await asyncio.sleep(0)
            await self.send(json.dumps(await database_sync_to_async(titles)()))

    count, sockets = Count(), []
    with clear_scope():
        for number in range(4):
            one = ApplicationCommunicator(Reading.as_asgi(), {"type": "websocket", "ref": pair[number % 2]})
            await one.send_input({"type": "websocket.connect"})
            assert (await one.receive_output(20))["type"] == "websocket.accept"
            sockets.append(one)
        for _ in range(times // len(sockets)):
            await asyncio.gather(*(one.send_input({"type": "websocket.receive", "text": "read"}) for one in sockets))
            for one in sockets:
                answer = json.loads((await one.receive_output(20))["text"])
                _judge(count, answer, one.scope["ref"], pair)
        for one in sockets:
            await one.send_input({"type": "websocket.disconnect", "code": 1000})
            await one.wait(20)
    return count


async def awaited_thread(fence: Fence, pair: Pair, times: int) -> Count:
    """b: a scope around an awaited call of a thread."""

    async def one(ref: TenantRef) -> Any:
        with fence.scope(ref):
            await asyncio.sleep(0)
            return await sync_to_async(titles)()

    return await _alternate(fence, pair, times, one)


async def async_orm(fence: Fence, pair: Pair, times: int) -> Count:
    """c: the async ORM under a scope."""

    async def one(ref: TenantRef) -> Any:
        with fence.scope(ref):
            await asyncio.sleep(0)
            return [title async for title in Conversation.objects.values_list("title", flat=True)]

    return await _alternate(fence, pair, times, one)


async def scope_set_in_one_hop(fence: Fence, pair: Pair, times: int) -> Count:
    """A1 without a socket: the tenant is set in one call and used in the next."""

    async def one(ref: TenantRef) -> Any:
        await fence.enter_for_good(ref)
        await asyncio.sleep(0)
        return await sync_to_async(titles)()

    async def in_a_task(ref: TenantRef) -> Any:
        return await asyncio.create_task(one(ref))

    return await _alternate(fence, pair, times, in_a_task)


async def other_threads(fence: Fence, pair: Pair, times: int) -> Count:
    """f, A3: threads that nobody shares, by an executor of one's own."""
    pool = ThreadPoolExecutor(4)

    async def one(ref: TenantRef) -> Any:
        with fence.scope(ref):
            return await sync_to_async(titles, thread_sensitive=False, executor=pool)()

    try:
        return await _alternate(fence, pair, times, one)
    finally:
        for _ in range(16):
            pool.submit(connections.close_all)
        pool.shutdown()


async def outliving_task(fence: Fence, pair: Pair, times: int) -> Count:
    """A4: a task that was begun in a scope and reads after it was left."""

    async def later() -> list[str]:
        await asyncio.sleep(0.001)
        return await sync_to_async(titles)()

    async def one(ref: TenantRef) -> Any:
        with fence.scope(ref):
            task = asyncio.create_task(later())
        return await task

    return await _alternate(fence, pair, times, one)


async def event_stream(fence: Fence, pair: Pair, times: int) -> Count:
    """e: a streaming answer whose generator reads while the client takes it."""

    async def events(ref: TenantRef) -> AsyncIterator[str]:
        for _ in range(2):
            await asyncio.sleep(0)
            yield json.dumps(await sync_to_async(titles)())

    async def one(ref: TenantRef) -> Any:
        with fence.scope(ref):
            await asyncio.sleep(0)
            answer = StreamingHttpResponse(events(ref), content_type="text/event-stream")
            return sorted({title async for part in answer for title in json.loads(part)})

    return await _alternate(fence, pair, times, one)


async def stream_after_the_scope(fence: Fence, pair: Pair, times: int) -> Count:
    """e, as middleware does it: the answer is made in the scope and taken after it was left."""

    async def events() -> AsyncIterator[str]:
        yield json.dumps(await sync_to_async(titles)())

    async def one(ref: TenantRef) -> Any:
        with fence.scope(ref):
            await asyncio.sleep(0)
            answer = StreamingHttpResponse(events(), content_type="text/event-stream")
        return [title async for part in answer for title in json.loads(part)]

    return await _alternate(fence, pair, times, one)


async def cache_in_the_loop(fence: Fence, pair: Pair, times: int) -> Count:
    """g: the cache asked straight from a coroutine."""

    async def one(ref: TenantRef) -> Any:
        with fence.scope(ref):
            cache.set("who", [ref.slug], 60)
            await asyncio.sleep(0)
            return cache.get("who")

    return await _alternate(fence, pair, times, one)


async def cache_awaited(fence: Fence, pair: Pair, times: int) -> Count:
    """h: the cache's own async calls."""

    async def one(ref: TenantRef) -> Any:
        with fence.scope(ref):
            await cache.aset("who-too", [ref.slug], 60)
            await asyncio.sleep(0)
            return await cache.aget("who-too")

    return await _alternate(fence, pair, times, one)


async def task_of_a_queue(fence: Fence, pair: Pair, times: int) -> Count:
    """A task that is sent from a coroutine, and done by the threads of a worker."""
    pool = ThreadPoolExecutor(4)

    async def one(ref: TenantRef) -> Any:
        with fence.scope(ref):
            await asyncio.sleep(0)
            sent = fence.send_task(ref, titles)
        return await asyncio.get_running_loop().run_in_executor(pool, sent)

    try:
        await one(pair[0])  # Celery binds a task at its first use, and its threads must not do that at once
        return await _alternate(fence, pair, times, one)
    finally:
        for _ in range(16):
            pool.submit(connections.close_all)
        pool.shutdown()


async def shared_table(fence: Fence, pair: Pair, times: int) -> Count:
    """i: a table of shared space, which a search path does not divide."""

    async def one(ref: TenantRef) -> Any:
        return await sync_to_async(inside)(ref)

    def inside(ref: TenantRef) -> list[str]:
        with fence.scope(ref):
            return key_names()

    return await _alternate(fence, pair, times, one)


async def commit_hook(fence: Fence, pair: Pair, times: int) -> Count:
    """A8: what was registered in one scope runs where the outer transaction commits."""

    def inside(ref: TenantRef) -> list[str]:
        seen: list[str] = []
        other = next(each for each in pair if each != ref)
        with fence.scope(other), transaction.atomic(), fence.scope(ref):
            transaction.on_commit(lambda: seen.extend(own(ref)))
        return seen

    def own(ref: TenantRef) -> list[str]:
        with fence.scope(ref):
            return titles()

    async def one(ref: TenantRef) -> Any:
        return await sync_to_async(inside)(ref)

    return await _alternate(fence, pair, times, one)


async def failing_switch(fence: Fence, pair: Pair, times: int) -> Count:
    """j: the statement that switches the tenant fails; the next one must not run for the tenant before."""
    execute = psycopg.Cursor.execute
    armed: list[bool] = []

    def breaking(self: Any, query: Any, *more: Any, **options: Any) -> Any:
        if armed and "search_path" in str(query):
            armed.clear()
            raise psycopg.errors.QueryCanceled("canceled on purpose")
        return execute(self, query, *more, **options)

    def inside(ref: TenantRef) -> list[str]:
        other = next(each for each in pair if each != ref)
        with fence.scope(other):
            titles()
        with fence.scope(ref):
            armed.append(True)
            try:
                return titles()
            finally:
                armed.clear()

    async def one(ref: TenantRef) -> Any:
        return await sync_to_async(inside)(ref)

    psycopg.Cursor.execute = breaking  # type: ignore[method-assign]
    try:
        return await _alternate(fence, pair, times, one)
    finally:
        psycopg.Cursor.execute = execute  # type: ignore[method-assign]


PATTERNS: tuple[Callable[[Fence, Pair, int], Awaitable[Count]], ...] = (
    socket,
    awaited_thread,
    async_orm,
    scope_set_in_one_hop,
    other_threads,
    outliving_task,
    event_stream,
    stream_after_the_scope,
    cache_in_the_loop,
    cache_awaited,
    task_of_a_queue,
    shared_table,
    commit_hook,
    failing_switch,
)
