"""Who may call what: every route of /api/v1 with every kind of caller, read from the routes themselves."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import URLResolver

from core.clock import utc_now
from core.ids import prefixed
from core.rest.access import Access
from core.rest.views import ApiView, TenantView
from tenants.api import Scope, create_api_key
from tests.cast import TESTER, Operator, Player
from tests.rest import Caller

pytestmark = pytest.mark.usefixtures("redis")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _views(patterns: Any, prefix: str = "") -> list[tuple[str, type[ApiView]]]:
    found = []
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += _views(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "cls", None)
            if route.startswith("api/v1/") and isinstance(view, type) and issubclass(view, ApiView):
                found.append((route.removeprefix("api/v1"), view))
    return found


ROUTES = _views(get_resolver("lumos_site.urls.public").url_patterns)
CALLS = [(route, view, method) for route, view in ROUTES for method in METHODS if hasattr(view, method.lower())]


def _path(route: str, tenant_id: str) -> str:
    parts = {
        "tenant_id": prefixed("ten", tenant_id),
        "key_id": f"key_{tenant_id}",
        "member_id": f"mem_{tenant_id}",
        "invitation_id": f"invite_{tenant_id}",
        "session_id": f"ses_{tenant_id}",
        "allocation_id": f"alloc_{tenant_id}",
        "pool_id": f"pool_{tenant_id}",
        "dimension": "tokens_per_minute",
        "override_id": f"ovr_{tenant_id}",
        "tenant_type": "ENTERPRISE",
        "chain": "platform",
        "name": "playground.default_model",
        "endpoint_id": f"whe_{tenant_id}",
        "delivery_id": f"dlv_{tenant_id}",
    }
    for name, value in parts.items():
        route = route.replace(f"<str:{name}>", value)
    return route


def _call(credential: str, method: str, path: str) -> Any:
    send = getattr(Caller(credential), method.lower())
    return send(path, {}) if method in ("POST", "PUT") else send(path)


def test_the_routes_are_found() -> None:
    assert len(CALLS) >= 22


def test_every_method_of_every_view_says_who_may_call_it() -> None:
    undeclared = [
        f"{method} {route}" for route, view, method in CALLS if not isinstance(view.access.get(method), Access)
    ]
    surplus = [route for route, view in ROUTES for method in view.access if not hasattr(view, method.lower())]
    assert (undeclared, surplus) == ([], [])


def test_every_route_that_names_a_tenant_checks_it() -> None:
    assert [route for route, view in ROUTES if ("tenant_id" in route) != issubclass(view, TenantView)] == []


def test_permissions_and_scopes_that_are_asked_for_exist(db: None) -> None:
    from django.contrib.auth.models import Permission

    known = {f"{app}.{code}" for app, code in Permission.objects.values_list("content_type__app_label", "codename")}
    rules = [rule for _, view in ROUTES for rule in view.access.values()]
    assert {rule.permission for rule in rules} <= {None, *known}
    assert {rule.scope for rule in rules} <= {None, *Scope}


@pytest.mark.parametrize(("route", "view", "method"), CALLS, ids=lambda value: getattr(value, "__name__", value))
def test_strangers_and_mallory_get_nowhere(
    route: str, view: type[ApiView], method: str, acme: Player, globex: Player
) -> None:
    path = _path(route, acme.tenant.id)
    assert _call("", method, path).status_code == 401
    every_scope = [scope.value for scope in Scope]
    _, mallory = create_api_key(
        tenant_id=globex.tenant.id, name="all", scopes=every_scope, acting=TESTER, now=utc_now()
    )
    status = _call(mallory, method, path).status_code
    closed = view.access[method].scope is None
    if closed:
        assert status == 403
    elif "tenant_id" in route:
        assert status == 404
    else:
        assert status == 200


@pytest.mark.parametrize(("route", "view", "method"), CALLS, ids=lambda value: getattr(value, "__name__", value))
def test_a_key_without_the_scope_and_staff_without_the_permission_are_refused(
    route: str, view: type[ApiView], method: str, acme: Player, olivia: Operator
) -> None:
    path, rule = _path(route, acme.tenant.id), view.access[method]
    others = [scope.value for scope in Scope if scope != rule.scope]
    _, narrow = create_api_key(tenant_id=acme.tenant.id, name="narrow", scopes=others, acting=TESTER, now=utc_now())
    assert _call(narrow, method, path).status_code == 403
    olivia.user.is_superuser = False
    olivia.user.save()
    assert _call(olivia.token, method, path).status_code == 403
