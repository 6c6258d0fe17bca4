"""What a tenant's people and programs do, as functions from a player to all the text that came back.

Each puts the player's own mark into what it writes, and reads by one of the ways in which data leaves the system.
Whoever calls them decides in which order, and on which threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from celery import Celery
from django.core.cache import cache
from django.test import Client

from audit.models import AuditEntry, EntryNames
from core.clock import utc_now
from core.redis import control
from core.tenancy import platform_scope, require_tenant, run_in_tenant, tenant_scope
from core.tenancy.celery import TenantTask
from proxy.api import publish_key, publish_tenant
from proxy.records import key_name, tenant_name
from tenants.api import ApiKey, Membership, Tenant, Turn, conversations_of, create_api_key, keep_turns
from tenants.workspace.models import Message, Setting
from tests import cast
from tests.cast import Player
from tests.rest import Caller, path_of

Operation = Callable[[Player], str]
MOST = 20  # rows that one reading takes
app = Celery("operations", broker="memory://", set_as_current=False)


def mark(player: Player) -> str:
    return f"zq{player.tenant.slug}x0x"


def keep_conversation(player: Player) -> str:
    turns = [Turn("user", f"{mark(player)} asks"), Turn("assistant", f"{mark(player)} is told")]
    kept = run_in_tenant(
        player.tenant.ref,
        keep_turns,
        member_id=str(player.owner.pk),
        conversation_id="",
        model=mark(player),
        turns=turns,
        now=utc_now(),
    )
    return str(kept)


def list_conversations(player: Player) -> str:
    with tenant_scope(player.tenant.ref):
        return str(conversations_of(str(player.owner.pk), limit=MOST))


def read_messages(player: Player) -> str:
    with tenant_scope(player.tenant.ref):
        return str(list(Message.objects.order_by("-id").values_list("content", flat=True)[:MOST]))


def set_setting(player: Player) -> str:
    with tenant_scope(player.tenant.ref):
        Setting.objects.update_or_create(name="note", defaults={"value": mark(player)})
        return str(list(Setting.objects.values_list("value", flat=True)))


def read_shared_tables(player: Player) -> str:
    with tenant_scope(player.tenant.ref):
        return str(
            [
                *Tenant.objects.values_list("name", flat=True),
                *Membership.objects.values_list("tenant__name", flat=True),
                *ApiKey.objects.order_by("-id").values_list("name", flat=True)[:MOST],
                *AuditEntry.objects.order_by("-at").values_list("detail", "reason")[:MOST],
                *EntryNames.objects.order_by("-entry_at").values_list("values", "target", "actor_label")[:MOST],
            ]
        )


def make_and_revoke_key(player: Player) -> str:
    """By REST, with the tenant's own key; revoked at once, because a tenant has so many keys and no more."""
    caller = Caller(player.plaintext)
    made = caller.post(path_of(player.tenant, "/keys"), {"name": mark(player), "models": [mark(player)]})
    caller.delete(path_of(player.tenant, f"/keys/{made.json()['id']}"))
    return str(made.content)


def list_keys(player: Player) -> str:
    return str(Caller(player.plaintext).get(path_of(player.tenant, "/keys")).content)


def ask_for_others(player: Player) -> str:
    """What is not this tenant's, by every tenant's address."""
    with platform_scope():
        others = list(Tenant.objects.exclude(pk=player.tenant.id)[:MOST])
    caller = Caller(player.plaintext)
    return str([caller.get(path_of(other, "/keys")).content for other in others])


def open_portal(player: Player) -> str:
    with platform_scope():
        browser = Client(SERVER_NAME=f"{player.tenant.slug}.localhost")
        browser.force_login(player.owner)
    return "".join(browser.get(page).content.decode() for page in ("/", "/keys/", "/playground/history/"))


def remember(player: Player) -> str:
    with tenant_scope(player.tenant.ref):
        cache.set("note", mark(player), 60)
        return str(cache.get("note"))


def recall(player: Player) -> str:
    with tenant_scope(player.tenant.ref):
        return str(cache.get_many(["note", "other"]))


@app.task(base=TenantTask, name="operations.read")
def _read(*, tenant_id: str) -> str:
    assert require_tenant().id == tenant_id
    return str(list(Message.objects.order_by("-id").values_list("content", flat=True)[:MOST]))


def run_task(player: Player) -> str:
    return str(_read(tenant_id=player.tenant.id))


def publish_to_gateways(player: Player) -> str:
    with platform_scope():
        publish_key(player.key.id, utc_now())
        publish_tenant(player.tenant.id, utc_now())
    return f"{control().get(key_name(player.key.digest))!r} {control().get(tenant_name(player.tenant.id))!r}"


OPERATIONS: Mapping[str, Operation] = {
    operation.__name__: operation
    for operation in (
        keep_conversation,
        list_conversations,
        read_messages,
        set_setting,
        read_shared_tables,
        make_and_revoke_key,
        list_keys,
        ask_for_others,
        open_portal,
        remember,
        recall,
        run_task,
        publish_to_gateways,
    )
}


def found_marked(slug: str, kind: object, email: str) -> Player:
    """A tenant whose name, key and models bear its mark."""
    player = cast.found(slug, kind, email=email)
    with platform_scope():
        Tenant.objects.filter(pk=player.tenant.id).update(name=mark(player))
        ApiKey.objects.filter(pk=player.key.id).update(name=mark(player), allowed_models=[mark(player)])
        create_api_key(tenant_id=player.tenant.id, name=f"{mark(player)} second", acting=cast.TESTER, now=utc_now())
    return player
