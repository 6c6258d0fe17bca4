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
