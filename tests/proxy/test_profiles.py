"""What profiles, overrides and a change of type do at the gateway: published at once, and obeyed by one that runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from billing.api import seed_catalogue, subscribe_tenant
from core.clock import utc_now
from core.conf import ROOT
from proxy.api import republish_all, seed_demo_provider
from proxy.records import TenantRecord, tenant_name
from quotas.api import Dimension, expire_limits, recover, set_limit, set_plan_limit
from tenants.api import (
    ProfileField,
    TenantType,
    announce_overrides,
    override_value,
    revoke_override,
    set_profile_fields,
    set_tenant_type,
)
from tests.cast import TESTER, Player

pytestmark = pytest.mark.django_db(transaction=True)
WHO: dict[str, Any] = {"acting": TESTER, "now": utc_now()}
MODELS, POLICY = ProfileField.ALLOWED_MODELS, ProfileField.FAILURE_POLICY


def record_of(redis: Any, player: Player) -> TenantRecord:
    return TenantRecord.from_json(redis.get(tenant_name(player.tenant.id)))


def override(player: Player, field: ProfileField, value: object, **more: Any) -> Any:
    return override_value(tenant_id=player.tenant.id, field=field, value=value, reason="a trial", **{**WHO, **more})


def test_a_types_profile_reaches_the_records_of_that_type_only(redis: Any, acme: Player, globex: Player) -> None:
    republish_all(utc_now())
    assert (record_of(redis, acme).failure_policy, record_of(redis, globex).failure_policy) == (
        "FAIL_CLOSED",
        "CONSERVATIVE",
    )
    set_profile_fields(tenant_type=TenantType.ENTERPRISE, values={MODELS: ["demo-chat"]}, **WHO)
    assert record_of(redis, acme).models == ("demo-chat",)
    assert record_of(redis, globex).models == ()


def test_an_override_reaches_the_record_when_it_begins_and_leaves_it_when_it_ends(redis: Any, acme: Player) -> None:
    now = utc_now()
    override(acme, POLICY, "CONSERVATIVE", now=now, expires_at=now + timedelta(seconds=2))
    assert record_of(redis, acme).failure_policy == "CONSERVATIVE"
    time.sleep(2)
    assert announce_overrides(now=utc_now()) == 1
    assert record_of(redis, acme).failure_policy == "FAIL_CLOSED"


def test_a_limits_end_and_another_type_reach_the_record(redis: Any, acme: Player) -> None:
    now, requests = utc_now(), Dimension.REQUESTS_PER_MINUTE
    ends = now + timedelta(seconds=1)
    set_limit(tenant_id=acme.tenant.id, dimension=requests, value=7, acting=TESTER, now=now, expires_at=ends)
    assert record_of(redis, acme).limits[requests].value == 7
    time.sleep(1)
    expire_limits(now=utc_now())
    assert record_of(redis, acme).limits[requests].value == 3000
    set_tenant_type(tenant_id=acme.tenant.id, tenant_type=TenantType.INDIVIDUAL, reason="smaller", **WHO)
    assert record_of(redis, acme).limits[requests].value == 60
    assert record_of(redis, acme).failure_policy == "CONSERVATIVE"


_PROGRAM = """
import asyncio, sys
import django
django.setup()
from tests.proxy.serving import serving

async def main():
    async with serving() as served:
        print('port', served.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def gateways(redis: Any, acme: Player) -> Iterator[list[str]]:
    """The addresses of two gateways, each a process of its own."""
    seed_demo_provider(**WHO)
    seed_catalogue(**WHO)
    subscribe_tenant(tenant_id=acme.tenant.id, plan_code="enterprise", **WHO)
    republish_all(utc_now())
    recover(redis)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen([sys.executable, "-c", _PROGRAM], **pipes) for _ in range(2)]
    try:
        yield [f"http://127.0.0.1:{port_of(process)}" for process in processes]
    finally:
        for process in processes:
            process.communicate(timeout=20)


def port_of(process: Any) -> int:
    """What the process says between its log lines."""
    return next(int(line.split()[1]) for line in process.stdout if line.startswith("port "))


def headers(player: Player) -> dict[str, str]:
    return {"authorization": f"Bearer {player.plaintext}"}


def names(gateway: str, player: Player) -> set[str]:
    answer = httpx.get(f"{gateway}/v1/models", headers=headers(player), timeout=5)
    return {model["id"] for model in answer.json()["data"]}


def chat(gateway: str, player: Player, model: str = "demo-fast") -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
    return httpx.post(f"{gateway}/v1/chat/completions", json=body, headers=headers(player), timeout=10)


def within_five_seconds(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_running_gateways_offer_and_serve_only_the_models_that_are_allowed_now(
    gateways: list[str], acme: Player
) -> None:
    assert all("demo-fast" in names(gateway, acme) for gateway in gateways)
    row = override(acme, MODELS, ["demo-chat"])
    assert within_five_seconds(lambda: all(names(gateway, acme) == {"demo-chat"} for gateway in gateways))
    for gateway in gateways:
        refused = chat(gateway, acme)
        assert (refused.status_code, refused.json()["error"]["param"]) == (403, "model")
        assert "workspace" in refused.json()["error"]["message"]
    revoke_override(override_id=row.id, reason="over", **WHO)
    assert within_five_seconds(lambda: all("demo-fast" in names(gateway, acme) for gateway in gateways))


def test_running_gateways_obey_another_type_and_another_plan_within_five_seconds(
    gateways: list[str], acme: Player
) -> None:
    def told_by_all(value: int) -> bool:
        limits = {chat(gateway, acme).headers.get("x-ratelimit-limit-requests") for gateway in gateways}
        return limits == {str(value)}

    assert told_by_all(3000)
    set_tenant_type(tenant_id=acme.tenant.id, tenant_type=TenantType.SMALL_BUSINESS, reason="smaller", **WHO)
    assert within_five_seconds(lambda: told_by_all(300))
    set_plan_limit(plan="pro", dimension=Dimension.REQUESTS_PER_MINUTE, value=700, **WHO)
    subscribe_tenant(tenant_id=acme.tenant.id, plan_code="pro", acting=TESTER, now=utc_now())
    assert within_five_seconds(lambda: told_by_all(700))
