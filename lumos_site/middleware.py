"""What only the composition root can know: the id of each request, and what the admin theme needs on its paths."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from core.errors import InvalidInput
from core.request_id import HEADER, request_scope
from core.rest.problems import plain_problem
from core.text import is_storable

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Stands first: the caller's x-request-id, or a fresh one, for log lines, audit entries and the answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with request_scope(request.headers.get(HEADER, "")) as request_id:
            response = self._get_response(request)
        response[HEADER] = request_id
        return response


class StorableTextMiddleware:
    """Answers 400 to an address or a form with text that no column can hold: such a lookup would end as a 500."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        lists = (*request.GET.lists(), *request.POST.lists())
        if is_storable(request.path) and all(is_storable(text) for name, texts in lists for text in (name, *texts)):
            return self._get_response(request)
        error = InvalidInput(_("The address or the form holds characters that no text has."))
        if request.path.startswith("/api/"):
            return plain_problem(error, request.path)
        return HttpResponse(render_to_string("errors/problem.html", {"error": error}), status=error.status)


class AdminPolicyMiddleware:
    """The admin theme evaluates Alpine expressions, so /admin/ alone gets a wider content security policy."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if request.path.startswith("/admin/") and not hasattr(request, "tenant"):
            wider = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}
            response._csp_update = {**getattr(response, "_csp_update", {}), **wider}  # type: ignore[attr-defined]
        return response
