"""Sends the files that browsers fetch under `/static/`; owns their way through ASGI, finds none itself.

WhiteNoise knows the files, their headers and answers; its middleware would hand Django an iterator that blocks, so
that a file is collected before it is sent, with a warning each time. Here a file never meets Django: it is read in
a thread, chunk by chunk.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import BinaryIO

from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from lumos_site.wire import App, Receive, Scope, Send

_CHUNK = 256 * 1024
_NOSNIFF = (b"x-content-type-options", b"nosniff")


class StaticFiles:
    """ASGI: answers what is a static file, and hands everything else on to `behind`."""

    def __init__(self, behind: App) -> None:
        self._behind = behind
        self._shelf = WhiteNoiseMiddleware()  # its reading of the settings, and its list of files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope["path"])
        if found is None:
            await self._behind(scope, receive, send)
        else:
            await _answer(found, scope, send)

    def _find(self, path: str) -> StaticFile | None:
        if not path.startswith(self._shelf.static_prefix):
            return None
        return self._shelf.find_file(path) if self._shelf.autorefresh else self._shelf.files.get(path)


async def _answer(found: StaticFile, scope: Scope, send: Send) -> None:
    answer = await asyncio.to_thread(found.get_response, scope["method"], _environ(scope))
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": [*headers, _NOSNIFF]})
    if answer.file is not None:
        with closing(answer.file) as file:
            await _send_chunks(file, send)
    await send({"type": "http.response.body"})


async def _send_chunks(file: BinaryIO, send: Send) -> None:
    while chunk := await asyncio.to_thread(file.read, _CHUNK):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _environ(scope: Scope) -> dict[str, str]:
    """The request's headers under the names that WSGI gives them, which WhiteNoise asks for."""
    return {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
        for name, value in scope["headers"]
    }
