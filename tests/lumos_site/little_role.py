"""A role that the real zygote forks in tests: notes what it was born with, then lives until it is told to stop.

python -m tests.lumos_site.little_role ROLES…      is the zygote that knows it
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from core.ids import new_ulid
from lumos_site.roles import MODULES, zygote
from lumos_site.roles.notes import NOTIFY_FD, tell_ready


def birth() -> dict[str, Any]:
    """What must be one's own, and what must not be there."""
    descriptors = {number: _target(number) for number in os.listdir("/proc/self/fd")}
    return {
        "parent": os.getppid(),
        "session": os.getsid(0),
        "threads": threading.active_count(),
        "role": os.environ["LUMOS_ROLE"],
        "given": os.environ.get("LITTLE_GIVEN", ""),
        "called": Path("/proc/self/comm").read_text().strip(),
        "sockets": [number for number, target in descriptors.items() if target.startswith("socket:")],
        "pipes": sorted(number for number, target in descriptors.items() if target.startswith("pipe:")),
        "notes": os.environ[NOTIFY_FD],
        "chance": [random.random(), new_ulid(0), str(uuid.uuid4()), next(tempfile._get_candidate_names())],
    }


def _target(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:  # the one that was open for the listing
        return ""


def main(name: str, notes: str) -> int:
    def note(what: str) -> None:
        with open(notes, "a") as file:
            file.write(f"{name} {what} {os.getpid()}\n")

    def end(*_: object) -> None:
        note("stops")
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    note("starts")
    Path(notes).with_name(f"birth-{name}").write_text(json.dumps(birth()))
    tell_ready()
    note("ready")
    print("hello from", name, flush=True)
    while True:
        time.sleep(600)


if __name__ == "__main__":
    MODULES["little"] = "tests.lumos_site.little_role"
    sys.exit(zygote.main(sys.argv[1:]))
