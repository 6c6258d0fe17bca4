"""From where programs and people may use the workspace; the one page on which somebody could shut themselves out."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from core.address import exact_address
from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import parse_prefixed
from core.tenancy import platform_scope
from portal.guard import requires
from portal.keys.selectors import key_of
from portal.network.forms import KeyNetworksForm, NetworksForm
from portal.request import PortalRequest, acting
from tenants.api import Permission, WouldLockOut, set_key_networks, set_tenant_networks, tenant_by_id


@require_http_methods(["GET", "POST"])
@requires(Permission.NETWORKS_MANAGE)
def networks_page(request: PortalRequest) -> HttpResponse:
    if request.method == "POST":
        form = NetworksForm(request.POST)
        return _set(request, form) if form.is_valid() else _page(request, form, 400)
    with platform_scope():
        tenant = tenant_by_id(request.tenant.id)  # as it is now: the request's own may be seconds old
    lists = {"networks": tenant.allowed_networks, "portal_networks": tenant.portal_networks}
    return _page(request, NetworksForm(initial=lists), 200)


def _set(request: PortalRequest, form: NetworksForm) -> HttpResponse:
    try:
        with platform_scope():
            set_tenant_networks(
                tenant_id=request.tenant.id,
                own_address="" if form.cleaned_data["confirm"] else exact_address(request),
                acting=acting(request),
                now=utc_now(),
                **form.lists,
            )
    except (InvalidInput, WouldLockOut) as error:
        form.tell(error)
        if isinstance(error, WouldLockOut):
            form.offer_to_confirm()
        return _page(request, form, error.status)
    messages.success(request, _("The networks are changed; every process obeys within a second."))
    return HttpResponseRedirect(reverse("portal:networks"))


def _page(request: PortalRequest, form: NetworksForm, status: int) -> HttpResponse:
    context = {"form": form, "own_address": exact_address(request)}
    return render(request, "portal/network/page.html", context, status=status)


@require_http_methods(["GET", "POST"])
@requires(Permission.KEYS_MANAGE)
def key_networks(request: PortalRequest, public_id: str) -> HttpResponse:
    now = utc_now()
    key = key_of(request.tenant.id, public_id, now=now)
    form = KeyNetworksForm(request.POST if request.method == "POST" else None, initial={"networks": [*key.networks]})
    status = 200 if request.method == "GET" else 400
    if form.is_valid():
        try:
            set_key_networks(
                tenant_id=request.tenant.id,
                key_id=parse_prefixed("key", public_id),
                networks=form.cleaned_data["networks"],
                acting=acting(request),
                now=now,
            )
        except InvalidInput as error:
            form.add_service_errors(error.fields["networks"])
        else:
            messages.success(request, _("The networks of “%(name)s” are changed.") % {"name": key.name})
            return HttpResponseRedirect(reverse("portal:keys"))
    return render(request, "portal/network/key.html", {"form": form, "key": key}, status=status)
