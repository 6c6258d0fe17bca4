"""The list of members and invitations, and the changes to it. Accounts are the platform's, hence its scope."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.clock import utc_now
from core.errors import InvalidInput, LumosError
from core.ids import parse_prefixed
from core.tenancy import platform_scope
from portal.guard import requires
from portal.members.forms import ROLE_NAMES, InviteForm, role_choices
from portal.request import PortalRequest, acting
from tenants.api import (
    InvitationNotFound,
    MemberFacts,
    MemberNotFound,
    Permission,
    Role,
    allows,
    change_role,
    invitations_of,
    invite_member,
    leave_tenant,
    members_of,
    remove_member,
    renew_invitation,
    revoke_invitation,
)


@require_GET
@requires(Permission.MEMBERS_VIEW)
def member_list(request: PortalRequest) -> HttpResponse:
    may_manage = allows(request.membership.role, Permission.MEMBERS_MANAGE)
    with platform_scope():
        members = members_of(request.tenant.id)
        invitations = invitations_of(request.tenant.id) if may_manage else []
    context = {
        "members": members,
        "invitations": invitations,
        "may_manage": may_manage,
        "owners": _owners(request),
        "roles": [(value, ROLE_NAMES[Role(value)]) for value, _words in role_choices(owners=_owners(request))],
        "now": utc_now(),
    }
    return render(request, "portal/members/list.html", context)


@require_http_methods(["GET", "POST"])
@requires(Permission.MEMBERS_MANAGE)
def invite(request: PortalRequest) -> HttpResponse:
    form = InviteForm(request.POST if request.method == "POST" else None, owners=_owners(request))
    status = 200 if request.method == "GET" else 400
    if form.is_valid():
        try:
            with platform_scope():
                invited = invite_member(
                    tenant_id=request.tenant.id,
                    email=form.cleaned_data["email"],
                    role=form.chosen,
                    owners=_owners(request),
                    acting=acting(request),
                    now=utc_now(),
                )
        except LumosError as error:
            form.add_error(None, error.message)
            status = error.status
        else:
            messages.success(request, _("A letter is on its way to %(email)s.") % {"email": invited.email})
            return _to_list()
    return render(request, "portal/members/invite.html", {"form": form}, status=status)


@require_POST
@requires(Permission.MEMBERS_MANAGE)
def set_role(request: PortalRequest, public_id: str) -> HttpResponse:
    wanted = request.POST.get("role", "")
    if wanted not in set(Role):
        raise InvalidInput(_("Choose one of the roles."))
    with platform_scope():
        changed = change_role(
            tenant_id=request.tenant.id,
            membership_id=_bare("mem", public_id),
            role=Role(wanted),
            owners=_owners(request),
            acting=acting(request),
            now=utc_now(),
        )
        words = {"email": changed.user.get_username(), "role": changed.get_role_display()}
    messages.success(request, _("%(email)s has the role %(role)s now.") % words)
    return _to_list()


@require_http_methods(["GET", "POST"])
@requires(Permission.MEMBERS_MANAGE)
def remove(request: PortalRequest, public_id: str) -> HttpResponse:
    with platform_scope():
        member = _member(request.tenant.id, public_id)
        if request.method == "POST":
            remove_member(
                tenant_id=request.tenant.id,
                membership_id=_bare("mem", public_id),
                owners=_owners(request),
                acting=acting(request),
                now=utc_now(),
            )
    if request.method == "GET":
        return render(request, "portal/members/remove.html", {"member": member})
    messages.success(request, _("%(email)s is no longer a member.") % {"email": member.email})
    return _to_list()


@require_http_methods(["GET", "POST"])
@requires(Permission.SETTINGS_OWN)
def leave(request: PortalRequest) -> HttpResponse:
    if request.method == "GET":
        return render(request, "portal/members/leave.html")
    with platform_scope():
        leave_tenant(tenant_id=request.tenant.id, user_id=request.user.pk, acting=acting(request), now=utc_now())
    return HttpResponseRedirect(reverse("portal:home"))


@require_POST
@requires(Permission.MEMBERS_MANAGE)
def renew(request: PortalRequest, public_id: str) -> HttpResponse:
    with platform_scope():
        invited = renew_invitation(
            tenant_id=request.tenant.id,
            invitation_id=_invitation(public_id),
            owners=_owners(request),
            acting=acting(request),
            now=utc_now(),
        )
    messages.success(request, _("A new letter is on its way to %(email)s.") % {"email": invited.email})
    return _to_list()


@require_POST
@requires(Permission.MEMBERS_MANAGE)
def revoke(request: PortalRequest, public_id: str) -> HttpResponse:
    with platform_scope():
        revoke_invitation(
            tenant_id=request.tenant.id,
            invitation_id=_invitation(public_id),
            acting=acting(request),
            now=utc_now(),
        )
    messages.success(request, _("The invitation is withdrawn."))
    return _to_list()


def _owners(request: PortalRequest) -> bool:
    """Whether this member may make, change and remove owners."""
    return allows(request.membership.role, Permission.OWNERS_MANAGE)


def _member(tenant_id: str, public_id: str) -> MemberFacts:
    member = next((member for member in members_of(tenant_id) if member.id == public_id), None)
    if member is None:
        raise MemberNotFound()
    return member


def _bare(kind: str, public_id: str) -> str:
    try:
        return parse_prefixed(kind, public_id)
    except InvalidInput as error:
        raise MemberNotFound() from error


def _invitation(public_id: str) -> str:
    try:
        return parse_prefixed("invite", public_id)
    except InvalidInput as error:
        raise InvitationNotFound() from error


def _to_list() -> HttpResponse:
    return HttpResponseRedirect(reverse("portal:members"))
