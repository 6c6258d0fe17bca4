"""Who may read `/metrics`; owns the decision and the refusal, no figure.

A scraper shows the installation's token, as Prometheus sends it (`Authorization: Bearer`), or connects by itself from
a network that the operator named. What a proxy passed on does not come from the proxy's network: a proxy on this
machine would otherwise open the metrics to everybody.
"""

from __future__ import annotations

import hmac
import ipaddress

from django.conf import settings

from lumos_site.wire import Scope, Send

_PASSED_ON = {b"forwarded", b"x-forwarded-for"}


def may_scrape(scope: Scope) -> bool:
    """Whether this request may read the metrics, by METRICS_TOKEN and METRICS_NETWORKS."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    return _shows_token(headers.get(b"authorization", b"")) or _is_named(scope, headers)


def _shows_token(authorization: bytes) -> bool:
    scheme, _, shown = authorization.partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(shown.strip(), settings.METRICS_TOKEN.encode())


def _is_named(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    if not settings.METRICS_NETWORKS or headers.keys() & _PASSED_ON:
        return False
    try:
        address = ipaddress.ip_address(scope["client"][0])
    except (KeyError, TypeError, ValueError):  # a peer without an address, such as one on a Unix socket
        return False
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    return any(address in network for network in settings.METRICS_NETWORKS)


async def refuse_scrape(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"www-authenticate", b"Bearer")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b"Show the metrics token; see docs/operating.md.\n"})
