"""Answers `/metrics` for Prometheus, to those whom the guard lets in; owns the exposition, declares no metric.

A process answers for itself. Where several share one port, give each a port of its own (`./lumos serve`) to scrape.
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from lumos_site.metrics_guard import may_scrape, refuse_scrape
from lumos_site.wire import Scope, Send
from proxy.asgi import running_gateway


async def answer_metrics(scope: Scope, send: Send) -> None:
    if not may_scrape(scope):
        await refuse_scrape(send)
        return
    headers = [(b"content-type", CONTENT_TYPE_LATEST.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": generate_latest(REGISTRY) + _gateway_figures()})


def _gateway_figures() -> bytes:
    gateway = running_gateway()
    if gateway is None:
        return b""
    registry = CollectorRegistry()
    registry.register(gateway.tally)
    return generate_latest(registry)
