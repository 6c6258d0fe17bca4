"""Coming in while the installation lacks its master key, and enrolling across a change of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from allauth.mfa.models import Authenticator

from core import attempts, master_keys
from tests.accounts.conftest import Person
from tests.accounts.device import Device
from tests.accounts.test_passkeys import add, enter, origin_of
from tests.codes import key_shown

FOREIGN = "v2.9." + "A" * 80 + ".AAAA"


@contextmanager
def sealed() -> Iterator[None]:
    """As when another file of secrets is in the true one's place: its master key is not the one to expect."""
    before = dict(master_keys._expected)
    master_keys.expect({master_keys.current_version(): "0" * 32})
    try:
        yield
    finally:
        master_keys.expect(before)


def test_a_recovery_code_opens_once(enrolled: Person) -> None:
    with sealed():
        other = enrolled.again()
        assert other.password()["Location"].endswith("sign-in/code/")
        assert other.second_step(enrolled.codes[0]).status_code == 302
        shown = other.client.get(other.security)
        assert (shown.status_code, b"9 codes are left" in shown.content) == (200, True)
        third = enrolled.again()
        third.password()
        assert third.second_step(enrolled.codes[0]).status_code in (401, 503)
        assert third.second_step(enrolled.codes[1]).status_code == 302
    later = enrolled.again()
    later.password()
    assert later.second_step(enrolled.codes[1]).status_code == 401
    assert later.second_step(enrolled.codes[2]).status_code == 302


def test_a_passkey_opens_in_place_of_the_password_and_after_it(person: Person) -> None:
    device = Device(origin_of(person))
    assert add(person, device).status_code == 200
    with sealed():
        other = person.again()
        assert enter(other, device).status_code == 302
        assert other.client.get(other.security).status_code == 200


def test_the_page_says_why_a_code_of_an_app_cannot_be_checked(enrolled: Person) -> None:
    other = enrolled.again()
    other.password()
    with sealed():
        refused = other.second_step()
        page = refused.content.decode()
        assert refused.status_code == 503
        assert "cannot be checked while this installation lacks its master key" in page
        assert "Use a passkey or one of your recovery codes." in page
    assert other.second_step(enrolled.codes[0]).status_code == 302


def test_codes_of_before_there_were_digests_get_them_with_the_next_proof(enrolled: Person) -> None:
    row = Authenticator.objects.get(type="recovery_codes")
    del row.data["digests"]
    row.save()
    other = enrolled.again()
    other.password()
    assert other.second_step().status_code == 302
    with sealed():
        third = enrolled.again()
        third.password()
        assert third.second_step(enrolled.codes[3]).status_code == 302


def test_no_code_is_stored_in_clear(enrolled: Person) -> None:
    kept = str(Authenticator.objects.get(type="recovery_codes").data)
    assert len(enrolled.codes) == 10
    assert not any(code in kept for code in enrolled.codes)


def test_an_enrolment_whose_secret_does_not_open_any_more_begins_anew(person: Person) -> None:
    address = f"{person.security}app/"
    first = key_shown(person.client.get(address).content.decode())
    assert key_shown(person.client.get(address).content.decode()) == first
    for broken in (FOREIGN, "v1.AAAA.AAAA", "nonsense"):
        session = person.client.session
        session["app_secret"] = broken
        session.save()
        assert key_shown(person.client.get(address).content.decode()) != first
    assert person.enrol().status_code == 200


def test_while_sealed_the_page_says_that_no_app_can_be_added(person: Person) -> None:
    with sealed():
        refused = person.client.get(f"{person.security}app/")
    assert (refused.status_code, b"master key" in refused.content) == (503, True)


def test_passkeys_that_open_are_not_counted_and_those_that_fail_are(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "ASKINGS_PER_ADDRESS", 3)
    device = Device(origin_of(person))
    assert add(person, device).status_code == 200
    for _ in range(5):
        assert enter(person.again(), device).status_code == 302
    other = Device(device.origin, handle=device.handle)
    assert [enter(person.again(), other).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert enter(person.again(), device).status_code == 429
