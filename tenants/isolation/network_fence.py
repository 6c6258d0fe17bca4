"""Checks of the network fence: what an address that this tenant enters may lead to; nothing is ever connected to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network

from django.utils.translation import gettext_lazy as _

from core.errors import LumosError
from core.http import Address, Limits, SafeClient, UrlRefused, check_url, tenant_policy
from core.tenancy import TenantRef, platform_scope
from tenants.errors import AddressNotAllowed
from tenants.isolation.registry import Broken, FenceKind, NotApplicable, proves
from tenants.models import ApiKey
from tenants.networks import check_key_address, check_portal_address
from tenants.selectors import tenant_by_id

# One of each kind that has led into somebody's network elsewhere.
FORBIDDEN = (
    ("this machine", "https://127.0.0.1/"),
    ("this machine, as one number", "https://2130706433/"),
    ("a private network", "https://10.1.2.3/"),
    ("another private network", "https://192.168.0.1/"),
    ("the metadata service", "https://169.254.169.254/latest/meta-data/"),
    ("an IPv4 address inside IPv6", "https://[::ffff:10.0.0.1]/"),
    ("a link-local IPv6 address", "https://[fe80::1]/"),
    ("a unique local IPv6 address", "https://[fd00::1]/"),
    ("plain HTTP", "http://93.184.216.34/"),
)
# Addresses of nobody (RFC 5737, RFC 3849), of which one is outside of whatever list a tenant has.
_OUTSIDE = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1")
_REBINDING, _PUBLIC, _PRIVATE = "rebinding.example", "93.184.216.34", "10.1.2.3"
_QUICK = Limits(connect_seconds=0.5, total_seconds=1.0, body_bytes=1024)


@proves(FenceKind.NETWORK, "forbidden_addresses_at_save", _("Private addresses are refused when they are entered"))
def forbidden_addresses_at_save(tenant: TenantRef) -> str:
    """What a form or the API asks before it stores a tenant's address."""
    passed = [kind for kind, url in FORBIDDEN if not _refused_at_save(url)]
    if passed:
        raise Broken(f"Accepted when entered: {', '.join(passed)}.")
    return f"{len(FORBIDDEN)} of {len(FORBIDDEN)} refused: {', '.join(kind for kind, _url in FORBIDDEN)}."


def _refused_at_save(url: str) -> bool:
    try:
        check_url(url, policy=tenant_policy())
    except LumosError:
        return True
    return False


@proves(FenceKind.NETWORK, "forbidden_addresses_at_connect", _("Private addresses are refused again when called"))
def forbidden_addresses_at_connect(tenant: TenantRef) -> str:
    """What the transport does with an address that got into the database by another way."""
    client = SafeClient(tenant_policy(), limits=_QUICK)
    passed = [kind for kind, url in FORBIDDEN if not _refused_at_connect(client, url)]
    if passed:
        raise Broken(f"The transport would have called: {', '.join(passed)}.")
    return f"The transport refused all {len(FORBIDDEN)} before it opened a connection."


@proves(FenceKind.NETWORK, "rebinding_refused", _("A name that changes its mind leads nowhere"))
def rebinding_refused(tenant: TenantRef) -> str:
    """A name server that answers with a public address when asked first, and with a private one at the call."""
    answers = iter((_PUBLIC, _PRIVATE))

    def changing(host: str) -> Sequence[Address]:
        return [ip_address(next(answers))]

    check_url(f"https://{_REBINDING}/", policy=tenant_policy(), resolver=changing)
    if not _refused_at_connect(SafeClient(tenant_policy(), limits=_QUICK, resolver=changing), f"https://{_REBINDING}/"):
        raise Broken("A name that was public when entered led to a private address when called.")
    return "A name that was public when entered and private when called was refused at the call."


def _refused_at_connect(client: SafeClient, url: str) -> bool:
    try:
        client.get(url)
    except UrlRefused:
        return True
    except LumosError:
        return False
    return False


@proves(FenceKind.NETWORK, "allowed_networks_in_force", _("Only the networks that were allowed may call"))
def allowed_networks_in_force(tenant: TenantRef) -> str:
    """An address outside of the tenant's lists, at the doors of its programs and of its portal."""
    with platform_scope():
        row = tenant_by_id(tenant.id)
    doors: dict[str, tuple[list[str], Callable[[str], None]]] = {
        "programs": (row.allowed_networks, lambda address: check_key_address(ApiKey(tenant=row), address)),
        "portal": (row.portal_networks, lambda address: check_portal_address(row.portal_networks, address)),
    }
    named = {door: each for door, each in doors.items() if each[0]}
    if not named:
        raise NotApplicable("No network is named, so programs and people may come from anywhere.")
    tried = {door: _address_outside(entries) for door, (entries, _check) in named.items()}
    opened = [door for door, (_entries, check) in named.items() if not _is_turned_away(check, tried[door])]
    if opened:
        raise Broken(f"An address outside of the allowed networks got in: {', '.join(opened)}.")
    lines = [f"{door}: {', '.join(named[door][0])}, and {address} is refused" for door, address in tried.items()]
    return f"{'; '.join(lines)}."


def _address_outside(entries: Sequence[str]) -> str:
    networks = [ip_network(entry) for entry in entries]
    for candidate in _OUTSIDE:
        if not any(ip_address(candidate) in network for network in networks):
            return candidate
    raise NotApplicable("The networks that are named hold every address that could be tried.")


def _is_turned_away(check: Callable[[str], None], address: str) -> bool:
    try:
        check(address)
    except AddressNotAllowed:
        return True
    return False
