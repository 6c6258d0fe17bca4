"""Brings database and Redis to where the code expects them: migrations, first-run data, the gateway's records.

Owns the order and the report; what is seeded and published belongs to `seed`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import structlog

from core.clock import utc_now
from core.tenancy import platform_scope
from lumos_site.schema import migrate_everything

log = structlog.get_logger(__name__)


def prepare(*, seed: bool) -> dict[str, Any]:
    """Everything a start needs, idempotent. Returns what the person at the terminal is told once:
    `operator` ({"username", "password"} or None) and `demo_keys` (slug -> key)."""
    for schema in migrate_everything():
        log.info("lumos_site.prepare.migrated", schema=schema)
    if find_spec("lumos_site.seed") is None:
        return {}
    rooms = import_module("lumos_site.seed")
    with platform_scope():
        report: dict[str, Any] = rooms.seed_installation(utc_now()) if seed else {}
        rooms.publish_gateway()
    return report
