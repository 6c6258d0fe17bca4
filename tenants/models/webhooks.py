"""What is to be delivered to which endpoint and how far it is; what it says is in the tenant's own schema."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.models.identity import id_field
from tenants.webhooks.data import DeliveryState


class WebhookDelivery(models.Model):
    """One message to one endpoint. `due_at` is when to try next; a process claims it by moving that."""

    id = id_field()
    tenant_id = models.CharField(_("tenant"), max_length=26)
    endpoint_id = models.CharField(_("endpoint"), max_length=26)
    message_id = models.CharField(_("message"), max_length=26)
    event = models.CharField(_("event"), max_length=60)
    state = models.CharField(
        _("state"),
        max_length=12,
        default=DeliveryState.WAITING,
        choices=[
            (DeliveryState.WAITING, _("Waiting")),
            (DeliveryState.HELD, _("Held: the endpoint is disabled")),
            (DeliveryState.DELIVERED, _("Delivered")),
            (DeliveryState.FAILED, _("Given up")),
        ],
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("next attempt"), default=utc_now)
    last_status = models.PositiveSmallIntegerField(_("last status"), null=True)
    last_error = models.CharField(_("last error"), max_length=200, default="", blank=True)
    created_at = models.DateTimeField(_("created"), default=utc_now)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "endpoint_id", "message_id"],
                name="webhook_delivery_once",
                violation_error_message=_("This message goes to this endpoint already."),
            )
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], name="webhook_delivery_due", condition=Q(state="WAITING")),
            models.Index(fields=["tenant_id", "-created_at", "-id"], name="webhook_delivery_by_tenant"),
            models.Index(fields=["finished_at"], name="webhook_delivery_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"

    @property
    def public_id(self) -> str:
        return prefixed("dlv", self.id)
