"""Members and invitations: who joins, who may change whom, and the owner who must remain."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail as django_mail
from django.db import connections

from audit.models import AuditEntry, EntryNames
from core.clock import utc_now
from core.errors import Conflict, InvalidInput, LumosError, PermissionRefused
from core.tenancy import platform_scope
from mail.api import send_waiting
from tenants import api
from tenants.models import Invitation, Membership
from tests import cast
from tests.proved import prove
from tests.rest import Caller, path_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
NOW = utc_now()
ACT: dict[str, Any] = {"acting": cast.TESTER, "now": NOW}


def invite(tenant: api.Tenant, email: str = "zoe@acme.example", role: api.Role = api.Role.VIEWER, **more: Any) -> str:
    """Invite and read the letter: the link's token."""
    send_waiting(now=utc_now())
    django_mail.outbox.clear()
    api.invite_member(tenant_id=tenant.id, email=email, role=role, **{"owners": True, **ACT, **more})
    assert send_waiting(now=utc_now() + timedelta(seconds=1)) == 1
    link = next(line for line in django_mail.outbox[0].body.splitlines() if "/join/" in line)
    assert link.startswith(f"http://{tenant.slug}.localhost/join/")
    return link.rstrip("/").rsplit("/", 1)[1]


def accept(tenant: api.Tenant, token: str, **more: Any) -> Membership:
    opened = api.open_invitation(tenant_id=tenant.id, token=token, now=NOW)
    return api.accept_invitation(
        tenant_id=tenant.id, invitation_id=opened.id, **{"account": None, "password": cast.PASSWORD, "now": NOW, **more}
    )


def member(tenant: api.Tenant, role: api.Role, email: str = "") -> Membership:
    return api.add_member(tenant_id=tenant.id, email=email or f"{role}@acme.example", role=role, **ACT)


# --- invitations --------------------------------------------------------------------------------------------------


def test_whoever_reads_the_letter_becomes_a_member_once(acme: cast.Player) -> None:
    token = invite(acme.tenant, " Zoe@Acme.example ")
    joined = accept(acme.tenant, token)
    assert (joined.role, joined.user.get_username()) == ("VIEWER", "zoe@acme.example")
    assert joined.user.check_password(cast.PASSWORD)
    with pytest.raises(api.InvitationNotFound):
        accept(acme.tenant, token)
    actions = list(AuditEntry.objects.filter(tenant_id=acme.tenant.id).order_by("id").values_list("action", flat=True))
    assert actions[-2:] == ["members.invite", "members.accept"]


def test_the_token_is_stored_nowhere(acme: cast.Player) -> None:
    token = invite(acme.tenant)
    assert token not in str(Invitation.objects.values().get())
    assert token not in str([*AuditEntry.objects.values(), *EntryNames.objects.values()])


def test_an_invitation_opens_nothing_after_a_week_or_at_another_tenant(acme: cast.Player, globex: cast.Player) -> None:
    token = invite(acme.tenant)
    week = timedelta(days=7)
    with pytest.raises(api.InvitationNotFound):
        api.open_invitation(tenant_id=acme.tenant.id, token=token, now=NOW + week)
    with pytest.raises(api.InvitationNotFound):
        api.open_invitation(tenant_id=globex.tenant.id, token=token, now=NOW)
    opened = api.open_invitation(tenant_id=acme.tenant.id, token=token, now=NOW + week - timedelta(seconds=1))
    with pytest.raises(api.InvitationNotFound):
        api.accept_invitation(tenant_id=globex.tenant.id, invitation_id=opened.id, account=None, now=NOW)
    with pytest.raises(api.InvitationNotFound):
        api.accept_invitation(tenant_id=acme.tenant.id, invitation_id=opened.id, account=None, now=NOW + week)


def test_an_invitation_is_for_its_address_alone(acme: cast.Player, globex: cast.Player) -> None:
    token = invite(acme.tenant)
    with pytest.raises(api.InvitationNotForYou):
        accept(acme.tenant, token, account=globex.owner)
    assert not Membership.objects.filter(tenant=acme.tenant, user=globex.owner).exists()


def test_an_account_that_exists_is_not_taken_over_by_the_link(acme: cast.Player, globex: cast.Player) -> None:
    token = invite(acme.tenant, "mallory@globex.example")
    with pytest.raises(Conflict):
        accept(acme.tenant, token, password="another-password-1")
    globex.owner.refresh_from_db()
    assert globex.owner.check_password(cast.PASSWORD)
    assert accept(acme.tenant, token, account=globex.owner).role == "VIEWER"


