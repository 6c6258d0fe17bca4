"""The child's side of the supervisor's two pipes; without them (started by hand) every call does nothing.

A child loads its code first, which is what takes long, then waits at the gate until what it needs is there.
"""

from __future__ import annotations

import os
import sys
from functools import cache

from lumos_site.supervisor.process import GATE_FD, NOTIFY_FD


@cache
def _descriptor(variable: str) -> int | None:
    """The pipe named in the environment, taken out of it so that our own children do not inherit it."""
    text = os.environ.pop(variable, None)
    if text is None:
        return None
    os.set_inheritable(int(text), False)
    return int(text)


def _notify(note: bytes) -> None:
    descriptor = _descriptor(NOTIFY_FD)
    if descriptor is not None:
        os.write(descriptor, note)


def wait_at_gate() -> None:
    """Block until the supervisor opens the gate; exit when it is gone instead."""
    _descriptor(NOTIFY_FD)
    gate = _descriptor(GATE_FD)
    if gate is None:
        return
    _notify(b"w")
    if os.read(gate, 1) == b"":
        sys.exit(1)
    os.close(gate)


@cache
def tell_ready() -> None:
    """Say so once, however often it is called."""
    _notify(b"r")
