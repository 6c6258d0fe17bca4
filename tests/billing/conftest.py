"""Billing's own stage: plans, subscribed tenants and a usage stream of this worker's namespace."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis as redis_library

from billing.api import seed_catalogue, subscribe_tenant
from quotas.api import recover
from tests.billing.facts import MOMENT
from tests.cast import TESTER, Player

SINCE = MOMENT - timedelta(days=10)


@pytest.fixture
def catalogue(db: None) -> None:
    seed_catalogue(acting=TESTER, now=SINCE)


@pytest.fixture
def paying(acme: Player, catalogue: None) -> Player:
    """acme on the Pro plan since ten days ago."""
    subscribe_tenant(tenant_id=acme.tenant.id, plan_code="pro", acting=TESTER, now=SINCE)
    return acme


@pytest.fixture
def stream(redis: redis_library.Redis, db: None) -> redis_library.Redis:
    """Redis with quota counters that need no rebuilding, so that the ingest may write."""
    recover(redis)
    return redis
