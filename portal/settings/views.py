"""A member's own settings. Language is Django's own view; appearance is a cookie; the password is the account's."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import parse_prefixed
from core.tenancy import platform_scope
from portal.guard import requires
from portal.request import PortalRequest, acting
from portal.settings.services import change_password
from portal.settings.theme import THEMES, remember_theme
from tenants.api import Permission, SessionNotFound, allows, api_sessions_of, end_api_session, impersonations_of


@require_GET
@requires(Permission.SETTINGS_OWN)
def settings_page(request: PortalRequest) -> HttpResponse:
    return _page(request, PasswordChangeForm(request.user), 200)


@require_POST
@requires(Permission.SETTINGS_OWN)
def set_theme(request: PortalRequest) -> HttpResponse:
    theme = request.POST.get("theme", "")
    if theme not in THEMES:
        raise InvalidInput(_("Choose light, dark or system."))
    response = HttpResponseRedirect(reverse("portal:settings"))
    remember_theme(response, theme)
    return response


@sensitive_post_parameters()
@require_POST
@requires(Permission.SETTINGS_OWN)
def set_password(request: PortalRequest) -> HttpResponse:
    form = PasswordChangeForm(request.user, request.POST)
    if not form.is_valid():
        return _page(request, form, 400)
    change_password(request, form)
    messages.success(request, _("Your password is changed."))
    return HttpResponseRedirect(reverse("portal:settings"))


@require_POST
@requires(Permission.SETTINGS_OWN)
def end_program(request: PortalRequest, public_id: str) -> HttpResponse:
    try:
        bare = parse_prefixed("ses", public_id)
    except InvalidInput as error:
        raise SessionNotFound() from error
    with platform_scope():
        end_api_session(
            tenant_id=request.tenant.id,
            user_id=request.user.pk,
            session_id=bare,
            acting=acting(request),
            now=utc_now(),
        )
    messages.success(request, _("The session is over."))
    return HttpResponseRedirect(reverse("portal:settings"))


def _page(request: PortalRequest, form: PasswordChangeForm, status: int) -> HttpResponse:
    form.fields["old_password"].widget.attrs.pop("autofocus", None)  # the page is about more than the password
    with platform_scope():
        sessions = api_sessions_of(request.tenant.id, request.user.pk, utc_now())
    may_see_visits = allows(request.membership.role, Permission.AUDIT_VIEW)
    context = {
        "form": form,
        "themes": THEMES,
        "api_sessions": sessions,
        "manages": allows(request.membership.role, Permission.MEMBERS_MANAGE),
        "may_see_visits": may_see_visits,
        "visits": impersonations_of(utc_now()) if may_see_visits else [],
    }
    return render(request, "portal/settings/page.html", context, status=status)
