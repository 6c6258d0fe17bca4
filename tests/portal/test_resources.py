"""A workspace's own resources on its usage page: amounts in words, nothing of hosts, reasons or others."""

from __future__ import annotations

import pytest

from core.clock import utc_now
from tenants.api import ResourceAllocator, ResourceAmounts, ResourceKind, Role, Tenant, add_pool
from tests.cast import TESTER, Player
from tests.portal.conftest import SignIn

pytestmark = pytest.mark.django_db


def ask(tenant: Tenant, key: str, **amounts: int) -> None:
    ResourceAllocator.allocate(
        tenant_id=tenant.id, request_key=key, amounts=ResourceAmounts(**amounts), acting=TESTER, now=utc_now()
    )


def test_a_viewer_reads_what_the_workspace_has_and_waits_for_and_nothing_else(
    acme: Player, globex: Player, as_role: SignIn
) -> None:
    for kind, capacity in ((ResourceKind.CPU_MILLICORES, 9000), (ResourceKind.GPUS, 1)):
        add_pool(region="local", name="rack-7", kind=kind, capacity=capacity, acting=TESTER, now=utc_now())
    ask(acme.tenant, "ceiling", cpu_millicores=2500, memory_mib=2048)
    ask(acme.tenant, "training", gpus=4)
    ask(globex.tenant, "ceiling", cpu_millicores=777, storage_mib=100)
    page = as_role(acme.tenant, Role.VIEWER).get("/usage/").content.decode()
    assert 'Processor cores</th><td class="number">2.5</td><td>Available' in page
    assert 'Memory</th><td class="number">2 GiB</td><td>Available' in page
    assert 'GPUs</th><td class="number">4</td><td>Some of it is not free yet; waiting since <time' in page
    assert [word for word in ("rack-7", "100 MiB", "0.777", "short", "priority") if word in page] == []
    others = as_role(globex.tenant).get("/usage/").content.decode()
    assert "0.777" in others
    assert "100 MiB" in others
    assert "2.5" not in others


def test_without_allocations_there_is_no_such_section(acme: Player, as_role: SignIn) -> None:
    assert "Resources" not in as_role(acme.tenant).get("/usage/").content.decode()
