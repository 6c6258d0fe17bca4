"""Answers `/metrics` for Prometheus, to those whom the guard lets in; owns the exposition, declares no metric.

Under a supervisor any web process answers for all processes that it started, see `siblings`; the gateways' part of it
may be a second old.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.platform_collector import PlatformCollector

from lumos_site.metrics_guard import may_scrape, refuse_scrape
from lumos_site.siblings import Gateways, Processes, shared_directory
from lumos_site.wire import Scope, Send
from proxy.asgi import running_gateway


async def answer_metrics(scope: Scope, send: Send) -> None:
    if not may_scrape(scope):
        await refuse_scrape(send)
        return
    directory = shared_directory()
    body = await asyncio.to_thread(_of_all, directory) if directory else _of_this_process()
    headers = [(b"content-type", CONTENT_TYPE_LATEST.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _of_all(directory: Path) -> bytes:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    PlatformCollector(registry)
    registry.register(Gateways(directory))
    registry.register(Processes(directory))
    return generate_latest(registry)


def _of_this_process() -> bytes:
    gateway = running_gateway()
    if gateway is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    registry.register(gateway.tally)
    return generate_latest(REGISTRY) + generate_latest(registry)
