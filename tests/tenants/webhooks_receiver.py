"""A customer's server that receives webhooks: a real one on this machine, which answers as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

from core.http import PrivateNetworks, UrlPolicy

# What tests allow tenants, and an installation never does: plain HTTP to this machine.
LOCAL = UrlPolicy(frozenset({"http"}), PrivateNetworks((ip_network("127.0.0.0/8"),)))
LOCAL_TEXT = (
    "from ipaddress import ip_network; from core.http import PrivateNetworks, UrlPolicy; "
    "LOCAL = UrlPolicy(frozenset({'http'}), PrivateNetworks((ip_network('127.0.0.0/8'),)))"
)


@dataclass
class Receiver:
    """`status` is what it answers, `headers` go with it; `got` is what came: (path, headers, body)."""

    status: int = 200
    body: bytes = b"thanks"
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _path, headers, _body in self.got]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            time.sleep(receiver.pause)
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, *args: object) -> None:
            """Tests look at `got`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
