"""The probe: what a tenant's own worker says of itself, and who may not run it."""

from __future__ import annotations

import json
import os
import re
import time

import pytest

from audit.models import AuditEntry
from core.clock import utc_now
from core.redis import key
from core.tenancy import WrongTenant, tenant_scope
from core.tenancy.celery import queue_of
from lumos_site.celery import app as _app  # noqa: F401 - tasks go through the product's application
from scaling.api import PolicyInvalid, last_probe, send_probes, set_policy, settle_tenant
from scaling.conf import LocalSettings
from scaling.data import WorkerStatus
from scaling.probe import run_probe
from scaling.tasks import probe
from tenants.api import TenantNotFound, suspend_tenant
from tests.cast import TESTER, found_acme, found_globex
from tests.scaling.conftest import NOW
from tests.scaling.running import AgentProcess, decisions_of, eventually, workers_alive


def test_a_probe_runs_as_its_tenant_and_sees_one_policy(acme, globex, redis):
    for player in (acme, globex):
        set_policy(tenant_id=player.tenant.id, acting=TESTER, now=NOW)
    assert last_probe(acme.tenant.id) is None
    with tenant_scope(acme.tenant.ref):
        report = run_probe(busy_seconds=0.02, now=NOW)
    assert (report.role, report.schema) == (acme.tenant.schema_name, acme.tenant.schema_name)
    assert (report.policies_visible, report.pid) == (1, os.getpid())
    assert report.took_ms >= 20
    assert last_probe(acme.tenant.id) == report


def test_probes_go_to_the_tenants_own_queue_with_an_audit_entry(acme, redis):
    assert send_probes(tenant_id=acme.tenant.id, acting=TESTER, count=3) == 3
    assert redis.llen(key("celery", queue_of(acme.tenant.id))) == 3
    entry = AuditEntry.objects.get(action="scaling.send_probes")
    assert (entry.tenant_id, entry.detail["count"]) == (acme.tenant.id, 3)


@pytest.mark.parametrize("numbers", [{"count": 0}, {"count": 101}, {"busy_seconds": -1}, {"busy_seconds": 61}])
def test_probes_out_of_range_are_refused(acme, redis, numbers):
    with pytest.raises(PolicyInvalid):
        send_probes(tenant_id=acme.tenant.id, acting=TESTER, **numbers)


def test_probes_need_a_tenant(db):
    with pytest.raises(TenantNotFound):
        send_probes(tenant_id="0" * 26, acting=TESTER)


def test_a_worker_of_one_tenant_refuses_the_probe_of_another(acme, globex, redis, monkeypatch):
    monkeypatch.setenv("LUMOS_WORKER_TENANT", acme.tenant.id)
    with pytest.raises(WrongTenant):
        probe(tenant_id=globex.tenant.id)
    assert probe(tenant_id=acme.tenant.id) >= 0


@pytest.mark.e2e
def test_the_products_own_workers_do_their_tenants_tasks_and_no_others(transactional_db, redis, local, worker_database):
    """The whole way: policy, round, order, agent, `celery -A lumos_site worker`, task in the tenant's scope."""
    acme, globex = found_acme().tenant, found_globex().tenant
    set_policy(tenant_id=acme.id, acting=TESTER, now=utc_now(), min_replicas=1)
    settle_tenant(acme.id, now=utc_now())
    agent = AgentProcess(redis, acme.id, ("manage.py", "run_local_backend"))
    try:
        eventually(agent.idle_workers, "an idle worker", 40)
        assert workers_alive(local.home)[0].environ()["LUMOS_WORKER_TENANT"] == acme.id
        probe.apply_async(kwargs={"tenant_id": globex.id}, queue=queue_of(acme.id))
        send_probes(tenant_id=acme.id, acting=TESTER)
        report = eventually(lambda: last_probe(acme.id), "the probe's report")
        assert report.pid in agent.pids(WorkerStatus.IDLE, WorkerStatus.BUSY)
        assert (report.role, report.policies_visible) == (acme.schema_name, 1)
        assert last_probe(globex.id) is None
        assert set(json.loads(local.secrets_file.read_text())) == {"django_secret", "metrics_token"}
        load_raises(acme.id, agent)
        suspending_empties(acme.id, local)
    finally:
        agent.popen.terminate()
        assert agent.popen.wait(15) == 0
    assert workers_alive(local.home) == []


def load_raises(tenant_id: str, agent: AgentProcess) -> None:
    """Real load on a real worker: the rule sees it and says so, and a second worker comes.

    The target is low, so that a worker that shares its core with half a dozen processes still passes it.
    """
    set_policy(tenant_id=tenant_id, acting=TESTER, now=utc_now(), queue_target=None, cpu_target_percent=10)
    send_probes(tenant_id=tenant_id, acting=TESTER, count=12, busy_seconds=5)
    eventually(
        lambda: decisions_of(tenant_id)[0].final == 2,
        "two replicas are ordered",
        40,
        lambda: settle_tenant(tenant_id, now=utc_now()),
    )
    sentence = next(row.sentence for row in decisions_of(tenant_id) if row.changed)
    assert re.match(r"Scaled acme from 1 to 2 replicas: CPU \d+ % \(target 10 %\)", sentence)
    eventually(lambda: len(agent.pids(WorkerStatus.BUSY)) == 2, "two busy workers", 40)


def suspending_empties(tenant_id: str, local: LocalSettings) -> None:
    """Two workers in the middle of their tasks are gone within 5 s."""
    began = time.monotonic()
    suspend_tenant(tenant_id=tenant_id, reason="unpaid", acting=TESTER, now=utc_now())
    eventually(lambda: workers_alive(local.home) == [], "no worker is left", 5)
    assert time.monotonic() - began < 5
