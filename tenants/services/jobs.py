"""Jobs of tenants: recorded, carried on after any death, resumed by beat or by hand; owns no step of its own.

A step and the note that it is done are one transaction, under the job's row lock. Who is killed in between is
followed by somebody who begins with the first step that is not done. One process works on a job at a time: its
advisory lock ends with its connection.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from audit.api import Actor, record
from core.errors import LumosError
from core.faults import fault_point
from core.lifecycle import NotYet
from core.locks import alone
from tenants.data import OPEN_JOBS, JobKind, JobState, JobStep, StepState
from tenants.errors import JobNotFound, WrongStatus
from tenants.models import TenantJob
from tenants.services.steps import Step, steps_of

log = structlog.get_logger(__name__)
LOCK = 7_052_032  # advisory lock, with the job's id: one process carries a job on
MOST_FAILURES = 8
_GOING = (JobState.WAITING, JobState.RUNNING)


class _Interrupted(Exception):
    """The job was cancelled while it ran."""


def open_job(
    *,
    kind: JobKind,
    tenant_id: str,
    acting: Actor,
    now: datetime,
    due_at: datetime | None = None,
    input: dict[str, Any] | None = None,
    done: Iterable[JobStep] = (),
) -> TenantJob:
    """Record a job in the caller's transaction; `done` are the steps that this transaction makes itself.

    Raises WrongStatus when another transaction opened one at the same moment; the caller's is lost then.
    """
    job = TenantJob(
        kind=kind,
        tenant_id=tenant_id,
        steps=[asdict(step) for step in done],
        input=input or {},
        asked_by=acting.label[:200],
        asked_at=now,
        due_at=due_at or now,
    )
    try:
        return TenantJob.objects.bulk_create([job])[0]
    except IntegrityError as error:
        if "tenant_job_one_open" in str(error):
            raise WrongStatus(_("Something else is being done to this tenant already.")) from error
        raise


def cancel_open_jobs(tenant_id: str, *, now: datetime) -> list[TenantJob]:
    """End what is being done to a tenant, in the caller's transaction; its creation goes on. Returns what was ended.

    Take this before the tenant's row lock: steps lock their job first and the tenant then.
    """
    jobs = list(
        TenantJob.objects.select_for_update()
        .filter(tenant_id=tenant_id, state__in=OPEN_JOBS)
        .exclude(kind=JobKind.CREATE)
        .order_by("id")
    )
    for job in jobs:
        job.state, job.finished_at = JobState.CANCELLED, now
        job.save(update_fields=["state", "finished_at"])
    return jobs


def run_due_jobs(*, now: datetime, most: int = 100, seconds: float = 20.0) -> int:
    """Carry on whatever is due, oldest first; returns how many jobs were looked at. Safe to run in parallel."""
    began, looked_at = time.monotonic(), 0
    due = TenantJob.objects.filter(state__in=_GOING, due_at__lte=now).order_by("due_at", "id")
    for job_id in list(due.values_list("pk", flat=True)[:most]):
        if time.monotonic() - began > seconds:
            break
        run_job(job_id, now=now + timedelta(seconds=time.monotonic() - began))
        looked_at += 1
    return looked_at


def run_job(job_id: str, *, now: datetime) -> JobState:
    """Carry one job on as far as it goes; its state afterwards. Never raises for what a step does.

    Raises JobNotFound.
    """
    with alone(LOCK, job_id) as mine:
        job = TenantJob.objects.filter(pk=job_id).first()
        if job is None:
            raise JobNotFound()
        if mine and job.state in _GOING:
            _carry_on(job, now)
        return JobState(job.state)


def resume_job(*, job_id: str, acting: Actor, now: datetime) -> TenantJob:
    """Let a job that is stuck or waits for its next attempt go on now. Raises JobNotFound and WrongStatus."""
    with transaction.atomic():
        job = TenantJob.objects.select_for_update().filter(pk=job_id).first()
        if job is None:
            raise JobNotFound()
        if job.state not in OPEN_JOBS or (job.due_at > now and not job.error):
            raise WrongStatus("This job is over, or waits for its time")
        job.state, job.due_at, job.attempts = JobState.WAITING, min(job.due_at, now), 0
        job.save(update_fields=["state", "due_at", "attempts"])
        record("tenants.resume_job", actor=acting, tenant_id=job.tenant_id, target=job.public_id)
    run_job(job_id, now=now)
    return TenantJob.objects.get(pk=job_id)


def _carry_on(job: TenantJob, now: datetime) -> None:
    began = time.monotonic()
    for step in steps_of(JobKind(job.kind)):
        if _recorded(job, step.name).state is StepState.DONE:
            continue
        at = now + timedelta(seconds=time.monotonic() - began)
        try:
            _perform(job, step, at)
        except _Interrupted:
            return
        except NotYet as waiting:
            _put_off(job, step, at, str(waiting), due_at=at + timedelta(seconds=waiting.seconds))
            return
        except Exception as error:  # whatever a room's step raises is the job's to record, and to try again
            _fail(job, step, at, error)
            return
    _finish(job, now + timedelta(seconds=time.monotonic() - began))


def _perform(job: TenantJob, step: Step, at: datetime) -> None:
    """The step and the note of it: both or neither."""
    point, began = f"tenants.{job.kind.lower()}.{step.name}", time.perf_counter()
    with transaction.atomic():
        _hold(job)
        fault_point(f"{point}.begun")
        note = step.run(job, at)
        fault_point(f"{point}.made")
        milliseconds = round((time.perf_counter() - began) * 1000)
        _note(job, JobStep(step.name, StepState.DONE, at.isoformat(), milliseconds, note[:300]))
        job.state, job.error = JobState.RUNNING, ""
        job.save(update_fields=["steps", "state", "error"])
    fault_point(f"{point}.recorded")


def _hold(job: TenantJob) -> None:
    """Lock the row; raises _Interrupted when the job is over."""
    state = TenantJob.objects.select_for_update().values_list("state", flat=True).filter(pk=job.pk).first()
    if state not in _GOING:
        raise _Interrupted


def _put_off(job: TenantJob, step: Step, at: datetime, why: str, *, due_at: datetime) -> None:
    _note(job, JobStep(step.name, StepState.WAITING, at.isoformat(), 0, why[:300]))
    _store(job, state=JobState.WAITING, due_at=due_at)


def _fail(job: TenantJob, step: Step, at: datetime, error: Exception) -> None:
    """Try again after 2 s, 4 s, 8 s …; after MOST_FAILURES somebody has to look."""
    why = error.message if isinstance(error, LumosError) else f"{type(error).__name__}: {error}"
    log.warning("tenants.job.failed", kind=job.kind, tenant=job.tenant_id, step=step.name, error=why[:300])
    _note(job, JobStep(step.name, StepState.FAILED, at.isoformat(), 0, why[:300]))
    job.attempts += 1
    stuck = job.attempts >= MOST_FAILURES
    due_at = at + timedelta(seconds=min(2**job.attempts, 300))
    job.error = f"{step.name}: {why[:500]}"
    _store(job, state=JobState.STUCK if stuck else JobState.WAITING, due_at=due_at)


def _finish(job: TenantJob, at: datetime) -> None:
    job.finished_at, job.error = at, ""
    _store(job, state=JobState.DONE, due_at=job.due_at)


def _store(job: TenantJob, *, state: JobState, due_at: datetime) -> None:
    """Only while nobody has cancelled it."""
    job.state, job.due_at = state, due_at
    fields = {name: getattr(job, name) for name in ("steps", "attempts", "error", "finished_at")}
    TenantJob.objects.filter(pk=job.pk, state__in=_GOING).update(state=state, due_at=due_at, **fields)


def job_steps(job: TenantJob) -> list[JobStep]:
    """What is recorded, and after it what is still to come."""
    recorded = [_revived(row) for row in job.steps]
    names = {step.name for step in recorded}
    coming = steps_of(JobKind(job.kind)) if job.state in OPEN_JOBS else ()
    return [*recorded, *(JobStep(step.name) for step in coming if step.name not in names)]


def _revived(row: dict[str, Any]) -> JobStep:
    return JobStep(**{**row, "state": StepState(row["state"])})


def _recorded(job: TenantJob, name: str) -> JobStep:
    return next((_revived(row) for row in job.steps if row["name"] == name), JobStep(name))


def _note(job: TenantJob, step: JobStep) -> None:
    """Put the step's newest record in the place of its last one."""
    job.steps = [row for row in job.steps if row["name"] != step.name] + [asdict(step)]
