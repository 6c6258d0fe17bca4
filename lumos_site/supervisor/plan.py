"""Which components make up `up` and `serve`, with their needs and probes; runs nothing itself."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lumos_site.roles import BEHIND, LISTEN_FD, REPORT_FD, UNLIMITED
from lumos_site.supervisor import preparation, probes, state
from lumos_site.supervisor.component import Component, Service, Task, says_ready
from lumos_site.supervisor.engine import Engine
from lumos_site.supervisor.errors import StartFailed
from lumos_site.supervisor.heartbeats import heartbeat_parts
from lumos_site.supervisor.process import Child, Execute
from lumos_site.supervisor.surroundings import Surroundings
from lumos_site.supervisor.zygote import Fork, Zygote

ZYGOTE, PREPARE, CHECK = "zygote", "prepare", "check"
WEB_GRACE_SECONDS = 40.0  # more than the gateway waits for open streams (LUMOS_GATEWAY_DRAIN_SECONDS)


@dataclass
class Plan:
    """The two servers' addresses, and what is learnt on the way up (`report` of the first run).

    In `figures` the processes keep what `/metrics` tells of all of them.
    """

    around: Surroundings
    database_url: str
    redis_url: str
    listening: socket.socket | None = None
    figures: Path | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def zygote(self, settings: str, *roles: str) -> tuple[Zygote, Service]:
        """It is ready with the first of `roles`, whose code it shares with all, and loads the others while idle."""
        environment = self.around.environment(
            database_url=self.database_url, redis_url=self.redis_url, role=roles[0], settings=settings
        )
        if self.figures:
            environment["PROMETHEUS_MULTIPROC_DIR"] = str(self.figures)
        command = self.around.python("lumos_site.roles.zygote", *roles)

        def execute(variables: Mapping[str, str], given: tuple[int, ...]) -> Execute:
            return Execute(command, {**environment, **variables}, self.around.root, given=given)

        zygote = Zygote(execute)
        return zygote, Service(ZYGOTE, zygote.launch, zygote.probe)

    def web(self, zygote: Zygote, name: str, role: str, needs: tuple[str, ...]) -> Service:
        """uvicorn on the shared socket."""
        listening = self.listening
        assert listening is not None

        def launch() -> Fork:
            return Fork(zygote, name, role, inherited={LISTEN_FD: listening.fileno()})

        async def serves(child: Child) -> None:
            await says_ready(child)
            host, port = listening.getsockname()[:2]
            await probes.http_answers({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, "/readyz")  # noqa: S104

        return Service(name, launch, serves, needs=(ZYGOTE, *needs), grace=WEB_GRACE_SECONDS)

    def celery(self, zygote: Zygote, name: str, role: str, needs: tuple[str, ...]) -> Service:
        """`role` is worker or beat; ready when its heartbeat stands in Redis."""

        async def beats(child: Child) -> None:
            await says_ready(child)
            key = ":".join((self.around.namespace, *heartbeat_parts(role, child.pid)))
            await probes.heartbeat_of(self.redis_url, key, child.pid)

        return Service(name, lambda: Fork(zygote, name, role), beats, needs=(ZYGOTE, *needs))

    def scaling_agent(self, zygote: Zygote, needs: tuple[str, ...]) -> Service:
        """Starts and stops the tenants' own workers on this machine."""

        async def observes(child: Child) -> None:
            key = ":".join((self.around.namespace, "scaling", "local", "observed"))
            await probes.heartbeat_of(self.redis_url, key, child.pid)

        return Service("agent", lambda: Fork(zygote, "agent", "agent"), observes, needs=(ZYGOTE, *needs))

    def check(self, zygote: Zygote, *options: str, needs: tuple[str, ...] = ()) -> Task:
        """What must hold before anything is served."""

        async def run(engine: Engine) -> float:
            code = await engine.run_once(CHECK, Fork(zygote, CHECK, CHECK, options))
            if code != 0:
                raise StartFailed(_WHY_NOT.get(code, "The checks of the start failed; see the lines of check above."))
            return 0.0

        return Task(CHECK, run, needs=(ZYGOTE, *needs))

    def prepare(self, zygote: Zygote, *, seed: bool, servers: tuple[str, ...]) -> Task:
        """Migrate and seed where the database is not as the last complete run left it."""

        async def run(engine: Engine) -> float:
            sources = preparation.sources_fingerprint(self.around.root)
            if self._may_be_prepared(sources, seed) and await self._is_prepared():
                return 0.0
            began = time.monotonic()
            await engine.wait_until_ready([ZYGOTE])
            waited = time.monotonic() - began
            self.report = await _run_and_report(engine, zygote, ("seed",) if seed else ())
            await self._remember(sources, seed)
            return waited

        return Task(PREPARE, run, needs=servers)

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


async def _run_and_report(engine: Engine, zygote: Zygote, options: tuple[str, ...]) -> dict[str, Any]:
    """Run `prepare`. What it has to tell comes through a pipe, because passwords belong in no file and no log."""
    reading, writing = os.pipe()
    try:
        code = await engine.run_once(PREPARE, Fork(zygote, PREPARE, PREPARE, options, {REPORT_FD: writing}))
        if code != 0:
            raise StartFailed("The database could not be prepared; see the lines of prepare above.")
        os.write(writing, b"\n")  # so that reading ends also when nothing was told
        text = os.read(reading, 65_536)
    finally:
        os.close(reading)
        os.close(writing)
    report: dict[str, Any] = json.loads(text.strip() or b"{}")
    return report


_WHY_NOT = {
    BEHIND: "The database lacks migrations; run ./lumos prepare with the same DATABASE_URL and REDIS_URL first.",
    UNLIMITED: "Limits would not be enforced, so nothing is served; see the lines of check above, and give REDIS_URL "
    "a Redis 7 or Valkey 7.2 that runs scripts.",
}


def components_of_up(plan: Plan, servers: list[Service], *, workers: int, seed: bool) -> list[Component]:
    """Servers and the import side by side, then the schema, then web; the background follows the web."""
    names = tuple(server.name for server in servers)
    zygote, importing = plan.zygote("control", "web", CHECK, PREPARE, "worker", "beat", "agent")
    webs = [
        plan.web(zygote, "web" if workers == 1 else f"web-{number + 1}", "web", (PREPARE, CHECK))
        for number in range(workers)
    ]
    after = tuple(web.name for web in webs)
    return [
        importing,
        *servers,
        plan.prepare(zygote, seed=seed, servers=names),
        plan.check(zygote, needs=names),
        *webs,
        plan.celery(zygote, "worker", "worker", after),
        plan.celery(zygote, "beat", "beat", after),
        plan.scaling_agent(zygote, after),
    ]


# Each role's settings, and what its start asks of the database.
_SERVED = {
    "gateway": ("gateway", ()),
    "control": ("control", ("schema",)),
    "worker": ("worker", ("schema",)),
    "beat": ("worker", ("schema",)),
}


def components_of_serve(plan: Plan, role: str, processes: int) -> list[Component]:
    names = [role if processes == 1 else f"{role}-{number + 1}" for number in range(processes)]
    settings, options = _SERVED[role]
    zygote, importing = plan.zygote(settings, role, CHECK)
    make = plan.celery if role in ("worker", "beat") else plan.web
    return [importing, plan.check(zygote, *options), *(make(zygote, name, role, (CHECK,)) for name in names)]
