"""Lists of networks from which somebody may call: how they are written, and whom they let in; pure.

An empty list lets everybody in. An IPv4 caller on a socket for both families is seen as ::ffff:1.2.3.4 and counts as
what it is; an address that cannot be read is let in by no list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from core.http.addresses import Network

MOST: Final = 100

Networks = tuple[Network, ...]


def read_networks(entries: Iterable[str]) -> tuple[str, ...]:
    """The entries in their canonical spelling, each once. Raises ValueError with words for whoever entered them."""
    found = dict.fromkeys(_canonical(entry.strip()) for entry in entries if entry.strip())
    if len(found) > MOST:
        raise ValueError(f"name at most {MOST} networks")
    return tuple(found)


def _canonical(entry: str) -> str:
    try:
        return str(ip_network(entry))
    except ValueError as error:
        try:
            meant = ip_network(entry, strict=False)
        except ValueError:
            raise ValueError(f"{entry[:60]} is no network; write 203.0.113.0/24 or 2001:db8::/32") from error
        raise ValueError(f"{entry[:60]} is an address inside a network; did you mean {meant}?") from error


@lru_cache(maxsize=4096)
def networks_of(entries: tuple[str, ...]) -> Networks:
    """Networks that were read before, ready to be asked; the same list is parsed once."""
    return tuple(ip_network(entry) for entry in entries)


def admits(networks: Networks, address: str) -> bool:
    """Whether a caller from that address is let in."""
    if not networks:
        return True
    try:
        caller = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(caller, IPv6Address) and caller.ipv4_mapped is not None:
        return any(caller.ipv4_mapped in network for network in networks)
    return any(caller in network for network in networks)


def is_within(inner: Sequence[str], outer: Sequence[str]) -> bool:
    """Whether nobody is let in by `inner` that `outer` keeps out. False for an `inner` that cannot be read."""
    if not outer:
        return True
    try:
        narrow = networks_of(read_networks(inner))
    except ValueError:
        return False
    wide = networks_of(tuple(outer))
    return bool(narrow) and all(any(_covers(large, small) for large in wide) for small in narrow)


def _covers(large: Network, small: Network) -> bool:
    return large.version == small.version and small.subnet_of(large)  # type: ignore[arg-type]
