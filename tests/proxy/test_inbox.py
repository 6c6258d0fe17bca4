"""Pouring an answer on from where it arrives: who is woken, what is handed over, and how it ends."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import ProviderLost, ProviderMalformed
from proxy.upstream import inbox as inbox_module
from proxy.upstream.inbox import Inbox


class Producer:
    """The source of an inbox; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def abort(self) -> None:
        self.told.append("abort")

    def release(self) -> None:
        self.told.append("release")


def arriving(*parts: bytes) -> tuple[Inbox, Producer]:
    """An inbox in which one read with these parts arrived."""
    inbox, source = Inbox(asyncio.get_running_loop()), Producer()
    inbox.source = source
    read(inbox, *parts)
    return inbox, source


def read(inbox: Inbox, *parts: bytes) -> None:
    for part in parts:
        inbox.put(part)
    inbox.notify()


async def test_each_read_reaches_the_sink_at_once_in_one_piece() -> None:
    inbox, _ = arriving(b"early ", b"words")
    seen: list[bytes] = []

    def sink(data: bytes) -> bool:
        seen.append(data)
        return True

    pouring = asyncio.create_task(inbox.pour(sink))
    await asyncio.sleep(0)
    assert seen == [b"early words"]
    read(inbox, b"a", b"b")
    assert seen[-1] == b"ab", "before anything else could run"
    read(inbox, b"c")
    inbox.put(b"last")
    inbox.finish()
    assert await pouring is False
    assert seen == [b"early words", b"ab", b"c", b"last"]


async def test_a_sink_that_has_enough_gets_nothing_more_until_it_is_poured_again() -> None:
    inbox, source = arriving()
    seen: list[bytes] = []

    def sink(data: bytes) -> bool:
        seen.append(data)
        return data != b"stop"

    pouring = asyncio.create_task(inbox.pour(sink))
    await asyncio.sleep(0)
    read(inbox, b"stop")
    read(inbox, b"kept")
    assert await pouring is True
    assert seen == [b"stop"]
    read(inbox, b"x" * inbox_module.HIGH_WATER)
    assert source.told == ["pause"], "what nobody takes is not read without end"
    inbox.finish()
    assert await inbox.pour(sink) is False
    assert seen[1] == b"kept" + b"x" * inbox_module.HIGH_WATER
    assert source.told == ["pause", "resume"]


async def test_what_the_sink_raises_ends_the_answer_and_its_source() -> None:
    inbox, source = arriving()

    def sink(data: bytes) -> bool:
        raise ProviderMalformed()

    pouring = asyncio.create_task(inbox.pour(sink))
    await asyncio.sleep(0)
    read(inbox, b"torn")
    assert source.told == ["abort"]
    with pytest.raises(ProviderMalformed):
        await pouring


async def test_a_failure_comes_after_what_arrived_before_it() -> None:
    inbox, _ = arriving(b"whole")
    seen: list[bytes] = []

    def sink(data: bytes) -> bool:
        seen.append(data)
        return True

    inbox.fail(ProviderLost())
    with pytest.raises(ProviderLost):
        await inbox.pour(sink)
    assert seen == [b"whole"]
