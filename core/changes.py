"""What changed, told to every process of the control plane, and memories that obey it; knows no event and no table.

Each domain event becomes an entry of one stream in Redis, with a number. A process that remembers something follows the
stream in a thread of its own and forgets what the entry makes stale. Whatever could have hidden an entry (a lost
connection, a number that is not the next, a server without its memory) makes it forget everything; and while it does
not hear, nothing is answered from memory. The gateway has its own stream of records (`proxy/publish.py`).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar, cast
from weakref import WeakSet

import redis
import structlog

from core.redis import control, key

log = structlog.get_logger(__name__)
K = TypeVar("K")
V = TypeVar("V")
_KEPT = 10_000
_BLOCK_MS = 250
_DEAF_AFTER = 0.9  # seconds without an answer from Redis; memory is not believed then
_LOST_PAUSE = 0.1
_MOST = 4096

_TELL = """
local n = redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'kind', ARGV[1], 'tenant', ARGV[2], 'n', n)
return n
"""


def tell_change(kind: str, tenant_id: str) -> None:
    """Tell every process; `tenant_id` "" when more than one tenant is concerned. Raises RedisError."""
    keys = [key("events", "number"), key("events", "stream")]
    control().eval(_TELL, len(keys), *keys, kind, tenant_id, _KEPT)


class Memory(Generic[K, V]):
    """What `read` answered, until one of `kinds` is told of the tenant that `owner` names, or `seconds` are over.

    `owner` says whose a value is, "" for what any tenant's change may touch. The seconds are for the rare death of a
    process between its commit and its telling: the outbox tells it later.
    """

    def __init__(
        self, read: Callable[[K], V], *, kinds: Collection[str], owner: Callable[[V], str], seconds: float
    ) -> None:
        self._read, self._owner, self._seconds = read, owner, seconds
        self._kinds = frozenset(kinds)
        self._entries: dict[K, tuple[float, V]] = {}
        self._generation = 0
        self._lock = threading.Lock()

    def get(self, name: K) -> V:
        if not _follower().hears(self):
            return self._read(name)
        moment = time.monotonic()
        entry = self._entries.get(name)
        if entry is not None and entry[0] > moment:
            return entry[1]
        generation = self._generation
        value = self._read(name)
        with self._lock:
            if generation == self._generation:  # else it was read before a change that is told already
                if len(self._entries) >= _MOST:
                    self._entries.clear()
                self._entries[name] = (moment + self._seconds, value)
        return value

    def forget(self, kind: str = "", tenant_id: str = "") -> None:
        """What that change makes stale; everything without a tenant."""
        if kind and kind not in self._kinds:
            return
        with self._lock:
            self._generation += 1
            if not tenant_id:
                self._entries.clear()
                return
            for name, (_until, value) in list(self._entries.items()):
                if self._owner(value) in ("", tenant_id):
                    del self._entries[name]


class Follower:
    """One thread of this process that reads the stream and makes memories forget."""

    def __init__(self) -> None:
        self._memories: WeakSet[Memory[Any, Any]] = WeakSet()
        self._last, self._number = "0-0", 0
        self._heard_at = float("-inf")
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="changes", daemon=True).start()

    def hears(self, memory: Memory[Any, Any]) -> bool:
        """Whether what that memory holds is kept true right now."""
        if memory not in self._memories:
            with self._lock:
                self._memories.add(memory)
        return time.monotonic() - self._heard_at < _DEAF_AFTER

    def _run(self) -> None:
        """Ends with its process only: whatever goes wrong here, attaching anew (which forgets) is the cure."""
        attached = False
        while True:
            try:
                if not attached:
                    self._attach()
                    attached = True
                self._read()
            except Exception as error:
                if attached or not isinstance(error, redis.RedisError):
                    log.warning("core.changes.lost", error=str(error)[:200])
                attached, self._heard_at = False, float("-inf")
                time.sleep(_LOST_PAUSE)

    def _attach(self) -> None:
        newest = cast("list[tuple[bytes, Any]]", control().xrevrange(key("events", "stream"), count=1))
        self._last = newest[0][0].decode() if newest else "0-0"
        self._number = _told()
        self._forget()
        self._heard_at = time.monotonic()

    def _read(self) -> None:
        """What was told since; an idle stream is compared with the number, which a lost entry leaves behind."""
        reply = cast("Any", control().xread({key("events", "stream"): self._last}, count=1000, block=_BLOCK_MS))
        entries = reply[0][1] if reply else []
        for entry_id, fields in entries:
            self._last = entry_id.decode()
            number = int(fields[b"n"])
            if number == self._number + 1:
                self._forget(fields[b"kind"].decode(), fields[b"tenant"].decode())
            else:
                self._forget()
            self._number = number
        if not entries and _told() != self._number:
            self._attach()
        self._heard_at = time.monotonic()

    def _forget(self, kind: str = "", tenant_id: str = "") -> None:
        with self._lock:
            memories = list(self._memories)
        for memory in memories:
            memory.forget(kind, tenant_id)


def _told() -> int:
    return int(cast("bytes | None", control().get(key("events", "number"))) or 0)


_followers: dict[int, Follower] = {}
_making = threading.Lock()


def _follower() -> Follower:
    """This process's; a fork has none of its parent's threads and gets one of its own."""
    mine = _followers.get(os.getpid())
    if mine is None:
        with _making:
            mine = _followers.setdefault(os.getpid(), _followers.get(os.getpid()) or Follower())
    return mine
