"""One data key per tenant, wrapped; owns the row, never a key in the clear.

Made with the tenant's schema and destroyed with the tenant: what was sealed with it is unreadable from then on.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now


class TenantDataKey(models.Model):
    """The tenant may still be waiting in the pool, so this is its id and no foreign key."""

    tenant_id = models.CharField(_("tenant"), primary_key=True, max_length=26)
    wrapped = models.BinaryField(editable=False)
    kek_version = models.PositiveSmallIntegerField(_("version of the key-encryption key"))
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("data key")
        verbose_name_plural = _("data keys")
        indexes = [models.Index(fields=["kek_version"], name="data_key_by_kek")]

    def __str__(self) -> str:
        return self.tenant_id

    def __repr__(self) -> str:
        return f"TenantDataKey({self.tenant_id!r}, kek_version={self.kek_version})"


class MasterKey(models.Model):
    """A version of the installation's master key, by its fingerprint; the key itself is in the secrets file.

    What was set up once is expected from then on: without that very key a process is sealed.
    """

    version = models.PositiveSmallIntegerField(_("version"), primary_key=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=32, editable=False)
    made_at = models.DateTimeField(_("made"), default=utc_now)
    replaced_at = models.DateTimeField(_("replaced"), null=True)
    retired_at = models.DateTimeField(_("retired"), null=True)

    class Meta:
        verbose_name = _("master key")
        verbose_name_plural = _("master keys")

    def __str__(self) -> str:
        return f"v{self.version}"
