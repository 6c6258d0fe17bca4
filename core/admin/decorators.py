"""The theme's decorators with types, so that what they decorate keeps its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

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
