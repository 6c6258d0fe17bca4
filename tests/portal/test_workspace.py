"""The page of a workspace's settings: owners and admins change them, the history shows it, all see the effect."""

from __future__ import annotations

import re

from core.clock import utc_now
from proxy.api import add_model, add_provider
from tenants.api import Editor, Role, change_settings, configuration_of, setting_of
from tests.cast import TESTER, Player
from tests.portal.conftest import SignIn


def _filled(page: str, **values: str) -> dict[str, str]:
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    levels = {"portal.announcement_level": "info"}
    return {"version": version[1], "keys.longest_life_days": "0", **levels, **values}


def test_an_owner_changes_settings_and_sees_who_changed_what(acme: Player, as_role: SignIn) -> None:
    owner = as_role(acme.tenant, Role.OWNER)
    page = owner.get("/workspace/").content.decode()
    given = {
        "members.allowed_domains": "acme.example\nACME.example\n\n",
        "portal.announcement_text": "Lunch at <noon>",
        "reason": "it is Monday",
    }
    assert owner.post("/workspace/", _filled(page, **given)).status_code == 302
    assert setting_of(acme.tenant.id, "members.allowed_domains") == ["acme.example"]
    assert configuration_of(acme.tenant.id).version == 1
    history = owner.get("/workspace/history/").content.decode()
    assert "it is Monday" in history
    assert "owner@acme.example" in history
    assert "Lunch at &lt;noon&gt;" in as_role(acme.tenant, Role.VIEWER).get("/usage/").content.decode()


def test_what_does_not_fit_is_told_beside_its_field(acme: Player, as_role: SignIn) -> None:
    owner = as_role(acme.tenant, Role.OWNER)
    page = owner.get("/workspace/").content.decode()
    answer = owner.post("/workspace/", _filled(page, **{"alerts.recipients": "nobody"}))
    assert answer.status_code == 400
    assert "not an e-mail address: nobody" in answer.content.decode()
    assert owner.post("/workspace/", _filled(page, **{"keys.longest_life_days": "many"})).status_code == 400
    assert configuration_of(acme.tenant.id).version == 0


def test_two_who_edit_at_once_do_not_overwrite_each_other(acme: Player, as_role: SignIn) -> None:
    owner, admin = as_role(acme.tenant, Role.OWNER), as_role(acme.tenant, Role.ADMIN)
    page = owner.get("/workspace/").content.decode()
    assert admin.post("/workspace/", _filled(page, **{"playground.system_message": "first"})).status_code == 302
    late = owner.post("/workspace/", _filled(page, **{"playground.system_message": "second"}))
    assert late.status_code == 409
    assert "have version 1, not 0" in late.content.decode()
    assert setting_of(acme.tenant.id, "playground.system_message") == "first"


def test_an_admin_is_not_offered_what_an_owner_decides(acme: Player, as_role: SignIn) -> None:
    admin = as_role(acme.tenant, Role.ADMIN)
    page = admin.get("/workspace/").content.decode()
    assert 'name="keys.longest_life_days"' not in page
    assert "Decided by others" in page
    assert admin.post("/workspace/", _filled(page, **{"keys.longest_life_days": "3"})).status_code == 302
    assert setting_of(acme.tenant.id, "keys.longest_life_days") == 0


def test_going_back_asks_first(acme: Player, as_role: SignIn) -> None:
    owner = as_role(acme.tenant, Role.OWNER)
    owner.post("/workspace/", _filled(owner.get("/workspace/").content.decode(), **{"playground.system_message": "x"}))
    assert "Back to the beginning?" in owner.get("/workspace/history/0/roll-back/").content.decode()
    assert "Back to version 1?" in owner.get("/workspace/history/1/roll-back/").content.decode()
    assert setting_of(acme.tenant.id, "playground.system_message") == "x"
    assert owner.post("/workspace/history/0/roll-back/", {"reason": "no"}).status_code == 302
    assert setting_of(acme.tenant.id, "playground.system_message") == ""
    assert owner.get("/workspace/history/9/roll-back/").status_code == 404
    assert owner.post("/workspace/history/9/roll-back/").status_code == 404
    assert owner.get("/workspace/history/?before=2").status_code == 200


def test_the_settings_of_the_playground_show_there(acme: Player, as_role: SignIn) -> None:
    now = utc_now()
    add_provider(name="demo", kind="demo", acting=TESTER, now=now)
    for name in ("demo-chat", "demo-slow"):
        add_model(name=name, provider="demo", acting=TESTER, now=now)
    values = {"playground.default_model": "demo-slow", "playground.system_message": "Answer in verse."}
    change_settings(tenant_id=acme.tenant.id, values=values, editor=Editor.ADMIN, acting=TESTER, now=now)
    page = as_role(acme.tenant, Role.DEVELOPER).get("/playground/").content.decode()
    assert page.index('value="demo-slow"') < page.index('value="demo-chat"')
    assert "Answer in verse." in page
    assert "demo-slow" in as_role(acme.tenant, Role.OWNER).get("/").content.decode()


def test_a_notice_of_the_operators_is_shown_as_theirs(acme: Player, globex: Player, as_role: SignIn) -> None:
    values = {"portal.operator_notice": {"text": "Maintenance tonight", "level": "warning"}}
    change_settings(
        tenant_id=acme.tenant.id, values=values, editor=Editor.OPERATOR, acting=TESTER, now=utc_now(), reason="x"
    )
    page = as_role(acme.tenant).get("/").content.decode()
    assert "From the operators:" in page
    assert "Maintenance tonight" in page
    assert "Maintenance tonight" not in as_role(globex.tenant).get("/").content.decode()
