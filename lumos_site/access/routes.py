"""Every route of both hosts with what it asks of whom, read from the routes themselves; a route it cannot read raises.

Owns no rule: portal views carry their permission, REST views their table, admin pages their ModelAdmin. What is open
to everybody stands in `OPEN` with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, get_resolver
from django.views.generic import RedirectView

from core.rest.access import Access
from core.rest.views import ApiView
from lumos_site.access.roles import operator_permissions
from tenants.api import OperatorRole, Permission, Role, allows

OPERATORS_HOST, TENANTS_HOST = "lumos_site.urls.public", "lumos_site.urls.portal"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NOBODY: frozenset[Any] = frozenset()

# Routes that ask for no permission, by name or by path, with the reason.
OPEN: Mapping[str, str] = {
    "portal:sign_in": "the way in",
    "portal:sign_in_code": "the second step of the way in",
    "portal:reset": "the way to a new password",
    "portal:reset_new": "the way to a new password, for whoever followed a letter's link",
    "portal:reset_link": "opens with the token of a letter",
    "portal:address_link": "opens with the token of a letter",
    "portal:openid_go": "the way in, to the workspace's identity provider",
    "portal:openid_back": "the way in, back from the identity provider",
    "portal:sign_in_passkey": "the way in, by a passkey alone",
    "portal:sign_out": "the way out",
    "portal:join": "the way in for whoever opened an invitation",
    "portal:join_link": "opens with the token of an invitation",
    "portal:impersonation_door": "opens with the token of an operator's handover",
    "portal:impersonation_enter": "uses that token up",
    "portal:impersonation_ask": "for an operator who is in, with a permission of their own",
    "portal:impersonation_leave": "the way out for an operator who is in",
    "set_language": "a preference kept in a cookie",
    "jwks": "public keys",
    "api/v1/auth/tokens": "the way in, by e-mail and password or the portal's session",
    "api/v1/auth/tokens/refresh": "opens with a refresh token",
    "schema": "the description of the REST API",
    "api-docs": "the description of the REST API",
    "admin:login": "the way in",
    "admin:sign_in_code": "the second step of the way in",
    "admin:reset": "the way to a new password",
    "admin:reset_new": "the way to a new password, for whoever followed a letter's link",
    "admin:reset_link": "opens with the token of a letter",
    "admin:address_link": "opens with the token of a letter",
    "admin:sign_in_passkey": "the way in, by a passkey alone",
    "admin:logout": "the way out",
    "admin:jsi18n": "words of the interface",
    "": "a redirect to /admin/",
    "api/v1/": "not found, as a problem document",
    "admin/(?P<url>.*)$": "not found",
}
# Pages of the admin site itself. Every operator may open them; what they show follows the permissions of its tables.
_OF_EVERY_OPERATOR = (
    "index",
    "live",
    "search",
    "autocomplete",
    "app_list",
    "view_on_site",
    "password_change",
    "password_change_done",
    "security",
    "security_confirm",
    "security_app",
    "security_address",
    "security_passkey",
    "security_codes",
    "security_remove",
    "security_end",
    "security_end_others",
)
_PAGES: Mapping[str, str] = {
    "changelist": "view",
    "change": "view",
    "add": "add",
    "delete": "delete",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the matrix. `asks` is in the words of its surface; empty `method` stands for whatever it answers."""

    surface: str
    method: str
    path: str
    name: str
    asks: str
    operators: frozenset[OperatorRole] = NOBODY
    members: frozenset[Role] = NOBODY
    scope: str = ""
    open_because: str = ""


class Unclassified(LookupError):
    """A route that names no permission and is not in OPEN."""


def routes() -> list[Route]:
    """All routes of both hosts; REST, which is the same on both, once."""
    of_operators = [route for pattern in _patterns(OPERATORS_HOST) for route in _of_operators_host(*pattern)]
    of_tenants = [route for pattern in _patterns(TENANTS_HOST) for route in _of_tenants_host(*pattern)]
    return [*of_tenants, *of_operators]


def _patterns(urlconf: str) -> Iterator[tuple[str, str, URLPattern]]:
    return _walk(get_resolver(urlconf).url_patterns, "", "")


