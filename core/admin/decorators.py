"""The theme's decorators with types, so that what they decorate keeps its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from unfold import decorators as theme

F = TypeVar("F", bound=Callable[..., Any])


def display(
    *, description: Any, ordering: str | None = None, label: Mapping[Any, str] | None = None, header: bool | None = None
) -> Callable[[F], F]:
    """A list's column; `label` maps the first of a returned pair to a colour, `header` shows a pair as two lines."""

    def decorate(function: F) -> F:
        columned = theme.display(function, description=description, ordering=ordering, label=label, header=header)
        return cast(F, columned)

    return decorate


def action(*, description: Any, permissions: Sequence[str], icon: str) -> Callable[[F], F]:
    """A button of a row or of a page; it opens a page of its own and changes nothing by itself."""

    def decorate(function: F) -> F:
        return cast(F, theme.action(function, description=description, permissions=permissions, icon=icon))

    return decorate


def page(*, permission: str) -> Callable[[F], F]:
    """A page of one's own beside the model's; refused without that permission, which stands on it as `.permission`."""

    def decorate(view: F) -> F:
        @wraps(view)
        def guarded(admin: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not getattr(admin, f"has_{permission}_permission")(request):
                raise PermissionDenied
            answer: HttpResponse = view(admin, request, *args, **kwargs)
            return answer

        guarded.permission = permission  # type: ignore[attr-defined]
        return cast(F, guarded)

    return decorate
