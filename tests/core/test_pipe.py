"""The gateway's Redis connection against a real server: order, loss, time-outs and repair."""

from __future__ import annotations

import asyncio
import os

import pytest
import redis as redis_library

from core.redis import key, redis_url
from core.redis.pipe import RedisAway, RedisPipe, RedisRefused, Script


@pytest.fixture
async def pipe(redis: redis_library.Redis):
    pipe = RedisPipe(redis_url(), timeout=0.5)
    await pipe.connect()
    yield pipe
    await pipe.close()


async def test_answers_come_back_to_their_callers(pipe: RedisPipe) -> None:
    names = [key("pipe", str(number)) for number in range(200)]
    await asyncio.gather(*(pipe.execute("SET", name, name) for name in names))
    assert await asyncio.gather(*(pipe.execute("GET", name) for name in names)) == [name.encode() for name in names]


async def test_a_caller_that_gives_up_does_not_shift_the_answers(pipe: RedisPipe) -> None:
    """A cancelled call once left another user's reply on the connection, in a product that we know."""
    for round_number in range(50):
        tasks = [asyncio.create_task(pipe.execute("ECHO", f"{round_number}-{number}")) for number in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for number, result in enumerate(results):
            assert isinstance(result, asyncio.CancelledError) or result == f"{round_number}-{number}".encode()


async def test_a_script_is_loaded_where_it_is_not_known(pipe: RedisPipe) -> None:
    await pipe.execute("SCRIPT", "FLUSH")
    script = Script("sum", "return tonumber(ARGV[1]) + tonumber(ARGV[2])")
    assert await pipe.script(script, [], [2, 3]) == 5
    assert await pipe.script(script, [], [4, 5]) == 9


async def test_a_refused_command_is_an_error_and_the_next_one_works(pipe: RedisPipe) -> None:
    with pytest.raises(RedisRefused):
        await pipe.execute("NONSENSE")
    assert await pipe.execute("PING") == b"PONG"


async def test_a_late_answer_times_out_and_is_not_given_to_the_next_caller(pipe: RedisPipe) -> None:
    slow = asyncio.create_task(pipe.execute("BLPOP", key("nobody-pushes"), "0.8"))
    with pytest.raises(RedisAway):
        await slow
    await asyncio.sleep(0.4)
    assert await pipe.execute("ECHO", "mine") == b"mine"


async def test_a_cut_connection_fails_what_waits_and_is_made_again(pipe: RedisPipe, redis: redis_library.Redis) -> None:
    waiting = asyncio.create_task(pipe.execute("BLPOP", key("nobody-pushes"), "5"))
    await asyncio.sleep(0.05)
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with pytest.raises(RedisAway):
        await waiting
    async with asyncio.timeout(2):
        while not pipe.connected:
            await asyncio.sleep(0.02)
    assert await pipe.execute("PING") == b"PONG"


async def test_nobody_listening_is_said_at_once() -> None:
    pipe = RedisPipe("redis://127.0.0.1:1/0")
    with pytest.raises(RedisAway):
        await pipe.connect()
    with pytest.raises(RedisAway):
        await pipe.execute("PING")


async def test_a_password_is_sent_and_never_shown() -> None:
    pipe = RedisPipe("redis://:open%20sesame@127.0.0.1:6379/2")
    assert pipe._greeting() == [("AUTH", "open sesame"), ("SELECT", "2"), ("PING",)]
    assert "sesame" not in repr(pipe)
    assert os.environ.get("REDIS_URL", "") not in repr(pipe) or not os.environ.get("REDIS_URL")
