"""`./lumos serve --role …`: one role alone, against servers that are already up."""

from __future__ import annotations

import asyncio
import time
from importlib import import_module

from lumos_site.supervisor import preflight
from lumos_site.supervisor.banner import url_host
from lumos_site.supervisor.console import Console
from lumos_site.supervisor.engine import Engine
from lumos_site.supervisor.errors import StartRefused
from lumos_site.supervisor.keeper import Keeper
from lumos_site.supervisor.options import ServeOptions
from lumos_site.supervisor.plan import Plan, components_of_serve
from lumos_site.supervisor.running import kept, run, typed_at
from lumos_site.supervisor.surroundings import Surroundings

_LISTENING = ("gateway", "control")


def serve(options: ServeOptions) -> int:
    """Exit code of the whole run. Raises StartRefused before anything was started."""
    zero, around = typed_at(), Surroundings()
    plan = Plan(around, around.database_url or "", around.redis_url or "")
    if not plan.redis_url:
        raise StartRefused(
            f"The {options.role} role needs REDIS_URL; start a server and name it there (./lumos up brings its own)."
        )
    if options.role in _LISTENING:
        plan.listening = preflight.listen(options.host, options.port)
    preflight.check_redis(plan.redis_url)
    if options.role == "gateway":
        plan.database_url = ""  # nothing on its path may ask a database
    else:
        _check_database(plan, options.role)
    return _run(plan, options, zero)


def _check_database(plan: Plan, role: str) -> None:
    if not plan.database_url:
        raise StartRefused(
            f"The {role} role needs DATABASE_URL; start a server and name it there (./lumos up brings its own)."
        )
    import_module("lumos_site.supervisor.preflight_database").check_database(plan.database_url)


def _run(plan: Plan, options: ServeOptions, zero: float) -> int:
    console = Console()
    where = f" on http://{url_host(options.host)}:{options.port}" if options.role in _LISTENING else ""

    async def main(keeper: Keeper) -> int:
        engine = Engine(components_of_serve(plan, options.role, options.processes), console, keeper)
        return await run(
            engine,
            plan.around.mark,
            lambda: console.say(f"{options.role} is up{where} after {time.monotonic() - zero:.2f} s"),
        )

    with kept(plan.around.mark) as (keeper, plan.figures):
        return asyncio.run(main(keeper))
