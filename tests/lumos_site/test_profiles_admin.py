"""Profiles, overrides and types on the operators' pages: every click is one service's work."""

from __future__ import annotations

from typing import Any

import pytest
import redis as redis_library
from django.test import Client
from django.urls import reverse

from core.clock import utc_now
from tenants.api import ProfileField, ProfileOverride, TenantType, effective_profile, profile_values
from tests.cast import Operator, Player
from tests.lumos_site.stage import set_stage
from tests.lumos_site.test_admin_actions import _add, _audited, _run, _said


@pytest.fixture
def stage(olivia: Operator, redis: redis_library.Redis) -> dict[str, Player]:
    return set_stage(olivia)


@pytest.fixture
def browser(stage: dict[str, Player], olivia: Operator) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    return client


def _profile_form(**changes: str) -> dict[str, str]:
    values = profile_values(TenantType.INDIVIDUAL)
    plain = {field.value: str(value) for field, value in values.items() if not isinstance(value, tuple)}
    return {**plain, "allowed_models": "", **changes}


def test_a_types_profile_is_changed_and_what_is_wrong_is_told(browser: Client) -> None:
    page = reverse("admin:tenants_tenanttypeprofile_change", args=["INDIVIDUAL"])
    browser.post(page, _profile_form(worker_slots="3", allowed_models="demo-chat\n\n demo-fast "))
    values = profile_values(TenantType.INDIVIDUAL)
    assert (values[ProfileField.WORKER_SLOTS], values[ProfileField.ALLOWED_MODELS]) == (3, ("demo-chat", "demo-fast"))
    assert _audited("tenants.set_profile").after["worker_slots"] == 3
    assert "demo-chat\ndemo-fast" in browser.get(page).content.decode()
    answer = browser.post(page, _profile_form(min_replicas="9", allowed_models="demo-chat\ndemo-fast"), follow=True)
    assert "never less than the fewest" in answer.content.decode()
    assert profile_values(TenantType.INDIVIDUAL)[ProfileField.MIN_REPLICAS] == 0


def test_a_profile_leads_to_its_quotas_and_exceptions(browser: Client) -> None:
    for button, model in (("see_quotas", "typelimit"), ("see_overrides", "profileoverride")):
        answer = browser.get(reverse(f"admin:tenants_tenanttypeprofile_{button}", args=["ENTERPRISE"]), follow=True)
        assert answer.status_code == 200
        assert answer.context_data["cl"].model._meta.model_name == model
        assert answer.context_data["cl"].result_count >= 1


def _override(browser: Client, tenant: Any, **fields: str) -> Any:
    moment = utc_now()
    given = {
        "tenant": tenant.pk,
        "field": "gpus",
        "value": "1",
        "reason": "a trial",
        "valid_from_0": f"{moment:%Y-%m-%d}",
        "valid_from_1": f"{moment:%H:%M:%S}",
        "expires_at_0": "",
        "expires_at_1": "",
    }
    return _add(browser, "tenants_profileoverride", **{**given, **fields})


def test_an_override_is_made_shown_and_revoked(browser: Client, stage: dict[str, Player]) -> None:
    acme = stage["acme"].tenant
    _override(
        browser,
        acme,
        field="allowed_models",
        value="demo-chat, demo-fast",
        expires_at_0="2999-01-01",
        expires_at_1="0:00",
    )
    row = ProfileOverride.objects.get(field="allowed_models")
    assert (row.value, row.reason, row.set_by) == (["demo-chat", "demo-fast"], "a trial", "olivia")
    shown = browser.get(reverse("admin:quotas_tenantlimit_effective", args=[acme.pk])).content.decode()
    assert "demo-chat, demo-fast" in shown
    assert "until 2999-01-01" in shown
    assert "by olivia" in shown
    assert browser.get(reverse("admin:tenants_profileoverride_change", args=[row.pk])).status_code == 200
    assert browser.get(reverse("admin:tenants_profileoverride_revoke", args=[row.pk])).status_code == 200
    said = _said(_run(browser, "tenants_profileoverride", "revoke_selected", row, reason="over", ticket=""))
    assert "1 override is revoked." in said
    assert effective_profile(acme.pk, now=utc_now()).allowed_models == ()


def test_a_value_that_its_field_cannot_have_is_told_at_the_field(browser: Client, stage: dict[str, Player]) -> None:
    answer = _override(browser, stage["acme"].tenant, value="many")
    assert "is a whole number from 0 to 10000" in answer.content.decode()
    assert not ProfileOverride.objects.filter(field="gpus").exists()
    _override(browser, stage["acme"].tenant, field="default_plan", value="pro")
    assert not ProfileOverride.objects.filter(field="default_plan").exists()


def test_every_state_of_an_override_has_its_word(browser: Client, stage: dict[str, Player]) -> None:
    acme = stage["acme"].tenant
    _override(browser, acme, valid_from_0="2998-01-01")
    _override(browser, acme, field="failure_policy", value="CONSERVATIVE")
    ProfileOverride.objects.filter(field="failure_policy").update(
        valid_from="2020-01-01T00:00:00Z", expires_at="2020-01-02T00:00:00Z"
    )
    page = browser.get(reverse("admin:tenants_profileoverride_changelist")).content.decode()
    assert all(word in page for word in ("counts", "begins later", "over"))
    shown = browser.get(reverse("admin:quotas_tenantlimit_effective", args=[acme.pk])).content.decode()
    assert "also given: 1 from 2998-01-01" in shown


def test_a_tenant_gets_another_type_with_a_reason(browser: Client, stage: dict[str, Player]) -> None:
    acme = stage["acme"].tenant
    assert browser.get(reverse("admin:tenants_tenant_change_type", args=[acme.pk])).status_code == 200
    answer = _run(
        browser,
        "tenants_tenant",
        "change_type_selected",
        acme,
        tenant_type="GOVERNMENT",
        reason="bought",
        ticket="",
    )
    assert "1 tenant has another type." in _said(answer)
    acme.refresh_from_db()
    assert acme.type == "GOVERNMENT"
    assert _audited("tenants.set_type").reason == "bought"
