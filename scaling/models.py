"""Policies, targets and decisions of scaling; owns fields and constraints, no rules and no writes."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.ids import new_ulid, prefixed
from scaling.data import Mode, Reason

MODE_CHOICES = [
    (Mode.AUTO, _("Automatic")),
    (Mode.RECOMMEND_ONLY, _("Recommend only")),
    (Mode.PAUSED, _("Paused")),
]
REASON_CHOICES = [
    (Reason.STEADY, _("Steady")),
    (Reason.SCALED_UP, _("Scaled up")),
    (Reason.SCALED_DOWN, _("Scaled down")),
    (Reason.METRIC_MISSING, _("A metric is missing")),
    (Reason.WINDOW_NOT_FULL, _("Not watched for long enough")),
    (Reason.STABILISED, _("Held by recent load")),
    (Reason.STEP_LIMIT, _("Step limit")),
    (Reason.AT_MINIMUM, _("Minimum")),
    (Reason.AT_MAXIMUM, _("Maximum")),
    (Reason.AT_ALLOCATION, _("Allocated worker slots")),
    (Reason.MACHINE_CAPACITY, _("Machine capacity")),
    (Reason.COOLDOWN_UP, _("Scale-up cooldown")),
    (Reason.COOLDOWN_DOWN, _("Scale-down cooldown")),
    (Reason.RECOMMEND_ONLY, _("Recommendation only")),
    (Reason.PAUSED, _("Paused")),
    (Reason.TENANT_INACTIVE, _("Tenant not active")),
]
HIGHEST_MAXIMUM = 100
LONGEST_COOLDOWN = 3600


def _between(name: str, low: int, high: int) -> Q:
    return Q(**{f"{name}__gte": low, f"{name}__lte": high})


class ScalingPolicy(models.Model):
    """How a tenant's workers follow its load. The defaults cost nothing while the tenant has nothing to do."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    tenant = models.OneToOneField(
        "tenants.Tenant", models.PROTECT, related_name="scaling_policy", verbose_name=_("tenant")
    )
    min_replicas = models.PositiveSmallIntegerField(_("minimum"), default=0)
    max_replicas = models.PositiveSmallIntegerField(_("maximum"), default=2)
    cpu_target_percent = models.PositiveSmallIntegerField(
        _("CPU target"), default=70, help_text=_("Percent of one core, on average over the replicas.")
    )
    memory_target_percent = models.PositiveSmallIntegerField(
        _("memory target"), default=80, help_text=_("Percent of the memory that one replica may have.")
    )
    queue_target = models.PositiveIntegerField(
        _("queue target"),
        null=True,
        blank=True,
        default=5,
        help_text=_("Waiting and running tasks per replica. Empty: the queue is not looked at."),
    )
    scale_up_cooldown_seconds = models.PositiveIntegerField(_("scale-up cooldown"), default=30)
    scale_down_cooldown_seconds = models.PositiveIntegerField(
        _("scale-down cooldown"),
        default=300,
        help_text=_("Also the time that the load must have been watched before anything is taken away."),
    )
    mode = models.CharField(_("mode"), max_length=16, choices=MODE_CHOICES, default=Mode.AUTO)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    updated_at = models.DateTimeField(_("changed"), editable=False)

    class Meta:
        verbose_name = _("scaling policy")
        verbose_name_plural = _("scaling policies")
        constraints = [
            models.CheckConstraint(
                condition=_between("max_replicas", 1, HIGHEST_MAXIMUM),
                name="scaling_max_range",
                violation_error_message=_("The maximum lies between 1 and 100."),
            ),
            models.CheckConstraint(
                condition=Q(min_replicas__lte=F("max_replicas")),
                name="scaling_min_under_max",
                violation_error_message=_("The minimum is not above the maximum."),
            ),
            models.CheckConstraint(
                condition=_between("cpu_target_percent", 1, 100),
                name="scaling_cpu_range",
                violation_error_message=_("The CPU target lies between 1 and 100 percent."),
            ),
            models.CheckConstraint(
                condition=_between("memory_target_percent", 1, 100),
                name="scaling_memory_range",
                violation_error_message=_("The memory target lies between 1 and 100 percent."),
            ),
            models.CheckConstraint(
                condition=Q(queue_target__isnull=True) | Q(queue_target__gte=1),
                name="scaling_queue_range",
                violation_error_message=_("The queue target is at least 1, or empty."),
            ),
            models.CheckConstraint(
                condition=Q(min_replicas__gte=1) | Q(queue_target__isnull=False),
                name="scaling_zero_can_wake",
                violation_error_message=_("A minimum of 0 needs a queue target, or nothing could wake the tenant."),
            ),
            models.CheckConstraint(
                condition=_between("scale_up_cooldown_seconds", 0, LONGEST_COOLDOWN),
                name="scaling_up_cooldown_range",
                violation_error_message=_("The scale-up cooldown lies between 0 and 3600 seconds."),
            ),
            models.CheckConstraint(
                condition=_between("scale_down_cooldown_seconds", 0, LONGEST_COOLDOWN),
                name="scaling_down_cooldown_range",
                violation_error_message=_("The scale-down cooldown lies between 0 and 3600 seconds."),
            ),
            models.CheckConstraint(
                condition=Q(mode__in=list(Mode)),
                name="scaling_mode_known",
                violation_error_message=_("The mode is automatic, recommend only or paused."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.min_replicas} to {self.max_replicas}"

    @property
    def public_id(self) -> str:
        return prefixed("pol", self.id)


class ScalingDecision(models.Model):
    """What one round decided. A change is one row for ever; equal rounds without a change share a row."""

    id = models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
    tenant_id = models.CharField(_("tenant"), max_length=26)
    policy_version = models.PositiveIntegerField(_("policy version"))
    current = models.PositiveSmallIntegerField(_("from"))
    wanted = models.PositiveSmallIntegerField(_("wanted"))
    final = models.PositiveSmallIntegerField(_("to"))
    reason = models.CharField(_("reason"), max_length=24, choices=REASON_CHOICES)
    sentence = models.TextField(_("explanation"))
    proposals = models.JSONField(_("proposals"), default=list)
    changed = models.BooleanField(_("changed"))
    count = models.PositiveIntegerField(_("rounds"), default=1)
    first_at = models.DateTimeField(_("first"))
    last_at = models.DateTimeField(_("last"))

    class Meta:
        verbose_name = _("scaling decision")
        verbose_name_plural = _("scaling decisions")
        indexes = [
            models.Index(fields=["tenant_id", "-last_at"], name="scaling_by_tenant"),
            models.Index(fields=["last_at"], name="scaling_unchanged", condition=Q(changed=False)),
        ]

    def __str__(self) -> str:
        return self.sentence

    @property
    def public_id(self) -> str:
        return prefixed("dec", self.id)


class ScalingTarget(models.Model):
    """What a tenant's backend was last told: the truth that a lost Redis is refilled from."""

    tenant_id = models.CharField(_("tenant"), primary_key=True, max_length=26)
    replicas = models.PositiveSmallIntegerField(_("replicas"), default=0)
    scaled_up_at = models.DateTimeField(_("last scale-up"), null=True)
    scaled_down_at = models.DateTimeField(_("last scale-down"), null=True)
    decision = models.ForeignKey(ScalingDecision, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("scaling target")
        verbose_name_plural = _("scaling targets")
