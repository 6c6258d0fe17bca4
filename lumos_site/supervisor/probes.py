"""Whether a component really does its work: a login, a PING, a page, a heartbeat; never "the process exists"."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from core.processes import started_at


class NotReady(Exception):
    """The component answered, or failed to, in a way that says: not yet."""


async def redis_command(url: str, *words: str) -> bytes | None:
    """One command to the Redis server at `url`, by hand: importing a client would cost the start 0.1 s.

    Returns the bulk or simple answer; raises OSError, NotReady on an error reply.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname or "127.0.0.1", parts.port or 6379)
    try:
        if parts.password:
            login = ["AUTH", *([unquote(parts.username)] if parts.username else []), unquote(parts.password)]
            await _ask(reader, writer, login)
        database = parts.path.strip("/")
        if database not in ("", "0"):
            await _ask(reader, writer, ["SELECT", database])
        return await _ask(reader, writer, words)
    finally:
        writer.close()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: list[str] | tuple[str, ...]
) -> bytes | None:
    encoded = [word.encode() for word in words]
    writer.write(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    head = (await reader.readline()).rstrip(b"\r\n")
    if head[:1] == b"$":
        length = int(head[1:])
        return None if length < 0 else (await reader.readexactly(length + 2))[:-2]
    if head[:1] in (b"+", b":"):
        return head[1:]
    raise NotReady(head.decode(errors="replace") or "the server closed the connection")


async def redis_answers(url: str) -> None:
    """Raises while the server at `url` does not answer PING, or still loads its data."""
    try:
        answer = await redis_command(url, "PING")
    except (OSError, asyncio.IncompleteReadError) as error:
        raise NotReady(str(error)) from error
    if answer != b"PONG":
        raise NotReady(f"PING was answered by {answer!r}")


async def http_answers(host: str, port: int, path: str) -> None:
    """Raises while GET `path` is not answered with 200."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()
    except (OSError, TimeoutError) as error:
        raise NotReady(str(error)) from error
    head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
    if head.split(" ")[1:2] != ["200"]:
        raise NotReady(f"{path} says {head.split(chr(13))[0] or 'nothing'} {body[:300]}")


async def heartbeat_of(url: str, key: str, pid: int) -> None:
    """Raises until the process `pid` has written its heartbeat to `key`.

    An old one may be there from before a restart of the machine or container, where the same numbers come again.
    """
    try:
        beat = await redis_command(url, "GET", key)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise NotReady(str(error)) from error
    with suppress(ValueError, TypeError, KeyError, OSError):
        known = json.loads(beat or b"null")
        if (known["pid"], known["started"]) == (pid, started_at(pid)):
            return
    raise NotReady("no heartbeat yet")
