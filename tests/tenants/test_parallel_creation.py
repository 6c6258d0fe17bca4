"""A hundred creations at once: no error, and no schema for two."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from core.clock import utc_now
from core.tenancy import platform_scope
from tenants import api
from tenants.models import PooledSchema, Tenant
from tests import cast
from tests.tenants.conftest import schemas

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]
CALLERS = 100


def create_together(slugs: list[str]) -> list[object]:
    """What each caller got: a tenant, or the error."""
    ready = threading.Barrier(len(slugs))

    def caller(slug: str) -> object:
        with platform_scope():
            ready.wait(60)
            try:
                return api.create_tenant(
                    slug=slug, name=slug, type=api.TenantType.INDIVIDUAL, acting=cast.TESTER, now=utc_now()
                )
            except api.SlugTaken as error:
                return error
            finally:
                connections.close_all()

    with ThreadPoolExecutor(len(slugs)) as pool:
        return list(pool.map(caller, slugs))


def test_a_hundred_callers_get_a_hundred_schemas_also_when_the_pool_runs_dry() -> None:
    api.fill_pool(now=utc_now(), target=CALLERS - 10, most=CALLERS)
    tenants = create_together([f"many-{number}" for number in range(CALLERS)])
    assert all(isinstance(tenant, Tenant) for tenant in tenants)
    assert len({tenant.schema_name for tenant in tenants}) == CALLERS
    assert schemas() == {tenant.schema_name for tenant in Tenant.objects.all()}
    assert not PooledSchema.objects.exists()


def test_of_ten_callers_with_one_slug_one_wins_and_the_schemas_of_the_others_stay_ready() -> None:
    api.fill_pool(now=utc_now(), target=10, most=10)
    answers = create_together(["same"] * 10)
    assert sum(isinstance(answer, Tenant) for answer in answers) == 1
    assert sum(isinstance(answer, api.SlugTaken) for answer in answers) == 9
    assert PooledSchema.objects.count() == 9
