"""Where this installation is and what its children find in their environment; reads, decides nothing else."""

from __future__ import annotations

import os
import secrets as random
import sys
from dataclasses import dataclass, field
from pathlib import Path

from core.conf import ROOT, var_dir
from lumos_site.supervisor.marks import MARK

NAMESPACE = "lumos"


@dataclass(frozen=True)
class Surroundings:
    """`mark` is in the environment of every process that this supervisor starts, directly or not."""

    var: Path = field(default_factory=lambda: var_dir().absolute())
    root: Path = ROOT
    mark: str = field(default_factory=lambda: random.token_hex(8))
    namespace: str = field(default_factory=lambda: os.environ.get("LUMOS_REDIS_NAMESPACE") or NAMESPACE)
    database_url: str | None = field(default_factory=lambda: os.environ.get("DATABASE_URL") or None)
    redis_url: str | None = field(default_factory=lambda: os.environ.get("REDIS_URL") or None)

    def environment(self, *, database_url: str, redis_url: str, role: str, settings: str) -> dict[str, str]:
        """What a Python child is given. An empty `database_url` is left out."""
        ours = {
            "LUMOS_VAR": str(self.var),
            "LUMOS_ROLE": role,
            "DJANGO_SETTINGS_MODULE": f"lumos_site.settings.{settings}",
            "REDIS_URL": redis_url,
            "PYTHONUNBUFFERED": "1",
            # Celery would run Django's system checks in each worker: a second each, and one of them asks the
            # database outside any scope. `prepare` and `./lumos check` are where they belong.
            "CELERY_SKIP_CHECKS": "1",
            MARK: self.mark,
        }
        if database_url:
            ours["DATABASE_URL"] = database_url
        return {**os.environ, **ours}

    def python(self, module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", module, *arguments]
