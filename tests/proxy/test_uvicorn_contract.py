"""What proxy.protocol takes for granted of uvicorn's class. When one of these fails after an upgrade, read the class
anew beside proxy/protocol.py before changing a line here."""

from __future__ import annotations

import ast
import inspect
import textwrap

from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from lumos_site.roles.web import configuration
from proxy.protocol import BoundedHeads, Cycle, GatewayProtocol, HttpPort

OURS = (BoundedHeads, GatewayProtocol)
OVERRIDDEN = {
    *("__init__", "connection_made", "connection_lost", "data_received"),
    *("on_header", "on_headers_complete", "on_message_complete"),
}


def attributes(source: type, owner: str) -> set[str]:
    """Every name that the code of a class reads or sets on `owner`, such as self.cycle."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(source)))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in found if ast.unparse(node.value) == owner}


def test_uvicorn_asks_nothing_of_a_cycle_but_what_ours_has() -> None:
    ours = {"_start_asgi_task", "on_headers_complete"}
    used = attributes(HttpToolsProtocol, "self.cycle") | attributes(HttpToolsProtocol, "existing_cycle")
    assert used == set(Cycle.__slots__)
    assert ours <= set(vars(HttpToolsProtocol)), "where uvicorn makes a cycle of its own and runs it"


async def test_what_we_use_of_a_connection_is_there() -> None:
    config = Config("tests.proxy.test_uvicorn_contract:no_application", log_config=None)
    plain = HttpToolsProtocol(config, ServerState(), {}, None)
    inherited = set(dir(plain)) | attributes(HttpToolsProtocol, "self")
    own = {name for ours in OURS for name in vars(ours)} | {"_port", "_in_body", "_heads", "_head_size", "_deadline"}
    used = attributes(HttpPort, "self._protocol") | attributes(HttpPort, "protocol")
    used = used.union(*(attributes(ours, "self") for ours in OURS))
    assert used - own <= inherited
    assert {"write_paused", "drain", "resume_reading"} <= set(dir(FlowControl(None)))
    assert isinstance(ServerState().default_headers, list)
    assert STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n"


async def no_application(scope: object, receive: object, send: object) -> None:
    """Named by the configuration above; never called."""


def test_little_is_overridden_and_all_of_it_exists() -> None:
    own = {name for ours in OURS for name, value in vars(ours).items() if inspect.isfunction(value)}
    assert own & set(vars(HttpToolsProtocol)) == OVERRIDDEN
    for name in OVERRIDDEN - {"__init__"}:
        mine, theirs = getattr(GatewayProtocol, name), getattr(HttpToolsProtocol, name)
        assert list(inspect.signature(mine).parameters) == list(inspect.signature(theirs).parameters)


def test_the_web_process_runs_the_protocol() -> None:
    config = configuration()
    config.load()
    assert config.http_protocol_class is GatewayProtocol
