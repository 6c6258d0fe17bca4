"""Every address of the installation with an object of acme's in it; an address that cannot be filled is an error.

Owns no expectation. The addresses come from the URLconfs themselves, the classes from lumos_site.access.routes (which
raises for a route that names no permission), the objects from the table `OBJECTS` here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.urls import get_resolver

from core.ids import new_ulid, prefixed
from core.tenancy import tenant_scope
from lumos_site.access.routes import OPERATORS_HOST, TENANTS_HOST, Route, Unclassified, routes
from proxy.endpoints import ENDPOINTS
from tenants.api import Invitation, Membership, Tenant
from tenants.models import Allocation, ApiSession, ProfileOverride, WebhookDelivery
from tenants.workspace.models import Conversation, WebhookEndpoint
from tests.isolation.estate import Estate

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
Filler = Callable[[Estate], str]


def _id_of(model: type[models.Model], prefix: str) -> Filler:
    return lambda on: prefixed(prefix, model._default_manager.filter(tenant_id=on.acme.tenant.id).first().pk)


def _in_schema(on: Estate, model: type[models.Model]) -> str:
    with tenant_scope(on.acme.tenant.ref):
        return str(model._default_manager.values_list("pk", flat=True)[0])


def _endpoint(on: Estate) -> str:
    return prefixed("whe", _in_schema(on, WebhookEndpoint))


def _ten(on: Estate) -> str:
    return on.acme.tenant.public_id


def _word(text: str) -> Filler:
    return lambda on: text


_OF_ENDPOINTS = ("", "change/", "remove/", "resend-failed/", "rotate/", "switch/", "test/")
_FACES, _SIGN_INS = ("/settings/security", "/admin/security"), ("/sign-in", "/admin/sign-in")
_OF_ACCOUNTS = (("factors", "remove"), ("sessions", "end"))
# What stands in an address for an object of a tenant: by the argument alone where its name says all, else by route.
OBJECTS: Mapping[str, Filler] = {
    "tenant_id": _ten,
    "chain": _ten,
    "key_id": lambda on: on.acme.key.public_id,
    "member_id": _id_of(Membership, "mem"),
    "invitation_id": _id_of(Invitation, "invite"),
    "session_id": _id_of(ApiSession, "ses"),
    "delivery_id": _id_of(WebhookDelivery, "dlv"),
    "endpoint_id": _endpoint,
    "number": _word("4711"),  # of versions, counted by each tenant for itself
    "/api/v1/tenants/<str:tenant_id>/settings/<str:name>": _word("playground.default_model"),
    "/settings/api-sessions/<str:public_id>/end/": _id_of(ApiSession, "ses"),
    "pool_id": lambda on: f"pool_{new_ulid()}",  # pools belong to no tenant
    "allocation_id": _id_of(Allocation, "alloc"),
    "/keys/<str:public_id>/networks/": lambda on: on.acme.key.public_id,
    **{f"/webhooks/<str:public_id>/{verb}": _endpoint for verb in _OF_ENDPOINTS},
    "/webhooks/deliveries/<str:public_id>/": _id_of(WebhookDelivery, "dlv"),
    "/webhooks/deliveries/<str:public_id>/resend/": _id_of(WebhookDelivery, "dlv"),
    # Of accounts: what acme's owner has, who has neither a factor nor a session that lists it.
    **{f"{face}/{what}/<str:public_id>/{verb}/": _word("4711") for face in _FACES for what, verb in _OF_ACCOUNTS},
    **{f"{face}/{what}/<str:token>/": _word("0" * 43) for face in _SIGN_INS for what in ("address", "reset")},
    "tenant_type": _word("ENTERPRISE"),
    "override_id": _id_of(ProfileOverride, "ovr"),
    "dimension": _word("tokens_per_minute"),
    "conversation_id": lambda on: _in_schema(on, Conversation),
    "/keys/<str:public_id>/revoke/": lambda on: on.acme.key.public_id,
    "/members/<str:public_id>/role/": _id_of(Membership, "mem"),
    "/members/<str:public_id>/remove/": _id_of(Membership, "mem"),
    "/invitations/<str:public_id>/renew/": _id_of(Invitation, "invite"),
    "/invitations/<str:public_id>/revoke/": _id_of(Invitation, "invite"),
    "/join/<str:token>/": _word("0" * 43),
    "/impersonation/<str:token>/": _word("0" * 43),
    # Django's own pages, which name no object of a tenant.
    "app_label": _word("tenants"),
    "content_type_id": lambda on: str(ContentType.objects.get_for_model(Tenant).pk),
    "/admin/r/<path:content_type_id>/<path:object_id>/": lambda on: on.acme.tenant.pk,
    "url": _word("nothing/"),
}
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Address:
    """`has_object`: the path names something that belongs to acme."""

    surface: str
    route: str
    path: str
    has_object: bool


def addresses(on: Estate) -> list[Address]:
    """Every route of both hosts, REST once, filled with acme's objects. Raises Unclassified."""
    found = {(route.surface, route.path): _filled(route, on) for route in routes()}
    every = {route for urlconf in (OPERATORS_HOST, TENANTS_HOST) for route in _leaves(get_resolver(urlconf))}
    for route in sorted(every - {route for _, route in found}):
        surface = "admin" if route.startswith("/admin/") else "open"
        found[surface, route] = _filled(Route(surface, "", route, "", ""), on)
    return [found[each] for each in sorted(found)]


def _leaves(above: Any, prefix: str = "/") -> Iterator[str]:
    for pattern in above.url_patterns:
        path = prefix + str(pattern.pattern)
        yield from _leaves(pattern, path) if hasattr(pattern, "url_patterns") else [path]


def _filled(route: Route, on: Estate) -> Address:
    path, arguments = _plain(route.path), _ARGUMENT.findall(_plain(route.path))
    for name in arguments:
        value = _object_of(route, path, name, on)
        path = re.sub(rf"<(?:\w+:)?{name}>", value, path)
    return Address(route.surface, route.path, path, bool(arguments))


def _plain(path: str) -> str:
    """Patterns of Django's own are regular expressions; their groups read like the other arguments."""
    path = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", path)
    return path.replace("^", "").replace("$", "").replace("\\Z", "")


def _object_of(route: Route, path: str, name: str, on: Estate) -> str:
    if route.surface == "admin" and name == "tenant_id":
        return on.acme.tenant.id
    filler = OBJECTS.get(name) or OBJECTS.get(route.path)
    if filler is None and route.surface == "admin" and name in ("object_id", "id"):
        return _row_of_admin(path, on)
    if filler is None:
        raise Unclassified(f"{route.path}: say in tests/isolation/surfaces.py which object of acme <{name}> is")
    return filler(on)


def _row_of_admin(path: str, on: Estate) -> str:
    """A row of the page's own table: acme's where the table knows tenants."""
    app, table = path.split("/")[2:4]
    model: Any = apps.get_model(app, table)
    if table == "user":
        return str(on.acme.owner.pk)
    rows = model._default_manager.all()
    if any(field.attname == "tenant_id" for field in model._meta.concrete_fields):
        rows = rows.filter(tenant_id=on.acme.tenant.id)
    row = rows.first()
    return str(row.pk) if row else new_ulid()


def gateway_paths() -> Iterator[str]:
    """Every path of `/v1`; what ends in a slash stands for everything below it."""
    for path, _methods in ENDPOINTS:
        yield f"{path}demo-chat" if path.endswith("/") else path
    yield "/v1/nothing"
