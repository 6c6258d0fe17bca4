"""Schemas that were made ahead of time and wait for a tenant; owns the rows, not the making."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.tenancy import TenantRef
from tenants.models.identity import id_field


class PooledSchema(models.Model):
    """A schema with tables, role and data key. `id` is the id that its tenant will have; claiming deletes the row."""

    id = id_field()
    head = models.CharField(_("migrations"), max_length=64, help_text=_("Digest of the migrations that it has."))
    made_at = models.DateTimeField(_("made"), default=utc_now)

    class Meta:
        verbose_name = _("ready schema")
        verbose_name_plural = _("ready schemas")
        indexes = [models.Index(fields=["head", "id"], name="pool_by_head")]

    def __str__(self) -> str:
        return self.schema_name

    @property
    def schema_name(self) -> str:
        return TenantRef(self.id).schema_name
