"""Characters that no column can hold, wherever a stranger or a member can send some: a 400 or 404, never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from core.text import is_storable
from tests.cast import Operator, Player
from tests.portal.conftest import SignIn, host_of

NUL, HALF = "a\x00b", "a\ud800b"


def test_null_characters_and_halves_of_pairs_cannot_be_stored() -> None:
    assert [is_storable(text) for text in ("", "好🙂\n", NUL, HALF)] == [True, True, False, False]


@pytest.mark.django_db
def test_a_stranger_signing_in_with_a_null_character_is_refused(acme: Player) -> None:
    client = Client(SERVER_NAME=host_of(acme.tenant))
    assert client.post("/sign-in/", {"email": NUL, "password": "x"}).status_code == 400
    assert client.post("/sign-in/", {"email": "a@b.example", "password": "x", NUL: "x"}).status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/usage/?model=%00", "/usage/export.csv?model=%00", "/usage/?%00=1", "/keys/%00/revoke/"]
)
def test_an_address_with_a_null_character_is_refused(acme: Player, as_role: SignIn, path: str) -> None:
    assert as_role(acme.tenant).get(path).status_code == 400


@pytest.mark.django_db
def test_operators_searches_and_programs_are_told_the_same(olivia: Operator) -> None:
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    assert client.get("/admin/tenants/tenant/?q=%00").status_code == 400
    problem = client.get("/api/v1/tenants?search=%00")
    assert (problem.status_code, problem.json()["code"]) == (400, "invalid_input")


@pytest.mark.django_db
@pytest.mark.parametrize("changes", [{"model": NUL}, {"model": HALF}, {"content": NUL}, {"content": HALF}])
def test_a_turn_with_text_that_cannot_be_kept_is_refused(
    acme: Player, as_role: SignIn, changes: dict[str, Any]
) -> None:
    turn = {"role": "user", "content": changes.get("content", "hello")}
    said = {"conversation": "", "model": changes.get("model", "demo-chat"), "turns": [turn]}
    answer = as_role(acme.tenant).post("/playground/turns/", json.dumps(said), content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "turn_not_usable")


@pytest.mark.django_db
@pytest.mark.parametrize("conversation", [NUL, HALF, "x" * 1000])
def test_a_conversation_whose_id_is_none_is_not_found(acme: Player, as_role: SignIn, conversation: str) -> None:
    said = {"conversation": conversation, "model": "demo-chat", "turns": [{"role": "user", "content": "hello"}]}
    answer = as_role(acme.tenant).post("/playground/turns/", json.dumps(said), content_type="application/json")
    assert answer.status_code == 404


@pytest.mark.django_db
def test_turns_that_are_nested_too_deeply_are_no_conversation(acme: Player, as_role: SignIn) -> None:
    client = as_role(acme.tenant)
    assert client.post("/playground/turns/", "[" * 100_000, content_type="application/json").status_code == 400
