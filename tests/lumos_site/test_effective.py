"""What holds for a tenant, as REST, the command and the portal tell it: the same values, each with its source."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.clock import utc_now
from quotas.api import Dimension, set_limit
from tenants.api import OverrideFacts, ProfileField, override_value
from tests.cast import TESTER, Operator, Player
from tests.rest import Caller, path_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
SLOTS = ProfileField.WORKER_SLOTS


def give(player: Player, value: object = 30, field: ProfileField = SLOTS, **more: Any) -> OverrideFacts:
    facts: dict[str, Any] = {"tenant_id": player.tenant.id, "reason": "a launch", "acting": TESTER, "now": utc_now()}
    return override_value(**{**facts, "field": field, "value": value, **more})


def by_field(answer: Any) -> dict[str, dict[str, Any]]:
    return {row["field"]: row for row in answer.json()["values"]}


def test_a_tenant_and_an_operator_read_every_value_with_its_source(acme: Player, olivia: Operator) -> None:
    made = give(acme, expires_at=utc_now() + timedelta(days=1))
    path = path_of(acme.tenant, "/effective-values")
    for caller in (Caller(acme.plaintext), Caller(olivia.token)):
        answer = caller.get(path)
        values = by_field(answer)
        assert set(values) == {field.value for field in ProfileField}
        row = values["worker_slots"]
        assert (row["value"], row["profile_value"], row["source"]) == (30, 20, "override")
        assert (row["override"]["id"], row["override"]["reason"], row["override"]["by"]) == (
            f"ovr_{made.id}",
            "a launch",
            TESTER.label,
        )
        assert row["override"]["expires_at"]
        assert values["allowed_models"]["value"] == []
        assert (values["gpus"]["source"], values["gpus"]["override"]) == ("profile", None)
        limits = {limit["dimension"]: limit for limit in answer.json()["limits"]}
        assert set(limits) == {dimension.value for dimension in Dimension}
        assert answer.json()["type"] == "ENTERPRISE"


def test_nobody_reads_those_of_another_tenant(acme: Player, globex: Player) -> None:
    mallory = Caller(globex.plaintext)
    for page in ("/effective-values", "/overrides"):
        assert mallory.get(path_of(acme.tenant, page)).status_code == 404


def test_an_operator_overrides_and_revokes_and_a_tenant_may_not(acme: Player, olivia: Operator) -> None:
    path, body = path_of(acme.tenant, "/overrides"), {"field": "allowed_models", "value": ["b", "a"], "reason": "trial"}
    assert Caller(acme.plaintext).post(path, body).status_code == 403
    made = Caller(olivia.token).post(path, body)
    assert (made.status_code, made.json()["value"]) == (201, ["a", "b"])
    assert [row["id"] for row in Caller(acme.plaintext).get(path).json()["data"]] == [made.json()["id"]]
    revoke = f"{path}/{made.json()['id']}/revoke"
    assert Caller(olivia.token).post(revoke, {"reason": "over"}).status_code == 200
    assert Caller(olivia.token).post(revoke, {"reason": "over"}).status_code == 404
    assert Caller(olivia.token).post(f"{path}/ovr_none/revoke", {"reason": "x"}).status_code == 404
    assert Caller(acme.plaintext).get(path).json()["data"] == []


def test_an_override_is_revoked_under_its_own_tenant_only(acme: Player, globex: Player, olivia: Operator) -> None:
    made = give(acme)
    other = path_of(globex.tenant, f"/overrides/ovr_{made.id}/revoke")
    assert Caller(olivia.token).post(other, {"reason": "wrong"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"field": "worker_slots", "value": -1, "reason": "x"}, "#/worker_slots"),
        ({"field": "worker_slots", "value": 1, "reason": ""}, "#/reason"),
        ({"field": "default_plan", "value": "pro", "reason": "x"}, "#/field"),
        ({"field": "gpus", "value": 1, "reason": "x", "expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at"),
    ],
)
def test_a_faulty_override_is_refused_at_its_field(
    acme: Player, olivia: Operator, body: dict[str, Any], pointer: str
) -> None:
    answer = Caller(olivia.token).post(path_of(acme.tenant, "/overrides"), body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_profiles_are_listed_and_changed_by_operators(acme: Player, olivia: Operator) -> None:
    caller = Caller(olivia.token)
    rows = {row["tenant_type"]: row["values"] for row in caller.get("/profiles").json()["data"]}
    assert (len(rows), rows["INDIVIDUAL"]["default_plan"]) == (5, "free")
    changed = caller.put("/profiles/ENTERPRISE", {"worker_slots": 3, "allowed_models": ["a"]}).json()
    assert (changed["values"]["worker_slots"], changed["values"]["allowed_models"]) == (3, ["a"])
    assert by_field(caller.get(path_of(acme.tenant, "/effective-values")))["worker_slots"]["value"] == 3
    assert caller.put("/profiles/ENTERPRISE", {"retention_days": 0}).status_code == 400
    assert caller.put("/profiles/GIANT", {}).status_code == 404
    assert Caller(acme.plaintext).get("/profiles").status_code == 403


def test_a_tenant_gets_another_type(acme: Player, olivia: Operator) -> None:
    caller, path = Caller(olivia.token), path_of(acme.tenant, "/type")
    assert caller.put(path, {"type": "GOVERNMENT", "reason": "bought"}).json()["type"] == "GOVERNMENT"
    assert by_field(caller.get(path_of(acme.tenant, "/effective-values")))["retention_days"]["value"] == 2_555
    assert caller.put(path, {"type": "GIANT", "reason": "x"}).status_code == 400
    assert Caller(acme.plaintext).put(path, {"type": "ENTERPRISE", "reason": "x"}).status_code == 403


def test_the_command_tells_each_value_and_its_source(acme: Player) -> None:
    now = utc_now()
    give(acme, 9, now=now)
    give(acme, 30, expires_at=now + timedelta(days=1))
    give(acme, ["demo-chat"], ProfileField.ALLOWED_MODELS)
    facts: dict[str, Any] = {"tenant_id": acme.tenant.id, "acting": TESTER, "now": now}
    set_limit(dimension=Dimension.MONEY_PER_MONTH, value=2_500_000, reason="a trial", hard=False, **facts)
    set_limit(dimension=Dimension.TOKENS_PER_MONTH, value=None, expires_at=now + timedelta(days=2), **facts)
    out = StringIO()
    call_command("effective", "acme", stdout=out)
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in out.getvalue().splitlines()}
    assert lines["Acme"].startswith("(acme), type ENTERPRISE, plan none")
    assert lines["worker_slots"].startswith("30 override ovr_")
    assert "a launch (type: 20); also 9 from" in lines["worker_slots"]
    assert lines["allowed_models"].startswith("demo-chat override")
    assert lines["gpus"] == "0 type"
    assert lines["money_per_month"].startswith("2.5 (soft) override (acme) by tests: a trial")
    assert lines["tokens_per_month"].startswith("unlimited override (acme) by tests until")
    assert lines["requests_per_minute"] == "3000 built_in (ENTERPRISE)"


def test_the_command_says_that_nobody_is_called_so() -> None:
    with pytest.raises(CommandError, match="no such tenant"):
        call_command("effective", "nobody")
