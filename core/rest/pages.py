"""Lists in pages: `{"data": […], "page": {"next", "previous", "size"}}`; owns the envelope and the cursor."""

from __future__ import annotations

from typing import Any

from django.core.signing import BadSignature, Signer
from django.utils.translation import gettext as _
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from core.errors import InvalidInput

_SALT = "core.rest.pages"


class CursorPage(CursorPagination):
    """Pages by an opaque cursor, newest first; a row added in between moves nothing.

    The cursor is signed: it carries a position that goes into a query, so none but ours is read.
    """

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    cursor_query_param = "cursor"
    ordering: Any = ("-created_at", "-id")

    def encode_cursor(self, cursor: Any) -> str:
        token = Signer(salt=_SALT).sign_object(list(cursor))
        return replace_query_param(str(self.base_url), self.cursor_query_param, token)

    def decode_cursor(self, request: Request) -> Any:
        text = request.query_params.get(self.cursor_query_param)
        if text is None:
            return None
        try:
            return Cursor(*Signer(salt=_SALT).unsign_object(text))
        except BadSignature as error:
            reason = _("is not one of ours; start again from the first page")
            raise InvalidInput(fields={self.cursor_query_param: [reason]}) from error

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get(self.page_size_query_param)
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= self.max_page_size):
            reason = _("must be a whole number from 1 to %(most)d") % {"most": self.max_page_size}
            raise InvalidInput(fields={self.page_size_query_param: [reason]})
        return int(text)

    def get_schema_operation_parameters(self, view: Any) -> list[Any]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"].update(minimum=1, maximum=self.max_page_size)
        return parameters

    def get_paginated_response(self, data: Any) -> Response:
        page = {"next": self.get_next_link(), "previous": self.get_previous_link(), "size": len(data)}
        return Response({"data": data, "page": page})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        page = {
            "type": "object",
            "required": ["next", "previous", "size"],
            "properties": {"next": link, "previous": link, "size": {"type": "integer"}},
        }
        return {
            "type": "object",
            "required": ["data", "page"],
            "properties": {"data": schema, "page": page},
        }


class WholePage(CursorPage):
    """For the description only: the same envelope around a list that is always sent whole."""

    def get_schema_operation_parameters(self, view: Any) -> list[Any]:
        return []


def whole(rows: list[Any]) -> Response:
    """A small list, sent whole in the envelope of all lists; the view declares WholePage."""
    return Response({"data": rows, "page": {"next": None, "previous": None, "size": len(rows)}})
