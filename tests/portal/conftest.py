"""Browsers of the portal's tests: Django's client on a tenant's host, signed in as a member with a chosen role."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from billing.api import seed_catalogue, subscribe_tenant
from core.clock import utc_now
from core.tenancy import platform_scope
from tenants.api import Role, Tenant, add_member
from tests import cast

SignIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_collected_files(settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path


@pytest.fixture(autouse=True)
def _fresh_redis(redis) -> None:
    """Counters of attempts must not reach from one test into the next."""


def host_of(tenant: Tenant) -> str:
    return f"{tenant.slug}.localhost"


def stranger(tenant: Tenant) -> Client:
    """A browser on the tenant's host that nobody signed in with."""
    return Client(SERVER_NAME=host_of(tenant))


@pytest.fixture
def as_role() -> SignIn:
    """`as_role(tenant, Role.VIEWER)`: a browser signed in as a member with that role."""

    def sign_in(tenant: Tenant, role: Role = Role.OWNER, email: str = "") -> Client:
        with platform_scope():
            member = add_member(
                tenant_id=tenant.id,
                email=email or f"{role.value.lower()}@{tenant.slug}.example",
                role=role,
                acting=cast.TESTER,
                now=utc_now(),
                password=cast.PASSWORD,
            )
            client = stranger(tenant)
            client.force_login(member.user)
        return client

    return sign_in


@pytest.fixture
def on_a_plan() -> Callable[[Tenant], None]:
    """Puts a tenant on the plan `pro` of the starting catalogue."""

    def subscribe(tenant: Tenant) -> None:
        with platform_scope():
            now = utc_now()
            seed_catalogue(acting=cast.TESTER, now=now)
            subscribe_tenant(tenant_id=tenant.id, plan_code="pro", acting=cast.TESTER, now=now)

    return subscribe
