"""Mail on its way; owns what is to be sent, sealed, and what became of it. Words are forgotten once they are sent."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import new_ulid


class OutgoingMail(models.Model):
    """One message to one person, written in the transaction that caused it."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    tenant_id = models.CharField(_("tenant"), max_length=26, default="", blank=True)
    kind = models.CharField(_("kind"), max_length=40)
    to = models.EmailField(_("to"), max_length=254)
    language = models.CharField(_("language"), max_length=16)
    sealed = models.TextField(default="", editable=False)
    created_at = models.DateTimeField(_("created"), default=utc_now)
    due_at = models.DateTimeField(_("next attempt"), null=True, default=utc_now)
    sent_at = models.DateTimeField(_("sent"), null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, default="", blank=True)

    class Meta:
        verbose_name = _("outgoing mail")
        verbose_name_plural = _("outgoing mail")
        indexes = [models.Index(fields=["due_at"], name="mail_due", condition=Q(due_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.kind} {self.to}"
