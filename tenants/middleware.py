"""From host name to tenant, and from account to membership; owns who the request runs for.

HostMiddleware stands first: it resolves the host and enters the operator's scope, in which sessions and accounts
are read. OpenedHereMiddleware stands behind the accounts' own: a session of another site is nobody here.
MembershipMiddleware stands last: on a tenant's host it lets the view run as that tenant, for members only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.http.request import split_domain_port
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from core.address import exact_address
from core.changes import Memory
from core.proof import is_opened_at
from core.tenancy import clear_scope, platform_scope, tenant_scope
from tenants.data import TenantChanged, TenantStatus
from tenants.errors import AddressNotAllowed
from tenants.impersonation import Visit
from tenants.models import Membership, Tenant
from tenants.networks import check_portal_address, portal_networks_of
from tenants.selectors import membership_of, tenant_by_host

GetResponse = Callable[[HttpRequest], HttpResponse]
_TTL = 5.0  # seconds a host may be answered from memory, when the change that makes it stale is not told
# What runs before anybody is known to be a member, in the operator's scope.
_OPEN = ("/impersonation/", "/sign-in/", "/sign-out/", "/join/", "/static/", "/i18n/", "/.well-known/")
_OWN_CALLERS = ("/api/",)  # REST knows its callers, by their session too, and enters their scope itself
_CLOSED = {
    TenantStatus.ARCHIVED: "errors/archived.html",
    TenantStatus.DELETING: "errors/deleting.html",
    TenantStatus.DELETED: "errors/deleting.html",
}
_FROM_EVERYWHERE = ("/sign-out/", "/static/", "/i18n/", "/.well-known/")


def remembered_hosts(seconds: float = _TTL) -> Memory[str, Tenant | None]:
    """Host to tenant, kept true by the stream of changes. A host of nobody may be any tenant's at the next change."""
    return Memory(
        tenant_by_host,
        kinds=(TenantChanged.type_name,),
        owner=lambda tenant: tenant.id if tenant is not None else "",
        seconds=seconds,
    )


class HostMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        self._hosts = remembered_hosts()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        host, _port = split_domain_port(request.get_host())
        with clear_scope(), platform_scope():
            if host in settings.PUBLIC_HOSTS:
                request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
                return self._get_response(request)
            tenant = self._hosts.get(host)
            if tenant is None:
                return HttpResponseNotFound(_("There is no portal at this address."), content_type="text/plain")
            request.tenant = tenant  # type: ignore[attr-defined]
            request.urlconf = settings.TENANT_URLCONF
            return self._get_response(request)


class OpenedHereMiddleware:
    """Whoever is signed in is so on the site on which they signed in; asked as late as the account itself."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        tenant: Tenant | None = getattr(request, "tenant", None)
        here = tenant.id if tenant is not None else ""
        request.user = cast(
            User,
            SimpleLazyObject(lambda: get_user(request) if is_opened_at(request.session, here) else AnonymousUser()),
        )
        return self._get_response(request)


class MembershipMiddleware:
    """Runs the view of a tenant's host in that tenant's scope, when the account is a member; else in none."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        tenant: Tenant | None = getattr(request, "tenant", None)
        if tenant is None or request.path.startswith(_FROM_EVERYWHERE):
            return self._get_response(request)
        if request.path.startswith(_OPEN):
            return _refusal(request, portal_networks_of(tenant.id)) or self._get_response(request)
        visit: Visit | None = getattr(request, "impersonation", None)
        account: int | None = request.user.pk
        membership = visit.membership if visit else membership_of(account, tenant.id) if account else None
        if request.path.startswith(_OWN_CALLERS):
            request.membership = membership  # type: ignore[attr-defined]
            with platform_scope():
                return self._get_response(request)
        if account is None and visit is None:
            with clear_scope():
                return self._get_response(request)
        if membership is None:
            return render(request, "errors/not_a_member.html", status=403)
        return _refusal(request, membership.tenant.portal_networks) or self._as_member(request, tenant, membership)

    def _as_member(self, request: HttpRequest, tenant: Tenant, membership: Membership) -> HttpResponse:
        if tenant.status in _CLOSED:
            return render(request, _CLOSED[TenantStatus(tenant.status)], status=403)
        request.membership = membership  # type: ignore[attr-defined]
        request.session.get_expiry_age()  # loads the session here, where its table may be read
        with tenant_scope(tenant.ref):
            response = self._get_response(request)
            if hasattr(response, "render") and callable(response.render):
                response.render()  # lazily rendered templates must see this tenant, not the platform
            return response


def _refusal(request: HttpRequest, portal_networks: Sequence[str]) -> HttpResponse | None:
    """The answer to somebody who may not open the portal from where they are; None for everybody else."""
    try:
        check_portal_address(portal_networks, exact_address(request))
    except AddressNotAllowed as error:
        return render(request, "errors/outside.html", {"error": error}, status=error.status)
    return None
