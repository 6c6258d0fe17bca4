"""The operators' page of a tenant's settings."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tenants.api import configuration_of, setting_of, versions_of
from tests.cast import Operator, Player

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
def browser(olivia: Operator) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    return client


def _send(browser: Client, player: Player, **more: str):
    given = {"version": "0", "name": "portal.operator_notice", "reason": "it is announced"} | more
    return browser.post(reverse("admin:tenants_tenant_settings", args=[player.tenant.id]), given)


def test_an_operator_sets_what_only_operators_may_and_goes_back(acme: Player, browser: Client) -> None:
    value = '{"text": "Down at noon", "level": "warning"}'
    assert _send(browser, acme, value=value).status_code == 302
    assert setting_of(acme.tenant.id, "portal.operator_notice")["text"] == "Down at noon"
    page = browser.get(reverse("admin:tenants_tenant_settings", args=[acme.tenant.id])).content.decode()
    assert "Down at noon" in page
    assert "it is announced" in page
    back = reverse("admin:tenants_tenant_roll_back_settings", args=[acme.tenant.id, 0])
    assert browser.get(back).status_code == 302
    assert configuration_of(acme.tenant.id).version == 1
    assert browser.post(back).status_code == 302
    assert versions_of(acme.tenant.id)[0].actor == "olivia"
    assert configuration_of(acme.tenant.id).version == 2
    assert "no such version" in browser.post(back.replace("/0/", "/9/"), follow=True).content.decode()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"value": "{"}, "not JSON"),
        ({"value": '"x"'}, "must be of the type object"),
        ({"value": "", "version": "4"}, "have version 0, not 4"),
    ],
)
def test_a_refusal_is_told_and_changes_nothing(acme: Player, browser: Client, more: dict, told: str) -> None:
    answer = _send(browser, acme, **more)
    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert configuration_of(acme.tenant.id).version == 0


def test_who_may_only_look_gets_no_form(acme: Player, olivia: Operator, browser: Client) -> None:
    from core.clock import utc_now
    from tenants.api import OperatorRole, set_operator_role
    from tests.cast import TESTER

    other = type(olivia.user).objects.create_user("second", "second@lumos.example")
    set_operator_role(user_id=other.pk, role=OperatorRole.SUPER, acting=TESTER, now=utc_now())
    set_operator_role(user_id=olivia.user.pk, role=OperatorRole.READ_ONLY, acting=TESTER, now=utc_now())
    assert "Change a setting" not in _send(browser, acme, value='""').content.decode()
    assert browser.post(reverse("admin:tenants_tenant_roll_back_settings", args=[acme.tenant.id, 0])).status_code == 403
    assert configuration_of(acme.tenant.id).version == 0
    assert browser.get(reverse("admin:tenants_tenant_settings", args=["0" * 26])).status_code == 404
