"""Limits as operators set them: stored, explained, audited, told to the gateway, and fenced."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from audit.models import AuditEntry, OutboxEvent
from core.clock import utc_now
from core.tenancy import tenant_scope
from quotas.api import (
    LimitNotUsable,
    LimitsChanged,
    LimitSource,
    SetLimit,
    clear_limit,
    effective_limits,
    seed_type_limits,
    set_limit,
    set_plan_limit,
    set_type_limit,
    stored_limits,
    usage_of,
)
from quotas.models import PlanLimit, QuotaAlert, TenantLimit, TypeLimit
from quotas.policies import BUILT_IN
from tenants.api import TenantNotFound, TenantType, set_plan
from tests.cast import TESTER, Player
from tests.quotas.arrange import CONCURRENT, MONEY, MONTH, REQUESTS, request, settle

NOW = utc_now()


def _set(player: Player, dimension=REQUESTS, value: int | None = 7, **more) -> bool:
    return set_limit(
        tenant_id=player.tenant.id, dimension=dimension, value=value, acting=TESTER, now=more.pop("now", NOW), **more
    )


def _clear(player: Player, dimension=REQUESTS) -> bool:
    return clear_limit(tenant_id=player.tenant.id, dimension=dimension, acting=TESTER, now=NOW)


def _told() -> list[str]:
    return [row.payload["tenant_id"] for row in OutboxEvent.objects.filter(type_name=LimitsChanged.type_name)]


def test_type_then_plan_then_override_decide(acme: Player) -> None:
    tenant_id = acme.tenant.id

    def requests() -> tuple[int | None, LimitSource]:
        limit = effective_limits(tenant_id, now=utc_now())[REQUESTS]
        return limit.value, limit.source

    assert requests() == (3000, LimitSource.BUILT_IN)
    set_type_limit(tenant_type=TenantType.ENTERPRISE, dimension=REQUESTS, value=1, acting=TESTER, now=NOW)
    assert requests() == (1, LimitSource.TENANT_TYPE)
    set_plan_limit(plan="gold", dimension=REQUESTS, value=2, acting=TESTER, now=NOW)
    assert requests() == (1, LimitSource.TENANT_TYPE)
    set_plan(tenant_id=tenant_id, plan="gold", acting=TESTER, now=NOW)
    assert requests() == (2, LimitSource.PLAN)
    assert _set(acme, value=None)
    assert requests() == (None, LimitSource.OVERRIDE)
    assert _clear(acme)
    assert requests() == (2, LimitSource.PLAN)


def test_a_change_is_audited_and_told_once(acme: Player) -> None:
    assert _set(acme, value=7)
    assert not _set(acme, value=7)
    assert _set(acme, value=7, hard=False)
    entries = AuditEntry.objects.filter(action="quotas.set_limit").order_by("at", "id")
    assert [entry.detail for entry in entries] == [
        {"dimension": "requests_per_minute", "before": None, "after": {"value": 7, "hard": True}},
        {
            "dimension": "requests_per_minute",
            "before": {"value": 7, "hard": True},
            "after": {"value": 7, "hard": False},
        },
    ]
    assert {(entry.tenant_id, entry.target) for entry in entries} == {(acme.tenant.id, acme.tenant.public_id)}
    assert _told() == [acme.tenant.id] * 2


def test_clearing_is_audited_and_told_once(acme: Player) -> None:
    assert not _clear(acme)
    _set(acme, value=7)
    assert _clear(acme)
    assert not _clear(acme)
    [entry] = AuditEntry.objects.filter(action="quotas.clear_limit")
    assert entry.detail == {
        "dimension": "requests_per_minute",
        "before": {"value": 7, "hard": True},
        "after": None,
    }
    assert _told() == [acme.tenant.id] * 2


def test_each_change_makes_a_later_version_even_within_one_instant(acme: Player) -> None:
    seen = []
    for value in (1, 2, 3):
        _set(acme, value=value)
        seen.append(effective_limits(acme.tenant.id, now=utc_now())[REQUESTS].version)
    _clear(acme)
    seen.append(effective_limits(acme.tenant.id, now=utc_now())[REQUESTS].version)
    assert seen == sorted(set(seen))
    _set(acme, value=3, now=NOW - timedelta(days=1))  # a clock that went back
    assert effective_limits(acme.tenant.id, now=utc_now())[REQUESTS].version > seen[-1]


@pytest.mark.parametrize("value", [-1, 10**15 + 1])
def test_limits_that_could_not_be_counted_change_nothing(acme: Player, value: int) -> None:
    for change in (
        lambda: _set(acme, value=value),
        lambda: set_plan_limit(plan="gold", dimension=MONTH, value=value, acting=TESTER, now=NOW),
        lambda: set_type_limit(tenant_type=TenantType.ENTERPRISE, dimension=MONTH, value=value, acting=TESTER, now=NOW),
    ):
        with pytest.raises(LimitNotUsable) as caught:
            change()
        assert "value" in caught.value.fields
    assert not TenantLimit.objects.exists()
    assert not PlanLimit.objects.exists()
    assert _told() == []


@pytest.mark.parametrize("value", [-1, 10**15 + 1])
def test_the_database_refuses_them_too(acme: Player, value: int) -> None:
    for row in (
        TenantLimit(tenant=acme.tenant, dimension=MONTH, value=value),
        PlanLimit(plan="gold", dimension=MONTH, value=value),
        TypeLimit(tenant_type=TenantType.ENTERPRISE, dimension=CONCURRENT, value=value),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save(force_insert=True)


def test_an_unknown_tenant_is_not_found(db: None) -> None:
    with pytest.raises(TenantNotFound):
        effective_limits("0" * 26, now=utc_now())
    with pytest.raises(TenantNotFound):
        set_limit(tenant_id="0" * 26, dimension=MONEY, value=1, acting=TESTER, now=NOW)


def test_shared_limits_are_told_to_all_and_only_when_they_change(db: None) -> None:
    for change in (
        lambda: set_plan_limit(plan="gold", dimension=MONEY, value=5, acting=TESTER, now=NOW),
        lambda: set_type_limit(tenant_type=TenantType.GOVERNMENT, dimension=MONEY, value=5, acting=TESTER, now=NOW),
    ):
        assert change()
        assert not change()
    assert _told() == ["", ""]
    assert set(AuditEntry.objects.values_list("action", "target")) == {
        ("quotas.set_plan_limit", "gold"),
        ("quotas.set_type_limit", "GOVERNMENT"),
    }


def test_an_empty_plan_row_may_be_the_first_value(db: None) -> None:
    assert set_plan_limit(plan="gold", dimension=MONEY, value=None, acting=TESTER, now=NOW)
    assert not set_plan_limit(plan="gold", dimension=MONEY, value=None, acting=TESTER, now=NOW)


def test_seeding_writes_what_is_missing_and_keeps_what_operators_changed(db: None) -> None:
    TypeLimit.objects.all().delete()
    set_type_limit(tenant_type=TenantType.ENTERPRISE, dimension=REQUESTS, value=1, acting=TESTER, now=NOW)
    assert seed_type_limits(acting=TESTER, now=NOW) == 5 * 5 - 1
    assert seed_type_limits(acting=TESTER, now=NOW) == 0
    assert TypeLimit.objects.get(tenant_type=TenantType.ENTERPRISE, dimension=REQUESTS).value == 1
    rows = TypeLimit.objects.filter(tenant_type=TenantType.INDIVIDUAL).values_list("dimension", "value")
    assert dict(rows) == BUILT_IN[TenantType.INDIVIDUAL]


def test_stored_limits_tell_what_was_set_for_whom(acme: Player, globex: Player, django_assert_num_queries) -> None:
    TypeLimit.objects.all().delete()
    _set(acme, value=7)
    _set(globex, value=8)
    clear_limit(tenant_id=globex.tenant.id, dimension=REQUESTS, acting=TESTER, now=NOW)
    set_plan_limit(plan="gold", dimension=MONEY, value=None, acting=TESTER, now=NOW)
    set_type_limit(tenant_type=TenantType.ENTERPRISE, dimension=REQUESTS, value=1, hard=False, acting=TESTER, now=NOW)
    with django_assert_num_queries(3):
        stored = stored_limits()
    assert stored.of_types == {TenantType.ENTERPRISE: {REQUESTS: SetLimit(1, hard=False)}}
    assert stored.of_plans == {"gold": {MONEY: SetLimit(None, hard=True)}}
    assert stored.of_tenants == {acme.tenant.id: {REQUESTS: SetLimit(7, hard=True)}}


def test_meters_show_what_redis_counted(acme: Player, engine) -> None:
    limits = effective_limits(acme.tenant.id, now=utc_now())
    settle(engine, engine.reserve(request(limits)).ticket, tokens=30, micro=15)
    meters = {reading.dimension: reading for reading in usage_of(acme.tenant.id, now=utc_now())}
    assert (meters[MONTH].used, meters[MONEY].used, meters[CONCURRENT].used) == (30, 15, 0)
    assert meters[MONTH].limit == limits[MONTH]


def test_a_tenant_sees_its_own_limits_and_alerts_and_nobody_elses(acme: Player, globex: Player) -> None:
    for player in (acme, globex):
        _set(player, value=7)
        QuotaAlert.objects.create(
            tenant_id=player.tenant.id,
            scope="tenant",
            dimension=MONTH,
            period="2026-11",
            threshold=80,
            version=1,
            limit=10,
            level=8,
            reached_at=NOW,
        )
    set_plan_limit(plan="gold", dimension=MONEY, value=5, acting=TESTER, now=NOW)
    with tenant_scope(acme.tenant.ref):
        assert [row.tenant_id for row in TenantLimit.objects.all()] == [acme.tenant.id]
        assert [row.tenant_id for row in QuotaAlert.objects.all()] == [acme.tenant.id]
        assert effective_limits(acme.tenant.id, now=utc_now())[REQUESTS].value == 7
        with pytest.raises(TenantNotFound):
            effective_limits(globex.tenant.id, now=utc_now())


def test_a_tenant_cannot_write_limits(acme: Player) -> None:
    statements = [
        "INSERT INTO quotas_tenantlimit (dimension, hard, revision, changed_at, is_active, tenant_id)"
        f" VALUES ('money_per_month', true, 0, now(), true, '{acme.tenant.id}')",
        "UPDATE quotas_typelimit SET value = NULL",
        "DELETE FROM quotas_planlimit",
    ]
    for statement in statements:
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():  # noqa: SIM117
            with tenant_scope(acme.tenant.ref), connection.cursor() as cursor:
                cursor.execute(statement)


def test_rows_say_what_they_are(acme: Player) -> None:
    assert str(TenantLimit(dimension=MONTH, value=None)) == "tokens_per_month ∞"
    assert str(TypeLimit(dimension=MONTH, value=5)) == "tokens_per_month 5"
    assert str(QuotaAlert(dimension=MONTH, threshold=80)) == "tokens_per_month 80 %"
