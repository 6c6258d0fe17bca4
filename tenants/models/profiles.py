"""What each type of tenant grants, and what single tenants have instead; fields and constraints, no resolution."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.data import FailurePolicy, IsolationLevel, ProfileField
from tenants.models.identity import id_field
from tenants.models.tenant import TYPE_CHOICES, Tenant

ISOLATION_CHOICES = [
    (IsolationLevel.STANDARD, _("Standard: workers share hosts with others")),
    (IsolationLevel.DEDICATED, _("Dedicated: workers on hosts of its own")),
]
FAILURE_CHOICES = [
    (FailurePolicy.FAIL_CLOSED, _("Fail closed: refuse what cannot be counted")),
    (FailurePolicy.CONSERVATIVE, _("Conservative: serve a small share uncounted, and count it later")),
]
FIELD_CHOICES = [
    (ProfileField.CPU_MILLICORES, _("CPU (thousandths of a core)")),
    (ProfileField.MEMORY_MIB, _("Memory (MiB)")),
    (ProfileField.STORAGE_MIB, _("Storage (MiB)")),
    (ProfileField.GPUS, _("GPUs")),
    (ProfileField.WORKER_SLOTS, _("Worker slots")),
    (ProfileField.MIN_REPLICAS, _("Fewest workers")),
    (ProfileField.MAX_REPLICAS, _("Most workers")),
    (ProfileField.ISOLATION_LEVEL, _("Isolation")),
    (ProfileField.FAILURE_POLICY, _("When counters cannot be asked")),
    (ProfileField.RETENTION_DAYS, _("Conversations are kept for (days)")),
    (ProfileField.ALLOWED_MODELS, _("Allowed models")),
    (ProfileField.DEFAULT_PLAN, _("Plan of new tenants")),
]
_LABELS = dict(FIELD_CHOICES)


class TenantTypeProfile(models.Model):
    """One row per type. Quotas of a type are `quotas.TypeLimit`, one floor up."""

    tenant_type = models.CharField(_("tenant type"), max_length=20, primary_key=True, choices=TYPE_CHOICES)
    cpu_millicores = models.PositiveIntegerField(_LABELS[ProfileField.CPU_MILLICORES])
    memory_mib = models.PositiveIntegerField(_LABELS[ProfileField.MEMORY_MIB])
    storage_mib = models.PositiveIntegerField(_LABELS[ProfileField.STORAGE_MIB])
    gpus = models.PositiveIntegerField(_LABELS[ProfileField.GPUS])
    worker_slots = models.PositiveIntegerField(_LABELS[ProfileField.WORKER_SLOTS])
    min_replicas = models.PositiveSmallIntegerField(_LABELS[ProfileField.MIN_REPLICAS])
    max_replicas = models.PositiveSmallIntegerField(_LABELS[ProfileField.MAX_REPLICAS])
    isolation_level = models.CharField(_LABELS[ProfileField.ISOLATION_LEVEL], max_length=20, choices=ISOLATION_CHOICES)
    failure_policy = models.CharField(_LABELS[ProfileField.FAILURE_POLICY], max_length=20, choices=FAILURE_CHOICES)
    retention_days = models.PositiveIntegerField(
        _LABELS[ProfileField.RETENTION_DAYS], help_text=_("Conversations without a newer message are deleted.")
    )
    allowed_models = models.JSONField(
        _LABELS[ProfileField.ALLOWED_MODELS], default=list, blank=True, help_text=_("One name a line. Empty: all.")
    )
    default_plan = models.CharField(
        _LABELS[ProfileField.DEFAULT_PLAN],
        max_length=40,
        default="",
        blank=True,
        help_text=_("The code of a plan. Empty: a new tenant has no plan until somebody chooses one."),
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    changed_at = models.DateTimeField(_("changed"), default=utc_now, editable=False)

    class Meta:
        verbose_name = _("profile of a tenant type")
        verbose_name_plural = _("profiles of tenant types")
        constraints = [
            models.CheckConstraint(
                condition=Q(min_replicas__lte=F("max_replicas"), max_replicas__gte=1, max_replicas__lte=100),
                name="profile_replicas",
                violation_error_message=_("The most workers are 1 to 100, and never less than the fewest."),
            ),
            models.CheckConstraint(
                condition=Q(retention_days__gte=1, retention_days__lte=36_500),
                name="profile_retention",
                violation_error_message=_("Conversations are kept for 1 to 36500 days."),
            ),
        ]

    def __str__(self) -> str:
        return self.get_tenant_type_display()


class ProfileOverride(models.Model):
    """A value that one tenant has in place of its type's. Never changed: another one takes its place, or it is revoked.

    Where several count at a time, the one that was made last decides. `is_announced` says whether the other rooms
    were last told that it counts.
    """

    id = id_field()
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="overrides", verbose_name=_("tenant"))
    field = models.CharField(_("what"), max_length=20, choices=FIELD_CHOICES)
    value = models.JSONField(_("value"))
    reason = models.CharField(_("reason"), max_length=300)
    set_by = models.CharField(_("set by"), max_length=200)
    created_at = models.DateTimeField(_("set"), default=utc_now)
    valid_from = models.DateTimeField(_("from"), default=utc_now)
    expires_at = models.DateTimeField(_("until"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_by = models.CharField(_("revoked by"), max_length=200, default="", blank=True)
    is_announced = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("override")
        verbose_name_plural = _("overrides")
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("valid_from")),
                name="override_ends_after_it_begins",
                violation_error_message=_("An override ends after it begins."),
            ),
            models.CheckConstraint(
                condition=~Q(reason=""),
                name="override_has_a_reason",
                violation_error_message=_("An override needs a reason."),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "field", "-id"], name="override_by_tenant"),
            models.Index(
                fields=["valid_from"], name="override_to_begin", condition=Q(is_announced=False, revoked_at=None)
            ),
            models.Index(fields=["expires_at"], name="override_to_end", condition=Q(is_announced=True)),
        ]

    def __str__(self) -> str:
        value = ", ".join(self.value) or "*" if isinstance(self.value, list) else self.value
        return f"{self.get_field_display()}: {value}"

    @property
    def public_id(self) -> str:
        return prefixed("ovr", self.id)
