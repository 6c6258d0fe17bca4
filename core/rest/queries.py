"""Query parameters, declared and strict: a name that nobody declared is an error, never silently ignored."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from core.rest.pages import CursorPage

_PAGING = frozenset({CursorPage.cursor_query_param, CursorPage.page_size_query_param})


class Query(serializers.Serializer[Any]):
    """Base of a view's query parameters; also documents them."""

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        """The checked parameters; raises ValidationError that names each unknown one."""
        unknown = set(request.query_params) - set(cls().fields) - _PAGING
        if unknown:
            raise serializers.ValidationError({name: ["There is no such parameter here."] for name in sorted(unknown)})
        query = cls(data=request.query_params)
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)


class NoQuery(Query):
    """A list that takes paging parameters only."""