def test_an_operator_is_known_by_the_address_beside_the_name(acme: cast.Player, olivia: cast.Operator) -> None:
    token = invite(acme.tenant, "olivia@lumos.example")
    assert accept(acme.tenant, token, account=olivia.user).user == olivia.user


def test_a_new_letter_ends_the_old_one_and_a_withdrawn_one_opens_nothing(acme: cast.Player) -> None:
    first = invite(acme.tenant)
    [pending] = Invitation.objects.filter(revoked_at=None)
    api.renew_invitation(tenant_id=acme.tenant.id, invitation_id=pending.id, owners=True, **ACT)
    with pytest.raises(api.InvitationNotFound):
        accept(acme.tenant, first)
    token = invite(acme.tenant)
    [pending] = Invitation.objects.filter(revoked_at=None)
    api.revoke_invitation(tenant_id=acme.tenant.id, invitation_id=pending.id, **ACT)
    with pytest.raises(api.InvitationNotFound):
        accept(acme.tenant, token)
    with pytest.raises(api.InvitationNotFound):
        api.revoke_invitation(tenant_id=acme.tenant.id, invitation_id=pending.id, **ACT)


def test_who_cannot_be_invited(acme: cast.Player, initech: cast.Player) -> None:
    with pytest.raises(Conflict):
        api.invite_member(tenant_id=acme.tenant.id, email="AMY@acme.example", role=api.Role.ADMIN, owners=True, **ACT)
    with pytest.raises(InvalidInput):
        api.invite_member(tenant_id=acme.tenant.id, email="nobody", role=api.Role.ADMIN, owners=True, **ACT)
    with pytest.raises(PermissionRefused):
        api.invite_member(tenant_id=acme.tenant.id, email="z@z.example", role=api.Role.OWNER, owners=False, **ACT)
    with pytest.raises(api.WrongStatus):
        api.invite_member(tenant_id=initech.tenant.id, email="z@z.example", role=api.Role.ADMIN, owners=True, **ACT)
    with pytest.raises(api.TenantNotFound):
        api.invite_member(tenant_id="x", email="z@z.example", role=api.Role.ADMIN, owners=True, **ACT)


def test_a_tenant_that_was_suspended_since_takes_in_nobody(acme: cast.Player) -> None:
    token = invite(acme.tenant)
    api.suspend_tenant(tenant_id=acme.tenant.id, reason="unpaid", **ACT)
    with pytest.raises(api.WrongStatus):
        accept(acme.tenant, token)


# --- roles and leaving --------------------------------------------------------------------------------------------


def test_the_last_owner_is_neither_removed_nor_demoted_nor_leaves(acme: cast.Player) -> None:
    owner = Membership.objects.get(tenant=acme.tenant)
    common = {"tenant_id": acme.tenant.id, "membership_id": owner.id, "owners": True, **ACT}
    for attempt in (
        lambda: api.change_role(role=api.Role.ADMIN, **common),
        lambda: api.remove_member(**common),
        lambda: api.leave_tenant(tenant_id=acme.tenant.id, user_id=acme.owner.pk, **ACT),
        lambda: member(acme.tenant, api.Role.VIEWER, "amy@acme.example"),
    ):
        with pytest.raises(api.LastOwner):
            attempt()
    assert Membership.objects.get(tenant=acme.tenant).role == "OWNER"


def test_a_locked_account_does_not_count_as_an_owner_who_remains(acme: cast.Player) -> None:
    other = member(acme.tenant, api.Role.OWNER)
    User.objects.filter(pk=other.user_id).update(is_active=False)
    with pytest.raises(api.LastOwner):
        api.leave_tenant(tenant_id=acme.tenant.id, user_id=acme.owner.pk, **ACT)


def test_with_another_owner_the_first_may_go(acme: cast.Player) -> None:
    member(acme.tenant, api.Role.OWNER)
    api.leave_tenant(tenant_id=acme.tenant.id, user_id=acme.owner.pk, **ACT)
    assert api.membership_of(acme.owner.pk, acme.tenant.id) is None


def test_admins_manage_everybody_but_owners(acme: cast.Player) -> None:
    owner, viewer = Membership.objects.get(tenant=acme.tenant), member(acme.tenant, api.Role.VIEWER)
    member(acme.tenant, api.Role.OWNER)
    as_admin = {"tenant_id": acme.tenant.id, "owners": False, **ACT}
    assert api.change_role(membership_id=viewer.id, role=api.Role.DEVELOPER, **as_admin).role == "DEVELOPER"
    for attempt in (
        lambda: api.change_role(membership_id=viewer.id, role=api.Role.OWNER, **as_admin),
        lambda: api.change_role(membership_id=owner.id, role=api.Role.VIEWER, **as_admin),
        lambda: api.remove_member(membership_id=owner.id, **as_admin),
    ):
        with pytest.raises(PermissionRefused):
            attempt()
    api.remove_member(membership_id=viewer.id, **as_admin)
    assert not Membership.objects.filter(pk=viewer.id).exists()


