"""A small Celery application, so that tests of the local backend start real workers quickly; no Django in it."""

from __future__ import annotations

import os
import subprocess
import time

import redis
from celery import Celery

from core.redis import key, namespace, redis_url
from scaling.backends.local import inside

app = Celery("lumos-tests", fixups=[], set_as_current=False)
app.conf.update(
    broker_url=redis_url(),
    broker_transport_options={"global_keyprefix": f"{namespace()}:celery:", "polling_interval": 0.2},
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
)
inside.install()


@app.task(name="tests.work")
def work(seconds: float, *, with_child: bool = False) -> None:
    """Say that it began, take that long, say that it ended."""
    client = redis.Redis.from_url(redis_url())
    client.rpush(key("tests", "began"), os.getpid())
    if with_child:
        client.rpush(key("tests", "child"), subprocess.Popen(["sleep", "60"]).pid)
    time.sleep(seconds)
    client.rpush(key("tests", "ended"), os.getpid())


@app.task(name="tests.eat")
def eat(mebibytes: int) -> None:
    """Take memory, a part at a time, and say how far it came."""
    client, taken = redis.Redis.from_url(redis_url()), []
    for _ in range(mebibytes // 8):
        taken.append(bytearray(8 * 1024 * 1024))
        client.set(key("tests", "eaten"), len(taken) * 8)
    client.rpush(key("tests", "ended"), os.getpid())


@app.task(name="tests.environment")
def environment() -> None:
    client = redis.Redis.from_url(redis_url())
    client.rpush(key("tests", "environment"), *sorted(os.environ))


@app.task(name="tests.burn")
def burn(seconds: float) -> None:
    """Use a whole core for that long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
