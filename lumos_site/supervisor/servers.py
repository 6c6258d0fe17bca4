"""The embedded PostgreSQL and Valkey as components; owns their passwords' names and their place in var/."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from core.conf import Secrets
from lumos_site.embedded.errors import NotYet
from lumos_site.embedded.ports import remembered_port
from lumos_site.embedded.postgres import Postgres
from lumos_site.embedded.valkey import Valkey
from lumos_site.supervisor import probes
from lumos_site.supervisor.component import Service
from lumos_site.supervisor.engine import Engine
from lumos_site.supervisor.errors import StartFailed
from lumos_site.supervisor.marks import MARK
from lumos_site.supervisor.process import Child, Execute, Launch
from lumos_site.supervisor.state import PORTS


def embedded_postgres(var: Path, secrets: Secrets) -> Postgres:
    server = Postgres(
        home=var / "postgres",
        port=remembered_port(var / PORTS, "postgres"),
        superuser_password=secrets.get("postgres_superuser_password"),
        owner_password=secrets.get("postgres_password"),
    )
    server.check()
    return server


def embedded_valkey(var: Path, secrets: Secrets) -> Valkey:
    return Valkey(
        data=var / "valkey", port=remembered_port(var / PORTS, "valkey"), password=secrets.get("valkey_password")
    )


def postgres_service(server: Postgres, mark: str) -> Service:
    def launch_of(command: list[str]) -> Launch:
        return Execute(
            command=command,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC", MARK: mark},
            directory=server.working_directory(),
            owner=server.identity.owner,
            death_signal=signal.SIGINT,
        )

    async def make_cluster(engine: Engine) -> None:
        if not server.is_made:
            if await engine.run_once("initdb", launch_of(server.begin_making()), quiet=True) != 0:
                raise StartFailed(
                    f"PostgreSQL could not make a new cluster in {server.home}; see the lines of initdb above."
                )
            server.finish_making()

    def launch() -> Launch:
        server.clear_stale_pid()
        return launch_of(server.command())

    async def accepts_login(_child: Child) -> None:
        if not server.accepts_logins():
            raise probes.NotReady("starting, or recovering after a crash")
        try:
            await server.open_database()
        except NotYet as error:
            raise probes.NotReady(str(error)) from error

    # Fast shutdown. Recovery after a crash may take its time, hence the long patience.
    return Service(
        "postgres", launch, accepts_login, before=make_cluster, stop_signal=signal.SIGINT, grace=30, ready_within=300
    )


def valkey_service(server: Valkey, mark: str) -> Service:
    def launch() -> Launch:
        server.prepare()
        return Execute(command=server.command(), environment={"PATH": os.defpath, MARK: mark}, directory=server.data)

    async def answers(_child: Child) -> None:
        await probes.redis_answers(server.url)

    return Service("valkey", launch, answers, ready_within=300)
