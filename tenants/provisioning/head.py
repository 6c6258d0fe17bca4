"""Which migrations a tenant's schema must have; compares files with records, migrates nothing.

The head is a digest of migration names. A schema bears the one it was made with, so that one made before the last
migration is never handed out by newer code, nor a newer one by older code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection

TEMPLATE = "lumos_template"


@cache
def tenant_migrations() -> tuple[str, ...]:
    """`app.name` of each migration of the apps that live in tenants' schemas, as this code has them."""
    return tuple(
        sorted(
            f"{config.label}.{file.stem}"
            for config in apps.get_app_configs()
            if config.name in settings.TENANT_APPS
            for file in (Path(config.path) / "migrations").glob("[0-9]*.py")
        )
    )


@cache
def code_head() -> str:
    """What a schema must bear to be handed out by this code."""
    return _digest(tenant_migrations())


def template_head() -> str:
    """What the template bears now."""
    labels = {name.partition(".")[0] for name in tenant_migrations()}
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT app, name FROM "{TEMPLATE}".django_migrations WHERE app = ANY(%s)', [list(labels)])
        return _digest(f"{app}.{name}" for app, name in cursor.fetchall())


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
