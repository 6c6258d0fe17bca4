"""One embedded PostgreSQL cluster: how it is made, started and given its login role; who watches it is the supervisor.

Two roles are in a new cluster: `postgres`, the bootstrap superuser that only `open_database` uses, and `lumos`, which
owns the database `lumos`, may create roles and schemas, inherits nothing and is no superuser, so that row level
security holds for the product itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lumos_site.embedded.binaries import postgres_tree
from lumos_site.embedded.errors import EmbeddedServerError
from lumos_site.embedded.identity import Identity, choose_identity
from lumos_site.embedded.names import DATABASE, OWNER, SUPERUSER

MAJOR = "18"

OPTIONS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # One statement over many tenants' schemas locks many tables at once.
    "max_locks_per_transaction": "256",
    # A transaction that was told "committed" is on disk, also after a power cut.
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "",
    "log_checkpoints": "off",
    "shared_preload_libraries": "pg_stat_statements",
}
THROW_AWAY: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
}


@dataclass(frozen=True)
class Postgres:
    """A cluster in `home`/data on 127.0.0.1:`port`. `durable` False is for throw-away test clusters only."""

    home: Path
    port: int
    superuser_password: str
    owner_password: str
    durable: bool = True
    identity: Identity = field(init=False)

    def __post_init__(self) -> None:
        self.home.mkdir(mode=0o755, parents=True, exist_ok=True)
        object.__setattr__(self, "identity", choose_identity(postgres_tree(), self.data))

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def _unfinished(self) -> Path:
        return self.home / "data.new"

    @property
    def _password_file(self) -> Path:
        return self.home / "password.new"

    @property
    def _database_made(self) -> Path:
        return self.home / "database-made"

    @property
    def url(self) -> str:
        return f"postgresql://{OWNER}:{self.owner_password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def is_made(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def check(self) -> None:
        """Raise when the data is another major version's or another account's."""
        if not self.is_made:
            return
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise EmbeddedServerError(
                f"{self.data} was made by PostgreSQL {version} and this is {MAJOR}: dump it with the old version, "
                "or start from nothing with ./lumos up --reset."
            )
        if os.geteuid() not in (0, self.data.stat().st_uid):
            raise EmbeddedServerError(f"{self.data} belongs to another user; run ./lumos as the user who made it.")

    def begin_making(self) -> list[str]:
        """The initdb command line for a new cluster; call `finish_making` when it has ended well."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._unfinished.mkdir(mode=0o700)
        self._password_file.unlink(missing_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(self.superuser_password)
        self.identity.hand_over(self._unfinished)
        if self.identity.owner:
            os.chown(self._password_file, *self.identity.owner)
        password_file = f"{self.identity.data_argument(self._unfinished)}/../{self._password_file.name}"
        return [
            *self.identity.program("initdb"),
            *("-D", self.identity.data_argument(self._unfinished)),
            *("-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"),
            # Everything is on disk before the cluster counts as made, by one call and not by one for each of its files.
            "--sync-method=syncfs",
        ]

    def finish_making(self) -> None:
        self._password_file.unlink()
        self._unfinished.rename(self.data)

    def command(self) -> list[str]:
        self.identity.hand_over(self.data)
        options = {**OPTIONS, **({} if self.durable else THROW_AWAY), "port": str(self.port)}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [*self.identity.program("postgres"), "-D", self.identity.data_argument(self.data), *settings]

    def working_directory(self) -> Path:
        """Where the programs must be started: it carries the data to an account that cannot reach its path."""
        if not self.identity.data_by_cwd:
            return Path("/")
        return self.data if self.is_made else self._unfinished

    def clear_stale_pid(self) -> None:
        """Remove the pid file of a killed server when its number now belongs to something else.

        The caller holds the lock of var/, so no other supervisor runs a server on this data.
        """
        file = self.data / "postmaster.pid"
        try:
            pid = int(file.read_text().split("\n", 1)[0])
            program = Path(os.readlink(f"/proc/{pid}/exe")).name
        except (OSError, ValueError, IndexError):
            return  # no file, or no such process: the server copes with both
        if program != "postgres":
            file.unlink(missing_ok=True)

    def accepts_logins(self) -> bool:
        """What the server itself says in the last line of its pid file; asking sooner would only fill its log."""
        try:
            return (self.data / "postmaster.pid").read_text().rstrip().endswith("ready")
        except OSError:
            return False

    async def open_database(self) -> None:
        """Log in as the product's role, after making role and database where they are missing.

        Raises NotYet while the server is not ready for logins.
        """
        # Loading the driver takes longer than starting the server, so it is done while the others start.
        from lumos_site.embedded.database import log_in, make_database

        if not self._database_made.exists():
            await make_database(self)
            self._database_made.touch()
        await log_in(self)
