"""What is being done to a tenant, step by step; owns the record of jobs, runs none.

A job outlives its tenant, so it names it by id and not by a foreign key.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.data import JobKind, JobState
from tenants.models.identity import id_field


class TenantJob(models.Model):
    """One turn of a tenant's life. `steps` are dictionaries of tenants.data.JobStep; `due_at` is when to go on."""

    id = id_field()
    kind = models.CharField(
        _("what"),
        max_length=16,
        choices=[
            (JobKind.CREATE, _("Create")),
            (JobKind.SUSPEND, _("Suspend")),
            (JobKind.RESUME, _("Resume")),
            (JobKind.ARCHIVE, _("Archive")),
            (JobKind.RESTORE, _("Restore")),
            (JobKind.DELETE, _("Delete")),
        ],
    )
    tenant_id = models.CharField(_("tenant"), max_length=26)
    state = models.CharField(
        _("state"),
        max_length=12,
        default=JobState.WAITING,
        choices=[
            (JobState.WAITING, _("Waiting")),
            (JobState.RUNNING, _("Running")),
            (JobState.DONE, _("Done")),
            (JobState.STUCK, _("Stuck")),
            (JobState.CANCELLED, _("Cancelled")),
        ],
    )
    steps = models.JSONField(_("steps"), default=list)
    input = models.JSONField(default=dict, blank=True)
    attempts = models.PositiveSmallIntegerField(_("failed attempts"), default=0)
    error = models.TextField(_("error"), default="", blank=True)
    asked_by = models.CharField(_("asked by"), max_length=200)
    asked_at = models.DateTimeField(_("asked"), default=utc_now)
    due_at = models.DateTimeField(_("goes on"), default=utc_now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id"],
                condition=Q(state__in=["WAITING", "RUNNING", "STUCK"]) & ~Q(kind="CREATE"),
                name="tenant_job_one_open",
                violation_error_message=_("Something else is being done to this tenant already."),
            )
        ]
        indexes = [
            models.Index(fields=["due_at"], name="tenant_job_due", condition=Q(state__in=["WAITING", "RUNNING"])),
            models.Index(fields=["tenant_id", "-id"], name="tenant_job_by_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.tenant_id}"

    @property
    def public_id(self) -> str:
        return prefixed("job", self.id)
