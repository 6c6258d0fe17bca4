"""The portal's pages of members and the way in by an invitation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail as django_mail
from django.test import Client

from core.clock import utc_now
from mail.api import send_waiting
from tenants.api import Invitation, Membership, Role
from tests.cast import PASSWORD, Operator, Player
from tests.portal.conftest import SignIn, stranger
from tests.proved import prove


def link_of_the_letter() -> str:
    django_mail.outbox.clear()
    assert send_waiting(now=utc_now() + timedelta(seconds=1)) == 1
    link = next(line for line in django_mail.outbox[0].body.splitlines() if "/join/" in line)
    return "/join/" + link.split("/join/")[1]


@pytest.fixture
def link(acme: Player, as_role: SignIn) -> str:
    as_role(acme.tenant).post("/members/invite/", {"email": "zoe@acme.example", "role": "DEVELOPER"})
    return link_of_the_letter()


def test_inviting_tells_that_a_letter_is_on_its_way(acme: Player, as_role: SignIn) -> None:
    answer = as_role(acme.tenant).post("/members/invite/", {"email": "zoe@acme.example", "role": "VIEWER"}, follow=True)
    page = answer.content.decode()
    assert "A letter is on its way to zoe@acme.example." in page
    assert "Send again" in page


def test_a_newcomer_makes_an_account_and_is_in(acme: Player, link: str) -> None:
    browser = stranger(acme.tenant)
    assert browser.get(link)["Location"] == "/join/"
    page = browser.get("/join/").content.decode()
    assert "owner@acme.example invites zoe@acme.example, with the role Developer." in page
    assert browser.post("/join/", {"password": "short"}).status_code == 400
    assert browser.post("/join/", {"password": PASSWORD})["Location"] == "/"
    assert browser.get("/").status_code == 200
    assert Membership.objects.get(user__username="zoe@acme.example").role == Role.DEVELOPER
    assert stranger(acme.tenant).get(link).status_code == 404
    assert browser.get("/join/").status_code == 404


def test_the_token_stays_out_of_the_page_and_of_the_session(acme: Player, link: str) -> None:
    browser, token = stranger(acme.tenant), link.split("/")[2]
    browser.get(link)
    assert token not in browser.get("/join/").content.decode()
    assert token not in str(dict(browser.session))


def test_somebody_with_an_account_signs_in_first_although_not_a_member_yet(
    acme: Player, globex: Player, as_role: SignIn
) -> None:
    as_role(acme.tenant).post("/members/invite/", {"email": "mallory@globex.example", "role": "VIEWER"})
    browser = stranger(acme.tenant)
    browser.get(link_of_the_letter())
    assert b"/sign-in/?next=/join/" in browser.get("/join/").content
    assert browser.post("/join/", {"password": PASSWORD}).status_code == 200
    signed_in = browser.post("/sign-in/", {"email": "mallory@globex.example", "password": PASSWORD, "next": "/join/"})
    assert signed_in["Location"] == "/join/"
    assert browser.get("/keys/").status_code == 403
    assert browser.post("/join/")["Location"] == "/"
    assert browser.get("/keys/").status_code == 200


def test_without_an_opened_invitation_no_stranger_signs_in(acme: Player, globex: Player, olivia: Operator) -> None:
    User.objects.create_user("bare", password=PASSWORD)
    for email in ("mallory@globex.example", "olivia", "bare"):
        assert stranger(acme.tenant).post("/sign-in/", {"email": email, "password": PASSWORD}).status_code == 401


def test_whoever_is_signed_in_as_somebody_else_cannot_use_the_invitation(
    acme: Player, globex: Player, link: str
) -> None:
    browser = stranger(acme.tenant)
    browser.force_login(globex.owner)
    browser.get(link)
    assert "You are signed in as mallory@globex.example" in browser.get("/join/").content.decode()
    assert browser.post("/join/").status_code == 403
    assert not Membership.objects.filter(user=globex.owner, tenant=acme.tenant).exists()


def test_an_invitation_opened_at_one_tenant_opens_nothing_at_another(acme: Player, globex: Player, link: str) -> None:
    browser = Client(SERVER_NAME="acme.localhost")
    browser.get(link)
    assert browser.get("/join/").status_code == 200
    assert browser.get("/join/", SERVER_NAME="globex.localhost").status_code == 404
    assert browser.get(link, SERVER_NAME="globex.localhost").status_code == 404


def test_roles_are_changed_and_members_removed(acme: Player, as_role: SignIn) -> None:
    as_role(acme.tenant, Role.DEVELOPER)
    dev = Membership.objects.get(user__username="developer@acme.example")
    owner = as_role(acme.tenant)
    prove(dev.user)
    assert (
        "has the role Admin now"
        in owner.post(f"/members/{dev.public_id}/role/", {"role": "ADMIN"}, follow=True).content.decode()
    )
    assert owner.post(f"/members/{dev.public_id}/role/", {"role": "KING"}).status_code == 400
    assert b"Remove developer@acme.example?" in owner.get(f"/members/{dev.public_id}/remove/").content
    owner.post(f"/members/{dev.public_id}/remove/")
    assert not Membership.objects.filter(pk=dev.pk).exists()
    assert owner.post(f"/members/{dev.public_id}/remove/").status_code == 404
    assert owner.post("/members/nonsense/role/", {"role": "ADMIN"}).status_code == 404


def test_a_removed_member_is_out_with_the_next_click(acme: Player, as_role: SignIn) -> None:
    removed, owner = as_role(acme.tenant, Role.VIEWER), as_role(acme.tenant)
    assert removed.get("/").status_code == 200
    viewer = Membership.objects.get(user__username="viewer@acme.example")
    owner.post(f"/members/{viewer.public_id}/remove/")
    assert removed.get("/").status_code == 403


def test_an_admin_is_not_offered_owners_and_cannot_force_it(acme: Player, as_role: SignIn) -> None:
    admin = as_role(acme.tenant, Role.ADMIN)
    owner = Membership.objects.get(user=acme.owner)
    page = admin.get("/members/").content.decode()
    assert f"/members/{owner.public_id}/" not in page
    assert 'value="OWNER"' not in admin.get("/members/invite/").content.decode()
    assert admin.post("/members/invite/", {"email": "z@z.example", "role": "OWNER"}).status_code == 400
    assert admin.post(f"/members/{owner.public_id}/role/", {"role": "VIEWER"}).status_code == 403
    assert admin.post(f"/members/{owner.public_id}/remove/").status_code == 403


def test_invitations_are_sent_again_and_withdrawn(acme: Player, as_role: SignIn, link: str) -> None:
    owner, browser = as_role(acme.tenant), stranger(acme.tenant)
    owner.post(f"/invitations/{Invitation.objects.get(revoked_at=None).public_id}/renew/")
    fresh = link_of_the_letter()
    assert browser.get(link).status_code == 404
    assert browser.get(fresh).status_code == 302
    owner.post(f"/invitations/{Invitation.objects.get(revoked_at=None).public_id}/revoke/")
    assert browser.get(fresh).status_code == 404
    assert browser.get("/join/").status_code == 404
    assert owner.post("/invitations/nonsense/revoke/").status_code == 404


def test_leaving_asks_first_and_the_last_owner_stays(acme: Player, as_role: SignIn) -> None:
    viewer = as_role(acme.tenant, Role.VIEWER)
    assert b"Leave Acme?" in viewer.get("/members/leave/").content
    viewer.post("/members/leave/")
    assert viewer.get("/").status_code == 403
    amy = stranger(acme.tenant)
    amy.force_login(acme.owner)
    answer = amy.post("/members/leave/")
    assert answer.status_code == 409
    assert b"last owner" in answer.content
