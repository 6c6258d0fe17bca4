"""The compute fence in the isolation report: it shows what holds each worker, and sees one that nothing holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.clock import utc_now
from scaling.api import set_policy, settle_tenant
from scaling.conf import MEBIBYTE
from scaling.data import WorkerLimits, WorkerView
from scaling.models import ScalingTarget
from tenants.api import (
    CheckResult,
    IsolationLevel,
    Outcome,
    ProfileField,
    ResourceAllocator,
    ResourceAmounts,
    ResourceKind,
    add_pool,
    override_value,
    reserve_host,
)
from tenants.models import CapacityPool
from tests.cast import TESTER, Player
from tests.scaling.conftest import report, worker
from tests.tenants.test_isolation_report import one

pytestmark = pytest.mark.usefixtures("redis")
HELD = WorkerLimits(512 * MEBIBYTE, 500)
MEANS = ("cgroup memory.max", "cgroup cpu.max")


def told(player: Player, *workers: WorkerView) -> CheckResult:
    set_policy(tenant_id=player.tenant.id, acting=TESTER, now=utc_now(), max_replicas=2)
    report(utc_now(), {player.tenant.id: list(workers)})
    return one(player, "limits_in_force")


def test_a_worker_that_is_held_is_shown_with_its_limits_and_the_means(acme: Player) -> None:
    result = told(acme, replace(worker(4711), limits=HELD, held_by=MEANS))
    assert result.outcome is Outcome.PASSED
    assert "Pid 4711: memory 512 MiB, CPU 500 m, by cgroup memory.max, cgroup cpu.max." in result.evidence


@pytest.mark.parametrize(
    "free",
    [worker(4711), replace(worker(4711), limits=HELD), replace(worker(4711), limits=replace(HELD, memory_bytes=0))],
)
def test_a_worker_that_nothing_holds_is_seen(acme: Player, free: WorkerView) -> None:
    result = told(acme, replace(worker(1), limits=HELD, held_by=MEANS), free)
    assert (result.outcome, "nothing holds processes 4711." in result.evidence) == (Outcome.FAILED, True)


class TestLevel:
    """Whose hosts a tenant is on, by the tables and by the backend's report."""

    def held(self, player: Player, level: IsolationLevel, *, reserved: bool) -> None:
        tenant, now = player.tenant, utc_now()
        field = ProfileField.ISOLATION_LEVEL
        override_value(tenant_id=tenant.id, field=field, value=level.value, reason="x", acting=TESTER, now=now)
        add_pool(region="local", name="a", kind=ResourceKind.GPUS, capacity=4, acting=TESTER, now=now)
        if reserved:
            reserve_host(region="local", name="a", tenant_id=tenant.id, acting=TESTER, now=now)
        amounts = ResourceAmounts(gpus=1)
        ResourceAllocator.allocate(tenant_id=tenant.id, request_key="x", amounts=amounts, acting=TESTER, now=now)

    def found(self, player: Player) -> tuple[Outcome, str]:
        result = one(player, "hosts_by_level")
        return result.outcome, result.evidence

    def test_standard_shares_hosts_that_are_nobodys_own(self, acme: Player, globex: Player) -> None:
        self.held(acme, IsolationLevel.STANDARD, reserved=False)
        assert self.found(acme) == (
            Outcome.PASSED,
            "Level standard: it shares 1 host, and none is another's own.",
        )
        CapacityPool.objects.update(reserved_for=globex.tenant)  # by hand, past every rule
        outcome, evidence = self.found(acme)
        assert (outcome, "on 1 host that others have for themselves." in evidence) == (Outcome.FAILED, True)
        outcome, evidence = self.found(globex)
        assert (outcome, evidence) == (Outcome.FAILED, "Others hold something on hosts that are reserved for it.")

    def test_dedicated_has_its_own_and_is_alone_there(self, acme: Player, globex: Player) -> None:
        self.held(acme, IsolationLevel.DEDICATED, reserved=True)
        assert self.found(acme) == (
            Outcome.PASSED,
            "Level dedicated: everything is on 1 host, reserved for it, and nobody else is there.",
        )
        report(utc_now(), {acme.tenant.id: [worker(1)], globex.tenant.id: [worker(2)]})
        assert self.found(acme) == (
            Outcome.FAILED,
            "Level dedicated, and workers of others run on the same machine.",
        )
        CapacityPool.objects.update(reserved_for=None)
        assert self.found(acme)[1] == "Level dedicated, and it holds something on 1 host that others share."

    def test_dedicated_without_a_host_waits_and_is_told_so(self, acme: Player) -> None:
        self.held(acme, IsolationLevel.DEDICATED, reserved=False)
        outcome, evidence = self.found(acme)
        assert (outcome, "it has to wait" in evidence) == (Outcome.NOT_APPLICABLE, True)


def test_a_dedicated_tenant_runs_no_worker_where_no_host_is_its_own(acme: Player) -> None:
    TestLevel().held(acme, IsolationLevel.DEDICATED, reserved=False)
    set_policy(tenant_id=acme.tenant.id, acting=TESTER, now=utc_now(), min_replicas=1)
    settle_tenant(acme.tenant.id, now=utc_now())
    assert ScalingTarget.objects.get(pk=acme.tenant.id).replicas == 0
