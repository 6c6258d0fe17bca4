"""Pages for what no view handled; owns no cause, only how it is told."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from core.errors import LumosError
from core.outages import outage_of
from core.rest.problems import plain_problem


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/404.html", status=404)


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/403.html", status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Without the request's context: whatever broke may be in there. An outage is told as one, not as our fault."""
    outage = outage_of(sys.exc_info()[1])
    error = outage or LumosError()
    if request.path.startswith("/api/"):
        return plain_problem(error, request.path)
    if outage is None:
        return HttpResponse(render_to_string("errors/500.html"), status=500)
    page = render_to_string("errors/problem.html", {"error": outage})
    return HttpResponse(page, status=outage.status, headers=outage.headers)
