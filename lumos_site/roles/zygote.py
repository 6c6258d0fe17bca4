"""The process that imports the product once and forks the roles: `python -m lumos_site.roles.zygote FIRST OTHERS…`.

It owns no connection, no thread and no secret of a request, so there is nothing that two forks could share by mistake:
what is shared is code. A role is forked twice, and the process between ends at once: that makes the role a child of
the supervisor, who adopts orphans, as if it had started it itself.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
from importlib import import_module
from typing import Any

import django

from core.processes import die_with_parent, name_process
from lumos_site.roles import CONTROL_FD, MODULES
from lumos_site.roles.notes import NOTIFY_FD, tell_ready
from lumos_site.siblings import register

_MOST_DESCRIPTORS = 8


def main(roles: list[str]) -> int:
    """In the zygote: until the supervisor closes its end. In a fork: the role's exit code."""
    gc.disable()  # everything that an import makes is kept, so looking for garbage among it is lost time
    control = socket.socket(fileno=int(os.environ.pop(CONTROL_FD)))
    os.set_inheritable(control.fileno(), False)
    django.setup()
    import_module(MODULES[roles.pop(0)])
    register("zygote")
    tell_ready()
    order = _work(control, roles)
    if order is None:
        return 0
    control.close()
    gc.enable()
    code: int | None = import_module(MODULES[order["role"]]).main(*order["options"])
    return code or 0


def _work(control: socket.socket, later: list[str]) -> dict[str, Any] | None:
    """Carry out orders, and load the other roles while there is none; returns the order in each fork, None at the end.

    What a role needs is imported here and not in its fork, so that the next fork has it.
    """
    while True:
        if later and not select.select([control], [], [], 0)[0]:
            import_module(MODULES[later.pop(0)])
            continue
        text, descriptors, _, _ = socket.recv_fds(control, 65_536, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        if not text:
            return None
        order: dict[str, Any] = json.loads(text)
        import_module(MODULES[order["role"]])
        gc.freeze()  # out of the collector's sight: it would write to every shared page
        pid = _fork(order["parent"])
        if pid is None:
            _become(order, descriptors)
            return order
        control.send(str(pid).encode())
        for descriptor in descriptors:
            os.close(descriptor)


def _fork(parent: int) -> int | None:
    """The pid of a new child of `parent`; None in that child. Raises OSError when the machine has no room for it."""
    born, tell = os.pipe()
    wait, go = os.pipe()
    between = os.fork()
    if between == 0:
        _fork_again(tell)
        os.close(go)
        if os.read(wait, 1) != b"g":
            os._exit(1)
        for descriptor in (born, tell, wait):
            os.close(descriptor)
        die_with_parent(parent, signal.SIGTERM)
        return None
    os.close(tell)
    os.close(wait)
    os.waitpid(between, 0)  # from here on the new process is the supervisor's
    number = os.read(born, 20)
    os.close(born)
    if not number:
        raise OSError("no process could be forked")
    os.write(go, b"g")
    os.close(go)
    return int(number)


def _fork_again(tell: int) -> None:
    """Returns in the new process only, whose number the process between tells before it ends."""
    try:
        child = os.fork()
    except OSError:
        os._exit(1)
    if child:
        os.write(tell, str(child).encode())
        os._exit(0)


def _become(order: dict[str, Any], descriptors: list[int]) -> None:
    """A session, output, notes and environment of one's own."""
    os.setsid()
    output, notes, *others = descriptors
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    os.environ["LUMOS_ROLE"] = order["role"]
    os.environ[NOTIFY_FD] = str(notes)
    for variable, descriptor in zip(order["descriptors"], others, strict=True):
        os.environ[variable] = str(descriptor)
    name_process(f"lumos-{order['name']}")
    register(order["name"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
