"""The playground: the page, its short-lived token, and the conversations that a member keeps."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.request import RawPostDataException
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from core.clock import utc_now
from core.errors import InvalidInput, LumosError
from portal.figures import charge_estimate, chat_models
from portal.guard import requires
from portal.request import PortalRequest, base_url
from proxy.api import BROWSER_TOKEN_SECONDS, mint_browser_token
from tenants.api import (
    ConversationText,
    Permission,
    Turn,
    conversation_text,
    conversations_of,
    delete_conversation,
    keep_turns,
    settings_named,
)


@require_GET
@requires(Permission.PLAYGROUND_USE)
def playground(request: PortalRequest) -> HttpResponse:
    return _page(request, None)


@require_GET
@requires(Permission.PLAYGROUND_USE)
def reopened(request: PortalRequest, conversation_id: str) -> HttpResponse:
    return _page(request, conversation_text(_member(request), conversation_id))


def _page(request: PortalRequest, opened: ConversationText | None) -> HttpResponse:
    settings = settings_named(request.tenant.id, "playground.default_model", "playground.system_message")
    turns = [turn for turn in opened.turns if turn.role != "system"] if opened else []
    context = {
        "opened": opened.facts if opened else None,
        "turns": turns,
        "history": [{"role": turn.role, "content": turn.content} for turn in turns],
        "system": _system_message(opened) if opened else settings["playground.system_message"],
        "models": chat_models(request.tenant.id, utc_now(), settings["playground.default_model"]),
        "conversations": conversations_of(_member(request)),
        "opened_id": opened.facts.id if opened else "",
        "base_url": base_url(request),
    }
    return render(request, "portal/playground/page.html", context)


def _system_message(opened: ConversationText) -> str:
    return next((turn.content for turn in opened.turns if turn.role == "system"), "")


@require_GET
@requires(Permission.PLAYGROUND_USE)
def history(request: PortalRequest) -> HttpResponse:
    context = {"conversations": conversations_of(_member(request)), "opened_id": request.GET.get("open", "")}
    return render(request, "portal/playground/history.html", context)


@require_POST
@requires(Permission.PLAYGROUND_USE)
def token(request: PortalRequest) -> HttpResponse:
    """A credential for this page: minutes long, kept nowhere."""
    minted = mint_browser_token(request.tenant.id, request.user.pk, utc_now())
    return JsonResponse({"token": minted, "expires_in": BROWSER_TOKEN_SECONDS})


@require_POST
@requires(Permission.PLAYGROUND_USE)
def keep(request: PortalRequest) -> HttpResponse:
    """Keep what was said, and answer what it cost by the tenant's prices, as far as they are known."""
    try:
        said = _read(request)
        turns = [Turn(str(turn["role"]), str(turn["content"])) for turn in said["turns"]]
        facts = keep_turns(
            member_id=_member(request),
            conversation_id=str(said.get("conversation", "")),
            model=str(said.get("model", "")),
            turns=turns,
            now=utc_now(),
        )
    except LumosError as error:
        return JsonResponse({"error": error.message, "code": error.code}, status=error.status)
    told = said.get("usage")
    cost = charge_estimate(request.tenant.id, facts.model, told, utc_now()) if isinstance(told, dict) else ""
    return JsonResponse({"id": facts.id, "title": facts.title, "cost": cost}, status=201)


def _read(request: HttpRequest) -> dict[str, Any]:
    try:
        said = json.loads(request.body)
        if isinstance(said, dict) and all({"role", "content"} <= turn.keys() for turn in said["turns"]):
            return said
    # A form was read as a form before, by the check of its texts, and has no body left.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RawPostDataException) as error:
        raise InvalidInput("This is not a conversation") from error
    raise InvalidInput("This is not a conversation")


@require_POST
@requires(Permission.PLAYGROUND_USE)
def delete(request: PortalRequest, conversation_id: str) -> HttpResponse:
    delete_conversation(member_id=_member(request), conversation_id=conversation_id)
    return HttpResponseRedirect(reverse("portal:playground"))


def _member(request: PortalRequest) -> str:
    return str(request.user.pk)
