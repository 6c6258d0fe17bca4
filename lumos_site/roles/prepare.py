"""`prepare` as a child of the supervisor: what it has to tell goes through a pipe, because it holds passwords."""

from __future__ import annotations

import json
import os

from core.tenancy import enter_platform_process
from lumos_site.preparation import prepare
from lumos_site.roles import REPORT_FD


def main(*options: str) -> None:
    """Option `seed`: make the first-run data too."""
    enter_platform_process()
    report = json.dumps(prepare(seed="seed" in options))
    os.write(int(os.environ[REPORT_FD]), report.encode())
