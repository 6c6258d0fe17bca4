"""The catalogue by REST: tenants see what is served, operators see what is behind it, nobody sees a key."""

from __future__ import annotations

import pytest

from core.clock import utc_now
from proxy.api import add_model, add_provider, change_provider, set_provider_key
from tests.cast import TESTER, Operator, Player
from tests.rest import Caller

pytestmark = pytest.mark.usefixtures("redis")
SECRET = "upstream-credential-abcd"


@pytest.fixture
def catalogue(db: None) -> None:
    now = utc_now()
    add_provider(name="cloud", kind="openai", base_url="https://models.example/v1", acting=TESTER, now=now)
    set_provider_key(provider="cloud", plaintext=SECRET, acting=TESTER, now=now)
    add_model(name="big", provider="cloud", upstream_name="big-2026", acting=TESTER, now=now)
    add_provider(name="old", kind="demo", acting=TESTER, now=now)
    add_model(name="gone", provider="old", acting=TESTER, now=now)
    change_provider(name="old", enabled=False, acting=TESTER, now=now)


def test_a_tenant_sees_served_models_and_not_who_answers(acme: Player, catalogue: None) -> None:
    rows = Caller(acme.plaintext).get("/models").json()["data"]
    assert [row["name"] for row in rows] == ["big"]
    assert "provider" not in rows[0]
    assert "upstream_name" not in rows[0]


def test_an_operator_sees_all_models_with_their_providers(olivia: Operator, catalogue: None) -> None:
    rows = {row["name"]: row for row in Caller(olivia.token).get("/models").json()["data"]}
    assert rows["big"]["upstream_name"] == "big-2026"
    assert rows["gone"]["provider"] == "old"


def test_a_providers_key_is_never_shown_whole(olivia: Operator, catalogue: None) -> None:
    answer = Caller(olivia.token).get("/providers")
    cloud = next(row for row in answer.json()["data"] if row["name"] == "cloud")
    assert cloud["keys"] == [{"name": "main", "last_four": "abcd"}]
    assert cloud["id"].startswith("prv_")
    assert SECRET not in answer.content.decode()


def test_providers_are_for_operators(acme: Player, catalogue: None) -> None:
    assert Caller(acme.plaintext).get("/providers").status_code == 403
