"""Passkeys on both sites: what they open, and what a wrong, replayed, foreign or unverified one does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User

from audit.models import AuditEntry
from core.clock import utc_now
from tenants.api import Membership, Role, add_member
from tests.accounts.conftest import Person, age_the_proof, member_in_a_browser, operator_in_a_browser
from tests.accounts.device import Device, encoded
from tests.cast import PASSWORD, TESTER, Player
from tests.codes import codes_shown

LONG = json.dumps({"response": {"userHandle": encoded(b"9" * 5000)}})


def origin_of(person: Person) -> str:
    return f"http://{person.client.defaults['SERVER_NAME']}"


def step(person: Person) -> str:
    return person.entrance.replace("login", "sign-in")


def begin(person: Person, address: str) -> dict[str, Any]:
    answer = person.client.post(address, {"begin": "1"})
    assert answer.status_code == 200, answer.content
    return answer.json()


def add(person: Person, device: Device) -> Any:
    address = f"{person.security}passkey/"
    return person.client.post(address, {"credential": device.make(begin(person, address)), "name": "laptop"})


@pytest.fixture
def device(person: Person) -> Device:
    """Made on the person's page and added to their account."""
    found = Device(origin_of(person))
    answer = add(person, found)
    assert answer.status_code == 200, answer.content
    person.codes = codes_shown(answer.content.decode())
    return found


def enter(person: Person, device: Device, **more: str) -> Any:
    """In place of the password."""
    address = f"{step(person)}passkey/"
    return person.client.post(address, {"credential": device.use(begin(person, address)), **more})


def test_it_opens_in_place_of_the_password(person: Person, device: Device) -> None:
    other = person.again()
    assert enter(other, device)["Location"] == ("/admin/" if "admin" in person.entrance else "/")
    assert other.client.get(other.security).status_code == 200
    assert AuditEntry.objects.filter(action="sessions.sign_in").latest("at").detail["by"] == "webauthn"
    assert Authenticator.objects.get(type="webauthn").last_used_at is not None


def test_next_stays_on_this_host(person: Person, device: Device) -> None:
    assert "evil" not in enter(person.again(), device, next="//evil.example/")["Location"]


def test_it_is_the_second_step_after_the_password(person: Person, device: Device) -> None:
    other = person.again()
    assert other.password()["Location"].endswith("sign-in/code/")
    device.verified = False  # the password was the first proof, presence is enough
    address = f"{step(person)}code/"
    assert b"Use a passkey" in other.client.get(address).content
    answer = other.client.post(address, {"credential": device.use(begin(other, address))})
    assert answer.status_code == 302
    assert other.client.get(other.security).status_code == 200


def test_without_a_password_it_must_have_verified_its_user(person: Person, device: Device) -> None:
    device.verified = False
    other = person.again()
    assert enter(other, device).status_code == 401
    assert other.client.get(other.security).status_code == 302


def test_an_answer_works_once(person: Person, device: Device) -> None:
    other, address = person.again(), f"{step(person)}passkey/"
    answer = device.use(begin(other, address))
    assert other.client.post(address, {"credential": answer}).status_code == 302
    other.client.post("/admin/logout/" if "admin" in person.entrance else "/sign-out/")
    assert other.client.post(address, {"credential": answer}).status_code == 401
    assert person.again().client.post(address, {"credential": answer}).status_code == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "http://other.localhost", "http://localhost:9", ""])
def test_an_answer_of_another_page_is_refused(person: Person, device: Device, origin: str) -> None:
    device.origin = origin
    assert enter(person.again(), device).status_code == 401


def test_another_key_under_the_same_name_is_refused(person: Person, device: Device) -> None:
    assert enter(person.again(), Device(device.origin, handle=device.handle)).status_code == 401


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"response": {"userHandle": "x"}}', "[" * 30_000, LONG])
def test_what_is_no_answer_is_refused(person: Person, text: str) -> None:
    other, address = person.again(), f"{step(person)}passkey/"
    begin(other, address)
    answer = other.client.post(address, {"credential": text})
    assert (answer.status_code, b"not accepted here" in answer.content) == (401, True)


def test_mallorys_passkey_opens_nothing_at_acme(acme: Player, globex: Player) -> None:
    mallory = member_in_a_browser(globex)
    mallory.password()
    device = Device(origin_of(mallory))
    add(mallory, device)
    at_acme = member_in_a_browser(acme)
    address = "/sign-in/passkey/"
    for origin, rp in ((device.origin, "globex.localhost"), ("http://acme.localhost", "acme.localhost")):
        device.origin = origin
        answer = device.use(begin(at_acme, address), rp=rp)
        assert at_acme.client.post(address, {"credential": answer}).status_code == 401
    assert at_acme.client.get("/").status_code == 302


