"""Limits by REST: what holds and why, and an operator's exceptions."""

from __future__ import annotations

import pytest

from core.errors import Unavailable
from quotas.api import Dimension
from tests.cast import Operator, Player
from tests.rest import Caller, path_of

pytestmark = pytest.mark.usefixtures("redis")


def _by_dimension(answer) -> dict[str, dict]:
    return {row["dimension"]: row for row in answer.json()["data"]}


def test_a_tenant_reads_what_holds_and_how_it_came_about(acme: Player) -> None:
    limits = _by_dimension(Caller(acme.plaintext).get(path_of(acme.tenant, "/limits")))
    assert set(limits) == {dimension.value for dimension in Dimension}
    assert limits["money_per_month"]["unit"] == "micro"
    steps = limits["requests_per_minute"]["explanation"]
    assert [step["applies"] for step in steps].count(True) == 1
    assert limits["requests_per_minute"]["used"] == 0


def test_an_exception_replaces_what_the_type_grants_and_goes_again(acme: Player, olivia: Operator) -> None:
    caller, path = Caller(olivia.token), path_of(acme.tenant, "/limits/tokens_per_minute")
    before = _by_dimension(caller.get(path_of(acme.tenant, "/limits")))["tokens_per_minute"]["value"]
    given = caller.put(path, {"value": 7, "hard": False}).json()
    assert (given["value"], given["hard"], given["source"]) == (7, False, "override")
    assert caller.delete(path).json()["value"] == before


def test_unlimited_is_null_and_nothing_is_zero(acme: Player, olivia: Operator) -> None:
    caller, path = Caller(olivia.token), path_of(acme.tenant, "/limits/concurrent_requests")
    assert caller.put(path, {"value": None}).json()["value"] is None
    assert caller.put(path, {"value": 0}).json()["value"] == 0


@pytest.mark.parametrize("body", [{}, {"value": -1}, {"value": "many"}, {"value": 10**16}])
def test_values_that_are_no_limit_are_refused(acme: Player, olivia: Operator, body: dict) -> None:
    answer = Caller(olivia.token).put(path_of(acme.tenant, "/limits/tokens_per_minute"), body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/value"


def test_an_unknown_dimension_is_not_found(acme: Player, olivia: Operator) -> None:
    answer = Caller(olivia.token).put(path_of(acme.tenant, "/limits/smiles"), {"value": 1})
    assert answer.status_code == 404
    assert "tokens_per_month" in answer.json()["next_step"]


def test_a_tenant_cannot_raise_its_own_limits(acme: Player) -> None:
    caller = Caller(acme.plaintext)
    assert caller.put(path_of(acme.tenant, "/limits/tokens_per_minute"), {"value": 7}).status_code == 403
    assert caller.delete(path_of(acme.tenant, "/limits/tokens_per_minute")).status_code == 403


def test_limits_are_told_without_the_counters(acme: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unavailable

    monkeypatch.setattr("quotas.views.usage_of", away)
    limits = _by_dimension(Caller(acme.plaintext).get(path_of(acme.tenant, "/limits")))
    assert limits["tokens_per_month"]["used"] is None
    assert limits["tokens_per_month"]["value"] is not None
