"""What a new installation starts with: operator, plans, limits, this machine's capacity, demo tenants and provider.

Owns the order and what the person at the terminal is told once. Every step looks first, so running it again adds
nothing; a step that broke off is done by the next run.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from audit.api import Actor
from billing.api import seed_catalogue, set_model_cost, subscribe_tenant
from core.clock import utc_now
from core.redis import control
from proxy.api import republish_all, seed_demo_provider, seed_from_env
from quotas.api import recover, seed_type_limits
from scaling.api import set_policy
from tenants.api import (
    OperatorRole,
    Role,
    Scope,
    Tenant,
    TenantType,
    add_member,
    create_api_key,
    create_tenant,
    seed_pools,
    set_operator_role,
)

SEED = Actor.system("first run")
OPERATOR = "operator"
_DEMO_COSTS = {"demo-chat": ("0.0000010", "0.0000040"), "demo-fast": ("0.0000002", "0.0000008")}


@dataclass(frozen=True, slots=True)
class Demo:
    """A tenant to look at; `workers` is how many of its own it keeps and may have."""

    slug: str
    name: str
    type: TenantType
    plan: str
    owner: str
    workers: tuple[int, int]


DEMOS = (
    Demo("acme", "Acme Corporation", TenantType.ENTERPRISE, "enterprise", "owner@acme.example", (1, 4)),
    Demo("globex", "Globex", TenantType.INDIVIDUAL, "free", "owner@globex.example", (0, 1)),
)


def seed_installation(now: datetime) -> dict[str, Any]:
    """Everything that is missing. Returns `operator`, `demo_keys` and `demo_members` for what was made just now."""
    seed_catalogue(acting=SEED, now=now)
    seed_type_limits(acting=SEED, now=now)
    if seed_demo_provider(acting=SEED, now=now):
        _price_demo_models(now)
    seed_from_env(acting=SEED, now=now)
    seed_pools(acting=SEED, now=now)
    report: dict[str, Any] = {"operator": _first_operator(now), "demo_keys": {}, "demo_members": {}}
    if not Tenant.objects.exists():
        for demo in DEMOS:
            key, password = _found_demo(demo, now)
            report["demo_keys"][demo.slug] = key
            report["demo_members"][demo.slug] = {"email": demo.owner, "password": password}
    return report


def _price_demo_models(now: datetime) -> None:
    """The simulation pretends to cost something, so that cost and margin can be looked at."""
    for model, (input_token, output_token) in _DEMO_COSTS.items():
        set_model_cost(
            provider="demo",
            model=model,
            input_token=Decimal(input_token),
            output_token=Decimal(output_token),
            acting=SEED,
            now=now,
        )


def _first_operator(now: datetime) -> dict[str, str] | None:
    """A superuser with a random password, unless there is one."""
    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(15)
    account = User.objects.create_superuser(OPERATOR, "operator@lumos.example", password)
    set_operator_role(user_id=account.pk, role=OperatorRole.SUPER, acting=SEED, now=now)
    return {"username": OPERATOR, "password": password}


@transaction.atomic
def _found_demo(demo: Demo, now: datetime) -> tuple[str, str]:
    """The tenant, its owner, contract, policy and one key; returns the key and the owner's password."""
    tenant = create_tenant(slug=demo.slug, name=demo.name, type=demo.type, acting=SEED, now=now, plan=demo.plan)
    password = secrets.token_urlsafe(12)
    add_member(tenant_id=tenant.id, email=demo.owner, role=Role.OWNER, acting=SEED, now=now, password=password)
    subscribe_tenant(tenant_id=tenant.id, plan_code=demo.plan, acting=SEED, now=now)
    fewest, most = demo.workers
    set_policy(tenant_id=tenant.id, acting=SEED, now=now, min_replicas=fewest, max_replicas=most)
    scopes = [Scope.INFERENCE, Scope.USAGE_READ, Scope.KEYS_READ, Scope.KEYS_WRITE]
    _, plaintext = create_api_key(
        tenant_id=tenant.id, name="Demo key", acting=SEED, now=now, scopes=[scope.value for scope in scopes]
    )
    return plaintext, password


def publish_gateway() -> None:
    """Tell the gateway everything it decides by, counters included; cheap to repeat."""
    republish_all(utc_now())
    recover(control())
