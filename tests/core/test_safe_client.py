"""Calls to addresses that people entered, over real sockets: what is pinned, what is cut, what is never followed."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.http import (
    AnswerTooLarge,
    Limits,
    OutboundFailed,
    OutboundTimeout,
    SafeClient,
    UrlPolicy,
    UrlRefused,
    parse_private_networks,
    tenant_policy,
)

HERE = UrlPolicy(frozenset({"http", "https"}), parse_private_networks(["127.0.0.1/32"]))
LOCAL = ipaddress.ip_address("127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Listener:
    """Answers each connection with the same bytes; `seen` is what it was sent."""

    def __init__(self, answer: bytes, *, pause: float = 0.0, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[bytes] = []
        self.names: list[str | None] = []
        self._answer, self._pause, self._tls = answer, pause, tls
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._socket.accept()
                self._talk(connection)
            except OSError:
                continue

    def _talk(self, connection: socket.socket) -> None:
        if self._tls is not None:
            self._tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection:
            connection.settimeout(5)
            self.seen.append(connection.recv(65536))
            pieces = [self._answer[n : n + 1] for n in range(len(self._answer))] if self._pause else [self._answer]
            for piece in pieces:
                connection.sendall(piece)
                self._ended.wait(self._pause)

    def stop(self) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@contextmanager
def listening(answer: bytes = OK, *, pause: float = 0.0, tls: ssl.SSLContext | None = None) -> Iterator[Listener]:
    listener = Listener(answer, pause=pause, tls=tls)
    try:
        yield listener
    finally:
        listener.stop()


def client(*, policy: UrlPolicy = HERE, resolver=lambda host: [LOCAL], **limits) -> SafeClient:
    return SafeClient(policy, limits=Limits(**limits), resolver=resolver)


def test_a_call_keeps_the_name_and_says_nothing_of_the_address() -> None:
    with listening() as there:
        url = f"http://hooks.example:{there.port}/in?x=1"
        answer = client().post(url, content=b'{"a":1}', headers={"webhook-id": "msg_1", "User-Agent": "Lumos-Webhooks"})
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"ok", "2")
    head, _, body = there.seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?x=1 HTTP/1.1\r\nHost: hooks.example:%d\r\n" % there.port)
    assert body == b'{"a":1}'
    for line in (b"Content-Length: 7", b"webhook-id: msg_1", b"User-Agent: Lumos-Webhooks", b"Connection: close"):
        assert line in head
    assert b"127.0.0.1" not in head


def test_a_name_server_that_changes_its_mind_decides_nothing() -> None:
    """Rebinding: the first answer is judged and connected to; whoever asks again would be led inside."""
    answers = iter([[LOCAL], [ipaddress.ip_address("169.254.169.254")]])
    asked = []

    def rebinding(host: str):
        asked.append(host)
        return next(answers)

    with listening() as there:
        url = f"http://hooks.example:{there.port}/"
        assert client(resolver=rebinding).get(url).status == 200
        assert asked == ["hooks.example"]
        with pytest.raises(UrlRefused):
            client(resolver=rebinding).get(url)
        assert len(there.seen) == 1


@pytest.mark.parametrize("found", ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"])
def test_a_tenants_url_that_leads_inside_is_refused_before_any_connection(found: str) -> None:
    with listening() as there, pytest.raises(UrlRefused):
        inside = client(policy=tenant_policy(), resolver=lambda host: [ipaddress.ip_address(found)])
        inside.post(f"https://hooks.example:{there.port}/", content=b"")
    assert there.seen == []


def test_a_redirect_is_an_answer_and_never_a_way() -> None:
    with listening() as secret:
        to = (
            f"HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:{secret.port}/latest/meta-data/\r\ncontent-length: 0\r\n\r\n"
        )
        with listening(to.encode()) as there:
            answer = client().get(f"http://hooks.example:{there.port}/")
        assert (answer.status, len(there.seen), secret.seen) == (307, 1, [])


def test_the_environments_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as proxy, listening() as there:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert client().get(f"http://hooks.example:{there.port}/").status == 200
        assert proxy.seen == []


def test_plain_http_and_what_cannot_be_read_are_refused() -> None:
    for url in ("http://93.184.216.34/", "https://user@93.184.216.34/", "https://2130706433/"):
        with pytest.raises(UrlRefused):
            client(policy=tenant_policy()).get(url)


@pytest.mark.parametrize(
    "headers", [{"Host": "evil"}, {"content-length": "9"}, {"x": "a\r\nb: c"}, {"x\r\ny": "z"}, {"x": "é"}]
)
def test_headers_that_would_change_the_request_itself_are_not_sent(headers: dict[str, str]) -> None:
    with listening() as there, pytest.raises(ValueError, match="cannot be sent"):
        client().get(f"http://hooks.example:{there.port}/", headers=headers)
    assert there.seen == []


def test_a_body_over_the_limit_is_refused_or_cut() -> None:
    long = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000
    with listening(long) as there:
        url = f"http://hooks.example:{there.port}/"
        assert len(client().get(url).body) == 5000
        assert client(body_bytes=100, cut_body=True).get(url).body == b"x" * 100
        with pytest.raises(AnswerTooLarge):
            client(body_bytes=100).get(url)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", OutboundFailed),
        (b"SSH-2.0-OpenSSH_9\r\n", OutboundFailed),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", OutboundFailed),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, AnswerTooLarge),
        (b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", OutboundFailed),
    ],
)
def test_what_is_no_answer_is_told_apart(answer: bytes, error: type[Exception]) -> None:
    with listening(answer) as there, pytest.raises(error):
        client().get(f"http://hooks.example:{there.port}/")


def test_what_comes_before_the_answer_is_passed_over() -> None:
    early = b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n"
    with listening(early + b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n") as there:
        got = client().get(f"http://hooks.example:{there.port}/")
    assert (got.status, got.body, "link" in got.headers) == (200, b"ok", False)


def test_an_answer_in_drips_ends_with_the_whole_time() -> None:
    with listening(OK * 100, pause=0.05) as there, pytest.raises(OutboundTimeout):
        client(total_seconds=0.4).get(f"http://hooks.example:{there.port}/")


def test_several_calls_share_one_time() -> None:
    with listening(OK) as there:
        hurried = client(total_seconds=30).within(0.3)
        assert hurried.get(f"http://hooks.example:{there.port}/").status == 200
        time.sleep(0.3)
        with pytest.raises(OutboundTimeout):
            hurried.get(f"http://hooks.example:{there.port}/")
        assert len(there.seen) == 1


def test_the_systems_name_server_is_not_waited_for_longer_than_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def tarpit(*names: object, **more: object) -> list[object]:
        asked.set()
        threading.Event().wait(3)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", tarpit)
    with pytest.raises((OutboundFailed, OutboundTimeout)):
        SafeClient(HERE).within(0.2).get("https://hooks.example/")
    assert asked.is_set()


def test_an_unknown_name_and_a_closed_port_are_told() -> None:
    with pytest.raises(OutboundFailed, match="name"):
        client(resolver=lambda host: []).get("http://hooks.example/")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(OutboundFailed) as caught:
        client().get(f"http://hooks.example:{port}/")
    assert "127.0.0.1" not in caught.value.message


def test_the_next_address_is_tried_when_the_first_takes_no_connection() -> None:
    policy = UrlPolicy(frozenset({"http"}), parse_private_networks(["127.0.0.0/8"]))
    other = ipaddress.ip_address("127.0.0.2")  # nobody listens there
    with listening() as there:
        answer = client(policy=policy, resolver=lambda host: [other, LOCAL]).get(f"http://x.example:{there.port}/")
    assert answer.status == 200


def certificate(directory: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for `name`, and a client's that trusts just that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = directory / f"{name}.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


def test_the_certificate_is_checked_for_the_name_not_for_the_pinned_address(tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path, "hooks.example")
    with listening(tls=server) as there:
        good = SafeClient(HERE, resolver=lambda host: [LOCAL], tls=trusting)
        assert good.get(f"https://hooks.example:{there.port}/").status == 200
        with pytest.raises(OutboundFailed, match="certificate"):
            good.get(f"https://other.example:{there.port}/")
        with pytest.raises(OutboundFailed, match="certificate"):
            client().get(f"https://hooks.example:{there.port}/")
    assert there.names[0] == "hooks.example"
    assert len(there.seen) == 1
