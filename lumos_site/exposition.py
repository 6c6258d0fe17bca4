"""Answers `/metrics` for Prometheus, on the operators' hosts only; owns the exposition, declares no metric.

A process answers for itself. Where several share one port, give each a port of its own (`./lumos serve`) to scrape.
"""

from __future__ import annotations

from django.conf import settings
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from lumos_site.wire import Scope, Send, not_found
from proxy.asgi import running_gateway


async def answer_metrics(scope: Scope, send: Send) -> None:
    if _host(scope) not in settings.PUBLIC_HOSTS:
        await not_found(scope, _nothing, send)
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


def _host(scope: Scope) -> str:
    found: str = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
    return found if found.endswith("]") else found.rsplit(":", 1)[0]


async def _nothing() -> dict[str, object]:
    return {}
