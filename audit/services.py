"""Writing to the log and forgetting whom it names; its order and its chains are `audit.chain`'s, events `outbox`'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from audit.concealment import conceal
from audit.data import Actor, Personal
from audit.models import AuditEntry, EntryNames
from audit.names import Taken
from core.request_id import current_request_id


@transaction.atomic(savepoint=False)
def record(
    action: str,
    *,
    actor: Actor,
    tenant_id: str | None,
    target: str | Personal,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    detail: Mapping[str, Any] | None = None,
    about_tenant: str = "",
    about_account: str = "",
) -> None:
    """Append one entry with its names, in the caller's transaction: without it nothing else is written either.

    `action` is a dotted verb such as `tenants.suspend`. `before` and `after` are what was changed, and `detail` what
    else is worth knowing; what looks like a credential is replaced by its fingerprint. What is Personal, whoever acted
    for a tenant, and the reason of what is about one or about an account are kept apart and go with it; `about_tenant`
    and `about_account` name those of an entry in the platform's chain. Raises ValueError where the actor is named by
    a tenant and neither is said.
    """
    taken, owner = Taken(), tenant_id or about_tenant
    account = "" if owner else about_account or (actor.id if actor.kind == "member" else "")
    if actor.is_named_by_tenant and not (owner or account):
        raise ValueError(f"{action} would name somebody for ever: say about which tenant or account it is")
    told = {"before": before, "after": after, "detail": detail or {}}
    entry = AuditEntry(
        tenant_id=tenant_id or "",
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=taken.text("actor_label", actor.label) if actor.is_named_by_tenant else actor.label,
        action=action,
        target=taken.text("target", str(target.value)) if isinstance(target, Personal) else target,
        reason=taken.text("reason", reason) if owner or account else reason,
        request_id=current_request_id(),
        **{name: None if facts is None else conceal(taken.facts(facts)) for name, facts in told.items()},
    )
    entry.save(force_insert=True)
    if taken:
        _keep_names(entry, taken, owner, account)


def _keep_names(entry: AuditEntry, taken: Taken, tenant_id: str, account_id: str) -> None:
    EntryNames.objects.create(
        entry=entry,
        entry_at=entry.at,
        tenant_id=tenant_id,
        account_id=account_id,
        key=taken.key,
        values=taken.values,
        **taken.texts,
    )


def forget_account(account_id: str) -> int:
    """Whom the platform's chain names where it is about that account; returns in how many entries.

    A tenant's log names its people for as long as the tenant is there.
    """
    deleted, _ = EntryNames.objects.filter(account_id=account_id, tenant_id="").delete()
    return deleted
