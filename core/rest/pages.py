"""Lists in pages: `{"data": […], "page": {"next", "previous", "size"}}`; owns the envelope and the cursor."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import CursorPagination
from rest_framework.response import Response


class CursorPage(CursorPagination):
    """Pages by an opaque cursor, newest first; a row added in between moves nothing."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    cursor_query_param = "cursor"
    ordering: Any = ("-created_at", "-id")

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
