"""A key makes keys, and none that reaches further than itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.clock import utc_now
from tenants.api import ApiKey, KeyLimits, create_api_key
from tenants.grants import Reach, beyond
from tenants.services import keys
from tests.cast import TESTER, Operator, Player
from tests.rest import Caller, path_of

ENDS = datetime(2027, 1, 1, tzinfo=UTC)
OWN = Reach(frozenset({"inference", "keys:write"}), False, frozenset({"a", "b"}), KeyLimits(10, 100), ENDS)
INSIDE: dict[str, Any] = {
    "scopes": frozenset({"inference"}),
    "live": False,
    "models": frozenset({"a"}),
    "limits": KeyLimits(10, 50),
    "expires_at": ENDS,
}


def test_what_is_inside_may_be_given() -> None:
    assert beyond(OWN, Reach(**INSIDE)) == {}
    assert beyond(Reach(frozenset({"inference"})), Reach(**INSIDE)) == {}


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("scopes", frozenset({"usage:read"}), "scopes"),
        ("live", True, "live"),
        ("models", frozenset(), "models"),
        ("models", frozenset({"a", "c"}), "models"),
        ("limits", KeyLimits(11, 50), "limits.requests_per_minute"),
        ("limits", KeyLimits(10, None), "limits.tokens_per_minute"),
        ("expires_at", None, "expires_at"),
        ("expires_at", ENDS + timedelta(seconds=1), "expires_at"),
    ],
)
def test_what_reaches_further_is_named(field: str, value: Any, name: str) -> None:
    assert list(beyond(OWN, Reach(**{**INSIDE, field: value}))) == [name]


@pytest.mark.django_db
def test_a_narrow_key_cannot_make_itself_a_wide_one(acme: Player) -> None:
    _, narrow = create_api_key(
        tenant_id=acme.tenant.id,
        name="narrow",
        scopes=["keys:write", "inference"],
        models=["demo-chat"],
        limits=KeyLimits(requests_per_minute=5),
        acting=TESTER,
        now=utc_now(),
    )
    answer = Caller(narrow).post(path_of(acme.tenant, "/keys"), {"name": "wide"})
    assert answer.status_code == 400
    assert {error["pointer"] for error in answer.json()["errors"]} == {"#/models", "#/limits/requests_per_minute"}
    assert not ApiKey.objects.filter(name="wide").exists()
    same = {"name": "same", "models": ["demo-chat"], "limits": {"requests_per_minute": 5}}
    assert Caller(narrow).post(path_of(acme.tenant, "/keys"), same).status_code == 201


@pytest.mark.django_db
def test_a_tenant_has_only_so_many_keys(olivia: Operator, acme: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 2)
    caller = Caller(olivia.token)
    made = caller.post(path_of(acme.tenant, "/keys"), {"name": "second", "scopes": ["inference", "inference"]})
    assert (made.status_code, made.json()["scopes"]) == (201, ["inference"])
    refused = caller.post(path_of(acme.tenant, "/keys"), {"name": "third"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_keys")
    caller.delete(path_of(acme.tenant, f"/keys/{made.json()['id']}"))
    assert caller.post(path_of(acme.tenant, "/keys"), {"name": "third"}).status_code == 201
