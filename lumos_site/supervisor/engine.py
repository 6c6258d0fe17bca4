"""Brings components up in the order of their needs, keeps them up, and takes them down in reverse.

Owns the order and the restarts. What the components are is `plan`'s business.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from core.processes import kill_session
from lumos_site.supervisor.backoff import Backoff
from lumos_site.supervisor.component import Component, Service
from lumos_site.supervisor.console import Console
from lumos_site.supervisor.errors import StartFailed
from lumos_site.supervisor.keeper import Keeper
from lumos_site.supervisor.probes import NotReady
from lumos_site.supervisor.process import Child, Launch, describe_exit
from lumos_site.supervisor.timing import StartTime

PROBE_EVERY_SECONDS = 0.03
HELPER_GRACE_SECONDS = 5.0


class Engine:
    def __init__(
        self,
        components: Sequence[Component],
        console: Console,
        keeper: Keeper,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.console = console
        self.times: list[StartTime] = []
        self.children: dict[str, Child] = {}
        self._components = {component.name: component for component in components}
        self._ready = {component.name: asyncio.Event() for component in components}
        self._keeper = keeper
        self._on_change = on_change
        self._watchers: list[asyncio.Task[None]] = []
        self._starting = 0

    async def start(self) -> None:
        """Return when every component is ready; raise StartFailed when one will not be (the caller then stops)."""
        rising = [asyncio.create_task(self._bring_up(component)) for component in self._components.values()]
        try:
            await asyncio.gather(*rising)
        finally:
            for task in rising:
                task.cancel()
            await asyncio.gather(*rising, return_exceptions=True)

    async def stop(self) -> None:
        """Stop what runs, dependents before what they depend on; the independent at the same time."""
        for watcher in self._watchers:
            watcher.cancel()
        levels = sorted({self._depth(name) for name in self.children}, reverse=True)
        for level in levels:
            await asyncio.gather(*(self._stop_one(name) for name in list(self.children) if self._depth(name) == level))

    def waits_for(self, pid: int) -> bool:
        """Whether `pid` is, or may be, a child of this engine."""
        return self._starting > 0 or any(child.pid == pid for child in self.children.values())

    def kill_all(self) -> None:
        """For the impatient: no reverse order, no grace."""
        for child in self.children.values():
            if not child.ended.is_set():
                kill_session(child.pid)

    async def run_once(self, name: str, launch: Launch, *, quiet: bool = False) -> int:
        """Run something to its end with its output on the console, if `quiet` only when it fails; its exit code."""
        held: list[str] = []
        child = await self._spawn(name, launch, on_line=(lambda _, line: held.append(line)) if quiet else None)
        await child.ended.wait()
        self._forget(child)
        assert child.exit_code is not None
        if child.exit_code != 0:
            for line in held:
                self.console.line(name, line)
        return child.exit_code

    async def wait_until_ready(self, names: Sequence[str]) -> None:
        await asyncio.gather(*(self._ready[name].wait() for name in names))

    async def _bring_up(self, component: Component) -> None:
        await self.wait_until_ready(component.needs)
        began, waited = time.monotonic(), 0.0
        if isinstance(component, Service):
            if component.before is not None:
                await component.before(self)
            child = await self._spawn(component.name, component.launch())
            await self._until_ready(component, child)
            self._watchers.append(asyncio.create_task(self._keep_up(component, child)))
        else:
            waited = await component.run(self)
        self.times.append(StartTime(component.name, began, time.monotonic(), waited))
        self._ready[component.name].set()

    async def _spawn(self, name: str, launch: Launch, *, on_line: Callable[[str, str], None] | None = None) -> Child:
        self._starting += 1  # a process is made before its number is known here
        try:
            child = await Child.start(name, launch, on_line or self.console.line)
            self.children[name] = child
        finally:
            self._starting -= 1
        self._keeper.add(child.pid)
        self._on_change()
        return child

    def _forget(self, child: Child) -> None:
        self._keeper.remove(child.pid)
        if self.children.get(child.name) is child:
            del self.children[child.name]

    async def _until_ready(self, service: Service, child: Child) -> None:
        ended = asyncio.create_task(child.ended.wait())
        reasons: list[str] = [""]
        probing = asyncio.create_task(_probe_until_ready(service, child, reasons))
        try:
            await asyncio.wait({ended, probing}, timeout=service.ready_within, return_when=asyncio.FIRST_COMPLETED)
            if child.ended.is_set():
                how = describe_exit(child.exit_code)
                raise StartFailed(f"{service.name} stopped ({how}) before it was ready; see its lines above.")
            if not probing.done():
                patience = f"{service.ready_within:.0f} s"
                raise StartFailed(f"{service.name} was not ready within {patience} ({reasons[-1] or 'no answer'}).")
            probing.result()
        finally:
            for task in (ended, probing):
                task.cancel()
            await asyncio.gather(ended, probing, return_exceptions=True)

    async def _keep_up(self, service: Service, child: Child) -> None:
        backoff, since = Backoff(), time.monotonic()
        while True:
            await child.ended.wait()
            self._forget(child)
            pause = backoff.after_crash(time.monotonic() - since)
            self.console.say(
                f"{service.name} ended ({describe_exit(child.exit_code)}); starting it again in {pause:.1f} s"
            )
            await asyncio.sleep(pause)
            since = time.monotonic()
            child = await self._spawn(service.name, service.launch())
            with suppress(StartFailed):
                await self._until_ready(service, child)
                self.console.say(f"{service.name} is back after {time.monotonic() - since:.2f} s")
                continue
            await child.stop(service.stop_signal, service.grace)

    async def _stop_one(self, name: str) -> None:
        component, child = self._components.get(name), self.children[name]
        if isinstance(component, Service):
            await child.stop(component.stop_signal, component.grace)
        else:
            await child.stop(signal.SIGTERM, HELPER_GRACE_SECONDS)
        self._forget(child)

    def _depth(self, name: str) -> int:
        """How many layers of components stand below this one; helpers that are no components come down first."""
        component = self._components.get(name)
        if component is None:
            return len(self._components)
        return 1 + max((self._depth(need) for need in component.needs), default=-1)


async def _probe_until_ready(service: Service, child: Child, reasons: list[str]) -> None:
    while True:
        try:
            await service.probe(child)
            return
        except NotReady as reason:
            reasons[-1] = str(reason)
        await asyncio.sleep(PROBE_EVERY_SECONDS)
