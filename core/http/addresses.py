"""Which IP addresses nobody may be sent to; a pure table, deaf to names, settings and the standard library's opinion.

The table follows IANA's registries of special-purpose addresses (IPv4 and IPv6). `ipaddress.is_global` is not asked,
because its answers changed between Python's minor versions. IPv6 is refused but for 2000::/3, the only part that is
given out; an IPv4 address that an IPv6 one carries is judged in its place.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Refusal(StrEnum):
    """Why an address may not be called. METADATA stays refused whatever a policy allows."""

    LOOPBACK = "loopback"
    PRIVATE = "private"
    SHARED = "shared"
    LINK_LOCAL = "link-local"
    METADATA = "metadata"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    RESERVED = "reserved"
    TUNNEL = "tunnel"


# Where clouds hand their credentials to whoever asks from inside; one of them (Azure's) is a public address.
_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "100.100.100.200",
        "168.63.129.16",
        "169.254.169.253",
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "192.0.0.192",
        "fd00:ec2::23",
        "fd00:ec2::253",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)

_IPV4: Final = tuple(
    (IPv4Network(text), refusal)
    for text, refusal in (
        ("0.0.0.0/8", Refusal.UNSPECIFIED),
        ("10.0.0.0/8", Refusal.PRIVATE),
        ("100.64.0.0/10", Refusal.SHARED),
        ("127.0.0.0/8", Refusal.LOOPBACK),
        ("169.254.0.0/16", Refusal.LINK_LOCAL),
        ("172.16.0.0/12", Refusal.PRIVATE),
        ("192.0.0.0/24", Refusal.RESERVED),
        ("192.0.2.0/24", Refusal.RESERVED),
        ("192.31.196.0/24", Refusal.RESERVED),
        ("192.52.193.0/24", Refusal.RESERVED),
        ("192.88.99.0/24", Refusal.TUNNEL),
        ("192.168.0.0/16", Refusal.PRIVATE),
        ("192.175.48.0/24", Refusal.RESERVED),
        ("198.18.0.0/15", Refusal.RESERVED),
        ("198.51.100.0/24", Refusal.RESERVED),
        ("203.0.113.0/24", Refusal.RESERVED),
        ("224.0.0.0/4", Refusal.MULTICAST),
        ("240.0.0.0/4", Refusal.RESERVED),
    )
)

_GIVEN_OUT: Final = IPv6Network("2000::/3")
_IPV6: Final = tuple(
    (IPv6Network(text), refusal)
    for text, refusal in (
        ("::/128", Refusal.UNSPECIFIED),
        ("::1/128", Refusal.LOOPBACK),
        ("::/96", Refusal.TUNNEL),
        ("64:ff9b:1::/48", Refusal.TUNNEL),
        ("2001::/32", Refusal.TUNNEL),
        ("2001::/23", Refusal.RESERVED),
        ("2001:db8::/32", Refusal.RESERVED),
        ("2002::/16", Refusal.TUNNEL),
        ("2620:4f:8000::/48", Refusal.RESERVED),
        ("3fff::/20", Refusal.RESERVED),
        ("5f00::/16", Refusal.RESERVED),
        ("fc00::/7", Refusal.PRIVATE),
        ("fe80::/10", Refusal.LINK_LOCAL),
        ("fec0::/10", Refusal.PRIVATE),
        ("ff00::/8", Refusal.MULTICAST),
    )
)

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOW_32: Final = 0xFFFF_FFFF


def carried(address: Address) -> Address:
    """The IPv4 address that a mapped (RFC 4291) or NAT64 (RFC 6052) one stands for; else the address itself."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & _LOW_32)
    return address


def refusal_of(address: Address) -> Refusal | None:
    """Why this address may not be called; None when anybody on the internet may have it."""
    real = carried(address)
    if real in _METADATA:
        return Refusal.METADATA
    if isinstance(real, IPv4Address):
        return next((refusal for network, refusal in _IPV4 if real in network), None)
    found = next((refusal for network, refusal in _IPV6 if real in network), None)
    return found or (None if real in _GIVEN_OUT else Refusal.RESERVED)


def parse_network(text: str) -> Network:
    """A network such as 10.0.0.0/8 or fd00::/8, or one address; raises ValueError."""
    return ip_network(text)
