"""Who may enter a tenant, and who operates the platform; owns fields and constraints, no rules and no writes."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.data import Role
from tenants.models.identity import id_field
from tenants.models.tenant import Tenant
from tenants.roles import OperatorRole

ROLE_CHOICES = [
    (Role.OWNER, _("Owner")),
    (Role.ADMIN, _("Admin")),
    (Role.DEVELOPER, _("Developer")),
    (Role.BILLING, _("Billing")),
    (Role.VIEWER, _("Viewer")),
]


class Membership(models.Model):
    """Opens a tenant to an account."""

    id = id_field()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="memberships")
    role = models.CharField(
        _("role"),
        max_length=16,
        choices=ROLE_CHOICES,
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

    @property
    def public_id(self) -> str:
        return prefixed("mem", self.id)


class Invitation(models.Model):
    """Offers a membership to whoever reads the mail of one address. The token is not here, only its HMAC."""

    id = id_field()
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="invitations", verbose_name=_("tenant"))
    email = models.EmailField(_("e-mail"), max_length=150)
    role = models.CharField(_("role"), max_length=16, choices=ROLE_CHOICES)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    pepper_version = models.PositiveSmallIntegerField(default=1, editable=False)
    invited_by = models.CharField(_("invited by"), max_length=200, default="")
    created_at = models.DateTimeField(_("created"), default=utc_now)
    expires_at = models.DateTimeField(_("expires"))
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitation_open_once",
                violation_error_message=_("This address is invited already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} · {self.role}"

    @property
    def public_id(self) -> str:
        return prefixed("invite", self.id)

    def is_open(self, now: datetime) -> bool:
        """Whether it can still be accepted."""
        return self.accepted_at is None and self.revoked_at is None and self.expires_at > now


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
