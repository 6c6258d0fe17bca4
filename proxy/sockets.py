"""One answer on its way through a websocket: a port of the pipeline that makes messages of events; decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson

from proxy.exchange import Headers

SendText = Callable[[str], Awaitable[None]]


class SocketPort:
    """The client's side of an exchange under a websocket. `label` is the client's own id of the request."""

    __slots__ = ("_body", "_failed", "_label", "_send", "_status")

    def __init__(self, send: SendText, label: str, body: bytes) -> None:
        self._send = send
        self._label = orjson.dumps(label).decode()
        self._body = body
        self._status = 0
        self._failed = False

    async def body(self, limit: int) -> bytes:
        """The request; its size was checked with the message that carried it."""
        return self._body

    async def begin(self, status: int, headers: Headers, data: bytes, *, last: bool) -> None:
        self._status = status
        if any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers):
            await self.write(data)
        else:
            await self._pass_whole(data)
        if last:
            await self._tell_done()

    async def write(self, data: bytes) -> None:
        for event in data.split(b"\n\n"):
            payload = event.removeprefix(b"data: ")
            if payload.startswith(b'{"error":'):
                self._failed = True
                await self._send(self._joined("error", payload[1:-1].decode()))
            elif payload and payload != b"[DONE]" and event.startswith(b"data:"):
                await self._send(self._joined("chunk", '"chunk":' + payload.decode()))

    async def finish(self, data: bytes) -> None:
        await self.write(data)
        await self._tell_done()

    def watch(self, gone: Callable[[], None]) -> None:
        """The consumer learns of a lost connection itself and cuts its exchanges."""

    async def _pass_whole(self, data: bytes) -> None:
        if self._status == 200:
            await self._send(self._joined("answer", '"answer":' + data.decode()))
            return
        self._failed = True
        await self._send(self._joined("error", f'"status":{self._status},' + data.decode().strip()[1:-1]))

    async def _tell_done(self) -> None:
        """Only an answer that is whole is done; a failed one ended with its error."""
        if not self._failed:
            await self._send(f'{{"type":"done","id":{self._label}}}')

    def _joined(self, kind: str, rest: str) -> str:
        return f'{{"type":"{kind}","id":{self._label},{rest}}}'
