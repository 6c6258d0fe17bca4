"""Whether a tenant demands a second factor of its members, and a session has not proved one; owns the question."""

from __future__ import annotations

from django.http import HttpRequest

from core.proof import has_proved_factor
from tenants.centre.registry import REQUIRE_FACTOR
from tenants.centre.selectors import setting_of
from tenants.models import Membership


def lacks_demanded_factor(request: HttpRequest, membership: Membership) -> bool:
    """The doors of the portal and of REST by its session ask; the tenant's wish is looked up for unproved sessions.

    An operator who acts for a member has proved a factor on the operators' site, else no visit could have begun.
    """
    if getattr(request, "impersonation", None) is not None or has_proved_factor(request):
        return False
    return bool(setting_of(membership.tenant_id, REQUIRE_FACTOR))
