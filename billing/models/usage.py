"""Metered usage: the events, their roll-ups, and corrections on their way to the quota counters.

Only the ingest writes here. Events are partitioned by month of `occurred_at` (metering.partitions); the table is
made by SQL in the migration, because Django knows no partitions.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalogue import ZERO, amount_field
from core.clock import utc_now


class UsageEvent(models.Model):
    """One request. Append-only; `charge` empty: no price was known, `cost` empty: no cost was known.

    To Django `id` is the key, for it is unique through all partitions: the ingest, the only writer, sees to that.
    PostgreSQL demands the partition's column in the key, so there it is (id, occurred_at).
    """

    id = models.CharField(primary_key=True, max_length=40)
    occurred_at = models.DateTimeField(_("occurred"))
    tenant_id = models.CharField(_("tenant"), max_length=26)
    key_id = models.CharField(_("API key"), max_length=40)
    model = models.CharField(_("model"), max_length=200)
    provider = models.CharField(_("provider"), max_length=100)
    endpoint = models.CharField(_("endpoint"), max_length=60)
    status = models.CharField(_("status"), max_length=20)
    input_tokens = models.BigIntegerField(_("input tokens"))
    cached_tokens = models.BigIntegerField(_("cached input tokens"))
    output_tokens = models.BigIntegerField(_("output tokens"))
    latency_ms = models.BigIntegerField(_("latency in ms"))
    first_token_ms = models.BigIntegerField(_("first token after ms"), null=True)
    price_version = models.CharField(_("price version"), max_length=80)
    estimated = models.BooleanField(_("estimated"))
    live = models.BooleanField(_("live"))
    provisional_micro = models.BigIntegerField()
    subscription_id = models.CharField(max_length=26, null=True)
    charge = amount_field(_("charge"), null=True)
    cost = amount_field(_("cost"), null=True)
    ingested_at = models.DateTimeField(_("ingested"))

    class Meta:
        verbose_name = _("usage event")
        verbose_name_plural = _("usage events")
        indexes = [models.Index(fields=["tenant_id", "occurred_at"], name="usage_event_by_tenant")]

    def __str__(self) -> str:
        return self.id


class UsageRollup(models.Model):
    """Sums of the events of one hour or day, by tenant, model, provider and key; always equal to the events."""

    class Grain(models.TextChoices):
        HOUR = "hour", _("Hour")
        DAY = "day", _("Day")

    tenant_id = models.CharField(_("tenant"), max_length=26)
    grain = models.CharField(_("grain"), max_length=4, choices=Grain.choices)
    starts_at = models.DateTimeField(_("starts"))
    model = models.CharField(_("model"), max_length=200)
    provider = models.CharField(_("provider"), max_length=100)
    key_id = models.CharField(_("API key"), max_length=40)
    live = models.BooleanField(_("live"))
    requests = models.BigIntegerField(_("requests"), default=0)
    failures = models.BigIntegerField(_("failures"), default=0)
    input_tokens = models.BigIntegerField(_("input tokens"), default=0)
    cached_tokens = models.BigIntegerField(_("cached input tokens"), default=0)
    output_tokens = models.BigIntegerField(_("output tokens"), default=0)
    latency_ms = models.BigIntegerField(_("sum of latencies in ms"), default=0)
    charge = amount_field(_("charge"), default=ZERO)
    cost = amount_field(_("cost"), default=ZERO)
    unpriced = models.BigIntegerField(_("without a price"), default=0)
    uncosted = models.BigIntegerField(_("without a cost"), default=0)

    class Meta:
        verbose_name = _("usage roll-up")
        verbose_name_plural = _("usage roll-ups")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "grain", "starts_at", "model", "provider", "key_id", "live"],
                name="usage_rollup_once",
                violation_error_message=_("This hour or day is rolled up already."),
            )
        ]
        indexes = [models.Index(fields=["grain", "starts_at"], name="usage_rollup_by_time")]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.grain} {self.starts_at:%Y-%m-%d %H:%M}"


class PendingCorrection(models.Model):
    """A correction of a quota counter that was committed with its events and is not known to be applied yet."""

    id = models.CharField(primary_key=True, max_length=40)
    tenant_id = models.CharField(max_length=26)
    month = models.CharField(max_length=7)
    delta_micro = models.BigIntegerField()
    created_at = models.DateTimeField(default=utc_now)

    class Meta:
        verbose_name = _("pending correction")
        verbose_name_plural = _("pending corrections")

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.delta_micro}"
