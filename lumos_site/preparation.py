"""Brings database and Redis to where the code expects them: migrations, first-run data, the gateway's records.

Owns the order and the report; what is seeded and published belongs to `seed`.
"""

from __future__ import annotations

from typing import Any

import structlog

from audit.api import ensure_audit_partitions
from core.clock import utc_now
from core.tenancy import platform_scope
from lumos_site.schema import migrate_everything
from lumos_site.seed import publish_gateway, seed_installation
from tenants.api import set_up_master_key

log = structlog.get_logger(__name__)


def prepare(*, seed: bool) -> dict[str, Any]:
    """Everything a start needs, idempotent. Returns what the person at the terminal is told once (see `seed`).

    An installation without its master key starts sealed: nothing is seeded, and no key is made in its place.
    """
    for schema in migrate_everything():
        log.info("lumos_site.prepare.migrated", schema=schema)
    with platform_scope():
        ensure_audit_partitions(utc_now())
        unsealed = set_up_master_key(now=utc_now())
        report: dict[str, Any] = seed_installation(utc_now()) if seed and unsealed else {}
        publish_gateway()
    return report
