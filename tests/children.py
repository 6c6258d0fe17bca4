"""Running a program of the product in a process of its own, on the test's database: to be killed at a fault point."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import quote

from django.db import connection

from core.conf import ROOT

_FRAME = """
import django
django.setup()
from core.clock import utc_now
from core.tenancy import platform_scope
with platform_scope():
"""


def database_url() -> str:
    """Where the database of this test is."""
    settings = connection.get_connection_params()
    login = quote(str(settings["user"])) + (f":{quote(settings['password'])}" if settings.get("password") else "")
    return f"postgresql://{login}@{settings['host']}:{settings['port']}/{settings['dbname']}"


def run_child(body: str, *, faults: str = "", seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the lines of `body` in the operator's scope; a fault point that is named kills the process."""
    environment = os.environ | {"DATABASE_URL": database_url(), "LUMOS_FAULTS": faults}
    program = _FRAME + "\n".join(f"    {line}" for line in body.strip().splitlines())
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds
    )
