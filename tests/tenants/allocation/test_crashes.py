"""kill -9 in the middle of giving out and taking back: nothing has happened, and doing it again does it once."""

from __future__ import annotations

import signal

import pytest

from audit.models import AuditEntry
from tenants.allocation.data import AllocationState
from tenants.models import Allocation, CapacityPool
from tests.cast import found_acme, found_globex
from tests.children import run_child
from tests.tenants.allocation.conftest import CPU, ask, pool, used

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]
_HEAD = """
from audit.api import SYSTEM
from tenants.allocation.allocator import allocate, release, resize
from tenants.allocation.data import ResourceKind
from tenants.allocation.pools import add_pool
from tenants.allocation.waiting import retry_waiting
from tenants.data import ResourceAmounts
common = {{"acting": SYSTEM, "now": utc_now()}}
mine = {{"tenant_id": "{tenant}", **common}}
"""
ALLOCATE = 'allocate(request_key="new", amounts=ResourceAmounts(cpu_millicores={amount}), **mine)'
RESIZE = 'resize(allocation_id="{row}", amounts=ResourceAmounts(cpu_millicores=200), **mine)'
RELEASE = 'release(allocation_id="{row}", **mine)'
RETRY = 'retry_waiting(region="local", **common)'
POOL = 'add_pool(region="local", name="b", kind=ResourceKind.CPU_MILLICORES, capacity=900, **common)'


@pytest.mark.parametrize(
    ("point", "call", "amount", "given_out", "holding", "action"),
    [
        ("taken", ALLOCATE, 100, 700, 2, "capacity.allocate"),
        ("queued", ALLOCATE, 900, 600, 1, "capacity.allocate"),
        ("resized", RESIZE, 0, 200, 1, "capacity.resize"),
        ("freed", RELEASE, 0, 900, 1, "capacity.release"),
        ("drained", RETRY, 0, 600, 1, "capacity.retry"),
        ("pool", POOL, 0, 1500, 2, "capacity.add_pool"),
    ],
)
def test_a_kill_leaves_what_was_and_the_next_try_does_it_once(
    point: str, call: str, amount: int, given_out: int, holding: int, action: str
) -> None:
    """globex waits for 900 of acme's pool of 1,000, of which acme holds 600: more of them fit only by release."""
    acme = found_acme().tenant
    pool(CPU, 1000, name="a")
    row = ask(acme, cpu_millicores=600)
    if point != "taken":
        ask(found_globex().tenant, cpu_millicores=900)
    entries = AuditEntry.objects.filter(action=action).count()
    body = _HEAD.format(tenant=acme.id) + call.format(row=row.pk, amount=amount)
    killed = run_child(body, faults=f"tenants.allocation.{point}")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sum(used(each) for each in CapacityPool.objects.all()) == 600
    assert Allocation.objects.filter(state=AllocationState.HELD).count() == 1
    assert AuditEntry.objects.filter(action=action).count() == entries
    again = run_child(body)
    assert again.returncode == 0, again.stderr
    assert sum(used(each) for each in CapacityPool.objects.all()) == given_out
    assert Allocation.objects.filter(state=AllocationState.HELD).count() == holding
    assert AuditEntry.objects.filter(action=action).count() == entries + 1
