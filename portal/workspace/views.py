"""The workspace's settings: look, change, see who changed what and go back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from core.clock import utc_now
from core.errors import LumosError
from portal.figures import chat_models
from portal.guard import requires
from portal.request import PortalRequest, acting
from portal.workspace.forms import SettingsForm
from tenants.api import (
    Editor,
    Permission,
    VersionNotFound,
    allows,
    change_settings,
    configuration_of,
    roll_back_settings,
    versions_of,
)


@require_http_methods(["GET", "POST"])
@requires(Permission.WORKSPACE_CONFIGURE)
def workspace(request: PortalRequest) -> HttpResponse:
    """The page of all settings, and what was filled in on it."""
    form = _form(request)
    if request.method == "GET":
        return _page(request, form, 200)
    if not form.is_valid():
        return _page(request, form, 400)
    try:
        change_settings(
            tenant_id=request.tenant.id,
            values=form.changes(),
            editor=_editor(request),
            acting=acting(request),
            now=utc_now(),
            reason=form.cleaned_data["reason"],
            version=form.cleaned_data["version"],
        )
    except LumosError as error:
        form.add_service_errors(error.message, error.fields)
        return _page(request, form, error.status)
    messages.success(request, _("The settings are kept. Every process obeys them within a second."))
    return HttpResponseRedirect(reverse("portal:workspace"))


@require_GET
@requires(Permission.WORKSPACE_CONFIGURE)
def history(request: PortalRequest) -> HttpResponse:
    now = configuration_of(request.tenant.id)
    titles = {facts.spec.name: facts.spec.title for facts in now.settings}
    found = versions_of(request.tenant.id, before=_number(request.GET.get("before", "")))
    versions = [
        {"facts": version, "changes": [(titles.get(each.name, each.name), each) for each in version.changes]}
        for version in found
    ]
    context = {"versions": versions, "newest": now.version, "more": bool(found) and found[-1].number > 1}
    return render(request, "portal/workspace/history.html", context)


@require_http_methods(["GET", "POST"])
@requires(Permission.WORKSPACE_CONFIGURE)
def roll_back(request: PortalRequest, number: int) -> HttpResponse:
    """Ask, then set everything to what it was in that version."""
    if request.method == "GET":
        version = next((each for each in versions_of(request.tenant.id, before=number + 1, limit=1)), None)
        if number and (version is None or version.number != number):
            raise VersionNotFound
        context = {"number": number, "version": version if number else None}
        return render(request, "portal/workspace/roll_back.html", context)
    roll_back_settings(
        tenant_id=request.tenant.id,
        to=number,
        editor=_editor(request),
        acting=acting(request),
        now=utc_now(),
        reason=request.POST.get("reason", "")[:300],
    )
    messages.success(request, _("The settings are those of version %(number)d again.") % {"number": number})
    return HttpResponseRedirect(reverse("portal:workspace_history"))


def _form(request: PortalRequest) -> SettingsForm:
    return SettingsForm(
        request.POST if request.method == "POST" else None,
        now=configuration_of(request.tenant.id),
        editor=_editor(request),
        models=[model.name for model in chat_models(request.tenant.id, utc_now())],
    )


def _page(request: PortalRequest, form: SettingsForm, status: int) -> HttpResponse:
    now = configuration_of(request.tenant.id)
    others = [facts for facts in now.settings if facts.spec.editor > _editor(request)]
    return render(request, "portal/workspace/page.html", {"form": form, "now": now, "others": others}, status=status)


def _editor(request: PortalRequest) -> Editor:
    return Editor.OWNER if allows(request.membership.role, Permission.OWNERS_MANAGE) else Editor.ADMIN


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
