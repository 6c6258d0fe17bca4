"""The installation under test: throw-away servers, one seeded tenant, the gateway alone on its core.

Owns processes and their cores; measures nothing. Everything that is on in production is on here: authentication, the
four layers of limits, quotas, prices and metering. Only the numbers of the limits are out of reach.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

from benchmarks.machine import children, pin
from core.conf import ROOT
from core.processes import dies_with_parent
from lumos_site.devtools.servers import ThrowAway, running
from lumos_site.roles import LISTEN_FD
from lumos_site.supervisor.marks import MARK

MODELS = ("bench-8", "bench-1", "bench-200", "bench-20x100", "bench-150x100", "bench-150x20", "bench-200x10")
_MANY = 1_000_000_000

CONFIGURATION = """
providers:
  bench:
    kind: openai
    base_url: {base_url}
    key: not-a-secret
    models: [{models}]
plans:
  bench:
    name: Bench
    currency: USD
    monthly_fee: 0
    prices:
      - {{meter: input_tokens, per_million: 2.50}}
      - {{meter: cached_tokens, per_million: 1.25}}
      - meter: output_tokens
        tiers:
          - {{up_to: 1000000, per_million: 10}}
          - {{per_million: 8}}
tenants:
  bench:
    name: Bench
    type: ENTERPRISE
    plan: bench
    keys: {{load: }}
    limits:
      requests_per_minute: {many}
      tokens_per_minute: {many}
      tokens_per_month: 1000000000000
      money_per_month: 1000000
      concurrent_requests: 100000
