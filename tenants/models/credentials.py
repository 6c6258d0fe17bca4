"""Credentials of programs, a tenant's and an operator's; owns fields, never a credential itself."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.models.identity import id_field
from tenants.models.tenant import Tenant


class ApiKey(models.Model):
    """A credential of a tenant's programs. The key itself is not here, only its HMAC under a versioned pepper."""

    id = id_field()
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="api_keys", verbose_name=_("tenant"))
    name = models.CharField(_("name"), max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    pepper_version = models.PositiveSmallIntegerField(default=1, editable=False)
    prefix = models.CharField(_("prefix"), max_length=12, editable=False)
    last_four = models.CharField(_("ends with"), max_length=4, editable=False)
    live = models.BooleanField(_("live"), default=True)
    scopes = models.JSONField(_("scopes"), default=list)
    allowed_models = models.JSONField(
        _("models"), default=list, blank=True, help_text=_("Empty means all of the plan.")
    )
    allowed_networks = models.JSONField(
        _("networks"),
        default=list,
        db_default=[],
        blank=True,
        help_text=_("Empty: from everywhere its tenant may call from."),
    )
    requests_per_minute = models.PositiveIntegerField(_("requests per minute"), null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(_("tokens per minute"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=utc_now)
    created_by = models.CharField(_("created by"), max_length=200, default="")

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        indexes = [models.Index(fields=["tenant", "-created_at"], name="api_key_by_tenant")]

    def __str__(self) -> str:
        return f"{self.prefix}…{self.last_four}"

    @property
    def public_id(self) -> str:
        return prefixed("key", self.id)


class OperatorToken(models.Model):
    """A credential of an operator's program for the REST API; stored as an HMAC like a tenant's key."""

    id = id_field()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="operator_tokens")
    name = models.CharField(_("name"), max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    pepper_version = models.PositiveSmallIntegerField(default=1, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("operator token")
        verbose_name_plural = _("operator tokens")

    def __str__(self) -> str:
        return f"{self.name} …{self.last_four}"
