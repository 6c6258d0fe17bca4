"""From where a request comes, when only proxies of ours may be believed."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def exact_address(request: HttpRequest) -> str:
    """The client's address: the entry that the outermost trusted proxy wrote, else the peer itself. It may be junk."""
    peer: str = request.META.get("REMOTE_ADDR") or "0.0.0.0"  # noqa: S104 - names an unknown peer, binds nothing
    forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    trusted = settings.TRUSTED_PROXIES
    if trusted and len(forwarded) >= trusted:
        peer = forwarded[-trusted]
    return peer


def client_address(request: HttpRequest) -> str:
    """For counting: the client's address, or "unknown".

    An IPv6 client owns a whole /64 network and may change its address at will, so that network stands for it.
    """
    try:
        address = ipaddress.ip_address(exact_address(request))
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
