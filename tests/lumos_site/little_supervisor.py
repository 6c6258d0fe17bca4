"""A real engine with little components, run as a process of its own so that tests can signal and kill it.

    little_supervisor.py DIRECTORY COMPONENT…      COMPONENT = name[:need,need][+flag]

Flags: `slow` becomes ready after half a second, `broken` ends before it is ready, `stubborn` ignores SIGTERM,
`parent` starts a grandchild in a session of its own, `forked` comes from the component `zygote`, which is the real one.
Each component notes what it does in DIRECTORY/notes.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from core.conf import ROOT
from lumos_site.supervisor.component import Service, says_ready
from lumos_site.supervisor.console import Console
from lumos_site.supervisor.engine import Engine
from lumos_site.supervisor.keeper import Keeper
from lumos_site.supervisor.marks import MARK
from lumos_site.supervisor.process import Execute
from lumos_site.supervisor.running import run
from lumos_site.supervisor.zygote import Fork, Zygote

CHILD = """
import os, signal, subprocess, sys, time
name, notes, *flags = sys.argv[1:]
def note(what):
    with open(notes, "a") as file:
        file.write(f"{name} {what} {os.getpid()}\\n")
def end(*_):
    note("stops"); sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in flags else end)
note("starts")
if "broken" in flags: print("I am broken"); sys.exit(3)
if "parent" in flags:
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    note(f"child={grandchild.pid}")
if "slow" in flags: time.sleep(0.5)
os.write(int(os.environ["LUMOS_NOTIFY_FD"]), b"r")
note("ready")
print("hello from", name)
while True: time.sleep(600)
"""


def components(texts: list[str], directory: Path, mark: str) -> list[Service]:
    environment, notes = {**os.environ, MARK: mark}, str(directory / "notes")

    def execute(variables: Mapping[str, str], given: tuple[int, ...]) -> Execute:
        command = [sys.executable, "-m", "tests.lumos_site.little_role", "little"]
        return Execute(command, {**environment, **variables}, ROOT, given=given)

    zygote = Zygote(execute)

    def component(text: str) -> Service:
        text, *flags = text.split("+")
        name, _, wanted = text.partition(":")
        needs = tuple(filter(None, wanted.split(",")))
        if name == "zygote":
            return Service(name, zygote.launch, zygote.probe)
        if "forked" in flags:
            return Service(name, lambda: Fork(zygote, name, "little", (name, notes)), says_ready, needs, grace=1.0)
        launch = Execute([sys.executable, "-c", CHILD, name, notes, *flags], environment, directory)
        return Service(name, lambda: launch, says_ready, needs=needs, grace=1.0)

    return [component(text) for text in texts]


def main(directory: Path, texts: list[str]) -> int:
    mark = secrets.token_hex(8)
    keeper = Keeper(mark)

    async def live() -> int:
        engine = Engine(components(texts, directory, mark), Console(), keeper)
        return await run(engine, mark, lambda: print("UP", flush=True))

    try:
        return asyncio.run(live())
    finally:
        keeper.dismiss()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
