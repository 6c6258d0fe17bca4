"""The compute fence in the isolation report: it shows what holds each worker, and sees one that nothing holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.clock import utc_now
from scaling.api import set_policy
from scaling.conf import MEBIBYTE
from scaling.data import WorkerLimits, WorkerView
from tenants.api import CheckResult, Outcome
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
