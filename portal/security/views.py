"""The accounts room's pages on a tenant's host; owns only who may open them: every member, for their own account."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from accounts.api import Face, identity_provider, pages
from portal.guard import requires
from portal.request import PortalRequest
from portal.sign_in.services import may_enter
from tenants.api import REQUIRE_FACTOR, Permission, Tenant, find_account, membership_of, setting_of


def _extras(request: HttpRequest) -> dict[str, object]:
    tenant: Tenant | None = getattr(request, "tenant", None)
    provider = identity_provider(tenant.id) if tenant is not None else None
    return {"tenant": tenant, "provider": provider}


def _needs_factor(request: HttpRequest) -> bool:
    """Where the tenant demands one, nobody removes their last."""
    tenant: Tenant = request.tenant  # type: ignore[attr-defined]
    return bool(setting_of(tenant.id, REQUIRE_FACTOR))


FACE = Face("portal", "portal/security", "sign_in", "home", _extras, _needs_factor)


def second_step(request: PortalRequest) -> HttpResponse:
    return pages.second_step(request, FACE)


def enter_by_passkey(request: PortalRequest) -> HttpResponse:
    return pages.enter(request, FACE, lambda account: may_enter(request, account, request.tenant))


def reset(request: PortalRequest) -> HttpResponse:
    """A letter goes to members of this workspace only; to nobody else, and nobody is told."""
    return pages.reset(request, FACE, lambda email: _member(request, email))


def _member(request: PortalRequest, email: str) -> User | None:
    account = find_account(email)
    return account if account is not None and membership_of(account.pk, request.tenant.id) is not None else None


def reset_link(request: PortalRequest, token: str) -> HttpResponse:
    return pages.reset_link(request, FACE, token)


def reset_new(request: PortalRequest) -> HttpResponse:
    return pages.reset_new(request, FACE)


def address_link(request: PortalRequest, token: str) -> HttpResponse:
    return pages.address_link(request, FACE, token)


def openid_go(request: PortalRequest) -> HttpResponse:
    return pages.go(request, FACE)


def openid_back(request: PortalRequest) -> HttpResponse:
    return pages.back(request, FACE)


@requires(Permission.SETTINGS_OWN, private=True)
def openid_tie(request: PortalRequest) -> HttpResponse:
    return pages.tie(request, FACE)


@requires(Permission.SETTINGS_OWN, private=True)
def ask_address(request: PortalRequest) -> HttpResponse:
    return pages.ask_address(request, FACE)


@requires(Permission.SETTINGS_OWN, private=True, unproved=True)
def confirm(request: PortalRequest) -> HttpResponse:
    return pages.confirm(request, FACE)


@requires(Permission.SETTINGS_OWN, private=True)
def security(request: PortalRequest) -> HttpResponse:
    return pages.overview(request, FACE)


@requires(Permission.SETTINGS_OWN, private=True, unproved=True)
def app(request: PortalRequest) -> HttpResponse:
    return pages.add_an_app(request, FACE)


@requires(Permission.SETTINGS_OWN, private=True, unproved=True)
def passkey(request: PortalRequest) -> HttpResponse:
    return pages.add_a_passkey(request, FACE)


@requires(Permission.SETTINGS_OWN, private=True)
def codes(request: PortalRequest) -> HttpResponse:
    return pages.new_codes(request, FACE)


@requires(Permission.SETTINGS_OWN, private=True)
def remove(request: PortalRequest, public_id: str) -> HttpResponse:
    return pages.remove(request, FACE, public_id)


@requires(Permission.SETTINGS_OWN, private=True)
def end_session(request: PortalRequest, public_id: str) -> HttpResponse:
    return pages.end_one(request, FACE, public_id)


@requires(Permission.SETTINGS_OWN, private=True)
def end_others(request: PortalRequest) -> HttpResponse:
    return pages.end_others(request, FACE)
