"""The page of the identity provider: enter, change, remove. Sensitive, so it asks for a fresh proof first."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.api import (
    ProviderInput,
    identity_provider,
    pages,
    remove_identity_provider,
    set_identity_provider,
)
from core.clock import utc_now
from core.errors import LumosError
from core.proof import is_fresh
from core.tenancy import platform_scope
from portal.guard import requires
from portal.provider.forms import ProviderForm
from portal.request import PortalRequest, acting
from portal.security.views import FACE
from tenants.api import Permission, Role


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "POST"])
@requires(Permission.MEMBERS_MANAGE, private=True)
def provider(request: PortalRequest) -> HttpResponse:
    if not is_fresh(request, utc_now()):
        return FACE.to("security_confirm", next=request.path)
    with platform_scope():
        return _remove(request) if "remove" in request.POST else _set(request)


def _set(request: PortalRequest) -> HttpResponse:
    row = identity_provider(request.tenant.id)
    shown = {"issuer": row.issuer, "client_id": row.client_id, "admits": row.admits, "role": row.role} if row else None
    form = ProviderForm(request.POST if request.method == "POST" else None, initial=shown)
    if not form.is_valid():
        return _page(request, form, 400 if form.is_bound else 200)
    said = form.cleaned_data
    given = ProviderInput(said["issuer"], said["client_id"], said["secret"], said["admits"], Role(said["role"]))
    try:
        set_identity_provider(tenant_id=request.tenant.id, given=given, acting=acting(request), now=utc_now())
    except LumosError as error:
        form.add_error(next((name for name in error.fields if name in form.fields), None), error.message)
        return _page(request, form, error.status)
    messages.success(request, _("Members can sign in through the provider now."))
    return HttpResponseRedirect(reverse("portal:provider"))


def _remove(request: PortalRequest) -> HttpResponse:
    remove_identity_provider(tenant_id=request.tenant.id, acting=acting(request), now=utc_now())
    messages.success(request, _("The identity provider is removed."))
    return HttpResponseRedirect(reverse("portal:provider"))


def _page(request: PortalRequest, form: ProviderForm, status: int) -> HttpResponse:
    context = {
        "form": form,
        "there": identity_provider(request.tenant.id) is not None,
        "redirect_uri": pages.redirect_uri(request, FACE),
    }
    return render(request, "portal/provider/page.html", context, status=status)
