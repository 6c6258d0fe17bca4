"""Identity providers of tenants and who came in through them; owns fields and constraints, no rules."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import new_ulid


class IdentityProvider(models.Model):
    """How one tenant's people sign in by OpenID Connect. The client's secret is sealed under the tenant's own key."""

    tenant_id = models.CharField(_("tenant"), primary_key=True, max_length=26)
    issuer = models.URLField(_("issuer"), max_length=300)
    client_id = models.CharField(_("client id"), max_length=300)
    sealed_secret = models.TextField(default="", editable=False)
    admits = models.BooleanField(_("takes in whoever the provider knows"), default=False)
    role = models.CharField(_("role of those it takes in"), max_length=16)
    changed_at = models.DateTimeField(_("changed"), default=utc_now)

    class Meta:
        verbose_name = _("identity provider")
        verbose_name_plural = _("identity providers")

    def __str__(self) -> str:
        return self.issuer


class Identity(models.Model):
    """An account as a tenant's provider knows it: by issuer and subject, at that tenant only, never by an address."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    tenant_id = models.CharField(_("tenant"), max_length=26)
    issuer = models.URLField(_("issuer"), max_length=300)
    subject = models.CharField(_("subject"), max_length=255)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="identities")
    said_email = models.CharField(_("address that the provider gave"), max_length=254, default="")
    created_at = models.DateTimeField(_("created"), default=utc_now)
    used_at = models.DateTimeField(_("last used"), null=True)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [models.UniqueConstraint(fields=["tenant_id", "issuer", "subject"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.issuer} {self.subject}"
