"""Stored limits and alerts; owns fields and constraints, no resolution and no counting."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import new_ulid
from quotas.data import MOST, Dimension
from tenants.data import TenantType

_DIMENSIONS = [
    (Dimension.REQUESTS_PER_MINUTE, _("Requests per minute")),
    (Dimension.TOKENS_PER_MINUTE, _("Tokens per minute")),
    (Dimension.TOKENS_PER_MONTH, _("Tokens per month")),
    (Dimension.MONEY_PER_MONTH, _("Money per month")),
    (Dimension.CONCURRENT_REQUESTS, _("Concurrent requests")),
]


class StoredLimit(models.Model):
    """What every limit row has. Money is in micro-units. `revision` rises with each change of the row."""

    dimension = models.CharField(_("dimension"), max_length=32, choices=_DIMENSIONS)
    value = models.BigIntegerField(
        _("limit"), null=True, blank=True, help_text=_("Empty: unlimited. 0: nothing is allowed.")
    )
    hard = models.BooleanField(_("hard"), default=True, help_text=_("A soft limit is counted and alerted only."))
    revision = models.BigIntegerField(default=0, editable=False)
    changed_at = models.DateTimeField(_("changed"), default=utc_now)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.dimension} {'∞' if self.value is None else self.value}"


def _in_range(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(value=None) | Q(value__gte=0, value__lte=MOST),
        name=name,
        violation_error_message=_("A limit is a whole number from 0 to 10^15, or nothing for unlimited."),
    )


class TypeLimit(StoredLimit):
    """The profile of a tenant type."""

    tenant_type = models.CharField(_("tenant type"), max_length=20, choices=[(t, t) for t in TenantType])

    class Meta:
        verbose_name = _("limit of a tenant type")
        verbose_name_plural = _("limits of tenant types")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_type", "dimension"],
                name="type_limit_once",
                violation_error_message=_("This type has a limit for that dimension already."),
            ),
            _in_range("type_limit_range"),
        ]


class PlanLimit(StoredLimit):
    """What a plan grants; `plan` is the plan's code."""

    plan = models.CharField(_("plan"), max_length=40)

    class Meta:
        verbose_name = _("limit of a plan")
        verbose_name_plural = _("limits of plans")
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "dimension"],
                name="plan_limit_once",
                violation_error_message=_("This plan has a limit for that dimension already."),
            ),
            _in_range("plan_limit_range"),
        ]


class TenantLimit(StoredLimit):
    """An exception for one tenant. A cleared one stays as an inactive row, for its revision."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="limits", verbose_name=_("tenant"))
    is_active = models.BooleanField(_("active"), default=True)
    expires_at = models.DateTimeField(
        _("until"), null=True, blank=True, help_text=_("From then on plan and type decide again. Empty: for good.")
    )
    reason = models.CharField(_("reason"), max_length=300, default="", blank=True)
    set_by = models.CharField(_("set by"), max_length=200, default="", blank=True, editable=False)

    class Meta:
        verbose_name = _("limit of a tenant")
        verbose_name_plural = _("limits of tenants")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "dimension"],
                name="tenant_limit_once",
                violation_error_message=_("This tenant has a limit for that dimension already."),
            ),
            _in_range("tenant_limit_range"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="tenant_limit_to_end", condition=Q(is_active=True))]


class QuotaAlert(models.Model):
    """A threshold that use rose over, once for each period and version of the limit. Written by `store_alerts` only.

    `scope` is "tenant" or "key:<key id>"; `version` and `limit` are those of the limit at that moment.
    """

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    tenant_id = models.CharField(_("tenant"), max_length=26)
    scope = models.CharField(_("scope"), max_length=40)
    dimension = models.CharField(_("dimension"), max_length=32, choices=_DIMENSIONS)
    period = models.CharField(_("period"), max_length=20)
    threshold = models.PositiveSmallIntegerField(_("threshold in percent"))
    version = models.BigIntegerField()
    limit = models.BigIntegerField(_("limit"))
    level = models.BigIntegerField(_("used and held"))
    reached_at = models.DateTimeField(_("reached"))

    class Meta:
        verbose_name = _("quota alert")
        verbose_name_plural = _("quota alerts")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "scope", "dimension", "period", "threshold", "version", "limit"],
                name="quota_alert_once",
            )
        ]
        indexes = [models.Index(fields=["tenant_id", "-reached_at"], name="quota_alert_by_tenant")]

    def __str__(self) -> str:
        return f"{self.dimension} {self.threshold} %"
