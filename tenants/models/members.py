"""Who may enter a tenant, and who operates the platform; owns fields and constraints, no rules and no writes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from tenants.data import Role
from tenants.models.identity import id_field
from tenants.models.tenant import Tenant
from tenants.roles import OperatorRole


class Membership(models.Model):
    """Opens a tenant to an account."""

    id = id_field()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="memberships")
    role = models.CharField(
        _("role"),
        max_length=16,
        choices=[
            (Role.OWNER, _("Owner")),
            (Role.ADMIN, _("Admin")),
            (Role.DEVELOPER, _("Developer")),
            (Role.BILLING, _("Billing")),
            (Role.VIEWER, _("Viewer")),
        ],
    )
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "tenant"],
                name="membership_once",
                violation_error_message=_("This account is a member already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"


class Operator(models.Model):
    """Makes an account one of the company's own, with a fixed role. Kept in step with the account's two flags."""

    id = id_field()
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="operator")
    role = models.CharField(
        _("role"),
        max_length=16,
        choices=[
            (OperatorRole.SUPER, _("Super")),
            (OperatorRole.SECURITY, _("Security")),
            (OperatorRole.BILLING, _("Billing")),
            (OperatorRole.SUPPORT, _("Support")),
            (OperatorRole.READ_ONLY, _("Read-only")),
        ],
    )
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("operator")
        verbose_name_plural = _("operators")

    def __str__(self) -> str:
        return self.user.get_username()
