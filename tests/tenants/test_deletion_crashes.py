"""kill -9 at each step of a deletion: run again, and the tenant is gone just as if nothing had happened."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from audit.api import relay_outbox
from audit.models import AuditEntry
from core.clock import utc_now
from core.lifecycle import Moment, parts_of
from tenants import api
from tenants.models import Tenant
from tenants.services.steps import steps_of
from tests.children import run_child
from tests.tenants.leaving import ask, deletion_of, furnish, traces

pytestmark = [
    pytest.mark.faults,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("committed", "redis"),
]
RUN = """
from audit.api import relay_outbox
from tenants.api import run_due_jobs
relay_outbox(now=utc_now())
run_due_jobs(now=utc_now())
"""
STEPS = [step.name for step in steps_of(api.JobKind.DELETE)]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMOS_BACKUPS", str(tmp_path / "backups"))


def test_the_steps_stand_in_this_order() -> None:
    gone = [part.name for part in parts_of(Moment.GONE)]
    assert gone[:4] == ["gateway", "workers", "books", "quotas"]
    stops = [f"stop-{part.name}" for part in parts_of(Moment.STOPPED)]
    assert STEPS[: len(stops) + 4] == [*stops, "export", "grace", "creation", "api-keys"]
    own = ["people", "files", "schema", "data-key", "rows", "redis", "tombstone", "proof"]
    assert STEPS[-len(own) :] == own
    assert len(set(STEPS)) == len(STEPS)


def test_a_kill_at_each_step_in_turn_changes_nothing_of_the_end() -> None:
    """One deletion that is killed at every step, after it was made and before that is recorded."""
    acme = furnish()["acme"].tenant
    with transaction.atomic():
        ask(acme, now=utc_now(), grace=timedelta(0))
        job = deletion_of(acme.id)
        transaction.get_connection().run_on_commit.clear()  # the request dies before it runs the job
    relay_outbox(now=utc_now() + timedelta(seconds=3))  # as beat does meanwhile
    for step in STEPS:
        ended = run_child(RUN, faults=f"tenants.delete.{step}.made")
        assert ended.returncode == -signal.SIGKILL, f"{step}: {ended.stderr[-2000:]}"
    api.run_job(job.id, now=utc_now())
    job.refresh_from_db()
    assert (job.state, job.error) == (api.JobState.DONE, "")
    assert [step.name for step in api.job_steps(job)] == STEPS
    assert traces(acme.id) == []
    assert Tenant.objects.get(pk=acme.id).status == api.TenantStatus.DELETED
    for action in ("tenants.delete", "tenants.erase", "billing.end_contract"):
        assert AuditEntry.objects.filter(action=action, tenant_id=acme.id).count() == 1, action
