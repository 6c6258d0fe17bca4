"""The front page's context, and the part of it that renews itself every ten seconds."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.clock import utc_now
from lumos_site.dashboard.board import board, first_steps


def context() -> dict[str, Any]:
    figures = board(utc_now())
    return {"board": figures, "steps": first_steps() if figures.is_quiet else {}}


def live_figures(request: HttpRequest) -> HttpResponse:
    answer = render(request, "admin/lumos/live.html", context())
    answer["Cache-Control"] = "no-store"
    return answer
