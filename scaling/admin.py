"""Operators' pages of scaling: a policy per tenant beside what runs now, and the decisions with their sentences."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter

from audit.api import operator_actor
from core.admin import (
    EMPTY,
    Choice,
    Confirmation,
    LumosModelAdmin,
    OfTenant,
    Question,
    ReadOnlyAdmin,
    action,
    admin_link,
    ago,
    confirm,
    display,
)
from core.clock import utc_now
from scaling.conf import MEBIBYTE
from scaling.data import Fleet, Mode, Reason, WorkerView
from scaling.models import ScalingDecision, ScalingPolicy, ScalingTarget
from scaling.selectors import fleet_or_none
from scaling.services import POLICY_FIELDS, pause_policy, resume_policy, set_policy
from tenants.api import Tenant

# The theme shows the code instead of the words for a code that has no colour.
_REASONS = {**dict.fromkeys(Reason, "default"), Reason.SCALED_UP: "success", Reason.SCALED_DOWN: "info"}
_MODES = {Mode.AUTO: "success", Mode.RECOMMEND_ONLY: "info", Mode.PAUSED: "warning"}


@admin.register(ScalingPolicy)
class ScalingPolicyAdmin(LumosModelAdmin):
    list_display = ("tenant_shown", "mode_shown", "range_shown", "desired", "alive", "targets_shown", "last_change")
    list_filter = (("mode", ChoicesDropdownFilter),)
    list_select_related = ("tenant",)
    search_fields = ("tenant__name", "tenant__slug")
    ordering = ("tenant__name",)
    autocomplete_fields = ("tenant",)
    actions = ("pause_selected", "resume_selected")
    actions_detail = ("pause", "resume", "see_decisions")
    fieldsets = (
        (None, {"fields": ("tenant", "mode")}),
        (_("Replicas"), {"fields": (("min_replicas", "max_replicas"),)}),
        (_("Targets"), {"fields": ("cpu_target_percent", "memory_target_percent", "queue_target")}),
        (_("Its workers now"), {"fields": ("workers_shown",)}),
        (_("Cooldowns in seconds"), {"fields": (("scale_up_cooldown_seconds", "scale_down_cooldown_seconds"),)}),
    )
    _fleet: Fleet | None = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScalingPolicy]:
        target = ScalingTarget.objects.filter(pk=OuterRef("tenant_id"))
        changed = ScalingDecision.objects.filter(tenant_id=OuterRef("tenant_id"), changed=True).order_by("-last_at")
        rows: QuerySet[ScalingPolicy] = super().get_queryset(request)
        return rows.annotate(
            wanted=Subquery(target.values("replicas")), changed_last=Subquery(changed.values("last_at")[:1])
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._fleet = fleet_or_none()
        answer: HttpResponse = super().changelist_view(request, extra_context)
        return answer

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: ScalingPolicy | None = None) -> tuple[str, ...]:
        return ("tenant", "workers_shown") if obj else ("workers_shown",)

    def save_model(
        self, request: HttpRequest, obj: ScalingPolicy, form: forms.ModelForm[ScalingPolicy], change: bool
    ) -> None:
        names = form.changed_data if change else POLICY_FIELDS
        wanted = {name: getattr(obj, name) for name in names if name in POLICY_FIELDS}
        acting = operator_actor(request.user)
        made = set_policy(tenant_id=obj.tenant_id, acting=acting, now=utc_now(), **wanted)
        obj.pk = made.pk

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, policy: ScalingPolicy) -> str:
        return policy.tenant.name

    @display(description=_("mode"), ordering="mode", label=_MODES)
    def mode_shown(self, policy: ScalingPolicy) -> tuple[str, str]:
        return policy.mode, policy.get_mode_display()

    @display(description=_("allowed"))
    def range_shown(self, policy: ScalingPolicy) -> str:
        return f"{policy.min_replicas} … {policy.max_replicas}"

    @display(description=_("wanted"), ordering="wanted")
    def desired(self, policy: ScalingPolicy) -> int:
        return policy.wanted or 0  # type: ignore[attr-defined]

    @display(description=_("running"))
    def alive(self, policy: ScalingPolicy) -> str:
        workers = self._fleet.tenants.get(policy.tenant_id) if self._fleet else None
        return EMPTY if self._fleet is None else str(len(workers.live) if workers else 0)

    @display(description=_("workers, and what holds each to its limits"))
    def workers_shown(self, policy: ScalingPolicy) -> str:
        """Without a report nobody knows; a limit is shown beside what enforces it on that machine."""
        fleet = fleet_or_none() if policy.tenant_id else None
        seen = fleet.tenants.get(policy.tenant_id) if fleet else None
        if seen is None or not (seen.workers or seen.last_death):
            return EMPTY
        lines = [_worker_line(worker) for worker in seen.workers]
        lines += [_("The last one died: %(why)s.") % {"why": seen.last_death}] if seen.last_death else []
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines))

    @display(description=_("targets"))
    def targets_shown(self, policy: ScalingPolicy) -> str:
        queue, memory = _("queue"), _("memory")  # not in the f-strings: gettext finds no message there
        tasks = "" if policy.queue_target is None else f", {queue} {policy.queue_target}"
        return f"CPU {policy.cpu_target_percent} %, {memory} {policy.memory_target_percent} %{tasks}"

    @display(description=_("last change of workers"), ordering="changed_last")
    def last_change(self, policy: ScalingPolicy) -> str:
        return ago(policy.changed_last)  # type: ignore[attr-defined]

    @admin.action(description=_("Pause the selected policies …"), permissions=["operate"])
    def pause_selected(self, request: HttpRequest, rows: QuerySet[ScalingPolicy]) -> HttpResponse:
        return self._pause(request, list(rows))

    @admin.action(description=_("Resume the selected policies …"), permissions=["operate"])
    def resume_selected(self, request: HttpRequest, rows: QuerySet[ScalingPolicy]) -> HttpResponse:
        return self._resume(request, list(rows))

    @action(description=_("Pause …"), icon="pause_circle", permissions=["operate"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._pause(request, list(self.get_queryset(request).filter(pk=object_id)))

    @action(description=_("Resume …"), icon="play_circle", permissions=["operate"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._resume(request, list(self.get_queryset(request).filter(pk=object_id)))

    @action(description=_("Decisions"), icon="timeline", permissions=["view"])
    def see_decisions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        policy = self.get_queryset(request).filter(pk=object_id).first()
        return self.to_list("scaling_scalingdecision", tenant=policy.tenant_id if policy else "")

    def _pause(self, request: HttpRequest, rows: list[ScalingPolicy]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Pause")),
            consequence=str(_("Replicas stay as they are, whatever the load does, until the policy is resumed.")),
            submit=str(_("Pause")),
            done=lambda n: ngettext("%(n)s policy is paused.", "%(n)s policies are paused.", n) % {"n": n},
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: ScalingPolicy, form: forms.Form) -> None:
            pause_policy(tenant_id=row.tenant_id, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)

    def _resume(self, request: HttpRequest, rows: list[ScalingPolicy]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Resume")),
            consequence=str(_("The next round decides again, and acts on what it decides.")),
            submit=str(_("Resume")),
            done=lambda n: ngettext("%(n)s policy acts again.", "%(n)s policies act again.", n) % {"n": n},
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: ScalingPolicy, form: forms.Form) -> None:
            resume_policy(tenant_id=row.tenant_id, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)


def _worker_line(worker: WorkerView) -> str:
    used, limit = worker.rss_bytes // MEBIBYTE, worker.limits.memory_bytes // MEBIBYTE
    facts = {"pid": worker.pid, "used": used, "limit": limit or "∞", "cpu": worker.limits.cpu_millicores or "∞"}
    text = _("Process %(pid)s: %(used)s of %(limit)s MiB, %(cpu)s thousandths of a core") % facts
    return f"{text} ({', '.join(worker.held_by)})" if worker.held_by else text


class DidItAct(Question):
    title = _("did it act?")
    parameter_name = "acted"
    answers = (
        Choice("up", _("It started workers"), Q(changed=True, final__gt=0, reason="scaled_up")),
        Choice("yes", _("It changed something"), Q(changed=True)),
        Choice("no", _("It kept things as they were"), Q(changed=False)),
    )


@admin.register(ScalingDecision)
class ScalingDecisionAdmin(ReadOnlyAdmin):
    list_display = ("when", "tenant_shown", "move", "reason_shown", "sentence", "count")
    list_filter = (DidItAct, ("reason", ChoicesDropdownFilter), OfTenant, ("last_at", RangeDateTimeFilter))
    ordering = ("-last_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScalingDecision]:
        rows: QuerySet[ScalingDecision] = super().get_queryset(request)
        return rows.annotate(tenant_name=Subquery(Tenant.objects.filter(pk=OuterRef("tenant_id")).values("name")))

    @display(description=_("when"), ordering="last_at")
    def when(self, decision: ScalingDecision) -> str:
        return ago(decision.last_at)

    @display(description=_("tenant"))
    def tenant_shown(self, decision: ScalingDecision) -> str:
        name = decision.tenant_name or decision.tenant_id  # type: ignore[attr-defined]
        return admin_link("tenants_tenant_change", name, decision.tenant_id)

    @display(description=_("replicas"))
    def move(self, decision: ScalingDecision) -> str:
        return f"{decision.current} → {decision.final}"

    @display(description=_("reason"), ordering="reason", label=_REASONS)
    def reason_shown(self, decision: ScalingDecision) -> tuple[str, str]:
        return decision.reason, decision.get_reason_display()
