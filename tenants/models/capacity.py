"""What the machines have and who holds it; owns fields and constraints, no rules and no writes.

`CapacityPool.used` is the sum of the parts taken from it. It is changed together with them, in one transaction, by
tenants.allocation.taking only; the constraint is the last guard against giving out more than there is.
"""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.allocation.data import AllocationState, ResourceKind
from tenants.models.identity import id_field

MOST = 10**12  # of anything; far above any machine, far below what a column holds
LEAST_RATIO, MOST_RATIO = Decimal("0.1"), Decimal(1000)
KIND_CHOICES = [
    (ResourceKind.CPU_MILLICORES, _("CPU (millicores)")),
    (ResourceKind.MEMORY_MIB, _("Memory (MiB)")),
    (ResourceKind.STORAGE_MIB, _("Storage (MiB)")),
    (ResourceKind.GPUS, _("GPUs")),
    (ResourceKind.WORKER_SLOTS, _("Worker slots")),
]


class CapacityPool(models.Model):
    """So much of one kind in one region. Pools of one name are one host, and reserved for one tenant or for none."""

    id = id_field()
    region = models.CharField(_("region"), max_length=40, default="local")
    name = models.CharField(_("name"), max_length=60, help_text=_("Pools of one name are one host."))
    kind = models.CharField(_("kind"), max_length=20, choices=KIND_CHOICES)
    capacity = models.BigIntegerField(
        _("capacity"), validators=[MinValueValidator(0), MaxValueValidator(MOST)], help_text=_("What there really is.")
    )
    oversubscription = models.DecimalField(
        _("oversubscription"),
        max_digits=7,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(LEAST_RATIO), MaxValueValidator(MOST_RATIO)],
        help_text=_("How many times the capacity may be given out; below 1 keeps a reserve."),
    )
    used = models.BigIntegerField(_("given out"), default=0, editable=False)
    reserved_for = models.ForeignKey(
        "tenants.Tenant",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reserved for"),
        help_text=_("The whole host is this tenant's alone. Tenants with dedicated isolation are placed nowhere else."),
    )
    accepting = models.BooleanField(_("takes new allocations"), default=True)
    created_at = models.DateTimeField(_("created"), default=utc_now, editable=False)

    class Meta:
        verbose_name = _("capacity pool")
        verbose_name_plural = _("capacity pools")
        constraints = [
            models.UniqueConstraint(
                fields=["region", "kind", "name"],
                name="pool_one_per_host_and_kind",
                violation_error_message=_("This host has a pool of that kind already."),
            ),
            models.CheckConstraint(
                condition=Q(used__gte=0) & Q(used__lte=F("capacity") * F("oversubscription")),
                name="pool_never_over_capacity",
                violation_error_message=_("More is given out than this pool would have."),
            ),
            models.CheckConstraint(
                condition=Q(capacity__gte=0, capacity__lte=MOST)
                & Q(oversubscription__gte=LEAST_RATIO, oversubscription__lte=MOST_RATIO),
                name="pool_size_range",
                violation_error_message=_("The capacity or the oversubscription is out of range."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.region} {self.name} {self.get_kind_display()}"

    @property
    def public_id(self) -> str:
        return prefixed("pool", self.id)

    @property
    def limit(self) -> int:
        """What may be given out."""
        return int(self.capacity * self.oversubscription)


class Allocation(models.Model):
    """What one tenant asked for under one key, and how far it got it. `reason` names pools: for operators only.

    `dedicated` is the isolation level by which it was last placed, or waits.
    """

    id = id_field()
    tenant = models.ForeignKey("tenants.Tenant", models.PROTECT, related_name="allocations", verbose_name=_("tenant"))
    request_key = models.CharField(
        _("name"), max_length=80, help_text=_("Asking again under the same name changes nothing.")
    )
    region = models.CharField(_("region"), max_length=40)
    state = models.CharField(
        _("state"),
        max_length=10,
        choices=[
            (AllocationState.WAITING, _("Waiting")),
            (AllocationState.HELD, _("Held")),
            (AllocationState.GROWING, _("Held, waits for more")),
            (AllocationState.RELEASED, _("Released")),
        ],
    )
    cpu_millicores = models.BigIntegerField(_("CPU (millicores)"), default=0)
    memory_mib = models.BigIntegerField(_("memory (MiB)"), default=0)
    storage_mib = models.BigIntegerField(_("storage (MiB)"), default=0)
    gpus = models.BigIntegerField(_("GPUs"), default=0)
    worker_slots = models.BigIntegerField(_("worker slots"), default=0)
    priority = models.IntegerField(_("priority"), default=0)
    dedicated = models.BooleanField(_("on hosts of its own"), default=False, db_default=False, editable=False)
    short_of = models.JSONField(_("too little of"), default=list, blank=True)
    reason = models.TextField(_("why"), default="", blank=True)
    asked_by = models.CharField(_("asked by"), max_length=200)
    asked_at = models.DateTimeField(_("asked"), default=utc_now)
    waiting_since = models.DateTimeField(_("waiting since"), null=True, blank=True)
    placed_at = models.DateTimeField(_("placed"), null=True, blank=True)
    released_at = models.DateTimeField(_("released"), null=True, blank=True)

    class Meta:
        verbose_name = _("allocation")
        verbose_name_plural = _("allocations")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "request_key"],
                condition=~Q(state="RELEASED"),
                name="allocation_one_per_key",
                violation_error_message=_("This tenant holds or awaits something under that name already."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=["WAITING", "GROWING"], waiting_since__isnull=False)
                | Q(state__in=["HELD", "RELEASED"], waiting_since__isnull=True),
                name="allocation_waits_or_not",
            ),
            models.CheckConstraint(
                condition=Q(
                    cpu_millicores__gte=0, memory_mib__gte=0, storage_mib__gte=0, gpus__gte=0, worker_slots__gte=0
                ),
                name="allocation_not_negative",
            ),
        ]
        indexes = [
            models.Index(
                fields=["region", "-priority", "waiting_since", "id"],
                name="allocation_queue",
                condition=Q(waiting_since__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_key} {self.public_id}"

    @property
    def public_id(self) -> str:
        return prefixed("alloc", self.id)


class AllocationPart(models.Model):
    """What an allocation holds of one kind, and from where. The tenant's id is here too, for the fence."""

    allocation = models.ForeignKey(Allocation, models.CASCADE, related_name="parts", verbose_name=_("allocation"))
    tenant_id = models.CharField(_("tenant"), max_length=26)
    pool = models.ForeignKey(CapacityPool, models.PROTECT, related_name="parts", verbose_name=_("pool"))
    kind = models.CharField(_("kind"), max_length=20, choices=KIND_CHOICES)
    amount = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("part of an allocation")
        verbose_name_plural = _("parts of allocations")
        constraints = [
            models.UniqueConstraint(fields=["allocation", "kind"], name="allocation_one_part_per_kind"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="allocation_part_holds_something"),
        ]
        indexes = [models.Index(fields=["tenant_id", "kind"], name="allocation_part_by_tenant")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
