"""Policies: who may set what, and what is written beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from audit.models import AuditEntry
from core.tenancy import tenant_scope
from scaling.api import (
    Mode,
    PolicyInvalid,
    PolicyNotFound,
    ensure_policy,
    pause_policy,
    policy_of,
    resume_policy,
    set_policy,
)
from scaling.loop import terms_of
from scaling.models import ScalingPolicy
from scaling.services import _FIELD_OF_CONSTRAINT
from tenants.api import (
    OverrideFacts,
    ProfileField,
    TenantNotFound,
    effective_profile,
    override_value,
    revoke_override,
)
from tests.cast import TESTER, Player
from tests.scaling.conftest import NOW, after


def put(player: Player, **changes: Any) -> ScalingPolicy:
    return set_policy(tenant_id=player.tenant.id, acting=TESTER, now=NOW, **changes)


def test_a_first_policy_takes_the_defaults_for_what_is_not_named(acme):
    policy = put(acme, max_replicas=4)
    assert (policy.min_replicas, policy.max_replicas, policy.cpu_target_percent) == (0, 4, 70)
    assert (policy.mode, policy.version, policy.updated_at) == (Mode.AUTO, 1, NOW)
    assert policy_of(acme.tenant.id) == policy


def test_a_change_is_a_new_version_with_its_audit_entry(acme):
    put(acme, max_replicas=4)
    put(acme, max_replicas=6, min_replicas=1)
    policy = policy_of(acme.tenant.id)
    assert (policy.version, policy.max_replicas, policy.min_replicas) == (2, 6, 1)
    entry = AuditEntry.objects.filter(action="scaling.set_policy").latest("id")
    assert (entry.tenant_id, entry.target, entry.actor_label) == (acme.tenant.id, policy.public_id, TESTER.label)
    assert (entry.detail["from"]["max_replicas"], entry.detail["to"]["max_replicas"]) == (4, 6)


def test_setting_what_is_already_set_changes_nothing(acme):
    put(acme, max_replicas=4)
    assert put(acme, max_replicas=4).version == 1
    assert AuditEntry.objects.filter(action="scaling.set_policy").count() == 1


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"max_replicas": 0}, "max_replicas", "The maximum lies between 1 and 100."),
        ({"max_replicas": 101}, "max_replicas", "The maximum lies between 1 and 100."),
        ({"min_replicas": 3, "max_replicas": 2}, "min_replicas", "The minimum is not above the maximum."),
        ({"cpu_target_percent": 0}, "cpu_target_percent", "The CPU target lies between 1 and 100 percent."),
        ({"memory_target_percent": 101}, "memory_target_percent", "The memory target lies between 1 and 100 percent."),
        ({"queue_target": 0}, "queue_target", "The queue target is at least 1, or empty."),
        (
            {"min_replicas": 0, "queue_target": None},
            "queue_target",
            "A minimum of 0 needs a queue target, or nothing could wake the tenant.",
        ),
        (
            {"scale_up_cooldown_seconds": 3601},
            "scale_up_cooldown_seconds",
            "The scale-up cooldown lies between 0 and 3600 seconds.",
        ),
        (
            {"scale_down_cooldown_seconds": 3601},
            "scale_down_cooldown_seconds",
            "The scale-down cooldown lies between 0 and 3600 seconds.",
        ),
        ({"mode": "sometimes"}, "mode", None),
        ({"max_replicas": "many"}, "max_replicas", None),
        ({"max_replica": 3}, "max_replica", "is not a field of a scaling policy"),
    ],
)
def test_what_is_not_valid_is_refused_with_its_field_and_a_message(acme, changes, field, message):
    put(acme)
    with pytest.raises(PolicyInvalid) as refused:
        put(acme, **changes)
    assert list(refused.value.fields) == [field]
    if message:
        assert [str(text) for text in refused.value.fields[field]] == [message]
    assert policy_of(acme.tenant.id).version == 1


def test_every_constraint_names_its_field():
    assert {constraint.name for constraint in ScalingPolicy._meta.constraints} == set(_FIELD_OF_CONSTRAINT)


def test_the_database_refuses_what_went_past_the_service(acme):
    put(acme)
    with pytest.raises(IntegrityError, match="scaling_min_under_max"), transaction.atomic():
        ScalingPolicy.objects.update(min_replicas=50)


def test_pause_and_resume_are_versions_with_audit_entries_and_repeat_harmlessly(acme):
    put(acme)
    for _ in range(2):
        paused = pause_policy(tenant_id=acme.tenant.id, acting=TESTER, now=after(1))
    assert (paused.mode, paused.version, paused.updated_at) == (Mode.PAUSED, 2, after(1))
    resumed = resume_policy(tenant_id=acme.tenant.id, acting=TESTER, now=after(2))
    assert (resumed.mode, resumed.version) == (Mode.AUTO, 3)
    watching = resume_policy(tenant_id=acme.tenant.id, acting=TESTER, now=after(3), mode=Mode.RECOMMEND_ONLY)
    assert watching.mode == Mode.RECOMMEND_ONLY
    actions = list(
        AuditEntry.objects.filter(action__startswith="scaling.").order_by("id").values_list("action", flat=True)
    )
    assert actions == ["scaling.set_policy", "scaling.pause_policy", "scaling.resume_policy", "scaling.resume_policy"]


def test_without_a_policy_there_is_nothing_to_pause_or_read(acme):
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: pause_policy(tenant_id=acme.tenant.id, acting=TESTER, now=NOW),
        lambda: policy_of(acme.tenant.id),
    )
    for attempt in attempts:
        with pytest.raises(PolicyNotFound):
            attempt()


def test_a_policy_needs_a_tenant(db):
    with pytest.raises(TenantNotFound):
        set_policy(tenant_id="0" * 26, acting=TESTER, now=NOW)


def test_ensuring_a_policy_leaves_an_existing_one_alone(acme, globex):
    put(acme, max_replicas=9)
    assert ensure_policy(tenant_id=acme.tenant.id, now=after(5)).max_replicas == 9
    assert ensure_policy(tenant_id=globex.tenant.id, now=after(5)).max_replicas == 2
    assert AuditEntry.objects.filter(action="scaling.set_policy", tenant_id=globex.tenant.id).exists()


def test_a_tenant_reads_its_own_policy_and_may_not_write_it(acme, globex):
    put(acme)
    put(globex)
    with tenant_scope(acme.tenant.ref):
        assert [policy.tenant_id for policy in ScalingPolicy.objects.all()] == [acme.tenant.id]
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            ScalingPolicy.objects.update(max_replicas=50)


def test_a_number_of_replicas_that_the_profile_does_not_allow_is_refused(globex):
    with pytest.raises(PolicyInvalid) as refused:
        put(globex, max_replicas=3)
    assert refused.value.fields == {"max_replicas": ["The tenant's profile allows 0 to 2 workers."]}
    assert not ScalingPolicy.objects.filter(tenant_id=globex.tenant.id).exists()
    allow(globex, ProfileField.MAX_REPLICAS, 3)
    assert put(globex, max_replicas=3).max_replicas == 3


def test_a_policy_from_better_times_stays_and_may_be_changed_in_other_ways(globex):
    override = allow(globex, ProfileField.MAX_REPLICAS, 5)
    put(globex, max_replicas=5)
    revoke_override(override_id=override.id, reason="over", acting=TESTER, now=NOW)
    policy = put(globex, cpu_target_percent=50)
    assert (policy.max_replicas, policy.cpu_target_percent) == (5, 50)
    terms = terms_of(policy, effective_profile(globex.tenant.id, now=NOW).scaling)
    assert (terms.min_replicas, terms.max_replicas) == (0, 2)


def test_the_defaults_of_a_first_policy_keep_to_the_profile(globex):
    allow(globex, ProfileField.MAX_REPLICAS, 1)
    assert ensure_policy(tenant_id=globex.tenant.id, now=NOW).max_replicas == 1


def allow(player: Player, field: ProfileField, value: int) -> OverrideFacts:
    return override_value(
        tenant_id=player.tenant.id, field=field, value=value, reason="a trial", acting=TESTER, now=NOW
    )
