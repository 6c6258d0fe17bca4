"""What only the composition root can know: the id of each request, and what the admin theme needs on its paths."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse

from core.request_id import HEADER, request_scope


class RequestIdMiddleware:
    """Stands first: the caller's x-request-id, or a fresh one, for log lines, audit entries and the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with request_scope(request.headers.get(HEADER, "")) as request_id:
            response = self._get_response(request)
        response[HEADER] = request_id
        return response


class AdminPolicyMiddleware:
    """The admin theme evaluates Alpine expressions, so /admin/ alone gets a wider content security policy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if request.path.startswith("/admin/") and not hasattr(request, "tenant"):
            response._csp_update = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}  # type: ignore[attr-defined]
        return response
