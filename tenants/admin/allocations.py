"""Allocations: what each tenant holds and waits for, and why; asked for, resized, released and moved up by services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, FieldTextFilter

from audit.api import operator_actor
from core.admin import (
    EMPTY,
    Choice,
    Confirmation,
    LumosModelAdmin,
    Question,
    action,
    ago,
    confirm,
    display,
)
from core.clock import utc_now
from tenants.admin.capacity import KINDS
from tenants.allocation.allocator import allocate, release, resize
from tenants.allocation.data import AllocationState, ResourceKind
from tenants.allocation.waiting import move_up, retry_waiting
from tenants.data import ResourceAmounts
from tenants.models import Allocation

AMOUNTS = tuple(kind.value for kind in ResourceKind)
STATE_COLOURS = {
    AllocationState.HELD: "success",
    AllocationState.GROWING: "info",
    AllocationState.WAITING: "warning",
    AllocationState.RELEASED: "default",
}


class DoTheyHaveIt(Question):
    title = _("do they have it?")
    parameter_name = "held"
    answers = (
        Choice("waiting", _("No, or not all: they wait"), Q(waiting_since__isnull=False)),
        Choice("held", _("Yes: all of it"), Q(state=AllocationState.HELD)),
        Choice("released", _("No longer: released"), Q(state=AllocationState.RELEASED)),
    )


@admin.register(Allocation)
class AllocationAdmin(LumosModelAdmin):
    public_kind = "alloc"
    list_display = ("tenant_shown", "state_shown", "amounts_shown", "waits", "priority", "reason", "asked")
    list_filter = (
        DoTheyHaveIt,
        ("tenant", AutocompleteSelectFilter),
        ("state", ChoicesDropdownFilter),
        ("region", FieldTextFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("tenant__name", "tenant__slug", "request_key", "id")
    search_help_text = _("Tenant, name of the allocation or alloc_ id")
    ordering = ("-waiting_since", "-id")
    autocomplete_fields = ("tenant",)
    actions = ("release_selected", "move_up_selected", "retry_selected")
    actions_detail = ("release_one", "move_up_one", "retry_one")
    readonly_fields = ("parts_shown", "state", "reason", "asked_by", "asked_at", "waiting_since", "placed_at", "region")
    add_fieldsets = (
        (None, {"fields": ("tenant", "request_key", "priority")}),
        (_("Amounts"), {"fields": (AMOUNTS[:2], AMOUNTS[2:])}),
    )
    fieldsets = (
        (None, {"fields": ("tenant", "request_key", "region", "state", "reason", "parts_shown")}),
        (_("Amounts"), {"fields": (AMOUNTS[:2], AMOUNTS[2:])}),
        (_("History"), {"fields": ("asked_by", "asked_at", "waiting_since", "placed_at", "priority")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Allocation | None = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Allocation | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "tenant", "request_key", "priority") if obj else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Allocation, form: forms.ModelForm[Allocation], change: bool
    ) -> None:
        acting, now = operator_actor(request.user), utc_now()
        amounts = ResourceAmounts(**{name: form.cleaned_data[name] for name in AMOUNTS})
        if change:
            resize(tenant_id=obj.tenant_id, allocation_id=obj.pk, amounts=amounts, acting=acting, now=now)
            return
        made = allocate(
            tenant_id=obj.tenant_id,
            request_key=obj.request_key,
            amounts=amounts,
            priority=obj.priority,
            acting=acting,
            now=now,
        )
        obj.__dict__.update(made.__dict__)

    @display(description=_("tenant"), ordering="tenant__name", header=True)
    def tenant_shown(self, row: Allocation) -> list[str]:
        return [row.tenant.name, row.request_key]

    @display(description=_("state"), ordering="state", label=STATE_COLOURS)
    def state_shown(self, row: Allocation) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description=_("amounts"))
    def amounts_shown(self, row: Allocation) -> str:
        wanted = {kind: getattr(row, kind.value) for kind in ResourceKind}
        return ", ".join(f"{KINDS[kind]} {amount:,}" for kind, amount in wanted.items() if amount) or EMPTY

    @display(description=_("waits since"), ordering="waiting_since")
    def waits(self, row: Allocation) -> str:
        return ago(row.waiting_since)

    @display(description=_("asked"), ordering="asked_at")
    def asked(self, row: Allocation) -> str:
        return ago(row.asked_at)

    @display(description=_("holds"))
    def parts_shown(self, row: Allocation) -> str:
        parts = row.parts.select_related("pool").order_by("id")
        return "; ".join(f"{KINDS[ResourceKind(p.kind)]} {p.amount:,} ({p.pool.name})" for p in parts) or EMPTY

    @admin.action(description=_("Release the selected allocations …"), permissions=["operate"])
    def release_selected(self, request: HttpRequest, rows: QuerySet[Allocation]) -> HttpResponse:
        return self._release(request, list(rows))

    @admin.action(description=_("Move the selected allocations up …"), permissions=["operate"])
    def move_up_selected(self, request: HttpRequest, rows: QuerySet[Allocation]) -> HttpResponse:
        return self._move_up(request, list(rows))

    @admin.action(description=_("Try the selected allocations' regions again …"), permissions=["operate"])
    def retry_selected(self, request: HttpRequest, rows: QuerySet[Allocation]) -> HttpResponse:
        return self._retry(request, list(rows))

    @action(description=_("Release …"), icon="remove_circle", permissions=["operate"])
    def release_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._release(request, self._one(request, object_id))

    @action(description=_("Move up …"), icon="vertical_align_top", permissions=["operate"])
    def move_up_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._move_up(request, self._one(request, object_id))

    @action(description=_("Try again …"), icon="refresh", permissions=["operate"])
    def retry_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._retry(request, self._one(request, object_id))

    def _one(self, request: HttpRequest, object_id: str) -> list[Allocation]:
        found = self.get_object(request, object_id)
        return [found] if found else []

    def _release(self, request: HttpRequest, rows: list[Allocation]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Release")),
            consequence=str(_("They give back all they hold, and those who wait get it at once. Workers beyond what "
                              "is left are stopped within a round of scaling.")),
            submit=str(_("Release")),
            done=lambda n: ngettext("%(n)s allocation is released.", "%(n)s allocations are released.", n) % {"n": n},
            danger=True,
        )  # fmt: skip
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Allocation, form: forms.Form) -> None:
            release(tenant_id=row.tenant_id, allocation_id=row.pk, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)

    def _move_up(self, request: HttpRequest, rows: list[Allocation]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Move up")),
            consequence=str(_("They are next when something comes free in their region, the last of them first.")),
            submit=str(_("Move up")),
            done=lambda n: ngettext("%(n)s allocation is in front.", "%(n)s allocations are in front.", n) % {"n": n},
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Allocation, form: forms.Form) -> None:
            move_up(tenant_id=row.tenant_id, allocation_id=row.pk, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)

    def _retry(self, request: HttpRequest, rows: list[Allocation]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Try again")),
            consequence=str(_("The waiting list of each region is looked at again, in its order.")),
            submit=str(_("Try again")),
            done=lambda n: ngettext("%(n)s region was looked at.", "%(n)s regions were looked at.", n) % {"n": n},
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Allocation, form: forms.Form) -> None:
            retry_waiting(region=row.region, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)
