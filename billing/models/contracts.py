"""Who subscribed to what and how far each period has come; rows that the ingest locks to charge each event."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.catalogue import ZERO, PlanVersion, Price, amount_field, id_field
from billing.periods import Cadence
from core.clock import utc_now
from core.ids import prefixed


class Subscription(models.Model):
    """A tenant's contract on one plan version during [starts_at, ends_at); `ends_at` empty: until further notice.

    `anchor_at` is the start of the first of an unbroken row of subscriptions: periods are computed from it.
    """

    id = id_field()
    tenant = models.ForeignKey("tenants.Tenant", models.PROTECT, related_name="subscriptions", verbose_name=_("tenant"))
    plan_version = models.ForeignKey(
        PlanVersion, models.PROTECT, related_name="subscriptions", verbose_name=_("plan version")
    )
    cadence = models.CharField(
        _("periods"),
        max_length=20,
        default=Cadence.CALENDAR_MONTH,
        choices=[
            (Cadence.CALENDAR_MONTH, _("Calendar months")),
            (Cadence.ANNIVERSARY_MONTH, _("Months from the start")),
        ],
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    anchor_at = models.DateTimeField(_("anchor"))
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=utc_now)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=Q(ends_at=None),
                name="subscription_one_open",
                violation_error_message=_("The tenant has an open subscription already."),
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="subscription_ends_after_start",
                violation_error_message=_("A subscription ends after it starts."),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "starts_at"], name="subscription_by_tenant")]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.plan_version_id}"

    @property
    def public_id(self) -> str:
        return prefixed("sub", self.id)


class PeriodPosition(models.Model):
    """Units and amount of one price in one billing period so far: the sum of what its events were charged.

    Only the ingest writes here, under its lock and in the transaction that stores the events.
    """

    tenant_id = models.CharField(max_length=26)
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="positions")
    price = models.ForeignKey(Price, models.PROTECT, related_name="positions")
    period_starts_at = models.DateTimeField()
    period_ends_at = models.DateTimeField()
    quantity = models.DecimalField(_("units"), max_digits=38, decimal_places=6, default=ZERO)
    amount = amount_field(_("amount"), default=ZERO)

    class Meta:
        verbose_name = _("position of a period")
        verbose_name_plural = _("positions of periods")
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "period_starts_at", "price"],
                name="period_position_once",
                violation_error_message=_("This price has a position in the period already."),
            )
        ]
        indexes = [models.Index(fields=["tenant_id", "period_starts_at"], name="period_position_by_tenant")]

    def __str__(self) -> str:
        return f"{self.price_id} {self.quantity}"
