"""Scaling by REST: the policy beside what runs, and the decisions."""

from __future__ import annotations

import pytest

from scaling.api import ensure_policy, policy_of
from scaling.models import ScalingDecision
from tests.cast import Operator, Player
from tests.rest import Caller, path_of
from tests.scaling.conftest import NOW, after

pytestmark = pytest.mark.usefixtures("redis")


def _decision(player: Player, number: int, *, changed: bool) -> None:
    ScalingDecision.objects.create(
        tenant_id=player.tenant.id,
        policy_version=1,
        current=number,
        wanted=number + 1,
        final=number + 1,
        reason="scaled_up",
        sentence=f"Scaled to {number + 1}.",
        changed=changed,
        first_at=after(number),
        last_at=after(number),
    )


def test_an_operator_changes_some_fields_and_keeps_the_others(acme: Player, olivia: Operator) -> None:
    ensure_policy(tenant_id=acme.tenant.id, now=NOW)
    body = Caller(olivia.token).put(path_of(acme.tenant, "/scaling"), {"max_replicas": 5, "mode": "paused"}).json()
    assert (body["policy"]["max_replicas"], body["policy"]["mode"]) == (5, "paused")
    assert body["policy"]["cpu_target_percent"] == 70
    assert (body["version"], policy_of(acme.tenant.id).version) == (2, 2)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"max_replicas": 0}, "#/max_replicas"), ({"min_replicas": 9}, "#/min_replicas"), ({"mode": "x"}, "#/mode")],
)
def test_a_policy_that_breaks_a_rule_points_to_the_field(
    acme: Player, olivia: Operator, change: dict[str, object], pointer: str
) -> None:
    ensure_policy(tenant_id=acme.tenant.id, now=NOW)
    answer = Caller(olivia.token).put(path_of(acme.tenant, "/scaling"), change)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_tenant_reads_its_scaling_and_does_not_change_it(acme: Player) -> None:
    ensure_policy(tenant_id=acme.tenant.id, now=NOW)
    caller = Caller(acme.plaintext)
    assert caller.get(path_of(acme.tenant, "/scaling")).json()["desired"] == 0
    assert caller.put(path_of(acme.tenant, "/scaling"), {"max_replicas": 50}).status_code == 403


def test_without_a_policy_there_is_nothing_to_read(acme: Player, olivia: Operator) -> None:
    answer = Caller(olivia.token).get(path_of(acme.tenant, "/scaling"))
    assert (answer.status_code, answer.json()["code"]) == (404, "scaling_policy_not_found")


def test_decisions_come_newest_first_with_their_sentences(acme: Player, globex: Player) -> None:
    _decision(acme, 0, changed=True)
    _decision(acme, 1, changed=False)
    _decision(globex, 7, changed=True)
    caller = Caller(acme.plaintext)
    rows = caller.get(path_of(acme.tenant, "/scaling/decisions")).json()["data"]
    assert [row["sentence"] for row in rows] == ["Scaled to 2.", "Scaled to 1."]
    changed = caller.get(path_of(acme.tenant, "/scaling/decisions?changed=true")).json()["data"]
    assert [row["final"] for row in changed] == [1]
