"""Which components make up `up` and `serve`, with their commands, needs and probes; runs nothing itself."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from lumos_site.roles import LISTEN_FD, REPORT_FD
from lumos_site.supervisor import preparation, probes, state
from lumos_site.supervisor.component import Component, Service, Task, says_ready
from lumos_site.supervisor.engine import Engine
from lumos_site.supervisor.errors import StartFailed
from lumos_site.supervisor.heartbeats import heartbeat_parts
from lumos_site.supervisor.process import Child, Launch
from lumos_site.supervisor.surroundings import Surroundings

PREPARE = "prepare"
WEB_GRACE_SECONDS = 40.0  # more than the gateway waits for open streams (LUMOS_GATEWAY_DRAIN_SECONDS)


@dataclass
class Plan:
    """The two servers' addresses, and what is learnt on the way up (`report` of the first run)."""

    around: Surroundings
    database_url: str
    redis_url: str
    listening: socket.socket | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def launch(
        self, command: list[str], role: str, settings: str, *, inherited: dict[str, int] | None = None
    ) -> Launch:
        environment = self.around.environment(
            database_url=self.database_url, redis_url=self.redis_url, role=role, settings=settings
        )
        descriptors = inherited or {}
        environment.update({variable: str(descriptor) for variable, descriptor in descriptors.items()})
        return Launch(command, environment, self.around.root, inherited=tuple(descriptors.values()))

    def web(self, name: str, role: str, *, gate: tuple[str, ...] = ()) -> Service:
        """uvicorn on the shared socket. The gateway's settings are its own; every other web role is `control`."""
        listening = self.listening
        assert listening is not None

        def launch() -> Launch:
            settings = "gateway" if role == "gateway" else "control"
            command = self.around.python("lumos_site.roles.web")
            return self.launch(command, role, settings, inherited={LISTEN_FD: listening.fileno()})

        async def serves(child: Child) -> None:
            await says_ready(child)
            host, port = listening.getsockname()[:2]
            await probes.http_answers({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, "/readyz")  # noqa: S104

        return Service(name, launch, serves, gate=gate, grace=WEB_GRACE_SECONDS)

    def celery(self, name: str, role: str, *, needs: tuple[str, ...] = (), gate: tuple[str, ...] = ()) -> Service:
        """`role` is worker or beat; ready when its heartbeat stands in Redis."""

        def launch() -> Launch:
            return self.launch(self.around.python(f"lumos_site.roles.{role}"), role, "worker")

        async def beats(child: Child) -> None:
            await says_ready(child)
            key = ":".join((self.around.namespace, *heartbeat_parts(role, child.pid)))
            await probes.heartbeat_of(self.redis_url, key, child.pid)

        return Service(name, launch, beats, needs=needs, gate=gate)

    def scaling_agent(self, needs: tuple[str, ...]) -> Service:
        """Starts and stops the tenants' own workers on this machine."""

        def launch() -> Launch:
            return self.launch(self.around.python("scaling.backends.local"), "worker", "worker")

        async def observes(child: Child) -> None:
            key = ":".join((self.around.namespace, "scaling", "local", "observed"))
            await probes.heartbeat_of(self.redis_url, key, child.pid)

        return Service("agent", launch, observes, needs=needs)

    def prepare(self, *, seed: bool, servers: tuple[str, ...]) -> Task:
        """Migrate and seed where the database is not as the last complete run left it.

        What is on disk tells at once whether that will be needed; then the command loads while the servers start.
        """

        async def run(engine: Engine) -> float:
            began, sources = time.monotonic(), preparation.sources_fingerprint(self.around.root)
            if self._may_be_prepared(sources, seed):
                await engine.wait_until_ready(servers)
                waited = time.monotonic() - began
                if await self._is_prepared():
                    return waited
            self.report, waited = await _run_and_report(engine, self, [] if seed else ["--no-seed"], servers)
            await self._remember(sources, seed)
            return waited

        return Task(PREPARE, run)

    def _may_be_prepared(self, sources: str, seed: bool) -> bool:
        known = state.read(self.around.var / state.PREPARED)
        return known.get("sources") == sources and (not seed or bool(known.get("seeded")))

    async def _is_prepared(self) -> bool:
        known = state.read(self.around.var / state.PREPARED).get("database")
        database = await preparation.database_fingerprint(self.database_url)
        mark = await preparation.read_mark(self.redis_url, self.around.namespace)
        return database is not None and known == database == mark

    async def _remember(self, sources: str, seed: bool) -> None:
        database = await preparation.database_fingerprint(self.database_url)
        if database is None:
            return
        await preparation.write_mark(self.redis_url, self.around.namespace, database)
        state.write(self.around.var / state.PREPARED, {"sources": sources, "database": database, "seeded": seed})
        if self.report.get("demo_keys"):
            state.write(self.around.var / state.DEMO, self.report["demo_keys"])


async def _run_and_report(
    engine: Engine, plan: Plan, options: list[str], servers: tuple[str, ...]
) -> tuple[dict[str, Any], float]:
    """Run `prepare`. What it has to tell comes through a pipe, because passwords belong in no file and no log."""
    reading, writing = os.pipe()
    try:
        command = plan.around.manage(PREPARE, *options)
        launch = plan.launch(command, "prepare", "control", inherited={REPORT_FD: writing})
        code, waited = await engine.run_gated(PREPARE, launch, servers)
        if code != 0:
            raise StartFailed("The database could not be prepared; see the lines of prepare above.")
        os.write(writing, b"\n")  # so that reading ends also when nothing was told
        text = os.read(reading, 65_536)
    finally:
        os.close(reading)
        os.close(writing)
    report: dict[str, Any] = json.loads(text.strip() or b"{}")
    return report, waited


def components_of_up(plan: Plan, servers: list[Service], *, workers: int, seed: bool) -> list[Component]:
    """Servers side by side; web loads meanwhile and waits for the schema; the background follows the web."""
    names = tuple(server.name for server in servers)
    webs = [
        plan.web("web" if workers == 1 else f"web-{number + 1}", "web", gate=(PREPARE,)) for number in range(workers)
    ]
    after = tuple(web.name for web in webs)
    return [
        *servers,
        plan.prepare(seed=seed, servers=names),
        *webs,
        plan.celery("worker", "worker", needs=after),
        plan.celery("beat", "beat", needs=after),
        plan.scaling_agent(after),
    ]


def components_of_serve(plan: Plan, role: str, processes: int) -> list[Component]:
    names = [role if processes == 1 else f"{role}-{number + 1}" for number in range(processes)]
    if role in ("worker", "beat"):
        return [plan.celery(name, role) for name in names]
    return [plan.web(name, role) for name in names]
