"""The append-only log and the outbox of domain events; owns rows that nobody updates, knows no other app."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import new_ulid


class AuditEntry(models.Model):
    """One thing that somebody did. Plain strings beside ids, so that an entry outlives what it speaks of."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    at = models.DateTimeField(_("when"), default=utc_now, db_index=True)
    tenant_id = models.CharField(_("tenant"), max_length=26, default="", blank=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=16)
    actor_id = models.CharField(max_length=64)
    actor_label = models.CharField(_("actor"), max_length=200)
    action = models.CharField(_("action"), max_length=80)
    target = models.CharField(_("target"), max_length=200)
    detail = models.JSONField(_("detail"), default=dict, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [models.Index(fields=["tenant_id", "-at"], name="audit_by_tenant")]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"


class OutboxEvent(models.Model):
    """A domain event, written in the transaction that caused it and delivered at least once after it."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    type_name = models.CharField(max_length=80)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=utc_now)
    delivered_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(default="", blank=True)

    class Meta:
        verbose_name = _("outbox event")
        verbose_name_plural = _("outbox events")
        indexes = [models.Index(fields=["created_at"], name="outbox_waiting", condition=models.Q(delivered_at=None))]

    def __str__(self) -> str:
        return f"{self.type_name} {self.id}"
