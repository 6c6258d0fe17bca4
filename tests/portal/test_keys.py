"""API keys: list, create once, revoke."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from audit.models import AuditEntry
from core.clock import utc_now
from core.ids import prefixed
from core.tenancy import tenant_scope
from portal.keys.selectors import KeyState, key_of, keys_of
from tenants.api import ApiKey, KeyNotFound, Role, create_api_key, is_well_formed, revoke_api_key
from tests.cast import TESTER, Player
from tests.portal.conftest import SignIn

FORM = {"name": "website chat", "kind": "live", "scopes": ["inference"]}
_KEY = re.compile(r"lum_(?:live|test)_\w{38}")


def test_the_list_shows_prefix_and_last_four_and_never_the_key(acme: Player, as_role: SignIn) -> None:
    page = as_role(acme.tenant).get("/keys/").content.decode()
    assert f"{acme.plaintext[:12]}…{acme.plaintext[-4:]}" in page
    assert acme.plaintext not in page


def test_a_new_key_is_shown_in_that_answer_and_never_again(acme: Player, as_role: SignIn) -> None:
    client = as_role(acme.tenant)
    response = client.post("/keys/new/", FORM)
    (plaintext,) = set(_KEY.findall(response.content.decode()))
    assert response.status_code == 201
    assert is_well_formed(plaintext)
    assert "no-store" in response["Cache-Control"]
    assert plaintext not in client.get("/keys/").content.decode()
    assert not ApiKey.objects.filter(digest=plaintext).exists()


def test_what_was_filled_in_is_what_the_key_gets(acme: Player, as_role: SignIn) -> None:
    more = {"kind": "test", "scopes": ["inference", "usage:read"], "expires_in_days": "30",
            "requests_per_minute": "60", "tokens_per_minute": "9000"}  # fmt: skip
    as_role(acme.tenant).post("/keys/new/", {**FORM, **more})
    key = ApiKey.objects.get(name="website chat")
    assert (key.live, key.scopes) == (False, ["inference", "usage:read"])
    assert (key.requests_per_minute, key.tokens_per_minute) == (60, 9000)
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - utc_now() < timedelta(days=30)
    assert key.created_by == "owner@acme.example"
    assert AuditEntry.objects.get(target=key.public_id).actor_kind == "member"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "   "}, "This field is required."),
        ({"scopes": []}, "This field is required."),
        ({"scopes": ["root"]}, "not one of the available choices"),
        ({"requests_per_minute": "0"}, "greater than or equal to 1"),
        ({"kind": "both"}, "not one of the available choices"),
    ],
)
def test_a_form_that_is_wrong_says_where_and_makes_no_key(
    acme: Player, as_role: SignIn, wrong: dict[str, object], words: str
) -> None:
    response = as_role(acme.tenant).post("/keys/new/", {**FORM, **wrong})
    assert response.status_code == 400
    assert words in response.content.decode()
    assert ApiKey.objects.filter(tenant=acme.tenant).count() == 1


def test_what_the_service_refuses_stands_beside_its_field(
    acme: Player, as_role: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.keys import forms

    monkeypatch.setattr(forms.NewKeyForm, "expires_at", lambda self, now: now)
    response = as_role(acme.tenant).post("/keys/new/", FORM)
    assert response.status_code == 400
    assert "must lie in the future" in response.content.decode()


def test_revoking_asks_first_and_then_holds(acme: Player, as_role: SignIn) -> None:
    client = as_role(acme.tenant)
    address = f"/keys/{acme.key.public_id}/revoke/"
    assert b"This cannot be undone" in client.get(address).content
    assert ApiKey.objects.get(pk=acme.key.pk).revoked_at is None
    page = client.post(address, follow=True).content.decode()
    assert "The key “first” is revoked." in page
    assert "There is no active key." in page
    assert "Revoked" in client.get("/keys/?show=all").content.decode()
    assert b"is revoked already" in client.get(address).content


def test_another_tenants_key_does_not_exist_here(acme: Player, globex: Player, as_role: SignIn) -> None:
    client = as_role(acme.tenant)
    for identifier in (globex.key.public_id, "key_nonsense", prefixed("ten", globex.key.id)):
        assert client.post(f"/keys/{identifier}/revoke/").status_code == 404
    assert ApiKey.objects.get(pk=globex.key.pk).revoked_at is None
    assert globex.key.public_id not in client.get("/keys/?show=all").content.decode()


def test_a_viewer_looks_and_is_told_why_there_is_nothing_to_press(acme: Player, as_role: SignIn) -> None:
    page = as_role(acme.tenant, Role.VIEWER).get("/keys/").content.decode()
    assert "With the role Viewer you may look at them" in page
    assert "/revoke/" not in page
    assert "/keys/new/" not in page


def test_states_are_told_apart(acme: Player) -> None:
    now = utc_now()
    soon = now + timedelta(minutes=5)
    create_api_key(tenant_id=acme.tenant.id, name="short", acting=TESTER, now=now, expires_at=soon)
    revoke_api_key(tenant_id=acme.tenant.id, key_id=acme.key.id, acting=TESTER, now=now)
    rows = {row.name: row.state for row in keys_of(acme.tenant.id, now=soon, with_ended=True)}
    assert rows == {"short": KeyState.EXPIRED, "first": KeyState.REVOKED}
    assert [row.name for row in keys_of(acme.tenant.id, now=now)] == ["short"]


def test_the_tenants_own_role_sees_its_own_keys_only(acme: Player, globex: Player) -> None:
    with tenant_scope(acme.tenant.ref):
        assert keys_of(globex.tenant.id, now=utc_now(), with_ended=True) == []
        with pytest.raises(KeyNotFound):
            key_of(globex.tenant.id, globex.key.public_id, now=utc_now())


def test_the_table_alone_is_no_whole_page(acme: Player, as_role: SignIn) -> None:
    page = as_role(acme.tenant).get("/keys/table/").content.decode()
    assert "<html" not in page
    assert "first" in page
