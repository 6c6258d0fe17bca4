"""Tenants and keys through the REST API, by operators and by tenants' own keys."""

from __future__ import annotations

import pytest
from django.test import Client

from audit.models import AuditEntry
from core.clock import utc_now
from tenants.api import ApiKey, Tenant, create_api_key, key_by_plaintext
from tests.cast import TESTER, Operator, Player
from tests.rest import Caller, path_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
NEW = {"slug": "hooli", "name": "Hooli", "type": "ENTERPRISE"}


def test_an_operator_creates_a_tenant_and_reads_it_again(olivia: Operator) -> None:
    caller = Caller(olivia.token)
    created = caller.post("/tenants", NEW)
    assert created.status_code == 201
    body = created.json()
    assert body["status"] == "ACTIVE"
    assert caller.get(f"/tenants/{body['id']}").json() == body
    assert AuditEntry.objects.filter(action="tenants.create", actor_label="olivia (tests)").exists()


def test_a_taken_slug_is_a_conflict_that_points_to_the_field(olivia: Operator, acme: Player) -> None:
    answer = Caller(olivia.token).post("/tenants", {**NEW, "slug": "acme"})
    assert answer.status_code == 409
    assert answer["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "slug_taken"
    assert problem["errors"] == [{"code": "slug_taken", "detail": "is taken", "pointer": "#/slug"}]
    assert problem["request_id"] == answer["x-request-id"]


def test_several_wrong_fields_are_told_at_once(olivia: Operator) -> None:
    problem = Caller(olivia.token).post("/tenants", {"slug": "hooli", "type": "HUGE"}).json()
    assert {error["pointer"] for error in problem["errors"]} == {"#/name", "#/type"}


def test_the_list_is_filtered_paged_and_refuses_unknown_parameters(
    olivia: Operator, acme: Player, globex: Player, initech: Player
) -> None:
    caller = Caller(olivia.token)
    assert [row["slug"] for row in caller.get("/tenants?status=SUSPENDED").json()["data"]] == ["initech"]
    assert [row["slug"] for row in caller.get("/tenants?search=glob").json()["data"]] == ["globex"]
    first = caller.get("/tenants?limit=2").json()
    assert [row["slug"] for row in first["data"]] == ["initech", "globex"]
    rest = caller.get("/tenants?" + first["page"]["next"].partition("?")[2]).json()
    assert [row["slug"] for row in rest["data"]] == ["acme"]
    assert rest["page"]["next"] is None
    refused = caller.get("/tenants?colour=blue")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "#/colour"


def test_suspending_needs_a_reason_and_resuming_undoes_it(olivia: Operator, acme: Player) -> None:
    caller = Caller(olivia.token)
    assert caller.post(path_of(acme.tenant, "/suspend"), {}).status_code == 400
    suspended = caller.post(path_of(acme.tenant, "/suspend"), {"reason": "abuse"}).json()
    assert (suspended["status"], suspended["status_reason"]) == ("SUSPENDED", "abuse")
    assert caller.post(path_of(acme.tenant, "/resume")).json()["status"] == "ACTIVE"


def test_a_key_is_shown_whole_once_and_never_again(acme: Player) -> None:
    caller = Caller(acme.plaintext)
    created = caller.post(path_of(acme.tenant, "/keys"), {"name": "ci", "scopes": ["inference"]}).json()
    assert created["key"].startswith("lum_live_")
    found = key_by_plaintext(created["key"], utc_now())
    assert found is not None
    assert found.created_by.startswith("first")
    listed = caller.get(path_of(acme.tenant, "/keys")).json()["data"]
    assert [row["name"] for row in listed] == ["ci", "first"]
    assert all("key" not in row for row in listed)


def test_a_revoked_key_opens_nothing(acme: Player) -> None:
    caller = Caller(acme.plaintext)
    created = caller.post(path_of(acme.tenant, "/keys"), {"name": "ci", "scopes": ["keys:read"]}).json()
    assert caller.delete(path_of(acme.tenant, f"/keys/{created['id']}")).status_code == 204
    assert Caller(created["key"]).get(path_of(acme.tenant, "/keys")).status_code == 401
    live = caller.get(path_of(acme.tenant, "/keys?revoked=false")).json()["data"]
    assert [row["name"] for row in live] == ["first"]


def test_a_key_cannot_give_a_scope_that_it_lacks(acme: Player) -> None:
    _, narrow = create_api_key(
        tenant_id=acme.tenant.id, name="narrow", scopes=["keys:write"], acting=TESTER, now=utc_now()
    )
    answer = Caller(narrow).post(path_of(acme.tenant, "/keys"), {"name": "wide", "scopes": ["inference"]})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/scopes"
    assert not ApiKey.objects.filter(name="wide").exists()


def test_a_key_without_the_scope_is_told_which_one(acme: Player) -> None:
    _, narrow = create_api_key(tenant_id=acme.tenant.id, name="narrow", acting=TESTER, now=utc_now())
    problem = Caller(narrow).get(path_of(acme.tenant, "/keys")).json()
    assert problem["code"] == "scope_missing"
    assert "keys:read" in problem["detail"]


@pytest.mark.parametrize("rest", ["", "/keys", "/limits", "/usage", "/usage-events", "/bill", "/scaling"])
def test_mallory_sees_404_for_everything_of_acme(acme: Player, globex: Player, rest: str) -> None:
    theirs = Caller(globex.plaintext).get(path_of(acme.tenant, rest))
    nobodys = Caller(globex.plaintext).get(f"/tenants/ten_01jzzzzzzzzzzzzzzzzzzzzzzz{rest}")
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json()["detail"] == nobodys.json()["detail"]


def test_mallory_cannot_make_or_revoke_keys_of_acme(acme: Player, globex: Player) -> None:
    mallory = Caller(globex.plaintext)
    assert mallory.post(path_of(acme.tenant, "/keys"), {"name": "x", "scopes": ["keys:read"]}).status_code == 404
    assert mallory.delete(path_of(acme.tenant, f"/keys/{acme.key.public_id}")).status_code == 404
    assert mallory.delete(path_of(globex.tenant, f"/keys/{acme.key.public_id}")).status_code == 404
    acme.key.refresh_from_db()
    assert acme.key.revoked_at is None


def test_a_tenants_key_may_not_suspend_even_itself(acme: Player) -> None:
    answer = Caller(acme.plaintext).post(path_of(acme.tenant, "/suspend"), {"reason": "x"})
    assert answer.status_code == 403
    assert Tenant.objects.get(pk=acme.tenant.pk).is_active


def test_keys_of_a_suspended_tenant_read_and_do_not_write(initech: Player) -> None:
    caller = Caller(initech.plaintext)
    assert caller.get(path_of(initech.tenant)).json()["status"] == "SUSPENDED"
    refused = caller.post(path_of(initech.tenant, "/keys"), {"name": "x", "scopes": ["keys:read"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "tenant_suspended")


def test_on_a_tenants_host_only_its_own_keys_are_known(acme: Player, globex: Player, olivia: Operator) -> None:
    path = path_of(acme.tenant, "/keys")
    assert Caller(acme.plaintext, host="acme.localhost").get(path).status_code == 200
    assert Caller(acme.plaintext, host="globex.localhost").get(path).status_code == 401
    assert Caller(olivia.token, host="acme.localhost").get(path).status_code == 401


@pytest.mark.parametrize("credential", ["", "nonsense", "lum_live_" + "0" * 38])
def test_without_a_valid_credential_one_is_challenged(acme: Player, credential: str) -> None:
    answer = Caller(credential).get(path_of(acme.tenant))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "not_authenticated"


def test_a_session_of_an_operator_may_read_and_needs_csrf_to_write(olivia: Operator, acme: Player) -> None:
    browser = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)
    browser.force_login(olivia.user)
    path = "/api/v1" + path_of(acme.tenant)
    assert browser.get(path).status_code == 200
    assert browser.post(f"{path}/suspend", {"reason": "x"}, content_type="application/json").status_code == 403


def test_staff_without_the_permission_is_refused_as_in_the_admin(olivia: Operator, acme: Player) -> None:
    olivia.user.is_superuser = False
    olivia.user.save()
    answer = Caller(olivia.token).post(path_of(acme.tenant, "/suspend"), {"reason": "x"})
    assert answer.status_code == 403
    assert "tenants.change_tenant" in answer.json()["detail"]


def test_a_dismissed_operators_token_opens_nothing(olivia: Operator) -> None:
    olivia.user.is_staff = False
    olivia.user.save()
    assert Caller(olivia.token).get("/tenants").status_code == 401
