"""Publishers that overlap: what one withdraws, a slower one must not put back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis as redis_library
from django.db import connection

from core.clock import utc_now
from core.tenancy import platform_scope
from proxy import publish
from proxy.records import TenantRecord, key_name, tenant_name
from tenants.api import revoke_api_key, suspend_tenant
from tests import cast

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def player(transactional_db: None, redis: redis_library.Redis) -> cast.Player:
    return cast.found_acme()


class Meanwhile:
    """Wraps the making of a record: between reading a row and writing its record, `work` is done elsewhere."""

    def __init__(self, make: Callable[..., Any], work: Callable[[], Any]) -> None:
        self._make = make
        self._work = work
        self.thread: threading.Thread | None = None

    def __call__(self, *arguments: Any) -> Any:
        record = self._make(*arguments)
        if self.thread is None:
            self.thread = threading.Thread(target=self._run)
            self.thread.start()
            self.thread.join(0.5)  # long enough for the work, unless it waits for us, as it should
        return record

    def _run(self) -> None:
        with platform_scope():
            self._work()
            connection.close()

    def ended(self) -> bool:
        assert self.thread is not None
        self.thread.join(5)
        return not self.thread.is_alive()


def test_a_key_revoked_while_all_are_republished_stays_withdrawn(
    player: cast.Player, redis: redis_library.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def revoke() -> None:
        revoke_api_key(tenant_id=player.tenant.id, key_id=player.key.id, acting=cast.TESTER, now=utc_now())

    meanwhile = Meanwhile(publish._key_record, revoke)
    monkeypatch.setattr(publish, "_key_record", meanwhile)
    publish.republish_all(utc_now())
    assert meanwhile.ended()
    assert redis.exists(key_name(player.key.digest)) == 0


def test_a_tenant_suspended_while_all_are_published_stays_suspended(
    player: cast.Player, redis: redis_library.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def suspend() -> None:
        suspend_tenant(tenant_id=player.tenant.id, reason="unpaid", acting=cast.TESTER, now=utc_now())

    meanwhile = Meanwhile(publish._tenant_record, suspend)
    monkeypatch.setattr(publish, "_tenant_record", meanwhile)
    publish.publish_tenants(utc_now())
    assert meanwhile.ended()
    raw = redis.get(tenant_name(player.tenant.id))
    assert isinstance(raw, bytes)
    assert TenantRecord.from_json(raw).status == "SUSPENDED"
