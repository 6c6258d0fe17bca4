"""From where a tenant may be used: the rules' life, REST with a key, the portal, and who keeps whom out."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import prefixed
from tenants.api import (
    ApiKey,
    KeyNotFound,
    Role,
    Tenant,
    TenantNotFound,
    WouldLockOut,
    add_member,
    create_api_key,
    set_key_networks,
    set_tenant_networks,
)
from tests.audit.reading import the_entry
from tests.cast import PASSWORD, TESTER, Operator, Player
from tests.rest import Caller, path_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
HERE = "127.0.0.1"  # where Django's test client comes from
ELSEWHERE = "203.0.113.0/24"


def who() -> dict[str, Any]:
    return {"acting": TESTER, "now": utc_now()}


def restrict(player: Player, **lists: Any) -> None:
    set_tenant_networks(tenant_id=player.tenant.id, **lists, **who())


def member_of(player: Player, role: Role) -> Client:
    email = f"{role.value.lower()}@{player.tenant.slug}.example"
    member = add_member(tenant_id=player.tenant.id, email=email, role=role, password="correct-horse-battery", **who())
    client = Client(HTTP_HOST=f"{player.tenant.slug}.localhost")
    client.force_login(member.user)
    return client


class TestRules:
    def test_a_change_is_kept_told_and_audited_once(self, acme: Player) -> None:
        restrict(acme, networks=["10.0.0.0/8", "10.0.0.0/8"], portal_networks=["2001:DB8::/32"])
        restrict(acme, networks=["10.0.0.0/8"], portal_networks=["2001:db8::/32"])
        tenant = Tenant.objects.get(pk=acme.tenant.id)
        assert (tenant.allowed_networks, tenant.portal_networks) == (["10.0.0.0/8"], ["2001:db8::/32"])
        entry = the_entry(action="tenants.set_networks", tenant_id=acme.tenant.id)
        assert entry.detail["allowed_networks"] == {"from": [], "to": ["10.0.0.0/8"]}

    def test_a_list_that_is_left_out_stays(self, acme: Player) -> None:
        restrict(acme, networks=["10.0.0.0/8"])
        restrict(acme, portal_networks=[HERE])
        assert Tenant.objects.get(pk=acme.tenant.id).allowed_networks == ["10.0.0.0/8"]

    def test_what_is_no_network_is_refused_by_its_field(self, acme: Player) -> None:
        for field in ("networks", "portal_networks"):
            with pytest.raises(InvalidInput) as caught:
                restrict(acme, **{field: ["10.0.0.1/8"]})
            assert "10.0.0.0/8" in caught.value.fields[field][0]
        with pytest.raises(TenantNotFound):
            set_tenant_networks(tenant_id="0" * 26, networks=[], **who())

    def test_nobody_shuts_themselves_out_unheard(self, acme: Player) -> None:
        with pytest.raises(WouldLockOut) as caught:
            restrict(acme, portal_networks=[ELSEWHERE], own_address=HERE)
        assert HERE in caught.value.fields["portal_networks"][0]
        restrict(acme, portal_networks=[ELSEWHERE, HERE], own_address=HERE)
        restrict(acme, portal_networks=[], own_address=HERE)
        restrict(acme, networks=[ELSEWHERE], own_address=HERE)  # that is about programs, not about this person

    def test_another_tenants_key_is_not_found(self, acme: Player, globex: Player) -> None:
        with pytest.raises(KeyNotFound):
            set_key_networks(tenant_id=globex.tenant.id, key_id=acme.key.id, networks=[HERE], **who())
        assert ApiKey.objects.get(pk=acme.key.id).allowed_networks == []


class TestRestWithAKey:
    def test_a_key_works_from_the_tenants_networks_only(self, acme: Player, globex: Player) -> None:
        restrict(acme, networks=[ELSEWHERE])
        refused = Caller(acme.plaintext).get(path_of(acme.tenant))
        assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")
        assert HERE in refused.json()["detail"]
        inside = Caller(acme.plaintext).get(path_of(acme.tenant), REMOTE_ADDR="203.0.113.9")
        assert inside.status_code == 200
        assert Caller(globex.plaintext).get(path_of(globex.tenant)).status_code == 200

    def test_a_keys_own_networks_count_as_well(self, acme: Player) -> None:
        restrict(acme, networks=["203.0.113.0/24", "198.51.100.0/24"])
        set_key_networks(tenant_id=acme.tenant.id, key_id=acme.key.id, networks=["203.0.113.64/26"], **who())
        for address, status in (("203.0.113.70", 200), ("203.0.113.1", 403), ("198.51.100.1", 403)):
            answer = Caller(acme.plaintext).get(path_of(acme.tenant), REMOTE_ADDR=address)
            assert answer.status_code == status, address

    def test_only_as_many_proxies_are_believed_as_there_are(self, acme: Player, settings: Any) -> None:
        restrict(acme, networks=[ELSEWHERE])
        told = {"HTTP_X_FORWARDED_FOR": "203.0.113.9, 198.51.100.7"}
        assert Caller(acme.plaintext).get(path_of(acme.tenant), **told).status_code == 403
        settings.TRUSTED_PROXIES = 1
        assert Caller(acme.plaintext).get(path_of(acme.tenant), **told).status_code == 403
        settings.TRUSTED_PROXIES = 2
        assert Caller(acme.plaintext).get(path_of(acme.tenant), **told).status_code == 200

    def test_an_ipv6_caller_is_looked_at_whole(self, acme: Player) -> None:
        restrict(acme, networks=["2001:db8::7"])
        for address, status in (("2001:db8::7", 200), ("2001:db8::8", 403), ("::ffff:203.0.113.9", 403)):
            answer = Caller(acme.plaintext).get(path_of(acme.tenant), REMOTE_ADDR=address)
            assert answer.status_code == status, address

    def test_a_key_makes_no_key_that_reaches_further(self, acme: Player) -> None:
        set_key_networks(tenant_id=acme.tenant.id, key_id=acme.key.id, networks=["127.0.0.0/8"], **who())
        caller, new = Caller(acme.plaintext), {"name": "n", "scopes": ["inference"]}
        for networks in ([], ["0.0.0.0/0"], ["nonsense"]):
            refused = caller.post(path_of(acme.tenant, "/keys"), {**new, "networks": networks})
            assert refused.status_code == 400
            assert refused.json()["errors"][0]["pointer"] == "#/networks"
        made = caller.post(path_of(acme.tenant, "/keys"), {**new, "networks": ["127.0.0.1"]})
        assert made.status_code == 201
        assert made.json()["networks"] == ["127.0.0.1/32"]

    def test_a_key_widens_neither_itself_nor_another_and_keeps_itself_in(self, acme: Player) -> None:
        caller = Caller(acme.plaintext)
        own = path_of(acme.tenant, f"/keys/{acme.key.public_id}/networks")
        shut = caller.put(own, {"networks": [ELSEWHERE]})
        assert (shut.status_code, shut.json()["code"]) == (409, "would_lock_out")
        assert caller.put(own, {"networks": ["127.0.0.0/8"]}).status_code == 200
        assert caller.put(own, {"networks": []}).status_code == 400
        other, _ = create_api_key(tenant_id=acme.tenant.id, name="other", networks=[HERE], **who())
        widened = caller.put(path_of(acme.tenant, f"/keys/{other.public_id}/networks"), {"networks": ["0.0.0.0/0"]})
        assert widened.status_code == 400
        assert caller.put(own, {"networks": ["127.0.0.8"], "confirm": True}).status_code == 200
        assert caller.get(path_of(acme.tenant)).status_code == 403
        assert caller.put(path_of(acme.tenant, "/keys/nonsense/networks"), {"networks": []}).status_code == 403

    def test_a_key_does_not_move_its_tenants_fence_and_an_operator_lifts_it(
        self, acme: Player, olivia: Operator
    ) -> None:
        address = path_of(acme.tenant, "/networks")
        assert Caller(acme.plaintext).put(address, {"networks": []}).status_code == 403
        restrict(acme, networks=[ELSEWHERE], portal_networks=[ELSEWHERE])
        assert Caller(olivia.token).get(address).json() == {
            "networks": [ELSEWHERE],
            "portal_networks": [ELSEWHERE],
        }
        lifted = Caller(olivia.token).put(address, {"networks": [], "portal_networks": []})
        assert lifted.json() == {"networks": [], "portal_networks": []}
        assert Caller(acme.plaintext).get(path_of(acme.tenant)).status_code == 200


class TestPortal:
    @pytest.mark.parametrize("path", ["/", "/keys/", "/networks/", "/sign-in/", "/join/"])
    def test_nothing_opens_from_outside_but_the_way_out(self, acme: Player, path: str) -> None:
        client = member_of(acme, Role.ADMIN)
        restrict(acme, portal_networks=[ELSEWHERE])
        refused = client.get(path)
        assert refused.status_code == 403
        assert HERE in refused.content.decode()
        assert client.get(path, REMOTE_ADDR="203.0.113.9").status_code != 403
        assert client.post("/sign-out/").status_code == 302

    def test_the_rest_api_says_it_in_its_own_words(self, acme: Player) -> None:
        client = member_of(acme, Role.ADMIN)
        address = f"/api/v1{path_of(acme.tenant, '/networks')}"
        assert client.get(address).status_code == 200
        warned = client.put(address, {"portal_networks": [ELSEWHERE]}, content_type="application/json")
        assert (warned.status_code, warned.json()["code"]) == (409, "would_lock_out")
        sure = {"portal_networks": [ELSEWHERE], "confirm": True}
        assert client.put(address, sure, content_type="application/json").status_code == 200
        refused = client.get(address)
        assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")

    def test_a_members_access_token_is_good_from_the_portals_networks_only(self, acme: Player) -> None:
        client, address = member_of(acme, Role.ADMIN), path_of(acme.tenant, "/networks")
        opened = client.post("/api/v1/auth/tokens", {}, content_type="application/json")
        assert opened.status_code == 201
        bearer = Caller(opened.json()["access_token"], host="acme.localhost")
        assert bearer.get(address).status_code == 200
        restrict(acme, portal_networks=[ELSEWHERE])
        assert bearer.get(address).status_code == 403
        assert bearer.get(address, REMOTE_ADDR="203.0.113.9").status_code == 200

    def test_from_elsewhere_no_password_is_tried_and_no_session_opened_or_renewed(self, acme: Player) -> None:
        here, there = Caller(host="acme.localhost"), Caller(host="localhost")
        right = {"email": acme.owner.username, "password": PASSWORD}
        renewal = {"refresh_token": here.post("/auth/tokens", right).json()["refresh_token"]}
        restrict(acme, portal_networks=[ELSEWHERE])
        for caller, tenant in ((here, {}), (there, {"tenant": prefixed("ten", acme.tenant.id)})):
            for password in (PASSWORD, "wrong"):
                refused = caller.post("/auth/tokens", {**right, **tenant, "password": password})
                assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")
            assert caller.post("/auth/tokens/refresh", renewal).status_code == 403
        assert here.post("/auth/tokens", right, REMOTE_ADDR="203.0.113.9").status_code == 201
        assert here.post("/auth/tokens/refresh", renewal, REMOTE_ADDR="203.0.113.9").status_code == 200

    def test_a_change_counts_from_the_next_request_on(self, acme: Player) -> None:
        client = member_of(acme, Role.VIEWER)
        assert client.get("/").status_code == 200
        restrict(acme, portal_networks=[ELSEWHERE])
        assert client.get("/").status_code == 403
        assert client.get("/sign-in/").status_code == 403
        restrict(acme, portal_networks=[])
        assert client.get("/").status_code == 200

    def test_the_portals_list_is_not_the_programs_and_not_another_tenants(self, acme: Player, globex: Player) -> None:
        acmes, others = member_of(acme, Role.VIEWER), member_of(globex, Role.VIEWER)
        restrict(acme, networks=[ELSEWHERE])
        assert acmes.get("/").status_code == 200
        restrict(acme, networks=[], portal_networks=[ELSEWHERE])
        assert others.get("/").status_code == 200
        assert Caller(acme.plaintext).get(path_of(acme.tenant)).status_code == 200
        assert Caller(acme.plaintext, host="acme.localhost").get(path_of(acme.tenant)).status_code == 200

    def test_an_admin_sets_them_and_is_warned_before_shutting_themselves_out(self, acme: Player) -> None:
        client = member_of(acme, Role.ADMIN)
        page = client.get("/networks/").content.decode()
        assert f"<code>{HERE}</code>" in page
        assert 'type="checkbox"' not in page
        warned = client.post("/networks/", {"networks": "10.0.0.0/8", "portal_networks": ELSEWHERE, "confirm": "False"})
        assert warned.status_code == 409
        assert 'type="checkbox" name="confirm"' in warned.content.decode()
        assert Tenant.objects.get(pk=acme.tenant.id).portal_networks == []
        assert client.post("/networks/", {"networks": "10.0.0.0/8", "portal_networks": HERE}).status_code == 302
        assert "10.0.0.0/8" in client.get("/networks/").content.decode()
        sure = {"networks": "", "portal_networks": ELSEWHERE, "confirm": "on"}
        assert client.post("/networks/", sure).status_code == 302
        assert client.get("/networks/").status_code == 403

    def test_a_mistake_is_shown_beside_its_field(self, acme: Player) -> None:
        client = member_of(acme, Role.ADMIN)
        for address in ("/networks/", f"/keys/{acme.key.public_id}/networks/"):
            answer = client.post(address, {"networks": "10.0.0.1/8"})
            assert answer.status_code == 400
            assert "did you mean 10.0.0.0/8?" in answer.content.decode()

    def test_who_may_manage_keys_restricts_one_and_makes_one_restricted(self, acme: Player) -> None:
        developer = member_of(acme, Role.DEVELOPER)
        assert developer.get("/networks/").status_code == 403
        address = f"/keys/{acme.key.public_id}/networks/"
        assert developer.get(address).status_code == 200
        assert developer.post(address, {"networks": "10.0.0.0/8\n2001:db8::/32"}).status_code == 302
        assert ApiKey.objects.get(pk=acme.key.id).allowed_networks == ["10.0.0.0/8", "2001:db8::/32"]
        assert "10.0.0.0/8, 2001:db8::/32" in developer.get("/keys/").content.decode()
        new = {"name": "tight", "kind": "live", "scopes": ["inference"], "networks": "10.0.0.0/8"}
        assert developer.post("/keys/new/", new).status_code == 201
        assert ApiKey.objects.get(name="tight").allowed_networks == ["10.0.0.0/8"]
        assert developer.post("/keys/new/", {**new, "networks": "x"}).status_code == 400

    def test_mallory_restricts_no_key_of_acme(self, acme: Player, globex: Player) -> None:
        mallory = member_of(globex, Role.OWNER)
        answer = mallory.post(f"/keys/{acme.key.public_id}/networks/", {"networks": "10.0.0.0/8"})
        assert answer.status_code == 404
        assert ApiKey.objects.get(pk=acme.key.id).allowed_networks == []
