"""What the audit log keeps of a deleted tenant names nobody, and its chains hold as before."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.services.sessions import reset_factors
from audit.api import Actor, check_chains, check_lines, export_chain, public_keys
from audit.models import AuditEntry, EntryNames
from core.clock import utc_now
from tenants import api
from tenants.models import Tenant
from tests import cast
from tests.audit.reading import entries
from tests.scaling.conftest import report
from tests.tenants.leaving import GRACE, ask, deletion_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed", "redis")]
NOW = utc_now()
LATER = NOW + GRACE
_OF_ACME = ("acme", "amy", "zoe", "10.1.2")


@pytest.fixture(autouse=True)
def _folders(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMOS_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("LUMOS_AUDIT_HEADS", str(tmp_path / "heads"))


@pytest.fixture
def acme() -> cast.Player:
    """With something in the log for each kind of thing that names it or its people."""
    report(NOW, {})
    acme, olivia = cast.found_acme(), cast.found_olivia()
    _act_as_amy(acme.tenant, acme.owner)
    _act_as_olivia(acme.tenant, acme.owner, olivia.user)
    return acme


def _act_as_amy(acme: Tenant, owner: User) -> None:
    common: dict[str, Any] = {
        "tenant_id": acme.id,
        "acting": Actor("member", str(owner.pk), owner.email),
        "now": NOW,
    }
    api.rename_tenant(name="Acme Anvils", **common)
    api.rename_tenant(name="Acme", **common)
    api.invite_member(email="zoe@acme.example", role=api.Role.VIEWER, owners=True, **common)
    api.create_api_key(name="acme's second", **common)
    values: dict[str, Any] = {"alerts.recipients": ["amy@acme.example"]}
    api.change_settings(values=values, editor=api.Editor.OWNER, reason="acme's own", **common)
    api.set_tenant_networks(networks=["10.1.2.0/24"], **common)


def _act_as_olivia(acme: Tenant, owner: User, olivia: User) -> None:
    acting = Actor("operator", str(olivia.pk), "olivia")
    common: dict[str, Any] = {"tenant_id": acme.id, "acting": acting, "now": NOW}
    reset_factors(account=owner, acting=acting, reason="Amy of Acme called", now=NOW)
    api.begin_impersonation(operator=olivia, session_key="", membership_id="", reason="for Amy", **common)
    api.suspend_tenant(reason="Acme did not pay", **common)
    api.resume_tenant(**common)


def _rows_that_name_acme() -> list[str]:
    """Of the whole log, and of what stands apart from it."""
    rows = [str(row) for model in (AuditEntry, EntryNames) for row in model.objects.values()]
    return [row for row in rows if any(name in row.lower() for name in _OF_ACME)]


def _delete(acme: Tenant) -> None:
    ask(acme, now=NOW, reason="Acme is gone, says amy")
    job = deletion_of(acme.id)
    api.run_job(job.id, now=LATER)
    job.refresh_from_db()
    assert job.state == api.JobState.DONE, job.steps


def _checked() -> list[tuple[str, int]]:
    """Every chain holds; how many links each has."""
    reports = list(check_chains(now=LATER))
    assert [report.fault for report in reports] == [None] * len(reports)
    return [(report.chain, report.links) for report in reports]


def test_the_rows_name_nobody_and_what_stands_apart_goes_with_the_tenant_and_the_account(acme: cast.Player) -> None:
    assert [row for row in map(str, AuditEntry.objects.values()) if any(name in row.lower() for name in _OF_ACME)] == []
    assert len(_rows_that_name_acme()) >= 12
    _delete(acme.tenant)
    assert _rows_that_name_acme() == []


def test_until_then_readers_see_everything(acme: cast.Player) -> None:
    told = {entry.action: entry for entry in entries()}
    assert told["tenants.rename"].detail == {"name": "Acme"}
    assert told["tenants.create"].detail == {"slug": "acme"}
    assert told["members.invite"].detail["email"] == "zoe@acme.example"
    assert told["keys.create"].actor_label == "amy@acme.example"
    assert told["settings.change"].after == {"alerts.recipients": ["amy@acme.example"]}
    assert told["settings.change"].reason == "acme's own"
    assert told["tenants.set_networks"].detail["allowed_networks"] == {"from": [], "to": ["10.1.2.0/24"]}
    assert (told["factors.reset"].target, told["factors.reset"].reason) == ("amy@acme.example", "Amy of Acme called")
    assert told["tenants.suspend"].detail == {"reason": "Acme did not pay"}
    assert told["impersonation.begin"].detail == {"operator": "olivia", "acts_as": "Acme"}


def test_the_log_still_says_who_by_account_and_what_was_done(acme: cast.Player) -> None:
    log = AuditEntry.objects.order_by("id")
    before = list(log.values())
    _delete(acme.tenant)
    assert list(log.filter(pk__in=[row["id"] for row in before]).values()) == before
    assert log.get(action="keys.create", actor_kind="member").actor_id == str(acme.owner.pk)
    assert log.get(action="tenants.suspend").actor_label == "olivia"


def test_the_chains_hold_before_and_after_and_so_do_exports(acme: cast.Player) -> None:
    before = dict(_checked())
    kept = list(export_chain(acme.tenant.id))
    assert "zoe@acme.example" in "".join(kept)
    _delete(acme.tenant)
    after = dict(_checked())
    assert set(after) == set(before)
    assert all(after[chain] > count for chain, count in before.items() if chain != "platform")
    for lines in (kept, list(export_chain(acme.tenant.id))):
        assert check_lines(lines, keys=public_keys()).fault is None
    assert not any(name in "".join(export_chain(acme.tenant.id)).lower() for name in _OF_ACME)


def test_anothers_log_keeps_its_names(acme: cast.Player) -> None:
    globex = cast.found_globex()
    told = entries(tenant_id=globex.tenant.id)
    _delete(acme.tenant)
    assert [entry.detail for entry in entries(pk__in=[row.id for row in told])] == [row.detail for row in told]


def test_entries_from_before_names_stood_apart_stay_as_they_are_and_hold(acme: cast.Player) -> None:
    fields = {"tenant_id": acme.tenant.id, "actor_kind": "member", "actor_id": "7", "actor_label": "amy@acme.example"}
    AuditEntry.objects.create(**fields, action="tests.old", target="x", detail={"email": "amy@acme.example"})
    _checked()
    _delete(acme.tenant)
    _checked()
    [old] = entries(action="tests.old")
    assert (old.actor_label, old.detail) == ("amy@acme.example", {"email": "amy@acme.example"})
    assert len(_rows_that_name_acme()) == 1
