"""`./lumos test`: pytest against throw-away servers; owns the environment of a test run, no tests.

The whole suite is measured too: lines that no test reaches are listed, and under the floor the run fails.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Sequence

from core.processes import dies_with_parent
from lumos_site.devtools.chromium import VARIABLE, provide_chromium
from lumos_site.devtools.coverage_floor import is_reached, measuring
from lumos_site.devtools.servers import ThrowAway, running, throw_away
from lumos_site.embedded.binaries import postgres_tree, valkey_server
from lumos_site.embedded.errors import EmbeddedServerError
from lumos_site.supervisor.errors import StartFailed
from lumos_site.supervisor.marks import MARK

# What a developer may have set for a real installation must not reach the tests.
_NOT_FOR_TESTS = ("LUMOS_SECRETS_FILE", "LUMOS_BASE_DOMAIN", "LUMOS_ROLE", "LUMOS_STARTED_AT", "DJANGO_SETTINGS_MODULE")
# A machine that is busy with tests may hold Redis up for seconds; tests of outages ask for the product's own waits.
# Roles belong to the whole server, so a worker's test that makes some holds up the other's until it ends.
_PATIENCE = {"LUMOS_REDIS_CONNECT_SECONDS": "10", "LUMOS_REDIS_ANSWER_SECONDS": "30", "LUMOS_LOCK_SECONDS": "60"}
_PARALLEL = ("-n", "2", "--dist", "loadfile")
# Options that choose how pytest runs and tells; any other argument may leave tests out.
_MANNERS = re.compile(r"-(q+|v+|s|l|n\d+|r[a-zA-Z]+)|--(durations|tb|color|numprocesses)=\w+")
_ALL_RAN = (0, 1)  # pytest's exit codes: all passed, some failed


def test(arguments: Sequence[str]) -> int:
    """Exit code of pytest; 1 when the servers do not start."""
    browser = provide_chromium() if _wants_browser(arguments) else None
    try:
        return asyncio.run(_run(throw_away(), arguments, browser))
    except (StartFailed, EmbeddedServerError) as failure:
        print(f"lumos: {failure}", file=sys.stderr)
        return 1


def _wants_browser(arguments: Sequence[str]) -> bool:
    """Whether the selection can hold browser tests: all, or a path of theirs."""
    paths = [argument for argument in arguments if argument.startswith("tests/")]
    return not paths or any("e2e" in path or "browser" in path for path in paths)


def is_whole(arguments: Sequence[str]) -> bool:
    """Whether these arguments of pytest leave no test out."""
    return all(_MANNERS.fullmatch(argument) for argument in arguments)


def _parallel(arguments: Sequence[str]) -> tuple[str, ...]:
    """Two workers, unless the person chose otherwise or wants to debug."""
    chosen = any(argument.startswith(("-n", "--numprocesses", "--pdb", "-p")) for argument in arguments)
    return () if chosen else _PARALLEL


def _environment(servers: ThrowAway, browser: str | None) -> dict[str, str]:
    var = servers.directory / "var"
    var.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_TESTS}
    return {
        **kept,
        **_PATIENCE,
        "DATABASE_URL": servers.postgres.url,
        "REDIS_URL": servers.valkey.url,
        "LUMOS_VAR": str(var),
        "TMPDIR": str(servers.directory),  # so that what tests leave goes with the rest
        "LUMOS_TEST_POSTGRES_TREE": str(postgres_tree()),
        "LUMOS_TEST_VALKEY_BINARY": str(valkey_server()),
        VARIABLE: browser or "",
        MARK: servers.mark,
    }


async def _run(servers: ThrowAway, arguments: Sequence[str], browser: str | None) -> int:
    lines = servers.directory / "coverage"
    measured = measuring(lines) if is_whole(arguments) else {}
    async with running(servers):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal sends it to pytest too, which ends then
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", *_parallel(arguments), *arguments),
            env={**_environment(servers, browser), **measured},
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )
        loop.add_signal_handler(signal.SIGTERM, process.terminate)
        code = await process.wait()
        if not measured or code not in _ALL_RAN:
            return code
        reached = is_reached(lines)
        return code or int(not reached)
