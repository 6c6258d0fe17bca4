"""One request to an address that somebody entered; owns pinning and limits, follows no redirect and knows no proxy.

The name is resolved here, judged, and the very address that was judged is connected to, so a name server that changes
its mind in between (rebinding) decides nothing. Certificate, SNI and Host header keep the name. It blocks: for
workers, not for an event loop; the gateway has its own connections (`proxy/upstream`) under the same policy.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from core.http.addresses import Address
from core.http.errors import OutboundFailed, OutboundTimeout
from core.http.policy import UrlPolicy
from core.http.reading import Reading
from core.http.resolve import Resolver, ask_system, look_up, refused
from core.http.urls import Place, parse_url

_OURS: Final = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding", "expect"})
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_READ: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """`total_seconds` holds from the name's lookup to the last byte. A body over the limit is an error, or is cut."""

    connect_seconds: float = 5.0
    total_seconds: float = 15.0
    body_bytes: int = 1024 * 1024
    cut_body: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Any answer at all, redirects too; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@cache
def _default_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class SafeClient:
    """Each call opens a connection of its own. Raises UrlRefused, OutboundTimeout, AnswerTooLarge, OutboundFailed."""

    def __init__(
        self,
        policy: UrlPolicy,
        *,
        limits: Limits = Limits(),
        resolver: Resolver = ask_system,
        tls: ssl.SSLContext | None = None,
        until: float = math.inf,
    ) -> None:
        self._policy = policy
        self._limits = limits
        self._resolver = resolver
        self._tls = tls
        self._until = until  # of time.monotonic(), for all calls

    def within(self, seconds: float) -> SafeClient:
        """The same, for several calls that together take no longer than that from now."""
        until = time.monotonic() + seconds
        return SafeClient(self._policy, limits=self._limits, resolver=self._resolver, tls=self._tls, until=until)

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        return self._call("GET", url, b"", headers or {})

    def post(self, url: str, *, content: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return self._call("POST", url, content, headers or {})

    def _call(self, method: str, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            place = parse_url(url)
        except ValueError as error:
            raise refused(str(error)) from error
        deadline = min(time.monotonic() + self._limits.total_seconds, self._until)
        request = _head(method, place, content, headers) + content
        try:
            addresses = look_up(place, self._policy, self._asking(deadline))
            if not addresses:
                raise OutboundFailed("The name of the host is not known")
            with self._connected(place, addresses, deadline) as connection:
                connection.settimeout(_left(deadline))
                connection.sendall(request)
                return self._read(connection, deadline)
        except TimeoutError as error:
            raise OutboundTimeout() from error
        except OSError as error:
            raise OutboundFailed(f"The connection failed: {_why(error)}") from error

    def _asking(self, deadline: float) -> Resolver:
        """Whom to ask for addresses: the system's resolver is not waited for longer than there is time."""
        left = _left(deadline)
        return partial(ask_system, seconds=left) if self._resolver is ask_system else self._resolver

    def _connected(self, place: Place, addresses: Sequence[Address], deadline: float) -> socket.socket:
        plain = self._dial(place.port, addresses, deadline)
        if not place.secure:
            return plain
        try:
            plain.settimeout(_left(deadline))
            return (self._tls or _default_tls()).wrap_socket(plain, server_hostname=place.host)
        except BaseException:
            plain.close()
            raise

    def _dial(self, port: int, addresses: Sequence[Address], deadline: float) -> socket.socket:
        """The first of the addresses that takes the connection. They are numbers: nothing is looked up again."""
        failure: OSError = TimeoutError()
        for address in addresses:
            try:
                wait = min(self._limits.connect_seconds, _left(deadline))
                return socket.create_connection((str(address), port), wait)
            except OSError as error:
                failure = error
        raise failure

    def _read(self, connection: socket.socket, deadline: float) -> Answer:
        reading = Reading(self._limits.body_bytes, cut=self._limits.cut_body)
        while not reading.complete:
            connection.settimeout(_left(deadline))
            reading.feed(connection.recv(_READ))
        return Answer(reading.status, reading.headers, bytes(reading.body))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _head(method: str, place: Place, content: bytes, headers: Mapping[str, str]) -> bytes:
    """Raises ValueError for a header that would be ours to set or could end the line."""
    ours = {"Host": place.authority, "Accept-Encoding": "identity", "Connection": "close"}
    if method != "GET":
        ours["Content-Length"] = str(len(content))
    named = {"User-Agent": "Lumos", **headers}
    for name, value in named.items():
        if name.lower() in _OURS or not _NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise ValueError(f"The header {name!r} cannot be sent")
    lines = [f"{method} {place.target} HTTP/1.1", *(f"{name}: {value}" for name, value in (ours | named).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _why(error: OSError) -> str:
    """For logs and delivery lists; holds no address, which only the name server should tell."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid ({error.verify_message})"
    return (error.strerror or type(error).__name__).lower()
