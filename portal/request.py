"""A request of a signed-in member, as the guard hands it to a view."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from audit.api import Actor
from portal.notices import Notice
from tenants.api import Membership, Tenant, Visit


class PortalRequest(HttpRequest):
    """What the middlewares have put on the request by the time a guarded view runs."""

    user: User
    tenant: Tenant
    membership: Membership
    htmx: HtmxDetails
    notices: list[Notice]
    impersonation: Visit | None


def acting(request: PortalRequest) -> Actor:
    """The member as the audit log names people; an operator who acts for one is named beside them."""
    visit: Visit | None = getattr(request, "impersonation", None)
    if visit is not None:
        return visit.actor
    return Actor("member", str(request.user.pk), request.user.email or request.user.get_username())


def base_url(request: HttpRequest) -> str:
    """Where this tenant's programs send their requests: what an OpenAI client calls `base_url`."""
    return f"{request.scheme}://{request.get_host()}/v1"
