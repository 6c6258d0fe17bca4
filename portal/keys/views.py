"""API keys: list, create (the key is shown in that one answer and never again), revoke."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods

from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import parse_prefixed
from portal.figures import example_model
from portal.guard import requires
from portal.keys.forms import NewKeyForm
from portal.keys.selectors import key_of, keys_of
from portal.request import PortalRequest, acting, base_url
from tenants.api import Permission, allows, create_api_key, grantable_scopes, permissions_of, revoke_api_key


@require_GET
@requires(Permission.KEYS_VIEW)
def key_list(request: PortalRequest) -> HttpResponse:
    return render(request, "portal/keys/list.html", _list_context(request))


@require_GET
@requires(Permission.KEYS_VIEW)
def key_table(request: PortalRequest) -> HttpResponse:
    return render(request, "portal/keys/table.html", _list_context(request))


def _list_context(request: PortalRequest) -> dict[str, object]:
    with_ended = request.GET.get("show") == "all"
    return {
        "keys": keys_of(request.tenant.id, now=utc_now(), with_ended=with_ended),
        "with_ended": with_ended,
        "may_manage": allows(request.membership.role, Permission.KEYS_MANAGE),
    }


@require_http_methods(["GET", "POST"])
@requires(Permission.KEYS_MANAGE)
def key_create(request: PortalRequest) -> HttpResponse:
    grantable = grantable_scopes(permissions_of(request.membership.role))
    form = NewKeyForm(request.POST if request.method == "POST" else None, grantable=grantable)
    if request.method == "POST" and form.is_valid():
        return _create(request, form)
    return _form_page(request, form, status=400 if form.errors else 200)


@sensitive_variables()
def _create(request: PortalRequest, form: NewKeyForm) -> HttpResponse:
    now = utc_now()
    try:
        key, plaintext = create_api_key(
            tenant_id=request.tenant.id,
            name=form.cleaned_data["name"],
            acting=acting(request),
            now=now,
            live=form.cleaned_data["kind"] == "live",
            scopes=form.cleaned_data["scopes"],
            limits=form.limits(),
            expires_at=form.expires_at(now),
            networks=form.cleaned_data["networks"],
        )
    except InvalidInput as error:
        form.add_service_errors(error.fields)
        return _form_page(request, form, status=error.status)
    context = {
        "name": key.name,
        "plaintext": plaintext,
        "base_url": base_url(request),
        "example_model": example_model(request.tenant.id, now),
    }
    return render(request, "portal/keys/created.html", context, status=201)


def _form_page(request: PortalRequest, form: NewKeyForm, status: int) -> HttpResponse:
    return render(request, "portal/keys/create.html", {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
@requires(Permission.KEYS_MANAGE)
def key_revoke(request: PortalRequest, public_id: str) -> HttpResponse:
    now = utc_now()
    key = key_of(request.tenant.id, public_id, now=now)
    if request.method == "GET":
        return render(request, "portal/keys/revoke.html", {"key": key})
    revoke_api_key(
        tenant_id=request.tenant.id, key_id=parse_prefixed("key", public_id), acting=acting(request), now=now
    )
    messages.success(request, _("The key “%(name)s” is revoked.") % {"name": key.name})
    return HttpResponseRedirect(reverse("portal:keys"))
