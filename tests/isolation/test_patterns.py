"""A thousand reads by each pattern: none of another tenant's with the fence, and some with the library's own way."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from core.tenancy import TenantRef, run_in_tenant
from core.tenancy.context import PLATFORM, set_scope
from tenants.api import ApiKey
from tenants.workspace.models import Conversation
from tests import cast
from tests.isolation.fences import Ours, Stock, renew_shared_thread, stock_backend
from tests.isolation.patterns import PATTERNS, Pair

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis", "committed")]
TIMES = int(os.environ.get("LUMOS_PATTERN_TIMES") or 1000)
CONTROL_TIMES = 100
# What the library gets right, or refuses, by itself; the other patterns must show the foreign row without the fence.
SAFE_ANYWAY = {"other_threads", "commit_hook"}


def found_pair() -> Pair:
    """acme and globex, whose conversation and key bear their own names."""
    refs = (cast.found_acme().tenant.ref, cast.found_globex().tenant.ref)
    for ref in refs:
        run_in_tenant(ref, Conversation.objects.create, title=ref.slug, model="demo", member_id="1")
        ApiKey.objects.filter(tenant_id=ref.id).update(name=ref.slug)
    return refs


@pytest.fixture
async def pair(committed: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[TenantRef, TenantRef]]:
    """Connections stay open between messages, as in a pool: one that is made anew shows no former tenant."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 600)
    await renew_shared_thread()
    yield await sync_to_async(found_pair)()
    await renew_shared_thread()
    set_scope(PLATFORM)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
async def test_a_thousand_reads_with_the_fence_show_no_foreign_row(pattern, pair: Pair) -> None:
    count = await pattern(Ours(), pair, TIMES)
    assert count.leaks == 0, count
    refusing = {"failing_switch", "stream_after_the_scope"}
    assert count.refused == (TIMES if pattern.__name__ in refusing else 0), count
    assert count.right + count.refused == TIMES


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
async def test_the_negative_control_without_the_fence_finds_leaks(pattern, pair: Pair) -> None:
    with stock_backend():
        await renew_shared_thread()
        count = await pattern(Stock(), pair, CONTROL_TIMES)
        await renew_shared_thread()
    print(pattern.__name__, count)
    assert (count.leaks > 0) == (pattern.__name__ not in SAFE_ANYWAY)
