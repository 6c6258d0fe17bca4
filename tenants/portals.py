"""Where a tenant's portal is from outside, for links that are written without a request, as in mail."""

from __future__ import annotations

from django.conf import settings

from tenants.models import Domain, Tenant


def portal_address(tenant: Tenant, path: str = "/") -> str:
    """The address of a page of the portal, on the tenant's main domain."""
    domain = Domain.objects.filter(tenant=tenant).order_by("-is_primary", "pk").first()
    host = domain.domain if domain else f"{tenant.slug}.{settings.BASE_DOMAIN}"
    port = f":{settings.EXTERNAL_PORT}" if settings.EXTERNAL_PORT else ""
    return f"{settings.EXTERNAL_SCHEME}://{host}{port}{path}"
