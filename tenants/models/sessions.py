"""API sessions of members; owns fields, no token: of the refresh tokens only HMACs are here."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.data import SessionEnd
from tenants.models.identity import id_field
from tenants.models.members import Membership
from tenants.models.tenant import Tenant


class ApiSession(models.Model):
    """A family of refresh tokens, of which one is good. It goes with the membership: who joins again begins anew.

    `account_mark` is the account's session hash when it began, so that a changed password ends it; `factor` is
    whether a second factor was proved then.
    """

    id = id_field()
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="api_sessions", verbose_name=_("tenant"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_sessions")
    membership = models.ForeignKey(Membership, models.CASCADE, related_name="api_sessions")
    name = models.CharField(_("name"), max_length=80, default="", blank=True)
    opened_from = models.CharField(_("opened from"), max_length=64, default="")
    account_mark = models.CharField(max_length=128, editable=False)
    factor = models.BooleanField(default=False, db_default=False, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    digest_before = models.CharField(max_length=64, default="", editable=False)
    created_at = models.DateTimeField(_("created"), default=utc_now)
    used_at = models.DateTimeField(_("last used"), default=utc_now)
    refresh_until = models.DateTimeField(_("can be renewed until"))
    expires_at = models.DateTimeField(_("expires"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end_reason = models.CharField(
        _("why it ended"),
        max_length=16,
        default="",
        blank=True,
        choices=[
            (SessionEnd.ENDED, _("Ended by its owner")),
            (SessionEnd.REUSED, _("An old refresh token was used again")),
            (SessionEnd.CROWDED, _("Gave way to newer ones")),
            (SessionEnd.ACCOUNT, _("Account locked or password changed")),
            (SessionEnd.TENANT, _("Tenant not active")),
        ],
    )

    class Meta:
        verbose_name = _("API session")
        verbose_name_plural = _("API sessions")
        indexes = [models.Index(fields=["user", "tenant"], name="api_session_open", condition=models.Q(ended_at=None))]

    def __str__(self) -> str:
        return self.name or self.public_id

    @property
    def public_id(self) -> str:
        return prefixed("ses", self.id)
