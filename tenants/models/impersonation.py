"""Operators who act in a tenant's portal; owns fields, no token and no session key in the clear."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.data import ImpersonationEnd
from tenants.models.identity import id_field
from tenants.models.members import Membership
from tenants.models.tenant import Tenant


class Impersonation(models.Model):
    """One visit. `acts_as` is the member's address, empty for the workspace as such, and outlives the membership.

    `session_sealed` holds the key of the operator's own session, so that the visit ends with it; `handover_digest` is
    the HMAC of the token that carries the operator from one host to the other.
    """

    id = id_field()
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="impersonations", verbose_name=_("tenant"))
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="impersonations", verbose_name=_("operator")
    )
    operator_label = models.CharField(_("operator"), max_length=150)
    member = models.ForeignKey(
        Membership, models.SET_NULL, null=True, related_name="impersonations", verbose_name=_("member")
    )
    acts_as = models.CharField(_("acts as"), max_length=150, default="", blank=True)
    reason = models.CharField(_("reason"), max_length=400)
    created_at = models.DateTimeField(_("began"), default=utc_now)
    expires_at = models.DateTimeField(_("ends"))
    session_sealed = models.TextField(editable=False)
    handover_digest = models.CharField(max_length=64, unique=True, editable=False)
    handover_until = models.DateTimeField(editable=False)
    entered_at = models.DateTimeField(_("entered"), null=True, blank=True)
    raised_at = models.DateTimeField(_("raised"), null=True, blank=True)
    raise_reason = models.CharField(_("why raised"), max_length=400, default="", blank=True)
    ended_at = models.DateTimeField(_("over since"), null=True, blank=True)
    end_reason = models.CharField(
        _("why over"),
        max_length=16,
        default="",
        blank=True,
        choices=[
            (ImpersonationEnd.ENDED, _("Ended")),
            (ImpersonationEnd.EXPIRED, _("Its time was up")),
            (ImpersonationEnd.SIGNED_OUT, _("The operator signed out")),
            (ImpersonationEnd.ROLE_LOST, _("The operator may not any longer")),
            (ImpersonationEnd.MEMBER_GONE, _("The member is gone")),
            (ImpersonationEnd.TENANT, _("The tenant is put away")),
        ],
    )

    class Meta:
        verbose_name = _("impersonation")
        verbose_name_plural = _("impersonations")
        permissions = [("raise_impersonation", "Can raise impersonation")]
        constraints = [
            models.UniqueConstraint(
                fields=["operator"],
                condition=Q(ended_at=None),
                name="impersonation_one_open",
                violation_error_message=_("An operator acts in one place at a time."),
            )
        ]
        indexes = [models.Index(fields=["tenant", "-created_at"], name="impersonation_by_tenant")]

    def __str__(self) -> str:
        return f"{self.operator_label} · {self.acts_as or self.tenant}"

    @property
    def public_id(self) -> str:
        return prefixed("imp", self.id)

    @property
    def is_raised(self) -> bool:
        return self.raised_at is not None
