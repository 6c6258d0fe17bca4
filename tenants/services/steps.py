"""What each kind of job does after its row was written: named steps in order. Each may run again with the same end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from audit.api import SYSTEM, emit
from core.lifecycle import Moment, Part, parts_of
from tenants.data import JobKind, Role, TenantChanged
from tenants.models import Membership, Tenant, TenantJob
from tenants.services import erasure
from tenants.services.invitations import invite_member
from tenants.services.members import find_account

GRACE = "grace"  # the step of a deletion that waits; once it is done there is no way back


@dataclass(frozen=True, slots=True)
class Step:
    """`run(job, now)` answers with a sentence of what it did or found; raises NotYet where it must wait."""

    name: str
    run: Callable[[TenantJob, datetime], str]


def steps_of(kind: JobKind) -> tuple[Step, ...]:
    return tuple(_STEPS[kind]())


def _creation() -> Iterator[Step]:
    yield Step("owner", _invite_owner)
    yield from _parts(Moment.BORN)
    yield Step("announce", _announce)


def _stopping() -> Iterator[Step]:
    yield from _parts(Moment.STOPPED)


def _starting() -> Iterator[Step]:
    yield from _parts(Moment.STARTED)


def _deletion() -> Iterator[Step]:
    yield from _parts(Moment.STOPPED, "stop-")
    yield Step("export", erasure.export_once)
    yield Step(GRACE, erasure.wait_for_grace)
    yield Step("creation", erasure.end_creation)
    yield Step("api-keys", erasure.revoke_keys)
    yield from _parts(Moment.GONE)
    yield Step("people", erasure.delete_people)
    yield Step("files", erasure.remove_files)
    yield Step("schema", erasure.drop_schema_and_role)
    yield Step("data-key", erasure.destroy_key)
    yield Step("rows", erasure.empty_tables)
    yield Step("redis", erasure.forget_keys)
    yield Step("tombstone", erasure.bury)
    yield Step("proof", erasure.prove_nothing_is_left)


def _parts(moment: Moment, prefix: str = "") -> Iterator[Step]:
    for part in parts_of(moment):
        yield Step(prefix + part.name, partial(_take_part, part))


def _take_part(part: Part, job: TenantJob, now: datetime) -> str:
    return part.run(job.tenant_id, now)


def _invite_owner(job: TenantJob, now: datetime) -> str:
    email = job.input.get("owner_email", "")
    if not email:
        return "no owner was named"
    account = find_account(email)
    if account is not None and Membership.objects.filter(tenant_id=job.tenant_id, user=account).exists():
        return "the owner is a member already"
    invite_member(tenant_id=job.tenant_id, email=email, role=Role.OWNER, owners=True, acting=SYSTEM, now=now)
    return "the owner is invited by mail"


def _announce(job: TenantJob, now: datetime) -> str:
    """For everybody who follows tenants without taking part."""
    status = Tenant.objects.values_list("status", flat=True).get(pk=job.tenant_id)
    emit(TenantChanged(job.tenant_id, status))
    return "told"


_STEPS: dict[JobKind, Callable[[], Iterator[Step]]] = {
    JobKind.CREATE: _creation,
    JobKind.SUSPEND: _stopping,
    JobKind.ARCHIVE: _stopping,
    JobKind.RESUME: _starting,
    JobKind.RESTORE: _starting,
    JobKind.DELETE: _deletion,
}
