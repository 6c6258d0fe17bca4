"""Jobs: each step once and recorded, failures tried again and then shown, waiting, cancelling, one runner at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connections, transaction

from audit.models import AuditEntry
from core import lifecycle
from core.clock import utc_now
from core.errors import Conflict
from core.ids import new_ulid
from core.lifecycle import Moment, NotYet, parts_of, takes_part
from core.locks import alone
from core.tenancy import platform_scope
from tenants import api
from tenants.data import StepState
from tenants.models import TenantJob
from tenants.services import jobs
from tenants.tasks import run_jobs
from tests import cast

pytestmark = pytest.mark.django_db
NOW = utc_now()


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces who takes part when a tenant is born."""

    def replace(**functions: lifecycle.PartFunction) -> None:
        monkeypatch.setitem(lifecycle._parts, Moment.BORN, [])
        for name, function in functions.items():
            takes_part(Moment.BORN, name)(function)

    return replace


def noting(ran: list[str], name: str, found: str = "") -> lifecycle.PartFunction:
    def part(tenant_id: str, now: datetime) -> str:
        ran.append(name)
        return found

    return part


def steps(job: TenantJob) -> dict[str, StepState]:
    job.refresh_from_db()
    return {step.name: step.state for step in api.job_steps(job)}


@pytest.fixture
def job(acme: cast.Player) -> TenantJob:
    return TenantJob.objects.get(tenant_id=acme.tenant.id)


def test_each_step_runs_once_and_is_recorded_with_its_time(job: TenantJob, parts: Callable[..., None]) -> None:
    ran: list[str] = []
    parts(first=noting(ran, "first", "made"), second=noting(ran, "second", "found"))
    for _ in range(2):
        assert api.run_job(job.id, now=NOW) is api.JobState.DONE
    assert ran == ["first", "second"]
    assert list(steps(job)) == ["tenant", "owner", "first", "second", "announce"]
    first = api.job_steps(job)[2]
    assert (first.note, first.started_at[:16]) == ("made", NOW.isoformat()[:16])
    assert job.finished_at is not None


def test_a_step_that_fails_is_shown_and_tried_again_later_from_there(
    job: TenantJob, parts: Callable[..., None]
) -> None:
    ran: list[str] = []

    def refuse(*_: object) -> str:
        raise Conflict("The plan is gone")

    parts(first=noting(ran, "first", ""), second=refuse)
    assert api.run_job(job.id, now=NOW) is api.JobState.WAITING
    assert steps(job) | {"announce": StepState.WAITING} == {
        "tenant": StepState.DONE,
        "owner": StepState.DONE,
        "first": StepState.DONE,
        "second": StepState.FAILED,
        "announce": StepState.WAITING,
    }
    assert job.error == "second: The plan is gone"
    assert api.run_due_jobs(now=NOW) == 0
    assert api.run_due_jobs(now=NOW + timedelta(seconds=5)) == 1
    assert ran == ["first"]


def test_after_eight_failures_somebody_has_to_look_and_can_let_it_go_on(
    job: TenantJob, parts: Callable[..., None]
) -> None:
    well = False

    def fail(*_: object) -> str:
        if not well:
            raise RuntimeError("away")
        return "back"

    parts(broken=fail)
    for number in range(jobs.MOST_FAILURES):
        api.run_due_jobs(now=NOW + timedelta(hours=number + 1))
    job.refresh_from_db()
    assert (job.state, job.attempts, job.error) == (api.JobState.STUCK, 8, "broken: RuntimeError: away")
    assert api.run_due_jobs(now=NOW + timedelta(days=1)) == 0
    well = True
    assert api.resume_job(job_id=job.id, acting=cast.TESTER, now=NOW).state == api.JobState.DONE
    assert AuditEntry.objects.filter(action="tenants.resume_job", target=job.public_id).count() == 1
    with pytest.raises(api.WrongStatus):
        api.resume_job(job_id=job.id, acting=cast.TESTER, now=NOW)


