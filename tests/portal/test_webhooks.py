"""The pages of webhooks: owners and admins only; a secret is shown once; deliveries are seen and sent again."""

from __future__ import annotations

import re

import pytest

from core.clock import utc_now
from core.ids import prefixed
from core.tenancy import platform_scope
from tenants.api import DeliveryState, Role, WebhookDelivery, add_endpoint, deliveries_of, endpoints_of, send_test
from tests.cast import TESTER, Player
from tests.portal.conftest import SignIn

PUBLIC = "https://93.184.216.34/hook"


def _added(player: Player) -> str:
    with platform_scope():
        facts, _secret = add_endpoint(tenant_id=player.tenant.id, url=PUBLIC, acting=TESTER, now=utc_now())
    return prefixed("whe", facts.id)


def test_an_endpoint_is_added_and_its_secret_shown_in_that_one_answer(acme: Player, as_role: SignIn) -> None:
    owner = as_role(acme.tenant, Role.OWNER)
    assert "There is no endpoint yet." in owner.get("/webhooks/").content.decode()
    answer = owner.post("/webhooks/new/", {"url": PUBLIC, "description": "ours", "events": ["key.created"]})
    assert answer.status_code == 201
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", answer.content.decode())
    assert secret
    [facts] = endpoints_of(acme.tenant.id, now=utc_now())
    assert (facts.url, facts.events, facts.created_by) == (PUBLIC, ("key.created",), "owner@acme.example")
    for address in ("/webhooks/", f"/webhooks/{prefixed('whe', facts.id)}/"):
        page = owner.get(address).content.decode()
        assert PUBLIC in page
        assert "whsec_" not in page


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://93.184.216.34/", "nonsense", ""])
def test_an_address_that_may_not_be_called_is_told_beside_its_field(acme: Player, as_role: SignIn, url: str) -> None:
    answer = as_role(acme.tenant).post("/webhooks/new/", {"url": url})
    assert answer.status_code == 400
    assert 'id="id_url_error"' in answer.content.decode()
    assert endpoints_of(acme.tenant.id, now=utc_now()) == []


def test_an_endpoint_is_changed_disabled_enabled_rotated_tested_and_removed(acme: Player, as_role: SignIn) -> None:
    owner, public_id = as_role(acme.tenant, Role.ADMIN), _added(acme)
    page = f"/webhooks/{public_id}/"
    assert PUBLIC in owner.get(f"{page}change/").content.decode()
    assert owner.post(f"{page}change/", {"url": PUBLIC, "description": "new words"}).status_code == 302
    assert owner.post(f"{page}change/", {"url": "https://10.0.0.1/"}).status_code == 400
    assert "new words" in owner.get(page).content.decode()
    assert owner.post(f"{page}switch/", {"to": "off"}).status_code == 302
    assert "By hand." in owner.get(page).content.decode()
    assert owner.post(f"{page}test/").status_code == 409
    assert owner.post(f"{page}switch/", {"to": "on"}).status_code == 302
    assert "whsec_" in owner.post(f"{page}rotate/").content.decode()
    assert "signs too until" in owner.get(page).content.decode()
    assert owner.post(f"{page}test/").status_code == 302
    assert "webhook.test" in owner.get(page).content.decode()
    assert "Remove this endpoint?" in owner.get(f"{page}remove/").content.decode()
    assert owner.post(f"{page}remove/").status_code == 302
    assert owner.get(page).status_code == 404


def test_a_delivery_shows_what_it_says_and_is_sent_again(acme: Player, as_role: SignIn) -> None:
    owner, public_id = as_role(acme.tenant), _added(acme)
    send_test(tenant_id=acme.tenant.id, endpoint_id=public_id[4:], acting=TESTER, now=utc_now())
    [delivery] = deliveries_of(acme.tenant.id)
    page = f"/webhooks/deliveries/{delivery.public_id}/"
    shown = owner.get(page).content.decode()
    assert "asked_by" in shown
    assert f"evt_{delivery.message_id}" in shown
    WebhookDelivery.objects.update(state=DeliveryState.FAILED)
    assert owner.post(f"{page}resend/").status_code == 302
    assert deliveries_of(acme.tenant.id)[0].state == DeliveryState.WAITING
    WebhookDelivery.objects.update(state=DeliveryState.FAILED)
    answer = owner.post(f"/webhooks/{public_id}/resend-failed/", follow=True)
    assert "1 delivery is sent again." in answer.content.decode()


def test_nobody_reaches_another_tenants_endpoints_and_a_developer_none(
    acme: Player, globex: Player, as_role: SignIn
) -> None:
    public_id = _added(acme)
    send_test(tenant_id=acme.tenant.id, endpoint_id=public_id[4:], acting=TESTER, now=utc_now())
    delivery = deliveries_of(acme.tenant.id)[0].public_id
    mallory = as_role(globex.tenant, Role.OWNER)
    for address in (f"/webhooks/{public_id}/", f"/webhooks/deliveries/{delivery}/", "/webhooks/x/"):
        assert mallory.get(address).status_code == 404
    for act in ("rotate", "test", "switch", "resend-failed", "remove"):
        assert mallory.post(f"/webhooks/{public_id}/{act}/").status_code == 404
    assert mallory.post(f"/webhooks/deliveries/{delivery}/resend/").status_code == 404
    assert PUBLIC not in mallory.get("/webhooks/").content.decode()
    assert as_role(acme.tenant, Role.DEVELOPER).get("/webhooks/").status_code == 403
