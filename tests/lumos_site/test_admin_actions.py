"""What operators do in the admin: services carry it out, a page asks first, the audit log knows."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import redis as redis_library
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from audit.models import AuditEntry
from billing.models import ModelCost, PlanVersion, Subscription
from core.clock import utc_now
from proxy.models import Model, Provider, ProviderKey
from quotas.api import Dimension, effective_limits
from scaling.api import Mode, policy_of
from tenants.api import (
    ApiKey,
    Invitation,
    Membership,
    OperatorRole,
    Role,
    Tenant,
    add_member,
    key_by_plaintext,
    operator_by_token,
    set_operator_role,
)
from tenants.api import Operator as OperatorRow
from tests.audit.reading import entries
from tests.cast import TESTER, Operator, Player
from tests.lumos_site.stage import set_stage


@pytest.fixture
def stage(olivia: Operator, redis: redis_library.Redis) -> dict[str, Player]:
    return set_stage(olivia)


@pytest.fixture
def browser(stage: dict[str, Player], olivia: Operator) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    return client


def _list(page: str) -> str:
    return reverse(f"admin:{page}_changelist")


def _run(browser: Client, page: str, action: str, *rows: Any, **fields: str) -> Any:
    """Choose rows and an action, read the page that asks, and send it with its fields."""
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    asked = browser.post(_list(page), chosen)
    assert asked.status_code == 200
    assert all(str(row) in asked.content.decode() for row in rows)
    return browser.post(_list(page), {**chosen, "confirmed": "1", **fields}, follow=True)


def _add(browser: Client, page: str, **fields: Any) -> Any:
    return browser.post(reverse(f"admin:{page}_add"), fields, follow=True)


def _said(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def _audited(action: str) -> AuditEntry:
    entry = entries(action=action, actor_kind="operator")[-1]
    assert entry.actor_label == "olivia"
    return entry


def test_suspending_asks_for_a_reason_and_tells_how_many(browser: Client, stage: dict[str, Player]) -> None:
    acme, globex = stage["acme"].tenant, stage["globex"].tenant
    empty = _run(browser, "tenants_tenant", "suspend_selected", acme, globex)
    assert "This field is required" in empty.content.decode()
    assert Tenant.objects.get(pk=acme.pk).is_active
    done = _run(browser, "tenants_tenant", "suspend_selected", acme, globex, reason="abuse", ticket="OPS-7")
    assert _said(done) == "2 tenants are suspended."
    assert Tenant.objects.get(pk=acme.pk).status_reason == "abuse [OPS-7]"
    assert _audited("tenants.suspend").detail == {"reason": "abuse [OPS-7]"}
    _run(browser, "tenants_tenant", "resume_selected", acme, globex)
    assert Tenant.objects.get(pk=globex.pk).is_active


def test_a_click_alone_suspends_nothing(browser: Client, stage: dict[str, Player]) -> None:
    acme = stage["acme"].tenant
    page = reverse("admin:tenants_tenant_suspend", args=[acme.pk])
    assert "within five seconds" in browser.get(page).content.decode()
    assert Tenant.objects.get(pk=acme.pk).is_active
    browser.post(page, {"confirmed": "1", "reason": "abuse"})
    assert not Tenant.objects.get(pk=acme.pk).is_active


def test_what_a_service_refuses_is_told_and_the_rest_is_done(browser: Client, stage: dict[str, Player]) -> None:
    archived, acme = stage["globex"].tenant, stage["acme"].tenant
    Tenant.objects.filter(pk=archived.pk).update(status="ARCHIVED")
    done = _run(browser, "tenants_tenant", "suspend_selected", acme, archived, reason="abuse")
    assert "1 tenant is suspended." in _said(done)
    assert "Globex: A tenant that is Archived" in _said(done)


def test_actions_need_the_permission_to_change(browser: Client, stage: dict[str, Player], olivia: Operator) -> None:
    set_operator_role(
        user_id=User.objects.create_user("root").pk, role=OperatorRole.SUPER, acting=TESTER, now=utc_now()
    )
    set_operator_role(user_id=olivia.user.pk, role=OperatorRole.BILLING, acting=TESTER, now=utc_now())
    acme = stage["acme"].tenant
    assert browser.get(_list("tenants_tenant")).status_code == 200
    assert browser.get(reverse("admin:tenants_tenant_suspend", args=[acme.pk])).status_code == 403
    browser.post(
        _list("tenants_tenant"),
        {"action": "suspend_selected", "_selected_action": [acme.pk], "confirmed": "1", "reason": "x"},
    )
    assert Tenant.objects.get(pk=acme.pk).is_active


def test_a_tenant_is_made_renamed_and_never_deleted(browser: Client) -> None:
    _add(browser, "tenants_tenant", name="Hooli", slug="hooli", type="ENTERPRISE", region="local")
    hooli = Tenant.objects.get(slug="hooli")
    assert hooli.is_active
    _audited("tenants.create")
    page = reverse("admin:tenants_tenant_change", args=[hooli.pk])
    browser.post(page, {"name": "Hooli XYZ", "slug": "changed"})
    hooli.refresh_from_db()
    assert (hooli.name, hooli.slug) == ("Hooli XYZ", "hooli")
    assert browser.post(reverse("admin:tenants_tenant_delete", args=[hooli.pk]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(("host", "port"), [("localhost:8000", ":8000"), ("[::1]:8000", ":8000"), ("[::1]", "")])
def test_a_tenants_page_leads_to_its_portal_on_the_same_port(
    browser: Client, stage: dict[str, Player], host: str, port: str
) -> None:
    page = reverse("admin:tenants_tenant_open_portal", args=[stage["acme"].tenant.pk])
    assert browser.get(page, headers={"host": host})["Location"] == f"http://acme.localhost{port}/"


def test_a_slug_that_is_reserved_is_told_and_makes_nothing(browser: Client) -> None:
    answer = _add(browser, "tenants_tenant", name="Admin", slug="admin", type="ENTERPRISE", region="local")
    assert "A slug has 3 to 40" in _said(answer)
    assert not Tenant.objects.filter(slug="admin").exists()


def test_a_new_key_is_shown_once_and_works(browser: Client, stage: dict[str, Player]) -> None:
    acme = stage["acme"].tenant
    answer = _add(browser, "tenants_apikey", tenant=acme.pk, name="ci", live="on", scopes=["inference", "keys:read"])
    secret = answer.context["secret"]
    assert "no-store" in answer["Cache-Control"]
    found = key_by_plaintext(secret, utc_now())
    assert found is not None
    assert found.scopes == ["inference", "keys:read"]
    assert secret not in browser.get(reverse("admin:tenants_apikey_change", args=[found.pk])).content.decode()
    _run(browser, "tenants_apikey", "revoke_selected", ApiKey.objects.get(pk=found.pk))
    assert key_by_plaintext(secret, utc_now()) is None
    _audited("keys.revoke")


def test_networks_are_set_on_a_tenants_page_and_lifted_again(browser: Client, stage: dict[str, Player]) -> None:
    acme = stage["acme"].tenant
    page = reverse("admin:tenants_tenant_change", args=[acme.pk])
    lists = {"allowed_networks": "10.0.0.0/8\n2001:db8::/32", "portal_networks": "203.0.113.7"}
    browser.post(page, {"name": acme.name, **lists})
    stored = Tenant.objects.get(pk=acme.pk)
    assert stored.allowed_networks == ["10.0.0.0/8", "2001:db8::/32"]
    assert stored.portal_networks == ["203.0.113.7/32"]
    assert _audited("tenants.set_networks").detail["portal_networks"]["from"] == []
    assert "10.0.0.0/8\n2001:db8::/32" in browser.get(page).content.decode()
    wrong = browser.post(page, {"name": acme.name, "allowed_networks": "10.0.0.1/8"}, follow=True)
    assert "These are no networks." in _said(wrong)
    browser.post(page, {"name": acme.name, "allowed_networks": "", "portal_networks": ""})
    assert Tenant.objects.get(pk=acme.pk).portal_networks == []


def test_a_key_is_made_for_some_networks_and_freed_of_them(browser: Client, stage: dict[str, Player]) -> None:
    fields = {"tenant": stage["acme"].tenant.pk, "name": "tight", "live": "on", "scopes": ["inference"]}
    _add(browser, "tenants_apikey", **fields, allowed_networks="10.0.0.0/8")
    key = ApiKey.objects.get(name="tight")
    assert key.allowed_networks == ["10.0.0.0/8"]
    lift = reverse("admin:tenants_apikey_lift_networks", args=[key.pk])
    assert "works from everywhere" in browser.get(lift).content.decode()
    browser.post(lift, {"confirmed": "1"})
    key.refresh_from_db()
    assert key.allowed_networks == []


def test_an_operator_makes_a_token_for_oneself_only_and_revokes_it(browser: Client, olivia: Operator) -> None:
    secret = _add(browser, "tenants_operatortoken", name="laptop", user="999").context["secret"]
    token = operator_by_token(secret, utc_now())
    assert token is not None
    assert token.user == olivia.user
    browser.post(reverse("admin:tenants_operatortoken_revoke", args=[token.pk]), {"confirmed": "1"})
    assert operator_by_token(secret, utc_now()) is None


def test_somebody_is_invited_asked_again_and_uninvited(browser: Client, stage: dict[str, Player]) -> None:
    _add(browser, "tenants_invitation", tenant=stage["acme"].tenant.pk, email="Zoe@Acme.example", role="OWNER")
    first = Invitation.objects.get(email="zoe@acme.example")
    assert _audited("members.invite").detail == {"email": "zoe@acme.example", "role": "OWNER"}
    assert "1 letter is on its way." in _said(_run(browser, "tenants_invitation", "renew_selected", first))
    second = Invitation.objects.get(email="zoe@acme.example", revoked_at=None)
    assert second != first
    for action in ("renew", "revoke"):
        assert browser.get(reverse(f"admin:tenants_invitation_{action}", args=[second.pk])).status_code == 200
    _run(browser, "tenants_invitation", "revoke_selected", second)
    assert not Invitation.objects.filter(email="zoe@acme.example", revoked_at=None).exists()


def test_a_members_role_is_changed_and_the_member_removed(browser: Client, stage: dict[str, Player]) -> None:
    dev = add_member(
        tenant_id=stage["acme"].tenant.id, email="d@acme.example", role=Role.DEVELOPER, acting=TESTER, now=utc_now()
    )
    browser.post(reverse("admin:tenants_membership_change", args=[dev.pk]), {"role": "BILLING"})
    assert _audited("members.change_role").detail["to"] == "BILLING"
    assert browser.get(reverse("admin:tenants_membership_remove", args=[dev.pk])).status_code == 200
    dev.refresh_from_db()
    _run(browser, "tenants_membership", "remove_selected", dev)
    assert not Membership.objects.filter(pk=dev.pk).exists()
    owner = Membership.objects.get(tenant=stage["acme"].tenant)
    assert "last owner" in _said(_run(browser, "tenants_membership", "remove_selected", owner))


def test_money_limits_are_given_in_whole_units_and_cleared(browser: Client, stage: dict[str, Player]) -> None:
    acme = stage["acme"].tenant
    money = Dimension.MONEY_PER_MONTH
    _add(browser, "quotas_tenantlimit", tenant=acme.pk, dimension=money.value, value="12.5", hard="on")
    assert effective_limits(acme.pk, now=utc_now())[money].value == 12_500_000
    row = acme.limits.get(dimension=money)
    assert "12.5" in browser.get(reverse("admin:quotas_tenantlimit_change", args=[row.pk])).content.decode()
    shown = browser.get(reverse("admin:quotas_tenantlimit_effective", args=[acme.pk])).content.decode()
    assert "its own" in shown
    _run(browser, "quotas_tenantlimit", "clear_selected", row)
    assert effective_limits(acme.pk, now=utc_now())[money].value != 12_500_000
    _add(browser, "quotas_tenantlimit", tenant=acme.pk, dimension=money.value, value="1", hard="on")
    assert effective_limits(acme.pk, now=utc_now())[money].value == 1_000_000


def test_a_limit_that_counts_whole_things_takes_no_fraction(browser: Client, stage: dict[str, Player]) -> None:
    answer = _add(
        browser,
        "quotas_tenantlimit",
        tenant=stage["acme"].tenant.pk,
        dimension="tokens_per_minute",
        value="1.5",
        hard="on",
    )
    assert "counts in whole numbers" in answer.content.decode()


def test_a_policy_is_paused_resumed_and_changed(browser: Client, stage: dict[str, Player]) -> None:
    policy = policy_of(stage["acme"].tenant.pk)
    _run(browser, "scaling_scalingpolicy", "pause_selected", policy)
    assert policy_of(policy.tenant_id).mode == Mode.PAUSED
    _audited("scaling.pause_policy")
    _run(browser, "scaling_scalingpolicy", "resume_selected", policy)
    form = browser.get(reverse("admin:scaling_scalingpolicy_change", args=[policy.pk])).context["adminform"].form
    values = {name: value for name, value in form.initial.items() if value is not None}
    browser.post(reverse("admin:scaling_scalingpolicy_change", args=[policy.pk]), {**values, "max_replicas": "7"})
    assert policy_of(policy.tenant_id).max_replicas == 7


def test_a_providers_key_is_written_and_never_read(browser: Client) -> None:
    secret = "upstream-credential-wxyz"
    fields = {"name": "lab", "kind": "openai", "base_url": "https://lab.example/v1", "options": "{}", "enabled": "on"}
    _add(browser, "proxy_provider", **fields, api_key=secret)
    lab = Provider.objects.get(name="lab")
    page = browser.get(reverse("admin:proxy_provider_change", args=[lab.pk])).content.decode()
    assert secret not in page
    browser.post(reverse("admin:proxy_provider_change", args=[lab.pk]), {**fields, "api_key": ""})
    key = ProviderKey.objects.get(provider=lab)
    assert key.last_four == "wxyz"
    _add(browser, "proxy_providerkey", provider=lab.pk, name=key.name, plaintext="another-credential-7890")
    key.refresh_from_db()
    assert key.last_four == "7890"
    browser.post(reverse("admin:proxy_providerkey_remove", args=[key.pk]), {"confirmed": "1"})
    assert not ProviderKey.objects.filter(provider=lab).exists()


def test_a_wrong_address_of_a_provider_is_told(browser: Client) -> None:
    fields = {"name": "lab", "kind": "openai", "base_url": "not an address", "options": "{}"}
    assert "The base URL is not usable" in _said(_add(browser, "proxy_provider", **fields))


def test_models_are_offered_and_switched_off(browser: Client) -> None:
    provider = Provider.objects.get(name="demo")
    fields = {"upstream_name": "m", "kinds": ["chat"], "context": "0", "max_output": "10", "default_output": "5"}
    _add(browser, "proxy_model", name="small", provider=provider.pk, enabled="on", **fields)
    model = Model.objects.get(name="small")
    _run(browser, "proxy_model", "switch_off", model)
    assert not Model.objects.get(pk=model.pk).enabled
    _run(browser, "proxy_provider", "switch_off", provider)
    assert not Provider.objects.get(pk=provider.pk).enabled


UNUSABLE = ["-1", "NaN", "1e400", r'["\u0000"]', r'"\ud800"', "[" * 3000]
UNUSABLE += ['{"pace_ms": 1.5}', '{"pace_ms": -1}', '{"x": 1}']


@pytest.mark.parametrize("typed", UNUSABLE)
def test_options_that_cannot_be_kept_are_told_beside_the_field(browser: Client, typed: str) -> None:
    provider = Provider.objects.get(name="demo")
    address = reverse("admin:proxy_provider_change", args=[provider.pk])
    answer = browser.post(address, {"base_url": "", "options": typed, "enabled": "on"})
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["options"]
    assert Provider.objects.get(pk=provider.pk).options == provider.options


TIERS = ["[" * 3000, r'"\ud800"', "{}", "[1]", "[{}]", '[{"up_to": null, "unit_amount": 0.5}]', "[]x"]
TIERS += ['[{"up_to": null, "unit_amount": "NaN"}]', '[{"up_to": [], "unit_amount": "1"}]', '[{"up_to": null}]']


@pytest.mark.parametrize("typed", TIERS)
def test_tiers_that_nobody_could_reckon_with_are_told_beside_the_field(browser: Client, typed: str) -> None:
    newest = PlanVersion.objects.get(code="pro@1")
    price = {"meter": "requests", "model": "*", "charge_model": "per_unit", "included_units": "0", "package_size": "1"}
    data = {f"prices-0-{name}": value for name, value in {**price, "tiers": typed}.items()}
    data |= {"plan": newest.plan_id, "currency": "USD", "monthly_fee": "1"}
    data |= {"prices-TOTAL_FORMS": "1", "prices-INITIAL_FORMS": "0"}
    answer = browser.post(reverse("admin:billing_planversion_add"), data)
    assert answer.status_code == 200
    assert list(answer.context["inline_admin_formsets"][0].formset.errors[0]) == ["tiers"]
    assert not PlanVersion.objects.filter(code="pro@2").exists()


def test_a_new_plan_version_starts_with_the_newest_terms(browser: Client) -> None:
    newest = PlanVersion.objects.get(code="pro@1")
    address = f"{reverse('admin:billing_planversion_add')}?plan={newest.plan_id}"
    page = browser.get(address)
    rows = page.context["inline_admin_formsets"][0].formset.initial_forms + [
        form for form in page.context["inline_admin_formsets"][0].formset.forms
    ]
    assert page.context["adminform"].form.initial["monthly_fee"] == "20"
    data: dict[str, Any] = {"plan": newest.plan_id, "currency": newest.currency, "monthly_fee": "25"}
    forms = {form.prefix: form for form in rows}
    for prefix, form in forms.items():
        for name, field in form.fields.items():
            value = form.get_initial_for_field(field, name)
            data[f"{prefix}-{name}"] = field.prepare_value(value) if value is not None else ""
    data |= {"prices-TOTAL_FORMS": str(len(forms)), "prices-INITIAL_FORMS": "0"}
    browser.post(address, data)
    made = PlanVersion.objects.get(code="pro@2")
    assert made.monthly_fee == 25
    assert made.published_at
    assert {(p.meter, p.model) for p in made.prices.all()} == {(p.meter, p.model) for p in newest.prices.all()}


def test_a_tenant_is_put_on_another_plan_and_its_bill_is_shown(browser: Client, stage: dict[str, Player]) -> None:
    globex = stage["globex"].tenant
    plan = PlanVersion.objects.get(code="pro@1").plan
    _add(browser, "billing_subscription", tenant=globex.pk, plan=plan.pk)
    assert Subscription.objects.get(tenant=globex, ends_at=None).plan_version.code == "pro@1"
    page = browser.get(reverse("admin:billing_subscription_bill", args=[globex.pk])).content.decode()
    assert "Monthly fee" in page
    nothing = browser.get(reverse("admin:billing_subscription_bill", args=[stage["initech"].tenant.pk]))
    assert "has no plan" in nothing.content.decode()


def test_a_models_cost_gets_a_new_version(browser: Client) -> None:
    _add(
        browser,
        "billing_modelcost",
        provider="demo",
        model="demo-chat",
        currency="USD",
        input_token="0.000003",
        output_token="0.000004",
    )
    newest = ModelCost.objects.filter(provider="demo", model="demo-chat").latest("version")
    assert newest.version == 2
    assert newest.cached_token == newest.input_token


def test_what_an_account_may_do_is_in_the_audit_log(browser: Client, olivia: Operator) -> None:
    page = reverse("admin:auth_user_change", args=[olivia.user.pk])
    browser.post(
        page,
        {
            "username": "olivia",
            "email": "o@lumos.example",
            "is_active": "on",
        },
    )
    assert "email" in _audited("accounts.change").detail["fields"]


def test_the_last_super_operator_cannot_be_locked_out(browser: Client, olivia: Operator) -> None:
    page = reverse("admin:auth_user_change", args=[olivia.user.pk])
    browser.post(page, {"username": "olivia", "email": "o@lumos.example"})
    assert User.objects.get(pk=olivia.user.pk).is_active


def test_an_operator_is_named_given_another_role_and_dismissed(browser: Client) -> None:
    otto = User.objects.create_user("otto")
    _add(browser, "tenants_operator", user=otto.pk, role="SUPPORT")
    operator = OperatorRow.objects.get(user=otto)
    browser.post(reverse("admin:tenants_operator_change", args=[operator.pk]), {"role": "SECURITY"})
    assert _audited("operators.set_role").detail == {"from": "SUPPORT", "to": "SECURITY"}
    _run(browser, "tenants_operator", "dismiss_selected", operator)
    assert not User.objects.get(pk=otto.pk).is_staff
    assert not OperatorRow.objects.filter(user=otto).exists()


def test_the_schedule_is_changed_run_and_deleted_with_an_entry_each(browser: Client) -> None:
    every = IntervalSchedule.objects.get()
    browser.post(
        reverse("admin:django_celery_beat_intervalschedule_change", args=[every.pk]), {"every": 30, "period": "seconds"}
    )
    changed = _audited("schedule.change")
    assert (changed.before, changed.after) == ({"every": 10}, {"every": 30})
    task = PeriodicTask.objects.get(name="billing: ingest")
    chosen = {"action": "disable_tasks", "_selected_action": [task.pk]}
    browser.post(_list("django_celery_beat_periodictask"), chosen)
    task.refresh_from_db()
    assert not task.enabled
    assert "billing: ingest" in _audited("schedule.disable").target
    browser.post(reverse("admin:django_celery_beat_periodictask_delete", args=[task.pk]), {"post": "yes"})
    assert not PeriodicTask.objects.filter(pk=task.pk).exists()
    assert "billing: ingest" in _audited("schedule.delete").target


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("args", "[" * 3000 + "]" * 3000),
        ("args", '["\\u0000"]'),
        ("kwargs", '{"a":' * 3000 + "1" + "}" * 3000),
        ("args", "5"),
        ("args", '{"a": 1}'),
        ("kwargs", "[1]"),
        ("headers", "null"),
        ("headers", "[" * 3000),
        ("headers", "{"),
    ],
)
def test_arguments_of_a_task_that_cannot_be_read_are_told_beside_the_field(
    browser: Client, field: str, text: str
) -> None:
    every = IntervalSchedule.objects.get()
    given = {
        "name": "new",
        "task": "billing.ingest",
        "interval": every.pk,
        "args": "[]",
        "kwargs": "{}",
        "headers": "{}",
    }
    dates = {"start_time_0": "", "start_time_1": "", "expires_0": "", "expires_1": ""}
    page = reverse("admin:django_celery_beat_periodictask_add")
    answer = browser.post(page, {**given, **dates, field: text})
    assert (answer.status_code, list(answer.context["errors"])) == (200, list(answer.context["errors"])[:1])
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not PeriodicTask.objects.filter(name="new").exists()
    assert browser.post(page, {**given, **dates}).status_code == 302
    assert PeriodicTask.objects.get(name="new").kwargs == "{}"


def test_the_admins_own_log_keeps_nothing_and_has_no_page(browser: Client, stage: dict[str, Player]) -> None:
    every, acme = IntervalSchedule.objects.get(), stage["acme"]
    form = {"every": 30, "period": "seconds"}
    browser.post(reverse("admin:django_celery_beat_intervalschedule_change", args=[every.pk]), form)
    browser.post(reverse("admin:django_celery_beat_intervalschedule_add"), {"every": 7, "period": "hours"})
    added = IntervalSchedule.objects.get(every=7)
    browser.post(reverse("admin:django_celery_beat_intervalschedule_delete", args=[added.pk]), {"post": "yes"})
    password = {"password1": "another-long-word", "password2": "another-long-word", "usable_password": "true"}
    browser.post(reverse("admin:auth_user_password_change", args=[acme.owner.pk]), password)
    assert {entry.action for entry in entries()} >= {"schedule.change", "schedule.add", "schedule.delete"}
    assert not LogEntry.objects.exists()
    with pytest.raises(NoReverseMatch):
        reverse("admin:auth_user_history", args=[acme.owner.pk])
    answer = browser.get(f"/admin/auth/user/{acme.owner.pk}/history/", follow=True)
    assert b"exist" in answer.content


def test_what_the_admins_own_log_kept_goes_with_the_upgrade(olivia: Operator) -> None:
    LogEntry.objects.create(user_id=olivia.user.pk, object_id="1", object_repr="amy@acme.example", action_flag=2)
    with connection.cursor() as cursor:
        cursor.execute(import_module("audit.migrations.0008_no_second_log").EMPTY_LOG)
    assert not LogEntry.objects.exists()
