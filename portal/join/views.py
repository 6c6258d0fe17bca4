"""The link of an invitation, the page behind it, and joining.

The link's token is looked at once and then kept out of sight: the session remembers which invitation was opened, so
that no address, history or referrer holds the token while a person fills in a form.
"""

from __future__ import annotations

from contextlib import suppress

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from accounts.api import let_in, note_proved_address, place_of
from core.clock import utc_now
from core.errors import Conflict, LumosError
from portal.guard import problem_page
from portal.join.forms import NewAccountForm
from portal.request import PortalRequest
from tenants.api import (
    Invitation,
    InvitationNotForYou,
    InvitationNotFound,
    accept_invitation,
    find_account,
    open_invitation,
)

_OPENED = "invitation"


@never_cache
@require_GET
def open_letter(request: PortalRequest, token: str) -> HttpResponse:
    try:
        invitation = open_invitation(tenant_id=request.tenant.id, token=token, now=utc_now())
    except LumosError as error:
        return problem_page(request, error)
    request.session[_OPENED] = invitation.id
    return HttpResponseRedirect(reverse("portal:join"))


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "POST"])
def join_page(request: PortalRequest) -> HttpResponse:
    """One of four: join as who is signed in, be told that it is for another, sign in first, or make an account."""
    try:
        invitation = _opened(request)
        return _join_as_member(request, invitation) if request.user.is_authenticated else _join_new(request, invitation)
    except LumosError as error:
        return problem_page(request, error)


def opened_for(request: HttpRequest, tenant_id: str) -> str:
    """The address whose invitation to this tenant this browser has opened; empty when there is none. For sign-in."""
    found = Invitation.objects.filter(pk=request.session.get(_OPENED, ""), tenant_id=tenant_id).first()
    return found.email if found and found.is_open(utc_now()) else ""


def _opened(request: PortalRequest) -> Invitation:
    found = Invitation.objects.select_related("tenant").filter(pk=request.session.get(_OPENED, ""))
    invitation = found.filter(tenant_id=request.tenant.id).first()
    if invitation is None or not invitation.is_open(utc_now()):
        raise InvitationNotFound()
    return invitation


def _join_as_member(request: PortalRequest, invitation: Invitation) -> HttpResponse:
    if invitation.email not in (request.user.get_username().lower(), request.user.email.lower()):
        if request.method == "POST":
            raise InvitationNotForYou()
        return _page(request, invitation, stranger=True)
    if request.method == "GET":
        return _page(request, invitation)
    return _accept(request, invitation, request.user)


def _join_new(request: PortalRequest, invitation: Invitation) -> HttpResponse:
    if find_account(invitation.email) is not None:
        return _page(request, invitation, must_sign_in=True)
    form = NewAccountForm(request.POST if request.method == "POST" else None, email=invitation.email)
    if not form.is_valid():
        return _page(request, invitation, form=form, status=400 if form.is_bound else 200)
    return _accept(request, invitation, None, form.cleaned_data["password"])


def _accept(request: PortalRequest, invitation: Invitation, account: User | None, password: str = "") -> HttpResponse:
    now = utc_now()
    with transaction.atomic():
        joined = accept_invitation(
            tenant_id=request.tenant.id, invitation_id=invitation.id, account=account, password=password, now=now
        )
        _note_address(request, joined.user, invitation)
    request.session.pop(_OPENED, None)
    if account is None:
        let_in(request, account=joined.user, place=place_of(request), by="invitation", factor=False, now=now)
    return HttpResponseRedirect(reverse("portal:home"))


def _note_address(request: PortalRequest, account: User, invitation: Invitation) -> None:
    """Who opened the letter reads mail at its address, which counts when it is the account's."""
    with suppress(Conflict):
        if invitation.email == (account.email or account.get_username()).lower():
            note_proved_address(account=account, place=place_of(request), now=utc_now())


def _page(request: PortalRequest, invitation: Invitation, *, status: int = 200, **more: object) -> HttpResponse:
    context = {"invitation": invitation, "tenant": request.tenant, **more}
    return render(request, "portal/join/page.html", context, status=status)
