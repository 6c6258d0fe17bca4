"""Plans and their versions: published once, never changed, refused with the field named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from audit.models import AuditEntry, OutboxEvent
from billing.api import (
    InvalidPrice,
    Meter,
    ModelCost,
    Plan,
    PlanPrice,
    PlanVersion,
    Price,
    UnknownPlan,
    UnknownPrice,
    estimate_micro,
    model_costs,
    plan_offers,
    price_sheet,
    publish_plan_version,
    save_plan,
    seed_catalogue,
    set_model_cost,
    subscribe_tenant,
)
from billing.catalogue import STARTING_PLANS
from billing.rating import check_terms
from core.errors import InvalidInput
from tenants.api import ProfileField, TenantType, profile_values
from tests.billing.facts import MOMENT
from tests.billing.terms import graduated, per_unit
from tests.cast import TESTER, Player

D = Decimal
PRICES = [
    PlanPrice(Meter.INPUT_TOKENS, "*", per_unit("0.000002")),
    PlanPrice(Meter.OUTPUT_TOKENS, "*", per_unit("0.000008")),
]


def publish(**changes: Any) -> PlanVersion:
    terms: dict[str, Any] = {"plan_code": "own", "currency": "USD", "monthly_fee": D("9.90"), "prices": PRICES}
    return publish_plan_version(**(terms | changes), acting=TESTER, now=MOMENT)


@pytest.fixture
def own(db: None) -> Plan:
    return save_plan(code="own", name="Own", acting=TESTER, now=MOMENT)


def test_every_type_of_tenant_has_a_plan_to_start_on_that_sells_every_model(db: None, acme: Player) -> None:
    seeded = seed_catalogue(acting=TESTER, now=MOMENT)
    assert seeded == [plan.code for plan in STARTING_PLANS]
    for tenant_type in TenantType:
        code = profile_values(tenant_type)[ProfileField.DEFAULT_PLAN]
        assert tenant_type in next(plan.types for plan in STARTING_PLANS if plan.code == code)
        subscribe_tenant(tenant_id=acme.tenant.id, plan_code=code, acting=TESTER, now=MOMENT)
        sheet = price_sheet(acme.tenant.id, MOMENT)
        assert estimate_micro(sheet, "never heard of", 10**9, 10**8, 10**9) > 0
    for plan in STARTING_PLANS:
        for price in plan.prices:
            check_terms(price.terms)


def test_seeding_again_changes_nothing(db: None) -> None:
    seed_catalogue(acting=TESTER, now=MOMENT)
    entries = AuditEntry.objects.count()
    assert seed_catalogue(acting=TESTER, now=MOMENT) == []
    assert AuditEntry.objects.count() == entries


def test_the_price_list_shows_the_newest_version_of_each_plan(own: Plan) -> None:
    publish()
    publish(monthly_fee=D("12"))
    (offer,) = plan_offers()
    assert (offer.version, offer.monthly_fee, offer.currency) == ("own@2", D(12), "USD")
    assert {price.meter: price.terms for price in offer.prices} == {price.meter: price.terms for price in PRICES}


def test_publishing_leaves_an_audit_row_and_an_event(own: Plan) -> None:
    publish()
    assert AuditEntry.objects.filter(action="billing.publish_version", target=own.public_id).exists()
    assert OutboxEvent.objects.get(type_name="billing.plan-changed").payload == {
        "plan_code": "own",
        "version_code": "own@1",
    }


def test_the_same_terms_are_not_published_twice(own: Plan) -> None:
    assert publish() == publish(prices=list(reversed(PRICES)))
    assert PlanVersion.objects.count() == 1


def test_saving_a_plan_as_it_is_leaves_no_trace(own: Plan) -> None:
    before = AuditEntry.objects.count()
    save_plan(code="own", name="Own", acting=TESTER, now=MOMENT)
    assert AuditEntry.objects.count() == before
    assert save_plan(code="own", name="Our own", acting=TESTER, now=MOMENT).name == "Our own"


def test_a_plan_code_that_is_no_code_is_refused_in_words(db: None) -> None:
    with pytest.raises(ValidationError, match="lower-case letters, digits and hyphens"):
        save_plan(code="Not a code", name="x", acting=TESTER, now=MOMENT)


@pytest.mark.parametrize(
    ("changes", "field", "error"),
    [
        ({"plan_code": "none"}, "plan", UnknownPlan),
        ({"currency": "usd"}, "currency", InvalidInput),
        ({"monthly_fee": D("-1")}, "monthly_fee", InvalidInput),
        ({"monthly_fee": D("NaN")}, "monthly_fee", InvalidInput),
        ({"monthly_fee": D(10) ** 15}, "monthly_fee", InvalidInput),
        ({"prices": [*PRICES, PRICES[0]]}, "prices.2", InvalidPrice),
        ({"prices": [replace(PRICES[0], model="")]}, "prices.0", InvalidPrice),
        (
            {"prices": [replace(PRICES[0], terms=graduated(("5", "1", "0"), ("4", "1", "0"), (None, "1", "0")))]},
            "prices.0.tiers.1.up_to",
            InvalidPrice,
        ),
    ],
)
def test_terms_that_cannot_be_published_are_refused_and_nothing_is_stored(
    own: Plan, changes: dict[str, Any], field: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as refusal:
        publish(**changes)
    assert field in refusal.value.fields
    assert not PlanVersion.objects.exists()


@pytest.mark.parametrize("field", ["monthly_fee", "currency", "code", "number"])
def test_the_database_refuses_every_change_of_a_published_version(own: Plan, field: str) -> None:
    publish()
    values = {"monthly_fee": D(0), "currency": "EUR", "code": "other", "number": 9}
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        PlanVersion.objects.update(**{field: values[field]})


def test_the_database_refuses_other_prices_in_a_published_version(own: Plan) -> None:
    version = publish()
    price = version.prices.all()[0]
    for change in (
        lambda: Price.objects.filter(pk=price.pk).update(included_units=1),
        lambda: Price.objects.filter(pk=price.pk).delete(),
        lambda: Price.objects.create(plan_version=version, meter="requests", charge_model="per_unit", tiers=[]),
        lambda: PlanVersion.objects.filter(pk=version.pk)._raw_delete(version._state.db),
    ):
        with pytest.raises(IntegrityError, match="never change"), transaction.atomic():
            change()


def test_a_draft_may_still_change_and_a_published_version_may_retire(own: Plan) -> None:
    draft = PlanVersion.objects.create(plan=own, number=1, code="own@1")
    price = Price.objects.create(plan_version=draft, meter="requests", charge_model="per_unit", tiers=[])
    price.included_units = D(5)
    price.save()
    price.delete()
    draft.monthly_fee = D(3)
    draft.save()
    draft.delete()
    version = publish()
    version.retired_at = MOMENT
    version.save(update_fields=["retired_at"])
    assert plan_offers() == ()


def test_a_models_cost_has_versions_that_do_not_overlap(db: None) -> None:
    def cost(amount: str, **changes: Any) -> ModelCost:
        terms: dict[str, Any] = {"input_token": D(amount), "output_token": D(amount), "now": MOMENT, "acting": TESTER}
        return set_model_cost(provider="demo", model="chat", **(terms | changes))

    first = cost("0.000001")
    assert (first.version, first.cached_token, first.effective_from) == (1, D("0.000001"), MOMENT)
    assert cost("0.000001") == first
    with pytest.raises(InvalidInput) as refusal:
        cost("0.000002")
    assert "effective_from" in refusal.value.fields
    later = MOMENT + timedelta(days=1)
    second = cost("0.000002", effective_from=later, cached_token=D(0))
    assert (second.version, second.cached_token) == (2, D(0))
    assert [known.input_token for known in model_costs(MOMENT)] == [D("0.000001")]
    assert [known.input_token for known in model_costs(later)] == [D("0.000002")]
    with pytest.raises(InvalidInput) as refusal:
        cost("-1")
    assert set(refusal.value.fields) == {"input_token", "cached_token", "output_token"}
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        ModelCost.objects.update(input_token=0)


def test_rows_say_what_they_are(own: Plan) -> None:
    version = publish()
    cost = set_model_cost(provider="demo", model="chat", input_token=D(1), output_token=D(1), acting=TESTER, now=MOMENT)
    assert [str(own), str(version), str(cost)] == ["Own", "own@1", "demo chat v1"]
    assert {str(price) for price in version.prices.all()} == {"input_tokens *", "output_tokens *"}
    assert version.published_at == MOMENT


def test_a_plan_that_sells_one_model_sells_no_other(own: Plan, acme: Player) -> None:
    publish(prices=[replace(price, model="chat") for price in PRICES])
    subscribe_tenant(tenant_id=acme.tenant.id, plan_code="own", acting=TESTER, now=MOMENT)
    sheet = price_sheet(acme.tenant.id, MOMENT)
    assert estimate_micro(sheet, "chat", 1, 0, 1) == 10
    with pytest.raises(UnknownPrice):
        estimate_micro(sheet, "other", 1, 0, 1)
