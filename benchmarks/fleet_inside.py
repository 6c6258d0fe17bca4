"""The measuring side of `./lumos bench fleet`: makes the tenants, asks, migrates, dumps; prints figures as JSON."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import ParamSpec

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - what follows needs the apps
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from audit.api import SYSTEM  # noqa: E402
from benchmarks.figures import Figure  # noqa: E402
from benchmarks.fleet import Effort  # noqa: E402
from benchmarks.load import percentile  # noqa: E402
from core.clock import utc_now  # noqa: E402
from core.conf import ROOT  # noqa: E402
from core.proof import note_proof  # noqa: E402
from core.tenancy import platform_scope  # noqa: E402
from lumos_site.preparation import prepare  # noqa: E402
from quotas.api import effective_limits  # noqa: E402
from tenants.api import (  # noqa: E402
    BackupKind,
    OperatorRole,
    Tenant,
    TenantType,
    back_up,
    backup_path,
    create_operator_token,
    create_tenant,
    fill_pool,
    set_operator_role,
)

MILLI = 1_000
P = ParamSpec("P")
_TABLES = """
SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'workspace%%'
"""


def measure(effort: Effort) -> list[Figure]:
    prepare(seed=True)
    with platform_scope():
        return [*_create(effort), *_pages(effort), *_limits(effort), *_migration(effort), _dump()]


def _create(effort: Effort) -> list[Figure]:
    _say(f"Making {effort.tenants} tenants")
    made = _seconds(fill_pool, now=utc_now(), target=effort.tenants, most=effort.tenants)
    times = [_seconds(_create_one, number) for number in range(effort.tenants)]
    return [
        Figure(f"Making {effort.tenants} schemas ahead of time", "s", (made,), decimals=1),
        Figure(f"Creating {effort.tenants} tenants, one at a time", "s", (sum(times),), decimals=1),
        Figure("Creating a tenant, p99", "ms", (percentile(times, 99) * MILLI,), decimals=1),
    ]


def _create_one(number: int) -> None:
    slug, kind = f"fleet-{number:05d}", list(TenantType)[number % 5]
    create_tenant(slug=slug, name=f"Customer {number:05d}", type=kind, acting=SYSTEM, now=utc_now())


def _pages(effort: Effort) -> list[Figure]:
    """Operators' list, its search, and both by REST; the median of `times`, after one that is not counted."""
    _say("Asking for pages")
    operator = User.objects.create_user("bench@lumos.example", is_staff=True)
    set_operator_role(user_id=operator.pk, role=OperatorRole.SUPER, acting=SYSTEM, now=utc_now())
    _, token = create_operator_token(user_id=operator.pk, name="bench", acting=SYSTEM, now=utc_now())
    program = Client(HTTP_HOST="localhost", HTTP_AUTHORIZATION=f"Bearer {token}")
    browser = _signed_in(operator)
    wanted = f"fleet-{effort.tenants // 2:05d}"
    asked = {
        "Operators' list of tenants": (browser, "/admin/tenants/tenant/"),
        "The same, searched": (browser, f"/admin/tenants/tenant/?q={wanted}"),
        "Tenants by REST, a page": (program, "/api/v1/tenants"),
        "Tenants by REST, searched": (program, f"/api/v1/tenants?search={wanted}"),
    }
    return [_page(name, client, path, effort.times) for name, (client, path) in asked.items()]


def _signed_in(operator: User) -> Client:
    """A browser of somebody who proved a second factor a moment ago, without which no page of theirs opens."""
    browser = Client(HTTP_HOST="localhost")
    browser.force_login(operator)
    session = browser.session
    note_proof(session, account_id=operator.pk, factor=True, now=utc_now())
    session.save()
    return browser


def _page(name: str, client: Client, path: str, times: int) -> Figure:
    _get(client, path)
    return Figure(name, "ms", tuple(_seconds(_get, client, path) * MILLI for _ in range(times)), decimals=1)


def _get(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)


def _limits(effort: Effort) -> list[Figure]:
    now, wanted = utc_now(), effort.times * 4
    ids = list(Tenant.objects.order_by("?").values_list("pk", flat=True)[:wanted])
    times = [_seconds(effective_limits, tenant_id, now=now) for tenant_id in ids]
    return [Figure("Effective limits of a tenant, p50", "ms", (percentile(times, 50) * MILLI,))]


def _migration(effort: Effort) -> list[Figure]:
    """All tables of all tenants made anew, by the command that a release runs; its time, and the most that it held."""
    _say("Migrating")
    for schema in Tenant.objects.values_list("schema_name", flat=True):
        _strip(schema)
    words = ["migrate_tenants", "--parallel", str(effort.parallel)]
    migrated = _seconds(_command, words)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    nothing = _seconds(_command, words)
    drift = _seconds(_command, ["migrate_tenants", "--drift"])
    return [
        Figure(
            f"Migrating all tables of {effort.tenants} tenants, {effort.parallel} at a time",
            "s",
            (migrated,),
            decimals=1,
        ),
        Figure("Memory of the migration, at most", "MB", (memory,), decimals=0),
        Figure("Migrating again, nothing to do, start of the command included", "s", (nothing,), decimals=1),
        Figure("Comparing all schemas with the template, likewise", "s", (drift,), decimals=1),
    ]


def _strip(schema: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, [schema])
        cursor.execute(f"DROP TABLE {', '.join(row[0] for row in cursor.fetchall())} CASCADE")
        cursor.execute(f'DELETE FROM "{schema}".django_migrations WHERE app = %s', ["workspace"])


def _dump() -> Figure:
    tenant = Tenant.objects.order_by("-created_at")[0]
    began = time.perf_counter()
    backup = back_up(tenant_id=tenant.id, kind=BackupKind.EXPORT, acting=SYSTEM, now=utc_now())
    took = time.perf_counter() - began
    return Figure("Backing up one tenant", "s", (took,), note=f"{backup_path(backup).stat().st_size / 1024:.0f} KiB")


def _command(words: list[str]) -> None:
    subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _seconds(what: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    began = time.perf_counter()
    what(*args, **kwargs)
    return time.perf_counter() - began


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.write(1, json.dumps([asdict(figure) for figure in measure(Effort(**json.loads(sys.argv[1])))]).encode() + b"\n")