def test_a_member_of_another_tenant_is_out_of_reach(acme: cast.Player, globex: cast.Player) -> None:
    theirs = Membership.objects.get(tenant=globex.tenant)
    for attempt in (api.remove_member, lambda **more: api.change_role(role=api.Role.VIEWER, **more)):
        with pytest.raises(api.MemberNotFound):
            attempt(tenant_id=acme.tenant.id, membership_id=theirs.id, owners=True, **ACT)
    with pytest.raises(api.MemberNotFound):
        api.leave_tenant(tenant_id=acme.tenant.id, user_id=globex.owner.pk, **ACT)


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_the_same_moment_one_stays(acme: cast.Player) -> None:
    other = member(acme.tenant, api.Role.OWNER)
    start, outcomes = threading.Barrier(2), []

    def leave(user_id: int) -> None:
        with platform_scope():
            start.wait()
            try:
                api.leave_tenant(tenant_id=acme.tenant.id, user_id=user_id, **ACT)
                outcomes.append("left")
            except LumosError as error:
                outcomes.append(error.code)
            finally:
                connections.close_all()

    threads = [threading.Thread(target=leave, args=[pk]) for pk in (acme.owner.pk, other.user_id)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["last_owner", "left"]
    assert Membership.objects.filter(tenant=acme.tenant, role="OWNER").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_open_the_same_link_one_joins(acme: cast.Player) -> None:
    token = invite(acme.tenant)
    opened = api.open_invitation(tenant_id=acme.tenant.id, token=token, now=NOW)
    start, outcomes = threading.Barrier(2), []

    def join() -> None:
        with platform_scope():
            start.wait()
            try:
                api.accept_invitation(
                    tenant_id=acme.tenant.id, invitation_id=opened.id, account=None, password=cast.PASSWORD, now=NOW
                )
                outcomes.append("joined")
            except LumosError as error:
                outcomes.append(error.code)
            finally:
                connections.close_all()

    threads = [threading.Thread(target=join) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["invitation_not_found", "joined"]


# --- REST ---------------------------------------------------------------------------------------------------------


def test_operators_list_invite_change_and_remove_through_rest(acme: cast.Player, olivia: cast.Operator) -> None:
    caller = Caller(olivia.token)
    asked = {"email": "zoe@acme.example", "role": "VIEWER", "language": "zh-hans"}
    invited = caller.post(path_of(acme.tenant, "/invitations"), asked)
    assert invited.status_code == 201
    assert caller.get(path_of(acme.tenant, "/invitations")).json()["data"] == [invited.json()]
    send_waiting(now=utc_now())
    assert "邀请" in django_mail.outbox[-1].subject
    assert caller.delete(path_of(acme.tenant, f"/invitations/{invited.json()['id']}")).status_code == 204
    assert caller.delete(path_of(acme.tenant, "/invitations/nonsense")).status_code == 404
    dev = member(acme.tenant, api.Role.DEVELOPER)
    prove(dev.user)
    one = path_of(acme.tenant, f"/members/{dev.public_id}")
    assert caller.put(one, {"role": "ADMIN"}).json()["role"] == "ADMIN"
    assert caller.put(one, {"role": "KING"}).status_code == 400
    listed = caller.get(path_of(acme.tenant, "/members")).json()["data"]
    assert [(row["email"], row["role"]) for row in listed] == [
        ("amy@acme.example", "OWNER"),
        ("developer@acme.example", "ADMIN"),
    ]
    assert caller.delete(one).status_code == 204
    assert caller.delete(one).status_code == 404
    assert caller.delete(path_of(acme.tenant, "/members/nonsense")).status_code == 404
    last = path_of(acme.tenant, f"/members/{Membership.objects.get(tenant=acme.tenant).public_id}")
    assert caller.delete(last).json()["code"] == "last_owner"


def test_a_tenants_key_reads_no_members_and_invites_nobody(acme: cast.Player) -> None:
    caller = Caller(acme.plaintext)
    assert caller.get(path_of(acme.tenant, "/members")).status_code == 403
    assert (
        caller.post(path_of(acme.tenant, "/invitations"), {"email": "z@z.example", "role": "OWNER"}).status_code == 403
    )
