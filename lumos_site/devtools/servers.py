"""PostgreSQL and Valkey for one test run: in a directory that is deleted, not durable, silent unless they fail."""

from __future__ import annotations

import asyncio
import secrets as random
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lumos_site.embedded.ports import pick_free_port
from lumos_site.embedded.postgres import Postgres
from lumos_site.embedded.valkey import Valkey
from lumos_site.supervisor.console import Console
from lumos_site.supervisor.engine import Engine
from lumos_site.supervisor.errors import StartFailed
from lumos_site.supervisor.keeper import Keeper
from lumos_site.supervisor.servers import postgres_service, valkey_service


class HeldConsole(Console):
    """Keeps the servers' lines for the case that they do not start."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[str] = []

    def plain(self, text: str) -> None:
        self.held.append(text)


@dataclass(frozen=True)
class ThrowAway:
    """Where the servers of this run are."""

    directory: Path
    keeper: Keeper
    mark: str
    postgres: Postgres
    valkey: Valkey


def throw_away() -> ThrowAway:
    """Addresses and a keeper; nothing is started yet. Call before any event loop exists."""
    directory = Path(tempfile.mkdtemp(prefix="lumos-test-"))
    directory.chmod(0o755)  # the server's own account has to pass through; the data in it is private
    mark = random.token_hex(8)
    return ThrowAway(
        directory=directory,
        keeper=Keeper(mark, remove=directory),
        mark=mark,
        postgres=Postgres(
            home=directory / "postgres",
            port=pick_free_port(),
            superuser_password=random.token_urlsafe(16),
            owner_password=random.token_urlsafe(16),
            durable=False,
        ),
        valkey=Valkey(directory / "valkey", pick_free_port(), random.token_urlsafe(16), durable=False),
    )


@asynccontextmanager
async def running(servers: ThrowAway) -> AsyncIterator[None]:
    """Up inside the block, stopped and deleted after it."""
    console = HeldConsole()
    components = [postgres_service(servers.postgres, servers.mark), valkey_service(servers.valkey, servers.mark)]
    engine = Engine(components, console, servers.keeper)
    try:
        await engine.start()
        yield
    except StartFailed:
        print("\n".join(console.held))
        raise
    finally:
        await asyncio.shield(engine.stop())
        servers.keeper.dismiss()
        shutil.rmtree(servers.directory, ignore_errors=True)
