"""Webhooks: endpoints (their secret is shown in one answer and never again), deliveries, sending again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.clock import utc_now
from core.errors import InvalidInput, LumosError
from core.ids import parse_prefixed, prefixed
from portal.guard import requires
from portal.request import PortalRequest, acting
from portal.webhooks.forms import EndpointForm
from tenants.api import (
    DeliveryNotFound,
    EndpointFacts,
    EndpointNotFound,
    Permission,
    add_endpoint,
    change_endpoint,
    deliveries_of,
    delivery_of,
    delivery_text,
    disable_endpoint,
    enable_endpoint,
    endpoint_of,
    endpoints_of,
    remove_endpoint,
    resend_delivery,
    resend_failed,
    rotate_secret,
    send_test,
)


@require_GET
@requires(Permission.WEBHOOKS_MANAGE)
def endpoint_list(request: PortalRequest) -> HttpResponse:
    found = [_shown(facts) for facts in endpoints_of(request.tenant.id, now=utc_now())]
    return render(request, "portal/webhooks/list.html", {"endpoints": found})


@require_http_methods(["GET", "POST"])
@requires(Permission.WEBHOOKS_MANAGE)
@sensitive_variables()
def endpoint_create(request: PortalRequest) -> HttpResponse:
    form = EndpointForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _form_page(request, form, 400 if form.errors else 200)
    try:
        facts, secret = add_endpoint(
            tenant_id=request.tenant.id, acting=acting(request), now=utc_now(), **form.cleaned_data
        )
    except LumosError as error:
        form.add_service_errors(error.message, error.fields)
        return _form_page(request, form, error.status)
    return _secret_page(request, facts, secret, 201)


@require_http_methods(["GET", "POST"])
@requires(Permission.WEBHOOKS_MANAGE)
def endpoint_change(request: PortalRequest, public_id: str) -> HttpResponse:
    facts = endpoint_of(request.tenant.id, _endpoint(public_id), now=utc_now())
    before = {"url": facts.url, "description": facts.description, "events": list(facts.events)}
    form = EndpointForm(request.POST if request.method == "POST" else None, initial=before)
    if not form.is_valid():
        return _form_page(request, form, 400 if form.errors else 200, facts)
    try:
        change_endpoint(**_common(request, public_id), **form.cleaned_data)
    except LumosError as error:
        form.add_service_errors(error.message, error.fields)
        return _form_page(request, form, error.status, facts)
    messages.success(request, _("The endpoint is changed."))
    return _to_endpoint(public_id)


@require_GET
@requires(Permission.WEBHOOKS_MANAGE)
def endpoint_page(request: PortalRequest, public_id: str) -> HttpResponse:
    facts = endpoint_of(request.tenant.id, _endpoint(public_id), now=utc_now())
    context = {"endpoint": _shown(facts), "deliveries": deliveries_of(request.tenant.id, facts.id)}
    return render(request, "portal/webhooks/endpoint.html", context)


@require_POST
@requires(Permission.WEBHOOKS_MANAGE)
@sensitive_variables()
def endpoint_rotate(request: PortalRequest, public_id: str) -> HttpResponse:
    facts, secret = rotate_secret(**_common(request, public_id))
    return _secret_page(request, facts, secret, 200)


@require_POST
@requires(Permission.WEBHOOKS_MANAGE)
def endpoint_test(request: PortalRequest, public_id: str) -> HttpResponse:
    send_test(**_common(request, public_id))
    messages.success(request, _("A test is on its way; look at the deliveries in a moment."))
    return _to_endpoint(public_id)


@require_POST
@requires(Permission.WEBHOOKS_MANAGE)
def endpoint_switch(request: PortalRequest, public_id: str) -> HttpResponse:
    """Enable or disable, by which button was pressed."""
    turn: Callable[..., EndpointFacts] = enable_endpoint if request.POST.get("to") == "on" else disable_endpoint
    facts = turn(**_common(request, public_id))
    words = (
        _("The endpoint is enabled, and what was held is sent.") if facts.enabled else _("The endpoint is disabled.")
    )
    messages.success(request, words)
    return _to_endpoint(public_id)


@require_POST
@requires(Permission.WEBHOOKS_MANAGE)
def endpoint_resend(request: PortalRequest, public_id: str) -> HttpResponse:
    number = resend_failed(**_common(request, public_id))
    words = ngettext("%(n)s delivery is sent again.", "%(n)s deliveries are sent again.", number)
    messages.success(request, words % {"n": number})
    return _to_endpoint(public_id)


@require_http_methods(["GET", "POST"])
@requires(Permission.WEBHOOKS_MANAGE)
def endpoint_remove(request: PortalRequest, public_id: str) -> HttpResponse:
    if request.method == "GET":
        facts = endpoint_of(request.tenant.id, _endpoint(public_id), now=utc_now())
        return render(request, "portal/webhooks/remove.html", {"endpoint": _shown(facts)})
    remove_endpoint(**_common(request, public_id))
    messages.success(request, _("The endpoint is removed."))
    return HttpResponseRedirect(reverse("portal:webhooks"))


@require_GET
@requires(Permission.WEBHOOKS_MANAGE)
def delivery_page(request: PortalRequest, public_id: str) -> HttpResponse:
    delivery = delivery_of(request.tenant.id, _delivery(public_id))
    context = {
        "delivery": delivery,
        "text": delivery_text(delivery),
        "endpoint_id": prefixed("whe", delivery.endpoint_id),
    }
    return render(request, "portal/webhooks/delivery.html", context)


@require_POST
@requires(Permission.WEBHOOKS_MANAGE)
def delivery_resend(request: PortalRequest, public_id: str) -> HttpResponse:
    resend_delivery(
        tenant_id=request.tenant.id, delivery_id=_delivery(public_id), acting=acting(request), now=utc_now()
    )
    messages.success(request, _("It is sent again, under its old webhook-id."))
    return HttpResponseRedirect(reverse("portal:webhook_delivery", args=[public_id]))


def _shown(facts: EndpointFacts) -> dict[str, Any]:
    return {"facts": facts, "id": prefixed("whe", facts.id)}


def _common(request: PortalRequest, public_id: str) -> dict[str, Any]:
    return {
        "tenant_id": request.tenant.id,
        "endpoint_id": _endpoint(public_id),
        "acting": acting(request),
        "now": utc_now(),
    }


def _form_page(
    request: PortalRequest, form: EndpointForm, status: int, facts: EndpointFacts | None = None
) -> HttpResponse:
    context = {"form": form, "endpoint": _shown(facts) if facts else None}
    return render(request, "portal/webhooks/form.html", context, status=status)


def _secret_page(request: PortalRequest, facts: EndpointFacts, secret: str, status: int) -> HttpResponse:
    return render(request, "portal/webhooks/secret.html", {"endpoint": _shown(facts), "secret": secret}, status=status)


def _to_endpoint(public_id: str) -> HttpResponse:
    return HttpResponseRedirect(reverse("portal:webhook", args=[public_id]))


def _endpoint(public_id: str) -> str:
    try:
        return parse_prefixed("whe", public_id)
    except InvalidInput as error:
        raise EndpointNotFound() from error


def _delivery(public_id: str) -> str:
    try:
        return parse_prefixed("dlv", public_id)
    except InvalidInput as error:
        raise DeliveryNotFound() from error
