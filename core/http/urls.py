"""Reads URLs that people entered, strictly: what two readers could understand differently is refused.

Pure; asks no name server. Hosts are plain names in ASCII or addresses in their one canonical spelling, because what
`0x7f.1`, `2130706433`, digits of other scripts or `host.` mean depends on who reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from core.http.addresses import Address

_LONGEST: Final = 2000
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LONGEST_NAME: Final = 253
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads. `address` is set when its host is one; `target` is path and query as they are sent."""

    scheme: str
    host: str
    port: int
    target: str
    address: Address | None

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str) -> Place:
    """Raises ValueError with what is wrong, in words for the person who entered it."""
    if not url or len(url) > _LONGEST:
        raise ValueError(f"must have 1 to {_LONGEST} characters")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("must be plain ASCII without spaces; write international names in their xn-- form")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError("must begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must not contain a name or password")
    host = parts.hostname or ""
    return Place(parts.scheme, host, _port(parts), _target(parts), _address(host, parts.netloc))


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError("has a port that is none") from error
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("has a port that is none")
    return port or _PORTS[parts.scheme]


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _address(host: str, netloc: str) -> Address | None:
    """The address that the host is, None for a name; raises ValueError for what is neither beyond doubt."""
    if netloc.startswith("[") or ":" in host:
        return _canonical(host)
    labels = host.split(".")
    if len(host) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("must have a host name or an address")
    # Where the last label is a number, browsers and C libraries read the whole as an IPv4 address, in many spellings.
    return _canonical(host) if _NUMBER.fullmatch(labels[-1]) else None


def numeric(host: str) -> Address | None:
    """The address that the host of a URL which was read is; None for a name."""
    return ip_address(host) if ":" in host or host.rpartition(".")[2].isdigit() else None


def _canonical(host: str) -> Address:
    try:
        address = ip_address(host)
    except ValueError as error:
        raise ValueError("must write an address plainly, such as 203.0.113.7 or [2001:db8::7]") from error
    if "%" in host:
        raise ValueError("must not name a network interface")
    return address
