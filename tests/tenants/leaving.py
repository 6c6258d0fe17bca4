"""What the tests of deletions share: a tenant that has something everywhere, and a look at everything that is left."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.db import connection

from core.clock import utc_now
from core.lifecycle import kept_tables
from core.redis import control, key, namespace
from core.tenancy import tenant_scope
from core.tenancy.celery import queue_of
from core.tenancy.channels import group_name
from proxy.publish import republish_all
from quotas.api import BlockingQuotaEngine, ReserveRequest, effective_limits
from scaling.backends.local import store
from scaling.data import Target
from tenants import api
from tenants.backups.making import folder_of
from tenants.models import TenantDataKey, TenantJob
from tenants.workspace.models import Conversation
from tests.cast import TESTER, Player, found_olivia
from tests.lumos_site.stage import set_stage
from tests.scaling.conftest import report
from tests.tenants.conftest import has_role, schemas

GRACE = timedelta(days=30)
REASON = "contract ended"


def furnish() -> dict[str, Player]:
    """acme with rows, counters, caches, tasks, sessions, files and content; globex beside it."""
    players = set_stage(found_olivia())
    acme = players["acme"].tenant
    with tenant_scope(acme.ref):
        Conversation.objects.create(title="acme's plan", model="demo", member_id="1")
        cache.set("draft", "acme's draft")
    republish_all(utc_now())
    redis = control()
    redis.rpush(key("celery", queue_of(acme.id)), "a task")
    redis.hset(key("celery", "unacked"), "tag-1", f'[{{}}, "", "{queue_of(acme.id)}"]')
    redis.zadd(key("celery", "unacked_index"), {"tag-1": 1.0})
    redis.zadd(f"{namespace()}:channels:asgi:group:{group_name(acme.id, 'chat')}", {"specific.x": 1.0})
    redis.hset(key("scaling", "recommendations"), acme.id, "[]")
    store.write_targets(redis, {acme.id: Target(queue_of(acme.id), 0, 5)})
    report(utc_now(), {acme.id: []})
    use(acme.id)
    session = SessionStore()
    session["_auth_user_id"] = str(players["acme"].owner.pk)
    session.save()
    folder_of(acme.id).mkdir(parents=True)
    (folder_of(acme.id) / "old.lumos").write_bytes(b"sealed")
    return players


def use(tenant_id: str) -> None:
    """One request that is settled, so that there are counters."""
    engine = BlockingQuotaEngine(control())
    made = engine.reserve(ReserveRequest("req_furnish", effective_limits(tenant_id, now=utc_now()), 1, 1, 1, 1, b"{}"))
    assert made.ticket is not None
    engine.settle(made.ticket, input_tokens=1, output_tokens=1, micro=1, event=b"{}")
    control().delete(key("usage"))


def ask(tenant: Any, *, now: datetime, **changes: Any) -> Any:
    wish = {"typed_name": tenant.name, "reason": REASON, "acting": TESTER, "now": now} | changes
    return api.delete_tenant(tenant_id=tenant.id, **wish)


def deletion_of(tenant_id: str) -> TenantJob:
    """The newest one."""
    return TenantJob.objects.filter(tenant_id=tenant_id, kind=api.JobKind.DELETE).latest("id")


def traces(tenant_id: str) -> list[str]:
    """Everything that still speaks of the tenant, looked for anew and not by the code that deletes."""
    return [*_rows(tenant_id), *_redis(tenant_id), *_catalogue(tenant_id), *_files(tenant_id)]


def _rows(tenant_id: str) -> list[str]:
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t"
            " USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND column_name = 'tenant_id' AND table_type = 'BASE TABLE'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM public."{table}" WHERE tenant_id = %s', [tenant_id])
            (count,) = cursor.fetchone()
            if count and not _is_kept(table):
                found.append(f"{count} rows of {table}")
    return found


def _is_kept(table: str) -> bool:
    """Kept by a duty that is written down, also as a partition; or the record of the deletion itself."""
    return table == "tenants_tenantjob" or any(table == kept or table.startswith(f"{kept}_") for kept in kept_tables())


def _redis(tenant_id: str) -> list[str]:
    """Names of keys, and fields and members inside of those that all tenants share; streams of changes tell ids."""
    redis: Any = control()
    found = []
    for name in redis.scan_iter(f"{namespace()}:*", count=1000):
        found += [f"{name.decode()}: {part!r}" for part in (name, *_inside(redis, name)) if tenant_id.encode() in part]
    return found


def _inside(redis: Any, name: bytes) -> list[bytes]:
    kind = redis.type(name)
    if kind == b"hash":
        return [part for pair in redis.hgetall(name).items() for part in pair]
    if kind == b"zset":
        return list(redis.zrange(name, 0, -1))
    if kind == b"list":
        return list(redis.lrange(name, 0, -1))
    if kind == b"string" and not name.endswith(b":observed"):  # what the agent sees is written anew each second
        return [redis.get(name) or b""]
    return []


def _catalogue(tenant_id: str) -> list[str]:
    schema = f"t_{tenant_id}"
    facts = {
        "schema": schema in schemas(),
        "role": has_role(schema),
        "data key": TenantDataKey.objects.filter(pk=tenant_id).exists(),
    }
    return [name for name, there in facts.items() if there]


def _files(tenant_id: str) -> list[str]:
    root: Path = folder_of(tenant_id).parent
    return [str(path) for path in root.rglob("*") if tenant_id in str(path)] if root.exists() else []
