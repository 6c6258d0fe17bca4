"""The first stages: rates per address and of the whole process, before anything is looked up; no I/O, no await."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from proxy.errors import LayerLimited, Overloaded

if TYPE_CHECKING:
    from proxy.exchange import Exchange, Headers
    from proxy.gateway import Gateway

_NS_PER_MS = 1_000_000


async def by_address(exchange: Exchange, gateway: Gateway) -> None:
    """Raises LayerLimited. IPv6 counts by its /64, which is what one customer of a provider holds."""
    wait = gateway.ip_rate.wait(network_of(exchange.ip), exchange.started_ns)
    if wait:
        raise LayerLimited(
            f"This address sends more than {gateway.settings.ip_rate} requests a second",
            code="ip_rate_limit_exceeded",
            retry_after_ms=-(-wait // _NS_PER_MS),
        )


async def overall(exchange: Exchange, gateway: Gateway) -> None:
    """Raises Overloaded."""
    wait = gateway.global_rate.wait("", exchange.started_ns)
    if wait or gateway.draining:
        raise Overloaded(retry_after_ms=max(1000, -(-wait // _NS_PER_MS)))


def network_of(ip: str) -> str:
    """The name under which an address is counted."""
    if ":" not in ip:
        return ip
    try:
        packed = socket.inet_pton(socket.AF_INET6, ip.partition("%")[0])
    except OSError:
        return ip
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[:8].hex()


def client_address(peer: str, headers: Headers, trusted_proxies: int) -> str:
    """The caller's address: the peer, or what the outermost of our own proxies saw.

    `trusted_proxies` is how many proxies of ours stand in front. Each appends the address it saw, so only that many
    entries from the right of X-Forwarded-For are ours; what stands left of them anybody can write.
    """
    if not trusted_proxies:
        return peer
    seen = b",".join(value for name, value in headers if name == b"x-forwarded-for").split(b",")
    hops = [hop.strip().decode("ascii", "replace") for hop in seen if hop.strip()]
    return hops[-trusted_proxies] if len(hops) >= trusted_proxies else peer