def test_a_passkey_of_another_host_is_not_offered_and_recovery_codes_open(acme: Player, globex: Player) -> None:
    """One account in two workspaces: what was added at one cannot be used at the other, and nobody gets by without."""
    amy = member_in_a_browser(acme)
    add_member(tenant_id=globex.tenant.id, email=amy.name, role=Role.VIEWER, acting=TESTER, now=utc_now())
    amy.password()
    codes = codes_shown(add(amy, Device(origin_of(amy))).content.decode())
    there = member_in_a_browser(globex)
    there.name = amy.name
    assert there.password()["Location"] == "/sign-in/code/"
    assert b"Use a passkey" not in there.client.get("/sign-in/code/").content
    assert there.second_step(codes[0]).status_code == 302


def test_an_operator_without_a_factor_may_begin_with_a_passkey(olivia: Any) -> None:
    person = operator_in_a_browser()
    person.password()
    assert add(person, Device(origin_of(person))).status_code == 200
    assert person.client.get("/admin/").status_code == 200


def test_a_fresh_proof_by_passkey(person: Person, device: Device) -> None:
    age_the_proof(person)
    assert person.client.post(f"{person.security}codes/").status_code == 302
    address = f"{person.security}confirm/"
    assert person.client.post(address, {"credential": device.use(begin(person, address))}).status_code == 302
    assert person.client.post(f"{person.security}codes/").status_code == 200


@pytest.fixture
def mallory(acme: Player) -> Person:
    """A member like any other, who has found amy's passkey and cannot verify herself to it."""
    account = User.objects.create_user("mallory", "mallory@acme.example", PASSWORD)
    Membership.objects.create(user=account, tenant=acme.tenant, role=Role.VIEWER)
    found = member_in_a_browser(acme)
    found.name = "mallory"
    found.password()
    return found


@pytest.fixture
def amys(acme: Player, amy: Person) -> Device:
    amy.password()
    found = Device(origin_of(amy))
    add(amy, found)
    found.verified = False
    return found


def test_a_challenge_of_the_second_step_replaces_no_password(mallory: Person, amys: Device) -> None:
    """There presence is enough, because a password was given: but mallory's, not amy's."""
    add(mallory, Device(amys.origin, id=b"mallory's own"))
    other = mallory.again()
    assert other.password()["Location"] == "/sign-in/code/"
    answer = amys.use(begin(other, "/sign-in/code/"))
    assert other.client.post("/sign-in/passkey/", {"credential": answer}).status_code == 401
    assert other.client.get("/").status_code == 302


def test_a_challenge_to_add_a_passkey_replaces_no_password(mallory: Person, amys: Device) -> None:
    asked = begin(mallory, "/settings/security/passkey/")
    asked["publicKey"]["rpId"] = asked["publicKey"]["rp"]["id"]
    answer = amys.use(asked)
    assert mallory.client.post("/sign-in/passkey/", {"credential": answer}).status_code == 401
    assert mallory.client.get("/").status_code == 200


def test_a_challenge_to_sign_in_adds_no_passkey(person: Person, device: Device) -> None:
    asked = begin(person, f"{step(person)}passkey/")["publicKey"]
    own = Device(device.origin, id=b"another")
    whole = {**asked, "rp": {"id": asked["rpId"]}, "user": {"id": device.handle}}
    given = {"credential": own.make({"publicKey": whole}), "name": "x"}
    assert person.client.post(f"{person.security}passkey/", given).status_code == 401
    assert Authenticator.objects.filter(type="webauthn").count() == 1


def test_of_the_browsers_answer_only_what_the_passkey_needs_is_kept(person: Person) -> None:
    new, address = Device(origin_of(person)), f"{person.security}passkey/"
    answer = json.loads(new.make(begin(person, address)))
    answer |= {"x": "\x00", "clientExtensionResults": {"y": "\ud800"}}
    assert person.client.post(address, {"credential": json.dumps(answer), "name": "laptop"}).status_code == 200
    kept = Authenticator.objects.get(type="webauthn").data["credential"]
    assert set(kept) == {"id", "rawId", "type", "response"}
    assert enter(person.again(), new).status_code == 302


def test_a_session_that_a_passkey_opened_opens_no_other_workspace(acme: Player, globex: Player, amy: Person) -> None:
    """A passkey is bound to its host, and so is what it opens."""
    Membership.objects.create(user=acme.owner, tenant=globex.tenant, role=Role.OWNER)
    amy.password()
    device = Device(origin_of(amy))
    add(amy, device)
    other = amy.again()
    enter(other, device)
    assert other.client.get("/").status_code == 200
    assert other.client.get("/", SERVER_NAME="globex.localhost").status_code == 302
