"""Limits by count hold when several come at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connections

from core.clock import utc_now
from core.errors import LumosError
from core.tenancy import TenantRef, platform_scope, tenant_scope
from tenants.api import create_api_key
from tenants.services import keys
from tenants.webhooks import services
from tenants.webhooks.services import add_endpoint
from tenants.workspace.models import WebhookEndpoint
from tests.cast import TESTER, Player

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis")]
CROWD = 6


def at_once(work: Callable[[], object]) -> Counter[str]:
    """What became of as many as came together."""
    start, outcomes = threading.Barrier(CROWD), []

    def come() -> None:
        with platform_scope():
            start.wait()
            try:
                work()
                outcomes.append("made")
            except LumosError as error:
                outcomes.append(error.code)
            finally:
                connections.close_all()

    threads = [threading.Thread(target=come) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return Counter(outcomes)


def test_of_endpoints(acme: Player, globex: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_ENDPOINTS", 2)
    common = {"url": "https://93.184.216.34/x", "acting": TESTER, "now": utc_now()}
    said = at_once(lambda: add_endpoint(tenant_id=acme.tenant.id, **common))
    assert (said["made"], said["too_many_endpoints"]) == (2, CROWD - 2)
    with tenant_scope(TenantRef(acme.tenant.id)):
        assert WebhookEndpoint.objects.count() == 2
    add_endpoint(tenant_id=globex.tenant.id, **common)


def test_of_keys(acme: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 3)  # one of which acme has
    said = at_once(lambda: create_api_key(tenant_id=acme.tenant.id, name="x", acting=TESTER, now=utc_now()))
    assert (said["made"], said["too_many_keys"]) == (2, CROWD - 2)
    assert acme.tenant.api_keys.filter(revoked_at=None).count() == 3
