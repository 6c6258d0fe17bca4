"""A worker that is killed on the way of a webhook: nothing is lost, and what arrives twice has one webhook-id."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from audit.api import relay_outbox
from audit.models import OutboxEvent
from core.clock import utc_now
from tenants.api import DeliveryState, Role, add_endpoint, add_member, deliveries_of
from tenants.webhooks.delivery import CLAIM, run_deliveries
from tests.cast import TESTER, Player, found_acme
from tests.children import run_child
from tests.tenants.webhooks_receiver import LOCAL, LOCAL_TEXT, Receiver, receiving

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("redis")]
KILLED = -9


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def acme(committed: None, redis, server: Receiver) -> Player:
    """With an endpoint that has not been told anything."""
    player = found_acme()
    relay_outbox(now=utc_now() + timedelta(minutes=5))
    add_endpoint(tenant_id=player.tenant.id, url=server.url, acting=TESTER, now=utc_now(), policy=LOCAL)
    return player


def _happen(player: Player) -> None:
    common = {"tenant_id": player.tenant.id, "acting": TESTER, "now": utc_now()}
    add_member(email="new@acme.example", role=Role.VIEWER, **common)


def _deliver_in_child(faults: str) -> int:
    body = f"""
{LOCAL_TEXT}
from tenants.webhooks.delivery import run_deliveries
run_deliveries(now=utc_now(), policy=LOCAL)
"""
    return run_child(body, faults=faults).returncode


@pytest.mark.parametrize(("point", "arrived"), [("webhooks.claimed", 0), ("webhooks.sent", 1)])
def test_killed_before_or_after_the_message_is_sent(acme: Player, server: Receiver, point: str, arrived: int) -> None:
    _happen(acme)
    assert _deliver_in_child(point) == KILLED
    assert len(server.got) == arrived
    assert run_deliveries(now=utc_now(), policy=LOCAL) == 0  # the dead one's claim holds still
    assert run_deliveries(now=utc_now() + CLAIM, policy=LOCAL) == 1
    [delivery] = deliveries_of(acme.tenant.id)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 2)
    assert server.ids == [f"evt_{delivery.message_id}"] * (arrived + 1)


@pytest.mark.parametrize("point", ["webhooks.message_stored", "audit.outbox.handled"])
def test_killed_while_an_event_becomes_deliveries(acme: Player, server: Receiver, point: str) -> None:
    body = f"""
from tenants.api import Role, add_member
from audit.api import Actor
common = dict(tenant_id="{acme.tenant.id}", acting=Actor.system("tests"), now=utc_now())
add_member(email="new@acme.example", role=Role.VIEWER, **common)
"""
    assert run_child(body, faults=point).returncode == KILLED
    assert OutboxEvent.objects.filter(type_name="tenants.announced", delivered_at=None).count() == 1
    for minutes in (1, 2):
        relay_outbox(now=utc_now() + timedelta(minutes=minutes))
    run_deliveries(now=utc_now() + timedelta(minutes=3), policy=LOCAL)
    [delivery] = deliveries_of(acme.tenant.id)
    assert delivery.state == DeliveryState.DELIVERED
    assert server.ids == [f"evt_{delivery.message_id}"]