def _walk(patterns: Any, prefix: str, namespace: str) -> Iterator[tuple[str, str, URLPattern]]:
    """(path, name with its namespace, pattern) of every leaf."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, path, inner)
        else:
            yield path, f"{namespace}{pattern.name}" if pattern.name else "", pattern


def _open(path: str, name: str) -> Iterator[Route]:
    reason = OPEN.get(name or path)
    if reason is None:
        raise Unclassified(f"/{path} ({name or 'unnamed'}) names no permission")
    yield Route("open", "", f"/{path}", name, "", open_because=reason)


def _of_tenants_host(path: str, name: str, pattern: URLPattern) -> Iterator[Route]:
    permission = getattr(pattern.callback, "permission", None)
    if isinstance(permission, Permission):
        members = frozenset(role for role in Role if allows(role, permission))
        yield Route("portal", "", f"/{path}", name, permission, members=members)
    elif getattr(pattern.callback, "cls", None) is None or (name or path) in OPEN:  # REST is read on the other host
        yield from _open(path, name)


def _of_operators_host(path: str, name: str, pattern: URLPattern) -> Iterator[Route]:
    view = getattr(pattern.callback, "cls", None)
    if isinstance(view, type) and issubclass(view, ApiView):
        yield from _rest(path, view)
    elif (name or path) in OPEN or not path.startswith("admin/"):
        yield from _open(path, name)
    elif name.removeprefix("admin:") in _OF_EVERY_OPERATOR:
        shown = path if name != "admin:app_list" else "admin/<app_label>/"
        yield Route("admin", "", f"/{shown}", name, "any operator", operators=frozenset(OperatorRole))
    elif getattr(pattern.callback, "view_class", None) is not RedirectView:  # old addresses of pages to change a row
        yield from _admin(path, name, pattern)


def _rest(path: str, view: type[ApiView]) -> Iterator[Route]:
    for method in METHODS:
        if not hasattr(view, method.lower()):
            continue
        rule = view.access.get(method)
        if not isinstance(rule, Access):
            raise Unclassified(f"{method} /{path} is not in the view's access table")
        operators = frozenset(role for role in OperatorRole if _has(role, rule.permission))
        members = frozenset(role for role in Role if rule.member and allows(role, Permission(rule.member)))
        asked = "no operator" if rule.permission is None else rule.permission or "any operator"
        asks = " / ".join(filter(None, (asked, rule.member)))
        yield Route("rest", method, f"/{path}", "", asks, operators, members, rule.scope or "")


def rest_views() -> Iterator[tuple[str, type[ApiView], str]]:
    """(path, view, method) of every REST route."""
    for path, _name, pattern in _patterns(OPERATORS_HOST):
        view = getattr(pattern.callback, "cls", None)
        if isinstance(view, type) and issubclass(view, ApiView):
            yield from ((path, view, method) for method in METHODS if hasattr(view, method.lower()))


def _has(role: OperatorRole, permission: str | None) -> bool:
    return permission is not None and (not permission or permission in operator_permissions(role))


class _Account:
    """An operator as a ModelAdmin sees one."""

    is_active = is_staff = True

    def __init__(self, role: OperatorRole) -> None:
        self._held, self.is_superuser = operator_permissions(role), role is OperatorRole.SUPER

    def has_perm(self, permission: str, obj: object = None) -> bool:
        return permission in self._held


def _admin(path: str, name: str, pattern: URLPattern) -> Iterator[Route]:
    """A page of one table."""
    page, asked = _page_of(path, name, pattern)
    operators = frozenset(role for role in OperatorRole if _may(page, asked, role))
    table = f"{page.opts.app_label}.{page.opts.model_name}"
    yield Route("admin", "", f"/{path}", name, f"{' + '.join(asked)} {table}", operators=operators)


def _page_of(path: str, name: str, pattern: URLPattern) -> tuple[ModelAdmin[Any], tuple[str, ...]]:
    """The table's admin, and the names of the permissions that its page asks for."""
    for model, page in admin.site._registry.items():
        start = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
        if name.startswith(start):
            asked = _asked(page, name.removeprefix(start), pattern)
            if asked:
                return page, asked
    raise Unclassified(f"/{path} ({name}) names no permission")


def _asked(page: ModelAdmin[Any], kind: str, pattern: URLPattern) -> tuple[str, ...]:
    if kind in _PAGES:
        return (_PAGES[kind],)
    if kind == "password_change":
        return ("change",)
    named = getattr(pattern.callback, "permission", None)
    if named:
        return (str(named),)
    return tuple(getattr(getattr(page, kind, None), "allowed_permissions", ()))


def _may(page: ModelAdmin[Any], asked: tuple[str, ...], role: OperatorRole) -> bool:
    request = HttpRequest()
    request.user = _Account(role)  # type: ignore[assignment]
    return all(getattr(page, f"has_{each}_permission")(request) for each in asked)
