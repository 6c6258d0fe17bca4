"""Errors as RFC 9457 problem documents; owns their shape on /api, not which errors there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

import structlog
from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.http import Http404, HttpResponse
from rest_framework import exceptions, serializers, status
from rest_framework.response import Response

from core.errors import InvalidInput, LumosError, NotAuthenticated, NotFound, PermissionRefused
from core.outages import outage_of
from core.request_id import current_request_id
from core.text import storable

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
_TITLES = {400: "The request is not valid", 405: "This method is not allowed here", 415: "Send application/json"}


class ProblemErrorSerializer(serializers.Serializer[Any]):
    """One field that is wrong. `pointer` is a JSON pointer into the body, or names a query parameter."""

    code = serializers.CharField()
    detail = serializers.CharField()
    pointer = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """An RFC 9457 problem document."""

    type = serializers.CharField(help_text="A URN that names the kind of problem; the code again")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path that was asked for")
    code = serializers.CharField(help_text="Stable; write programs against this one")
    request_id = serializers.CharField(help_text="Also sent as x-request-id; quote it when asking for help")
    next_step = serializers.CharField(required=False, help_text="What you can do about it")
    errors = ProblemErrorSerializer(many=True)  # type: ignore[assignment]


class HasRequest(Protocol):
    request: Any
    request_id: str


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: whatever happened becomes one problem document."""
    view = cast(HasRequest, context["view"])
    instance = view.request.path if getattr(view, "request", None) is not None else ""
    answer = _of_anything(error, view)
    answer.data = {
        **answer.data,
        "instance": instance,
        "request_id": getattr(view, "request_id", ""),
    }
    answer.content_type = MEDIA_TYPE
    return answer


def plain_problem(error: LumosError, path: str) -> HttpResponse:
    """The same document for a request that never reached a view."""
    answer = _of_ours(error)
    body = {**answer.data, "instance": path, "request_id": current_request_id()}
    return HttpResponse(json.dumps(body), status=answer.status_code, content_type=MEDIA_TYPE, headers=error.headers)


def _of_anything(error: Exception, view: HasRequest) -> Response:
    if isinstance(error, LumosError):
        return _of_ours(error)
    if isinstance(error, Http404 | exceptions.NotFound):
        return _of_ours(NotFound())
    if isinstance(error, PermissionDenied):
        return _of_ours(PermissionRefused())
    if isinstance(error, exceptions.ValidationError):
        return _of_validation(error)
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    return _of_unexpected(error, view)


def _of_unexpected(error: Exception, view: HasRequest) -> Response:
    """A server that is away, which is told as such, or our own fault."""
    if (outage := outage_of(error)) is not None:
        log.warning("rest.outage", code=outage.code, error=str(error)[:200], request_id=getattr(view, "request_id", ""))
        return _of_ours(outage)
    log.error("rest.unexpected_error", exc_info=error, request_id=getattr(view, "request_id", ""))
    got_request_exception.send(sender=type(view), request=view.request)
    return _of_ours(LumosError("Something went wrong on our side."))


def _document(code: str, title: str, status_code: int, detail: str, errors: list[dict[str, str]]) -> dict[str, Any]:
    """What a caller sent may be told back, such as an unknown choice, and need not be text that can be sent."""
    return {
        "type": f"urn:lumos:problem:{code}",
        "title": title,
        "status": status_code,
        "detail": storable(detail),
        "code": code,
        "errors": [{name: storable(text) for name, text in error.items()} for error in errors],
    }


def _of_ours(error: LumosError) -> Response:
    errors = [
        {"code": error.code, "detail": str(message), "pointer": _pointer(name.split("."))}
        for name, messages in error.fields.items()
        for message in messages
    ]
    body = _document(error.code, str(error.title), error.status, str(error.message), errors)
    if error.next_step:
        body["next_step"] = str(error.next_step)
    headers = dict(error.headers)
    if error.status == status.HTTP_401_UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="lumos"')
    return Response(body, status=error.status, headers=headers)


def _of_framework(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        return _of_ours(NotAuthenticated(str(error.detail)))
    if isinstance(error, exceptions.PermissionDenied):
        return _of_ours(PermissionRefused(str(error.detail)))
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else InvalidInput.code
    title = _TITLES.get(error.status_code, LumosError.title)
    return Response(_document(code, title, error.status_code, str(error.detail), []), status=error.status_code)


def _of_validation(error: exceptions.ValidationError) -> Response:
    errors = list(_flatten(error.detail, []))
    count = len(errors)
    detail = errors[0]["detail"] if count == 1 else f"{count} fields are not valid."
    return Response(_document(InvalidInput.code, InvalidInput.title, 400, detail, errors), status=400)


def _flatten(detail: Any, path: list[str]) -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _flatten(inner, path if name == "non_field_errors" else [*path, str(name)])
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _flatten(inner, [*path, str(place)] if nested else path)
    else:
        yield {"code": str(getattr(detail, "code", "invalid")), "detail": str(detail), "pointer": _pointer(path)}


def _pointer(path: Sequence[str]) -> str:
    """RFC 6901, in its URI fragment form."""
    return "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
