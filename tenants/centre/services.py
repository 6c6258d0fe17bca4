"""Changing settings and rolling them back; owns that each change is a version, and that no change is lost to another.

One transaction at a time changes a tenant's settings. Who sends the version that was looked at is told when it is no
longer the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from audit.api import Actor, Personal, emit, record
from core.ids import prefixed
from core.locks import wait_turn
from core.tenancy import TenantRef, tenant_scope
from tenants.centre.data import Editor, Json, SettingChange, SettingsChanged
from tenants.centre.errors import SettingNotYours, StaleVersion
from tenants.centre.history import applied, differences
from tenants.centre.registry import check_value, is_known, spec_of
from tenants.centre.selectors import newest_version, settings_at
from tenants.webhooks.announce import announce
from tenants.webhooks.data import EventName
from tenants.workspace.models import Setting, SettingVersion

LOCK = 7_052_051  # advisory lock, with the tenant's id: one change of its settings at a time
LONGEST_REASON = 300


@transaction.atomic
def change_settings(
    *,
    tenant_id: str,
    values: Mapping[str, Json],
    editor: Editor,
    acting: Actor,
    now: datetime,
    reason: str = "",
    version: int | None = None,
) -> int:
    """Set each of `values`, None for the default again; returns the version, the same when nothing differs.

    Raises SettingNotFound, SettingNotValid, SettingNotYours, and StaleVersion when `version` is not the newest.
    """
    with tenant_scope(TenantRef(tenant_id)):
        newest = _in_turn(tenant_id, version)
        for name, value in values.items():
            check_value(spec_of(name), value)
        before = {row.name: row.value for row in Setting.objects.all()}
        changes = differences(before, applied(before, values))
        _check_editor(changes, editor)
        if not changes:
            return newest
        _store(newest + 1, changes, acting, now, reason)
    _note_down(tenant_id, newest + 1, changes, acting, reason)
    data = {"version": newest + 1, "names": [change.name for change in changes], "by": acting.label}
    announce(tenant_id=tenant_id, event=EventName.SETTINGS_CHANGED, data=data, now=now)
    return newest + 1


@transaction.atomic
def roll_back_settings(
    *,
    tenant_id: str,
    to: int,
    editor: Editor,
    acting: Actor,
    now: datetime,
    reason: str = "",
    version: int | None = None,
) -> int:
    """Set everything to what it was in version `to`, as a new version; 0 is the beginning, when nothing was set.

    Settings that no longer exist stay as they are. Raises what `change_settings` raises, and VersionNotFound.
    """
    with tenant_scope(TenantRef(tenant_id)):
        _in_turn(tenant_id, version)
        current = {row.name: row.value for row in Setting.objects.all()}
    wanted = settings_at(tenant_id, to)
    return change_settings(
        tenant_id=tenant_id,
        values={change.name: change.after for change in differences(current, wanted) if is_known(change.name)},
        editor=editor,
        acting=acting,
        now=now,
        reason=reason.strip() or _("Back to version %(number)d") % {"number": to},
    )


def _in_turn(tenant_id: str, version: int | None) -> int:
    """Wait for the change before, until the transaction ends; the newest version. Raises StaleVersion."""
    wait_turn(LOCK, tenant_id)
    newest = newest_version()
    if version is not None and version != newest:
        raise StaleVersion(
            _("The settings have version %(newest)d, not %(given)d.") % {"newest": newest, "given": version},
            next_step=_("Look at them again, and repeat your change."),
        )
    return newest


def _check_editor(changes: tuple[SettingChange, ...], editor: Editor) -> None:
    for change in changes:
        needed = spec_of(change.name).editor
        if editor < needed:
            who = {Editor.OPERATOR: _("an operator"), Editor.OWNER: _("an owner")}.get(needed, _("an admin"))
            raise SettingNotYours(
                _("Only %(who)s may change %(name)s.") % {"who": who, "name": change.name},
                fields={change.name: [_("is not yours to change")]},
            )


def _store(number: int, changes: tuple[SettingChange, ...], acting: Actor, now: datetime, reason: str) -> None:
    SettingVersion.objects.create(
        number=number,
        changes=[[change.name, change.before, change.after] for change in changes],
        actor_kind=acting.kind,
        actor=acting.label[:200],
        reason=reason.strip()[:LONGEST_REASON],
        at=now,
    )
    for change in changes:
        if change.after is None:
            Setting.objects.filter(pk=change.name).delete()
        else:
            fields = {"value": change.after, "version": number, "updated_at": now}
            Setting.objects.update_or_create(name=change.name, defaults=fields)


def _note_down(tenant_id: str, number: int, changes: tuple[SettingChange, ...], acting: Actor, reason: str) -> None:
    record(
        "settings.change",
        actor=acting,
        tenant_id=tenant_id,
        target=prefixed("ten", tenant_id),
        reason=reason.strip()[:LONGEST_REASON],
        before={change.name: Personal(change.before) for change in changes},
        after={change.name: Personal(change.after) for change in changes},
        detail={"version": number},
    )
    emit(SettingsChanged(tenant_id, number))
