"""From a URL to the addresses that may be called for it; owns the question to the name server and its time limit."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address

from django.utils.translation import gettext as _

from core.http.addresses import Address
from core.http.errors import UrlRefused
from core.http.policy import UrlPolicy
from core.http.urls import Place, parse_url

Resolver = Callable[[str], Sequence[Address]]
_ANSWER_WITHIN = 5.0


def ask_system(host: str, seconds: float = _ANSWER_WITHIN) -> Sequence[Address]:
    """What the system's resolver says within five seconds, or less; nothing for a name that is unknown or too slow."""
    found: list[Address] = []

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(addresses_in(entries))

    # The C library cannot be told to hurry, so a thread waits for it, which may outlive the question.
    asking = threading.Thread(target=ask, name="name-lookup", daemon=True)
    asking.start()
    asking.join(min(seconds, _ANSWER_WITHIN))
    return list(found)


def addresses_in(entries: Iterable[tuple[object, object, object, object, tuple[object, ...]]]) -> list[Address]:
    """The addresses in an answer of `getaddrinfo`, in its order."""
    return list(dict.fromkeys(ip_address(str(entry[4][0])) for entry in entries))


def judge(host: str, policy: UrlPolicy, found: Sequence[Address]) -> Sequence[Address]:
    """`found`, when all of it may be called. One refused address among them is a trap, and refuses the whole.

    Raises UrlRefused.
    """
    if not all(policy.permits(host, address) for address in found):
        raise refused(_("This address is not in the public internet."))
    return found


def look_up(place: Place, policy: UrlPolicy, resolver: Resolver) -> Sequence[Address]:
    """The addresses to call, empty when the name is unknown. Raises UrlRefused."""
    if place.scheme not in policy.schemes:
        raise refused(_("The address must begin with https://."))
    return judge(place.host, policy, [place.address] if place.address else resolver(place.host))


def check_url(url: str, *, policy: UrlPolicy, field: str = "url", resolver: Resolver = ask_system) -> Place:
    """Whether somebody may save this URL; what it leads to is looked up again at each call. Raises UrlRefused.

    May wait for a name server: call it before a transaction, not in it.
    """
    try:
        place = parse_url(url)
    except ValueError as error:
        raise refused(_("This is not an address that can be called."), field, str(error)) from error
    try:
        known = look_up(place, policy, resolver)
    except UrlRefused as error:
        raise refused(error.message, field) from error
    if policy.must_resolve and not known:
        raise refused(_("This address is not in the public internet."), field)
    return place


def refused(message: str, field: str = "url", detail: str = "") -> UrlRefused:
    return UrlRefused(message, fields={field: [detail or message]})
