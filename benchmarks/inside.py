"""Measuring that needs Django: in a child process, once throw-away servers have their addresses."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace

from benchmarks.figures import Figure
from core.conf import ROOT
from core.processes import dies_with_parent
from lumos_site.devtools.servers import ThrowAway, running, throw_away
from lumos_site.supervisor.marks import MARK


def figures_of(module: str, effort: dict[str, int]) -> list[Figure]:
    """What `python -m module EFFORT` prints as JSON, beside servers of its own; PostgreSQL as durable as an
    installation's, so that what was answered is on disk. Raises CalledProcessError."""
    servers = throw_away()
    durable = replace(servers, postgres=replace(servers.postgres, durable=True))
    return asyncio.run(_run(durable, module, effort))


async def _run(servers: ThrowAway, module: str, effort: dict[str, int]) -> list[Figure]:
    async with running(servers):
        return await asyncio.to_thread(_in_a_child, servers, module, effort)


def _in_a_child(servers: ThrowAway, module: str, effort: dict[str, int]) -> list[Figure]:
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(effort)],
        env={
            **os.environ,
            "DATABASE_URL": servers.postgres.url,
            "REDIS_URL": servers.valkey.url,
            "LUMOS_VAR": str(servers.directory / "var"),
            "DJANGO_SETTINGS_MODULE": "lumos_site.settings.control",
            MARK: servers.mark,
        },
        cwd=ROOT,
        stdout=subprocess.PIPE,
        preexec_fn=dies_with_parent(15),
        check=True,
    )
    return [Figure(**{**row, "values": tuple(row["values"])}) for row in json.loads(done.stdout.splitlines()[-1])]
