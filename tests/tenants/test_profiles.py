"""Profiles of types, overrides of tenants, and a tenant's type: what is stored, told and shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from audit.api import relay_outbox
from audit.models import AuditEntry, OutboxEvent
from core.clock import utc_now
from core.errors import InvalidInput
from core.tenancy import tenant_scope
from tenants.api import (
    OverrideNotFound,
    ProfileField,
    ProfileOverride,
    ProfileValueNotUsable,
    Tenant,
    TenantNotFound,
    TenantStatus,
    TenantType,
    TenantTypeProfile,
    ValueSource,
    WrongStatus,
    all_profiles,
    announce_overrides,
    effective_profile,
    effective_profiles,
    override_value,
    revoke_override,
    set_profile_fields,
    set_tenant_type,
)
from tenants.profiles.built_in import BUILT_IN
from tests import cast
from tests.audit.reading import the_entry

pytestmark = pytest.mark.django_db
NOW = utc_now()
HOUR = timedelta(hours=1)
SLOTS, DAYS, MODELS = ProfileField.WORKER_SLOTS, ProfileField.RETENTION_DAYS, ProfileField.ALLOWED_MODELS


def slots(player: cast.Player, *, at: timedelta = timedelta()) -> tuple[object, ValueSource]:
    value = effective_profile(player.tenant.id, now=NOW + at)[SLOTS]
    return value.value, value.source


def give(player: cast.Player, value: object = 7, **changes: object):
    facts = {"tenant_id": player.tenant.id, "field": SLOTS, "reason": "a big launch", "acting": cast.TESTER}
    return override_value(**({**facts, "value": value, "now": NOW} | changes))


def told(kind: str = "tenants.tenant-changed") -> int:
    return OutboxEvent.objects.filter(type_name=kind).count()


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_the_stored_profiles_begin_as_the_built_in_ones() -> None:
    assert TenantTypeProfile.objects.count() == len(TenantType)
    assert all_profiles() == BUILT_IN


def test_a_type_whose_row_is_missing_has_the_built_in_profile(acme: cast.Player) -> None:
    TenantTypeProfile.objects.all().delete()
    assert slots(acme) == (BUILT_IN[TenantType.ENTERPRISE][SLOTS], ValueSource.PROFILE)
    assert set_profile_fields(tenant_type=TenantType.ENTERPRISE, values={SLOTS: 3}, acting=cast.TESTER, now=NOW)
    assert slots(acme) == (3, ValueSource.PROFILE)


def test_a_changed_profile_is_told_to_those_whose_value_it_is(
    acme: cast.Player, globex: cast.Player, initech: cast.Player
) -> None:
    """All are of one type; globex has a value of its own, initech one that is still to come."""
    Tenant.objects.update(type=TenantType.ENTERPRISE)
    common: dict[str, Any] = {"field": SLOTS, "value": 9, "reason": "x", "acting": cast.TESTER, "now": NOW}
    override_value(tenant_id=globex.tenant.id, **common)
    override_value(tenant_id=initech.tenant.id, valid_from=NOW + timedelta(days=1), **common)
    OutboxEvent.objects.all().delete()
    changes = {SLOTS: 3, ProfileField.DEFAULT_PLAN: "free"}
    set_profile_fields(tenant_type=TenantType.ENTERPRISE, values=changes, acting=cast.TESTER, now=NOW)
    rows = [row.payload for row in OutboxEvent.objects.filter(type_name="tenants.announced")]
    assert {row["tenant_id"] for row in rows} == {acme.tenant.id, initech.tenant.id}
    data = [row["data"] for row in rows]
    assert [(each["what"], each["field"], each["value"]) for each in data] == [("type", "worker_slots", 3)] * 2
    assert relay_outbox(now=utc_now()) == 2


def test_a_changed_profile_holds_for_all_of_the_type_and_for_nobody_else(
    acme: cast.Player, globex: cast.Player
) -> None:
    before, others = told("tenants.profile-changed"), slots(globex)
    changes = {SLOTS: 3, MODELS: ["b", "a"]}
    assert set_profile_fields(tenant_type=TenantType.ENTERPRISE, values=changes, acting=cast.TESTER, now=NOW)
    assert slots(acme) == (3, ValueSource.PROFILE)
    assert effective_profile(acme.tenant.id, now=NOW).allowed_models == ("a", "b")
    assert slots(globex) == others
    assert told("tenants.profile-changed") == before + 1
    entry = AuditEntry.objects.get(action="tenants.set_profile")
    assert (entry.before, entry.after) == (
        {"worker_slots": 20, "allowed_models": []},
        {"worker_slots": 3, "allowed_models": ["a", "b"]},
    )
    assert not set_profile_fields(tenant_type=TenantType.ENTERPRISE, values=changes, acting=cast.TESTER, now=NOW)
    assert TenantTypeProfile.objects.get(pk=TenantType.ENTERPRISE).version == 2


def test_every_fault_of_a_profile_is_told_at_once_and_nothing_is_stored() -> None:
    with pytest.raises(ProfileValueNotUsable) as refused:
        set_profile_fields(tenant_type=TenantType.ENTERPRISE, values={SLOTS: -1, DAYS: 0}, acting=cast.TESTER, now=NOW)
    assert sorted(refused.value.fields) == ["retention_days", "worker_slots"]
    with pytest.raises(ProfileValueNotUsable):
        set_profile_fields(
            tenant_type=TenantType.ENTERPRISE, values={ProfileField.MIN_REPLICAS: 99}, acting=cast.TESTER, now=NOW
        )
    assert all_profiles() == BUILT_IN


def test_an_override_is_one_tenants_and_says_who_and_why(acme: cast.Player) -> None:
    wayne = cast.found("wayne", TenantType.ENTERPRISE, email="bruce@wayne.example")
    row = give(acme, expires_at=NOW + HOUR)
    assert slots(acme) == (7, ValueSource.OVERRIDE)
    assert slots(wayne) == (20, ValueSource.PROFILE)
    shown = effective_profile(acme.tenant.id, now=NOW)[SLOTS].override
    assert shown == row
    assert (row.by, row.reason, row.expires_at) == (cast.TESTER.label, "a big launch", NOW + HOUR)
    entry = the_entry(action="tenants.override_value")
    assert (entry.tenant_id, entry.reason) == (acme.tenant.id, "a big launch")


def test_it_stops_counting_by_itself_and_the_rooms_are_told_once_when_it_begins_and_when_it_ends(
    acme: cast.Player,
) -> None:
    before = told()
    give(acme, valid_from=NOW + HOUR, expires_at=NOW + 2 * HOUR)
    assert told() == before
    assert slots(acme) == (20, ValueSource.PROFILE)
    assert slots(acme, at=HOUR) == (7, ValueSource.OVERRIDE)
    assert slots(acme, at=2 * HOUR) == (20, ValueSource.PROFILE)
    assert [announce_overrides(now=NOW + hours * HOUR) for hours in (0, 1, 1, 2, 2)] == [0, 1, 0, 1, 0]
    assert told() == before + 2
    assert actions()[-2:] == ["tenants.override_begins", "tenants.override_ends"]


def test_one_whose_whole_time_passed_unseen_is_never_announced(acme: cast.Player) -> None:
    give(acme, valid_from=NOW + HOUR, expires_at=NOW + 2 * HOUR)
    assert announce_overrides(now=NOW + 3 * HOUR) == 0


def test_a_revoked_override_gives_way_at_once_to_the_one_before(acme: cast.Player) -> None:
    give(acme, 5)
    newest = give(acme, 9)
    before = told()
    revoke_override(override_id=newest.id, reason="sold by mistake", acting=cast.TESTER, now=NOW)
    assert slots(acme) == (5, ValueSource.OVERRIDE)
    assert told() == before + 1
    with pytest.raises(OverrideNotFound):
        revoke_override(override_id=newest.id, reason="again", acting=cast.TESTER, now=NOW)
    row = ProfileOverride.objects.get(pk=newest.id)
    assert (row.revoked_at, row.revoked_by) == (NOW, cast.TESTER.label)
    assert announce_overrides(now=NOW) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "  "},
        {"expires_at": NOW},
        {"expires_at": NOW - HOUR},
        {"valid_from": NOW + HOUR, "expires_at": NOW + HOUR},
        {"value": "many"},
        {"field": ProfileField.DEFAULT_PLAN, "value": "pro"},
    ],
)
def test_an_override_without_reason_or_sense_is_refused(acme: cast.Player, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        give(acme, **changes)
    assert not ProfileOverride.objects.exists()


def test_revoking_needs_a_reason_and_an_override_that_is_not_over(acme: cast.Player) -> None:
    row = give(acme, expires_at=NOW + HOUR)
    with pytest.raises(InvalidInput):
        revoke_override(override_id=row.id, reason="", acting=cast.TESTER, now=NOW)
    with pytest.raises(OverrideNotFound):
        revoke_override(override_id=row.id, reason="late", acting=cast.TESTER, now=NOW + HOUR)


def test_nobody_unknown_and_nobody_deleted_gets_an_override(acme: cast.Player) -> None:
    with pytest.raises(TenantNotFound):
        give(acme, tenant_id="0" * 26)
    with pytest.raises(TenantNotFound):
        effective_profile("0" * 26, now=NOW)
    Tenant.objects.filter(pk=acme.tenant.id).update(status=TenantStatus.DELETED)
    with pytest.raises(WrongStatus):
        give(acme)


def test_the_database_itself_refuses_an_override_without_a_reason(acme: cast.Player) -> None:
    for broken in ({"reason": ""}, {"reason": "x", "expires_at": NOW - HOUR, "valid_from": NOW}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ProfileOverride.objects.create(tenant=acme.tenant, field=SLOTS, value=1, set_by="x", **broken)


def test_another_type_brings_its_profile_and_leaves_plan_and_overrides(acme: cast.Player) -> None:
    give(acme, 5)
    before, plan = told(), acme.tenant.plan
    tenant = set_tenant_type(
        tenant_id=acme.tenant.id, tenant_type=TenantType.GOVERNMENT, reason="bought", acting=cast.TESTER, now=NOW
    )
    profile = effective_profile(acme.tenant.id, now=NOW)
    assert (profile.type, profile.retention_days, profile.ceiling.worker_slots) == (TenantType.GOVERNMENT, 2_555, 5)
    assert tenant.plan == plan
    assert told() == before + 1
    set_tenant_type(
        tenant_id=acme.tenant.id, tenant_type=TenantType.GOVERNMENT, reason="again", acting=cast.TESTER, now=NOW
    )
    assert told() == before + 1
    with pytest.raises(InvalidInput):
        set_tenant_type(
            tenant_id=acme.tenant.id, tenant_type=TenantType.ENTERPRISE, reason=" ", acting=cast.TESTER, now=NOW
        )


def test_many_tenants_cost_three_queries(
    acme: cast.Player, globex: cast.Player, django_assert_num_queries: Any
) -> None:
    give(acme)
    with django_assert_num_queries(3):
        found = effective_profiles([acme.tenant.id, globex.tenant.id, "0" * 26], now=NOW)
    assert {tenant_id: found[tenant_id].ceiling.worker_slots for tenant_id in found} == {
        acme.tenant.id: 7,
        globex.tenant.id: 2,
    }


def test_a_tenant_sees_its_own_overrides_only(acme: cast.Player, globex: cast.Player) -> None:
    give(acme)
    with tenant_scope(globex.tenant.ref):
        assert list(ProfileOverride.objects.all()) == []
        with pytest.raises(TenantNotFound):
            effective_profile(acme.tenant.id, now=NOW)
        assert effective_profile(globex.tenant.id, now=NOW).ceiling.worker_slots == 2
