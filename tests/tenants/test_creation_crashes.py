"""kill -9 at each step of making schemas and of creating a tenant: run again, and it is there once and whole."""

from __future__ import annotations

import signal

import pytest

from audit.models import AuditEntry
from core.clock import utc_now
from core.redis import control
from proxy.records import tenant_name
from tenants import api
from tenants.models import Invitation, PooledSchema, Tenant, TenantDataKey, TenantJob
from tests.cast import TESTER
from tests.children import run_child
from tests.tenants.conftest import has_role, schemas

pytestmark = [
    pytest.mark.faults,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("committed", "redis"),
]
FILL = """
from tenants.api import fill_pool
fill_pool(now=utc_now(), target=2, most=2)
"""
CREATE = """
from audit.api import SYSTEM
from tenants.api import TenantType, create_tenant
create_tenant(
    slug="hooli", name="Hooli", type=TenantType.ENTERPRISE, owner_email="gavin@hooli.example",
    acting=SYSTEM, now=utc_now(),
)
"""
RUN = """
from tenants.api import run_due_jobs
run_due_jobs(now=utc_now())
"""
SYNCHRONOUS = ["stored", "audited", "recorded"]
STEPS = ["owner", "capacity", "plan", "scaling", "gateway", "announce"]


def crash(body: str, point: str) -> None:
    ended = run_child(body, faults=point)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def assert_whole(slug: str = "hooli") -> None:
    """One tenant with everything, and nothing twice."""
    tenant = Tenant.objects.get()
    assert tenant.slug == slug
    assert tenant.is_active
    assert schemas() == {tenant.schema_name, *(row.schema_name for row in PooledSchema.objects.all())}
    assert all(has_role(schema) for schema in schemas())
    assert TenantDataKey.objects.count() == len(schemas())
    job = TenantJob.objects.get()
    assert job.state == api.JobState.DONE, job.error
    assert [step.name for step in api.job_steps(job)] == ["tenant", *STEPS]
    assert Invitation.objects.get().email == "gavin@hooli.example"
    assert AuditEntry.objects.filter(action="tenants.create").count() == 1
    assert AuditEntry.objects.filter(action="members.invite").count() == 1
    assert control().exists(tenant_name(tenant.id))


def create() -> None:
    api.create_tenant(
        slug="hooli",
        name="Hooli",
        type=api.TenantType.ENTERPRISE,
        owner_email="gavin@hooli.example",
        acting=TESTER,
        now=utc_now(),
    )


def finish() -> None:
    """As the next beat does."""
    api.run_due_jobs(now=utc_now())


@pytest.mark.parametrize("point", ["schema", "key", "stored"])
def test_a_kill_while_a_schema_is_made_leaves_none_half_made(point: str) -> None:
    crash(FILL, f"tenants.pool.{point}")
    assert schemas() == set()
    assert not TenantDataKey.objects.exists()
    assert api.fill_pool(now=utc_now(), target=2, most=2).made == 2


def test_a_kill_while_an_outdated_schema_is_dropped_leaves_it_whole() -> None:
    api.fill_pool(now=utc_now(), target=1, most=1)
    PooledSchema.objects.update(head="older")
    crash(FILL, "tenants.pool.dropped")
    assert len(schemas()) == TenantDataKey.objects.count() == 1
    assert api.fill_pool(now=utc_now(), target=1, most=2).dropped == 1


@pytest.mark.parametrize("ready", [0, 1])
@pytest.mark.parametrize("point", SYNCHRONOUS)
def test_a_kill_before_the_commit_leaves_nothing_and_the_schema_ready(point: str, ready: int) -> None:
    api.fill_pool(now=utc_now(), target=ready, most=1)
    crash(CREATE, f"tenants.create.{point}")
    assert not Tenant.objects.exists()
    assert len(schemas()) == PooledSchema.objects.count() == ready
    create()
    finish()
    assert_whole()


def test_a_kill_while_the_missing_schema_is_made_leaves_nothing() -> None:
    crash(CREATE, "tenants.create.made")
    assert schemas() == set()
    create()
    finish()
    assert_whole()


def test_a_kill_right_after_the_commit_leaves_a_tenant_whose_job_goes_on() -> None:
    crash(CREATE, "tenants.create.committed")
    finish()
    assert_whole()


@pytest.mark.parametrize("moment", ["made", "recorded"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_that_follows_is_made_good_by_the_next_run(step: str, moment: str) -> None:
    create()
    crash(RUN, f"tenants.create.{step}.{moment}")
    finish()
    assert_whole()
