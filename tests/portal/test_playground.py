"""The playground's page, token and kept conversations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from core.clock import utc_now
from core.tenancy import NoActiveScope, platform_scope, tenant_scope
from proxy.api import seed_demo_provider
from proxy.tokens import read_browser_token
from tenants.api import (
    ConversationNotFound,
    Role,
    Turn,
    TurnNotUsable,
    conversation_text,
    conversations_of,
    delete_conversation,
    keep_turns,
)
from tests.cast import TESTER, Player
from tests.portal.conftest import SignIn, host_of

SAID = [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "  Why is\nthe sky blue? "},
        {"role": "assistant", "content": "<b>Rayleigh</b>"}]  # fmt: skip


def keep(client: Client, **changes: Any) -> Any:
    body = {"conversation": "", "model": "demo-chat", "turns": SAID, "usage": None, **changes}
    return client.post("/playground/turns/", json.dumps(body), content_type="application/json")


def test_a_token_stands_for_this_tenant_and_member_for_minutes(acme: Player, as_role: SignIn) -> None:
    answer = as_role(acme.tenant).post("/playground/token/")
    record = read_browser_token(answer.json()["token"], int(utc_now().timestamp() * 1000))
    assert record.tenant_id == acme.tenant.id
    assert answer.json()["expires_in"] == 300
    assert "no-store" in answer["Cache-Control"]


def test_a_token_is_given_to_this_sites_own_pages_only(acme: Player) -> None:
    client = Client(SERVER_NAME=host_of(acme.tenant), enforce_csrf_checks=True)
    client.force_login(acme.owner)
    assert client.post("/playground/token/").status_code == 403


def test_the_picker_offers_chat_models_and_the_well_behaved_first(acme: Player, as_role: SignIn) -> None:
    seed_demo_provider(acting=TESTER, now=utc_now())
    page = as_role(acme.tenant).get("/playground/").content.decode()
    assert page.index('value="demo-chat"') < page.index('value="demo-fast"') < page.index('value="demo-429"')
    assert "demo-embed" not in page


def test_without_models_the_page_says_who_can_help(acme: Player, as_role: SignIn) -> None:
    page = as_role(acme.tenant).get("/playground/").content.decode()
    assert "No model is offered yet" in page


def test_a_conversation_is_kept_continued_reopened_and_deleted(acme: Player, as_role: SignIn) -> None:
    client = as_role(acme.tenant)
    kept = keep(client)
    assert (kept.status_code, kept.json()["title"], kept.json()["cost"]) == (201, "Why is the sky blue?", "")
    identifier = kept.json()["id"]
    more = [{"role": "user", "content": "And red?"}, {"role": "assistant", "content": "Dust."}]
    assert keep(client, conversation=identifier, turns=more).json()["id"] == identifier
    page = client.get(f"/playground/c/{identifier}/").content.decode()
    assert page.index("And red?") < page.index("Dust.")
    assert "&lt;b&gt;Rayleigh&lt;/b&gt;" in page
    assert ">Be kind</textarea>" in page
    assert "Why is the sky blue?" in client.get(f"/playground/history/?open={identifier}").content.decode()
    assert client.post(f"/playground/c/{identifier}/delete/")["Location"] == "/playground/"
    assert client.get(f"/playground/c/{identifier}/").status_code == 404


def test_conversations_are_their_members_alone_and_live_in_the_tenants_schema(
    acme: Player, globex: Player, as_role: SignIn
) -> None:
    identifier = keep(as_role(acme.tenant)).json()["id"]
    colleague = as_role(acme.tenant, Role.ADMIN)
    assert colleague.get(f"/playground/c/{identifier}/").status_code == 404
    assert keep(colleague, conversation=identifier).status_code == 404
    assert colleague.post(f"/playground/c/{identifier}/delete/").status_code == 404
    assert as_role(globex.tenant).get(f"/playground/c/{identifier}/").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"turns": []},
        {"turns": [{"role": "user"}]},
        {"turns": "x"},
        {"turns": [1]},
        {"turns": [{"role": "root", "content": "x"}]},
        {"turns": [{"role": "user", "content": ""}]},
        {"turns": [{"role": "user", "content": "a\x00b"}]},
        {"turns": [{"role": "user", "content": "x" * 200_001}]},
        {"model": ""},
        {"model": "m" * 121},
    ],
)
def test_what_is_no_conversation_is_refused_and_not_kept(
    acme: Player, as_role: SignIn, changes: dict[str, Any]
) -> None:
    client = as_role(acme.tenant)
    response = keep(client, **changes)
    assert response.status_code == 400
    assert response.json()["code"] in {"turn_not_usable", "invalid_input"}
    with tenant_scope(acme.tenant.ref):
        assert conversations_of("1") == []


@pytest.mark.parametrize("body", ["", "[]", "{}", "null", "\xff"])
def test_a_body_that_is_no_json_object_is_refused(acme: Player, as_role: SignIn, body: str) -> None:
    client = as_role(acme.tenant)
    assert client.post("/playground/turns/", body, content_type="application/json").status_code == 400


def test_a_usage_that_is_no_object_costs_nothing(acme: Player, as_role: SignIn) -> None:
    assert keep(as_role(acme.tenant), usage=[1]).json()["cost"] == ""


def test_long_questions_make_short_titles(acme: Player) -> None:
    with tenant_scope(acme.tenant.ref):
        turns = [Turn("user", "word " * 60)]
        facts = keep_turns(member_id="7", conversation_id="", model="m", turns=turns, now=utc_now())
        assert len(facts.title) <= 80
        assert facts.title.endswith("word…")
        assert [each.id for each in conversations_of("7")] == [facts.id]
        assert conversation_text("7", facts.id).turns[0].content == turns[0].content
        delete_conversation(member_id="7", conversation_id=facts.id)
        with pytest.raises(ConversationNotFound):
            conversation_text("7", facts.id)


def test_turns_are_kept_in_the_order_they_were_said(acme: Player) -> None:
    with tenant_scope(acme.tenant.ref):
        turns = [Turn("user" if n % 2 == 0 else "assistant", str(n)) for n in range(20)]
        facts = keep_turns(member_id="7", conversation_id="", model="m", turns=turns, now=utc_now())
        assert [turn.content for turn in conversation_text("7", facts.id).turns] == [str(n) for n in range(20)]


def test_nothing_is_kept_outside_a_tenant(db: None) -> None:
    with platform_scope():
        with pytest.raises(NoActiveScope):
            conversations_of("1")
        with pytest.raises(NoActiveScope):
            keep_turns(member_id="1", conversation_id="", model="m", turns=[Turn("user", "x")], now=utc_now())


def test_a_refused_turn_leaves_no_empty_conversation(acme: Player) -> None:
    with tenant_scope(acme.tenant.ref):
        with pytest.raises(TurnNotUsable):
            keep_turns(member_id="1", conversation_id="", model="m", turns=[Turn("user", "")], now=utc_now())
        assert conversations_of("1") == []
