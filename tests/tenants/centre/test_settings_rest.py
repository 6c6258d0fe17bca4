"""Settings over REST: operators for anybody, owners and admins for their own, keys for nobody."""

from __future__ import annotations

import pytest
from rest_framework.test import APIRequestFactory, force_authenticate

from core.ids import prefixed
from core.rest.principal import Principal
from core.rest.views import TenantView
from core.tenancy import TenantRef, platform_scope
from tenants.api import Role, permissions_of, setting_of, tenant_by_slug
from tenants.centre.views import SettingList, SettingsHistory
from tests.cast import Operator, Player
from tests.rest import Caller, path_of

pytestmark = pytest.mark.usefixtures("redis")
LIFE = "keys.longest_life_days"


def _as_member(player: Player, role: Role, view: type[TenantView], body: dict | None = None) -> int:
    """What a member of that role is answered who asks for acme's settings, or (with a body) changes them."""
    factory = APIRequestFactory()
    request = factory.get("/") if body is None else factory.put("/", body, format="json")
    ref = TenantRef(player.tenant.id)
    caller = Principal("member", "1", "x@acme.example", ref, permissions=frozenset(permissions_of(role)))
    force_authenticate(request, user=caller)
    with platform_scope():
        return view.as_view()(request, tenant_id=prefixed("ten", tenant_by_slug("acme").id)).status_code


def test_an_operator_reads_changes_compares_and_goes_back(acme: Player, olivia: Operator) -> None:
    caller, path = Caller(olivia.token), path_of(acme.tenant, "/settings")
    read = caller.get(path).json()
    assert read["version"] == 0
    assert {row["name"]: row["editor"] for row in read["settings"]}["portal.operator_notice"] == "operator"
    done = caller.put(path, {"values": {"keys.longest_life_days": 5}, "version": 0, "reason": "audit"}).json()
    assert done["version"] == 1
    one = caller.put(f"{path}/playground.default_model", {"value": "gpt", "version": 1}).json()
    assert (one["value"], one["is_set"], one["version"]) == ("gpt", True, 2)
    history = caller.get(f"{path}/history").json()["data"]
    assert [(row["number"], row["reason"], row["actor_kind"]) for row in history] == [
        (2, "", "operator"),
        (1, "audit", "operator"),
    ]
    difference = caller.get(f"{path}/difference?older=0&newer=2").json()["data"]
    assert {row["name"]: row["after"] for row in difference} == {
        "keys.longest_life_days": 5,
        "playground.default_model": "gpt",
    }
    back = caller.post(f"{path}/roll-back", {"to": 1, "reason": "again"}).json()
    assert back["version"] == 3
    assert setting_of(acme.tenant.id, "playground.default_model") == ""


def test_a_stale_version_and_a_wrong_value_are_told(acme: Player, olivia: Operator) -> None:
    caller, path = Caller(olivia.token), path_of(acme.tenant, "/settings")
    stale = caller.put(path, {"values": {"keys.longest_life_days": 5}, "version": 3})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_version")
    wrong = caller.put(f"{path}/keys.longest_life_days", {"value": "five"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "setting_not_valid")
    assert wrong.json()["errors"][0]["pointer"].endswith("longest_life_days")
    assert caller.put(f"{path}/no.such", {"value": 1}).status_code == 404
    assert caller.get(f"{path}/no.such").status_code == 404
    assert caller.get(f"{path}/difference?older=0&newer=9").status_code == 404
    assert caller.get(path.replace(acme.tenant.id, "0" * 26)).status_code == 404


def test_members_by_their_role_and_only_their_own(acme: Player, globex: Player) -> None:
    model, life = ({"values": {name: value}} for name, value in (("playground.default_model", "a"), (LIFE, 3)))
    assert _as_member(acme, Role.ADMIN, SettingList, model) == 200
    assert _as_member(acme, Role.ADMIN, SettingList, life) == 403
    assert _as_member(acme, Role.OWNER, SettingList, life) == 200
    assert setting_of(acme.tenant.id, LIFE) == 3
    assert _as_member(acme, Role.ADMIN, SettingList) == 200
    assert _as_member(acme, Role.DEVELOPER, SettingList) == 403
    for view in (SettingList, SettingsHistory):
        assert _as_member(globex, Role.OWNER, view) == 404
    assert _as_member(globex, Role.OWNER, SettingList, model) == 404
    assert Caller(acme.plaintext).get(path_of(acme.tenant, "/settings")).status_code == 403
