"""A tenant's own limit that ends: by itself when it is read, and with its announcement for the gateways."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.models import OutboxEvent
from core.clock import utc_now
from quotas import tasks
from quotas.api import (
    LimitNotUsable,
    LimitsChanged,
    LimitSource,
    SetLimit,
    effective_limits,
    expire_limits,
    set_limit,
    stored_limits,
)
from quotas.models import TenantLimit
from tests.audit.reading import the_entry
from tests.cast import TESTER, Player
from tests.quotas.arrange import REQUESTS

NOW = utc_now()
HOUR = timedelta(hours=1)


def give(player: Player, value: int = 7, **more: object) -> bool:
    facts = {"tenant_id": player.tenant.id, "dimension": REQUESTS, "acting": TESTER, "now": NOW}
    return set_limit(**({**facts, "value": value, "expires_at": NOW + HOUR, "reason": "a launch"} | more))


def holds(player: Player, at: timedelta) -> tuple[int | None, LimitSource]:
    limit = effective_limits(player.tenant.id, now=NOW + at)[REQUESTS]
    return limit.value, limit.source


def told() -> int:
    return OutboxEvent.objects.filter(type_name=LimitsChanged.type_name).count()


def test_it_says_who_why_and_until_when_and_stops_counting_at_its_end(acme: Player) -> None:
    give(acme)
    step = effective_limits(acme.tenant.id, now=NOW).steps[REQUESTS][-1]
    assert (step.by, step.reason, step.expires_at, step.applies) == (TESTER.label, "a launch", NOW + HOUR, True)
    assert holds(acme, HOUR - timedelta(microseconds=1)) == (7, LimitSource.OVERRIDE)
    assert holds(acme, HOUR) == (3000, LimitSource.BUILT_IN)
    assert stored_limits().of_tenants == {acme.tenant.id: {REQUESTS: SetLimit(7, True, NOW + HOUR, "a launch")}}


def test_its_end_is_told_once_with_an_audit_entry_and_arms_alerts_anew(acme: Player, globex: Player) -> None:
    give(acme)
    give(globex, expires_at=None)
    before, version = told(), effective_limits(acme.tenant.id, now=NOW)[REQUESTS].version
    assert [expire_limits(now=NOW + hours * HOUR) for hours in (0, 1, 1)] == [0, 1, 0]
    assert told() == before + 1
    entry = the_entry(action="quotas.expire_limit")
    assert (entry.tenant_id, entry.detail["before"]["reason"]) == (acme.tenant.id, "a launch")
    assert effective_limits(acme.tenant.id, now=NOW + HOUR)[REQUESTS].version > version
    assert holds(globex, 9 * HOUR) == (7, LimitSource.OVERRIDE)


def test_another_end_or_reason_is_a_change_and_the_same_is_not(acme: Player) -> None:
    assert give(acme)
    assert not give(acme)
    assert not give(acme, reason="")
    assert give(acme, expires_at=NOW + 2 * HOUR)
    assert give(acme, reason="a longer launch", expires_at=NOW + 2 * HOUR)
    assert give(acme, expires_at=None)
    assert TenantLimit.objects.get().expires_at is None


def test_an_end_in_the_past_is_refused(acme: Player) -> None:
    with pytest.raises(LimitNotUsable) as refused:
        give(acme, expires_at=NOW)
    assert list(refused.value.fields) == ["expires_at"]
    assert not TenantLimit.objects.exists()


def test_the_task_clears_what_is_over(acme: Player) -> None:
    set_limit(
        tenant_id=acme.tenant.id,
        dimension=REQUESTS,
        value=7,
        acting=TESTER,
        now=NOW - 2 * HOUR,
        expires_at=NOW - HOUR,
    )
    assert tasks.expire_limits() == 1