def test_a_step_that_waits_is_no_failure_and_is_asked_again(job: TenantJob, parts: Callable[..., None]) -> None:
    answers = iter([NotYet("two workers are left", seconds=3), None])

    def wait(*_: object) -> str:
        answer = next(answers)
        if answer is not None:
            raise answer
        return "none is left"

    parts(workers=wait)
    assert api.run_job(job.id, now=NOW) is api.JobState.WAITING
    job.refresh_from_db()
    assert (job.state, job.attempts, job.error) == (api.JobState.WAITING, 0, "")
    assert api.job_steps(job)[2].note == "two workers are left"
    assert timedelta(seconds=3) <= job.due_at - NOW < timedelta(seconds=5)
    with pytest.raises(api.WrongStatus, match="waits for its time"):
        api.resume_job(job_id=job.id, acting=cast.TESTER, now=NOW)
    api.run_due_jobs(now=job.due_at)
    assert steps(job)["workers"] is StepState.DONE


def test_what_a_failing_step_wrote_is_undone(job: TenantJob, parts: Callable[..., None]) -> None:
    def half(tenant_id: str, now: object) -> str:
        api.rename_tenant(tenant_id=tenant_id, name="Half", acting=cast.TESTER, now=NOW)
        raise RuntimeError("in the middle")

    parts(half=half)
    api.run_job(job.id, now=NOW)
    assert api.tenant_by_id(job.tenant_id).name == "Acme"


@pytest.mark.usefixtures("committed")
def test_a_job_that_is_cancelled_between_two_steps_stops_there(parts: Callable[..., None]) -> None:
    job = TenantJob.objects.get(tenant_id=cast.found_acme().tenant.id)
    ran: list[str] = []

    def cancel() -> None:
        TenantJob.objects.filter(pk=job.id).update(state=api.JobState.CANCELLED)

    def first(*_: object) -> str:
        transaction.on_commit(cancel)
        return "done"

    parts(first=first, second=noting(ran, "second", ""))
    api.run_job(job.id, now=NOW)
    assert ran == []
    assert api.run_job(job.id, now=NOW) is api.JobState.CANCELLED


def test_parts_run_upwards_at_the_beginning_and_downwards_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for moment in Moment:
        monkeypatch.setitem(lifecycle._parts, moment, [])
        for name in ("ground", "roof"):
            takes_part(moment, name)(lambda tenant_id, now: "")
    order = {moment: [part.name for part in parts_of(moment)] for moment in Moment}
    assert order[Moment.BORN] == order[Moment.STARTED] == ["ground", "roof"]
    assert order[Moment.STOPPED] == order[Moment.GONE] == ["roof", "ground"]
    with pytest.raises(ValueError, match="already"):
        takes_part(Moment.GONE, "roof")(lambda tenant_id, now: "")


def test_an_unknown_job_is_said_to_be_unknown() -> None:
    for call in (
        lambda: api.run_job(new_ulid(), now=NOW),
        lambda: api.resume_job(job_id=new_ulid(), acting=cast.TESTER, now=NOW),
    ):
        with pytest.raises(api.JobNotFound):
            call()


def test_beat_carries_on_what_is_due(job: TenantJob, parts: Callable[..., None]) -> None:
    parts()
    assert run_jobs() == 1
    job.refresh_from_db()
    assert job.state == api.JobState.DONE


@pytest.mark.usefixtures("committed")
def test_two_runners_do_not_work_on_one_job() -> None:
    job = TenantJob.objects.get(tenant_id=cast.found_acme().tenant.id)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with platform_scope(), alone(jobs.LOCK, job.id) as mine:
            assert mine
            held.set()
            done.wait(20)
        connections.close_all()

    with ThreadPoolExecutor(1) as other:
        holding = other.submit(hold)
        assert held.wait(20)
        assert api.run_job(job.id, now=NOW) is api.JobState.WAITING
        done.set()
        holding.result()
    assert "owner" not in {row["name"] for row in TenantJob.objects.get().steps}