"""


class StandFailed(Exception):
    """A part of the stand did not come up; the text says which and why."""


@dataclass(frozen=True)
class Stand:
    """Where everything is, for the process that measures."""

    upstream_url: str
    relay_url: str
    gateway_url: str
    web_url: str
    redis_url: str
    key: str
    relay_pid: int
    gateway_pid: int
    web_pid: int
    redis_pid: int
    gateway_core: int
    load_core: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Stand:
        return cls(**json.loads(text))


class _Processes:
    """Children of this run; they go when the run goes, even when it is killed."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._running: list[subprocess.Popen[str]] = []

    def start(
        self, arguments: Sequence[str], *, core: int, pipe: bool = False, listening: socket.socket | None = None
    ) -> subprocess.Popen[str]:
        """`listening` is handed over under the name that a role expects it by."""
        on_death = dies_with_parent(15)

        def prepare() -> None:
            on_death()
            os.sched_setaffinity(0, {core})

        given = {LISTEN_FD: str(listening.fileno()), "LUMOS_ROLE": "web"} if listening else {}
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**self._environment, **given},
            cwd=ROOT,
            preexec_fn=prepare,
            pass_fds=[listening.fileno()] if listening else [],
            stdout=subprocess.PIPE if pipe else subprocess.DEVNULL,
            text=True,
        )
        self._running.append(process)
        return process

    def run(self, arguments: Sequence[str]) -> None:
        done = subprocess.run(
            [sys.executable, *arguments], env=self._environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise StandFailed(f"{' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")

    def stop(self) -> None:
        for process in reversed(self._running):
            process.terminate()
        for process in reversed(self._running):
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until(url: str, process: subprocess.Popen[str], what: str) -> None:
    end = monotonic() + 60
    while monotonic() < end and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        # the one who waits here has nothing else to do
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    raise StandFailed(f"{what} did not become ready at {url}; run ./lumos serve by hand to see why")


def _worker_of(process: subprocess.Popen[str], role: str) -> int:
    """The process that serves, by the name that it has from the supervisor."""
    named = {Path(f"/proc/{pid}/comm").read_text().strip(): pid for pid in children(process.pid)}
    return named[f"lumos-{role}"]


@asynccontextmanager
async def standing(
    servers: ThrowAway, *, gateway_core: int, load_core: int, say: Callable[[str], None]
) -> AsyncIterator[Stand]:
    """Everything up inside the block; stopped and deleted after it."""
    async with running(servers):
        processes = _Processes(_environment(servers))
        try:
            yield await asyncio.to_thread(_build, servers, processes, gateway_core, load_core, say)
        finally:
            await asyncio.to_thread(processes.stop)


def _environment(servers: ThrowAway) -> dict[str, str]:
    var = servers.directory / "var"
    var.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUMOS_")}
    return {
        **kept,
        "DATABASE_URL": servers.postgres.url,
        "REDIS_URL": servers.valkey.url,
        "LUMOS_VAR": str(var),
        "DJANGO_SETTINGS_MODULE": "lumos_site.settings.control",
        # On, and out of reach: one address sends everything here.
        "LUMOS_GATEWAY_IP_RATE": str(_MANY),
        "LUMOS_GATEWAY_IP_BURST": str(_MANY),
        "LUMOS_GATEWAY_GLOBAL_RATE": str(_MANY),
        "LUMOS_GATEWAY_GLOBAL_BURST": str(_MANY),
        "LUMOS_PRIVATE_NETWORKS": "127.0.0.0/8",  # the upstream is on this machine
        MARK: servers.mark,
    }


def _build(
    servers: ThrowAway, processes: _Processes, gateway_core: int, load_core: int, say: Callable[[str], None]
) -> Stand:
    redis_pid = _listener(servers)
    pin(redis_pid, load_core)
    upstream = processes.start(["-m", "benchmarks.upstream"], core=load_core, pipe=True)
    assert upstream.stdout is not None
    upstream_port = int(upstream.stdout.readline())
    upstream_url = f"http://127.0.0.1:{upstream_port}/v1"
    relay = processes.start(["-m", "benchmarks.relay", str(upstream_port)], core=gateway_core, pipe=True)
    assert relay.stdout is not None
    relay_port = int(relay.stdout.readline())
    say("Migrating and seeding")
    key = _seed(servers, processes, upstream_url)
    say("Starting the gateway and the web role")
    gateway_url, gateway_pid = _serve(processes, "gateway", gateway_core)
    web_url, web_pid = _serve_web(processes, load_core)
    return Stand(
        upstream_url=upstream_url,
        relay_url=f"http://127.0.0.1:{relay_port}/v1",
        gateway_url=gateway_url + "/v1",
        web_url=web_url,
        redis_url=servers.valkey.url,
        key=key,
        relay_pid=relay.pid,
        gateway_pid=gateway_pid,
        web_pid=web_pid,
        redis_pid=redis_pid,
        gateway_core=gateway_core,
        load_core=load_core,
    )


def _listener(servers: ThrowAway) -> int:
    """The pid of Valkey, which tells it itself."""
    import redis

    with redis.Redis.from_url(servers.valkey.url) as client:
        return int(client.info("server")["process_id"])


def _seed(servers: ThrowAway, processes: _Processes, upstream_url: str) -> str:
    """Migrate, apply the configuration, and return the key that it made."""
    file, keys = servers.directory / "bench.yaml", servers.directory / "keys.json"
    file.write_text(CONFIGURATION.format(base_url=upstream_url, models=", ".join(MODELS), many=_MANY))
    processes.run(["manage.py", "prepare", "--no-seed"])
    processes.run(["manage.py", "apply", str(file), "--yes", "--keys-file", str(keys)])
    return str(json.loads(keys.read_text())["bench"]["load"])


def _serve(processes: _Processes, role: str, core: int) -> tuple[str, int]:
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    process = processes.start(["-m", "lumos_site.supervisor", "serve", "--role", role, "--port", str(port)], core=core)
    _wait_until(f"{url}/readyz", process, f"The {role} role")
    return url, _worker_of(process, role)


def _serve_web(processes: _Processes, core: int) -> tuple[str, int]:
    """A web worker as `./lumos up` runs it: admin, portal, REST and gateway in one process."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = processes.start(["-m", "lumos_site.roles.web"], core=core, listening=listening)
    _wait_until(f"{url}/readyz", process, "The web role")
    return url, process.pid
