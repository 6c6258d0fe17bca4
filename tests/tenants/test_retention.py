"""Conversations live as long as the tenant's profile says, in its own schema, whatever the others keep."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection

from audit.models import AuditEntry
from core.clock import utc_now
from core.tenancy import NoActiveScope, schema_scope, tenant_scope
from tenants.api import ProfileField, Tenant, TenantStatus, Turn, keep_turns, override_value
from tenants.profiles.retention import prune_all
from tenants.tasks import prune_workspaces
from tenants.workspace.models import Conversation, Message
from tenants.workspace.services import prune_conversations
from tests import cast

pytestmark = pytest.mark.django_db
NOW = utc_now()
DAY = timedelta(days=1)


def talk(player: cast.Player, at: datetime, conversation_id: str = "") -> str:
    with tenant_scope(player.tenant.ref):
        turns = [Turn("user", "hello"), Turn("assistant", "hi")]
        return keep_turns(member_id="m1", conversation_id=conversation_id, model="demo", turns=turns, now=at).id


def kept(player: cast.Player) -> tuple[set[str], int]:
    with tenant_scope(player.tenant.ref):
        return set(Conversation.objects.values_list("pk", flat=True)), Message.objects.count()


def keep_for(player: cast.Player, days: int) -> None:
    override_value(
        tenant_id=player.tenant.id,
        field=ProfileField.RETENTION_DAYS,
        value=days,
        reason="asked for",
        acting=cast.TESTER,
        now=NOW,
    )


def test_what_is_too_old_goes_and_another_tenants_equally_old_one_stays(acme: cast.Player, globex: cast.Player) -> None:
    keep_for(globex, 1)
    for player in (acme, globex):
        talk(player, NOW - 3 * DAY)
    young = talk(globex, NOW)
    others = kept(acme)
    assert prune_all(now=NOW) == 1
    assert kept(globex) == ({young}, 2)
    assert kept(acme) == others
    entry = AuditEntry.objects.get(action="tenants.prune_conversations")
    assert (entry.tenant_id, entry.detail) == (globex.tenant.id, {"conversations": 1, "retention_days": 1})
    assert prune_all(now=NOW) == 0


def test_an_old_conversation_that_goes_on_stays(globex: cast.Player) -> None:
    keep_for(globex, 1)
    old = talk(globex, NOW - 3 * DAY)
    talk(globex, NOW - DAY / 2, old)
    assert prune_all(now=NOW) == 0
    assert kept(globex) == ({old}, 4)


def test_without_an_override_the_type_decides(acme: cast.Player, globex: cast.Player) -> None:
    for player in (acme, globex):
        talk(player, NOW - 200 * DAY)
    assert prune_all(now=NOW) == 1
    assert len(kept(acme)[0]) == 1
    assert kept(globex) == (set(), 0)


def test_one_tenant_whose_schema_is_broken_keeps_no_other_waiting(acme: cast.Player, globex: cast.Player) -> None:
    keep_for(acme, 1)
    talk(globex, NOW - 200 * DAY)
    with schema_scope(acme.tenant.schema_name, include_public=False), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE workspace_message RENAME TO elsewhere")
    assert prune_all(now=NOW) == 1
    assert kept(globex) == (set(), 0)


def test_who_has_no_schema_is_passed_by(globex: cast.Player) -> None:
    talk(globex, NOW - 200 * DAY)
    Tenant.objects.filter(pk=globex.tenant.id).update(status=TenantStatus.DELETING)
    assert prune_all(now=NOW) == 0


def test_nothing_is_pruned_outside_a_tenant() -> None:
    with pytest.raises(NoActiveScope):
        prune_conversations(before=NOW)


def test_the_task_prunes(globex: cast.Player) -> None:
    talk(globex, NOW - 200 * DAY)
    assert prune_workspaces() == 1
