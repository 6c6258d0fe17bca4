"""What an account may not become, and is not told, before its owner has shown to read mail at its address."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.contrib.auth.models import User

from accounts.models import Identity
from core.clock import utc_now
from core.conf import ROOT
from mail.models import OutgoingMail
from quotas.data import ThresholdReached
from quotas.handlers import write_to_recipients
from tenants.api import Editor, Membership, Role, add_member, change_role, change_settings
from tenants.errors import AddressNotProved
from tenants.webhooks.health import note_unsignable
from tenants.webhooks.services import add_endpoint
from tests.accounts.conftest import member_in_a_browser
from tests.cast import PASSWORD, TESTER, Operator, Player
from tests.proved import prove
from tests.rest import Caller, path_of

LEADING = [Role.ADMIN, Role.OWNER]


def common(player: Player) -> dict[str, object]:
    return {"tenant_id": player.tenant.id, "acting": TESTER, "now": utc_now()}


def rise(member: Membership, player: Player, role: Role) -> Membership:
    return change_role(membership_id=member.id, role=role, owners=True, **common(player))


@pytest.fixture
def zoe(acme: Player) -> Membership:
    """A developer whom a file made a member; nobody knows whether she reads her mail."""
    return add_member(email="zoe@acme.example", role=Role.DEVELOPER, password=PASSWORD, **common(acme))


@pytest.mark.parametrize("role", LEADING)
def test_nobody_is_made_owner_or_admin_before(acme: Player, zoe: Membership, role: Role) -> None:
    with pytest.raises(AddressNotProved, match="zoe@acme"):
        rise(zoe, acme, role)
    assert rise(zoe, acme, Role.VIEWER).role == "VIEWER"
    prove(zoe.user)
    assert rise(zoe, acme, role).role == role


def test_a_proof_of_another_address_or_account_counts_nothing(acme: Player, zoe: Membership) -> None:
    prove(acme.owner, zoe.user)
    User.objects.filter(pk=zoe.user_id).update(email="other@acme.example")
    with pytest.raises(AddressNotProved):
        rise(zoe, acme, Role.ADMIN)


def test_an_owner_steps_down_to_admin_without(acme: Player) -> None:
    other = add_member(email="o@acme.example", role=Role.OWNER, **common(acme))
    assert rise(other, acme, Role.ADMIN).role == "ADMIN"


def test_the_tenants_own_provider_stands_for_whom_it_knows_and_another_tenants_does_not(
    acme: Player, globex: Player, zoe: Membership
) -> None:
    known = {"issuer": "https://login.example", "user": zoe.user}
    Identity.objects.create(tenant_id=globex.tenant.id, subject="1", **known)
    with pytest.raises(AddressNotProved):
        rise(zoe, acme, Role.ADMIN)
    Identity.objects.create(tenant_id=acme.tenant.id, subject="1", **known)
    assert rise(zoe, acme, Role.ADMIN).role == "ADMIN"


def test_portal_and_rest_say_why_and_what_to_do(acme: Player, olivia: Operator, zoe: Membership) -> None:
    amy = member_in_a_browser(acme)
    amy.password()
    shown = amy.client.post(f"/members/{zoe.public_id}/role/", {"role": "ADMIN"}, follow=True)
    assert "has not confirmed the e-mail address" in shown.content.decode()
    answer = Caller(olivia.token).put(path_of(acme.tenant, f"/members/{zoe.public_id}"), {"role": "ADMIN"})
    assert (answer.status_code, answer.json()["code"]) == (409, "address_not_proved")
    assert "Security" in answer.json()["next_step"]


def test_the_page_offers_the_letter_and_says_what_it_is_for(acme: Player) -> None:
    amy = member_in_a_browser(acme)
    amy.password()
    offered = "you cannot be made an owner or admin"
    assert offered in amy.client.get("/settings/security/").content.decode()
    assert amy.client.post("/settings/security/address/").status_code == 302
    assert OutgoingMail.objects.get(kind="account_address").to == acme.owner.email
    prove(acme.owner)
    assert offered not in amy.client.get("/settings/security/").content.decode()


def test_letters_about_alerts_go_to_proved_addresses_and_to_those_of_no_account(acme: Player, zoe: Membership) -> None:
    values = {"alerts.recipients": [acme.owner.email, zoe.user.email, "ops@acme.example"]}
    change_settings(values=values, editor=Editor.OWNER, reason="because", **common(acme))
    prove(acme.owner)
    write_to_recipients(
        ThresholdReached(acme.tenant.id, "tenant", "money_per_month", "2026-11", 90, 2_300_000, 2_500_000)
    )
    told = OutgoingMail.objects.filter(kind="quota_alert").values_list("to", flat=True)
    assert sorted(told) == [acme.owner.email, "ops@acme.example"]


@pytest.mark.parametrize("proved", [False, True])
def test_of_the_owners_those_are_told_that_an_endpoint_is_disabled(acme: Player, proved: bool) -> None:
    nameless = User.objects.create_user("openid-1")
    Membership.objects.create(user=nameless, tenant=acme.tenant, role=Role.OWNER)
    facts, _secret = add_endpoint(url="https://93.184.216.34/x", **common(acme))
    if proved:
        prove(acme.owner)
    note_unsignable(acme.tenant.id, facts.id, utc_now())
    told = OutgoingMail.objects.filter(kind="webhook_disabled").values_list("to", flat=True)
    assert list(told) == ([acme.owner.email] if proved else [])


def test_a_worker_asks_too_and_loads_no_sign_in_library_for_it() -> None:
    program = (
        "import django, sys; django.setup()\n"
        "from tenants.proved_addresses import _checks\n"
        "print(len(_checks), any(name.startswith('allauth') for name in sys.modules))"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "lumos_site.settings.worker"}
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert said.stdout.split() == ["1", "False"], said.stderr
