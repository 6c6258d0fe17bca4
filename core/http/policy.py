"""What a URL may lead to, depending on who entered it; owns the rule, asks nobody.

Operators may name private networks for their own providers (`LUMOS_PRIVATE_NETWORKS`). What a tenant enters is held to
the public internet, whatever the installation allows its operators.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from core.http.addresses import Address, Network, Refusal, carried, parse_network, refusal_of

# What a name that operators listed may lead to. The rest (link-local, multicast …) needs its network listed.
_BY_NAME: Final = frozenset({Refusal.LOOPBACK, Refusal.PRIVATE, Refusal.SHARED})


@dataclass(frozen=True, slots=True)
class PrivateNetworks:
    """Networks that may be called although they are not public, and host names that may lead into any of them."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """`must_resolve`: a name that is not known yet is refused when it is saved, in the same words as a private one,
    so that nobody learns from the answer which names exist inside."""

    schemes: frozenset[str] = frozenset({"https"})
    private: PrivateNetworks = PrivateNetworks()
    must_resolve: bool = True

    def permits(self, host: str, address: Address) -> bool:
        """Whether `host`, which is or leads to `address`, may be called there."""
        refusal = refusal_of(address)
        if refusal is None:
            return True
        if refusal is Refusal.METADATA:
            return False
        real = carried(address)
        if any(real in network for network in self.private.networks):
            return True
        return host in self.private.names and refusal in _BY_NAME


def parse_private_networks(entries: Iterable[str]) -> PrivateNetworks:
    """Networks (`10.0.0.0/8`), addresses and host names (`ollama`) in one list; raises ValueError."""
    networks: list[Network] = []
    names: set[str] = set()
    for entry in entries:
        try:
            networks.append(parse_network(entry))
        except ValueError:
            if not entry.isascii() or not entry.replace("-", "").replace(".", "").replace("_", "").isalnum():
                raise
            if entry.rpartition(".")[2].isdigit():
                raise
            names.add(entry.lower())
    return PrivateNetworks(tuple(networks), frozenset(names))


def tenant_policy() -> UrlPolicy:
    """For URLs that a tenant enters: webhooks, identity providers."""
    return UrlPolicy()


def operator_policy() -> UrlPolicy:
    """For operators' own providers: also plain HTTP, and the private networks that the settings name."""
    return UrlPolicy(frozenset({"https", "http"}), settings.PRIVATE_NETWORKS, must_resolve=False)
