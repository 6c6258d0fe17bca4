"""Capacity: how full each pool is, who holds what, who waits and why; translates clicks into services."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter

from audit.api import operator_actor
from core.admin import LumosModelAdmin, action, admin_link, display, dotted, page, plain
from core.clock import utc_now
from tenants.allocation.data import PoolFacts, ResourceKind
from tenants.allocation.hosts import reserve_host
from tenants.allocation.pools import add_pool, change_pool, remove_pool
from tenants.allocation.selectors import all_pools, miscounted_pools, waiting_list
from tenants.models import Allocation, CapacityPool
from tenants.models.capacity import KIND_CHOICES

KINDS = dict(KIND_CHOICES)
_SIZE = ("capacity", "oversubscription", "accepting")
_SHOWN = 50  # of the waiting list, on the page of everything


def percent_of(used: int, limit: int) -> int:
    return used * 100 // limit if limit else 0


def bar(used: int, limit: int) -> SafeString:
    """How full something is: warned from 80 % on, red from 95 %."""
    percent = percent_of(used, limit)
    colour = "lumos-over" if percent >= 95 else "lumos-near" if percent >= 80 else ""
    return format_html(
        '<span class="lumos-meter"><span class="{}" style="width: {}%"></span></span>', colour, min(percent, 100)
    )


@admin.register(CapacityPool)
class CapacityPoolAdmin(LumosModelAdmin):
    public_kind = "pool"
    list_display = ("host", "kind", "use_shown", "capacity_shown", "ratio_shown", "accepts", "whose")
    list_select_related = ("reserved_for",)
    list_filter = (("region", FieldTextFilter), ("kind", ChoicesDropdownFilter))
    search_fields = ("name", "region", "id")
    ordering = ("region", "name", "kind")
    fieldsets = (
        (None, {"fields": ("region", "name", "kind")}),
        (_("Size"), {"fields": ("capacity", "oversubscription", "accepting")}),
        (_("Isolation"), {"fields": ("reserved_for",)}),
    )
    autocomplete_fields = ("reserved_for",)
    actions_list = ("overview_button",)
    actions_detail = ("overview_of_one",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.overview)
        urls: list[URLPattern] = super().get_urls()
        return [path("overview/", view, name="tenants_capacitypool_overview"), *urls]

    def get_readonly_fields(self, request: HttpRequest, obj: CapacityPool | None = None) -> tuple[str, ...]:
        return ("region", "name", "kind") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: CapacityPool | None = None) -> Any:
        """A new pool is reserved as its host is."""
        return self.fieldsets if obj else self.fieldsets[:2]

    def save_model(
        self, request: HttpRequest, obj: CapacityPool, form: forms.ModelForm[CapacityPool], change: bool
    ) -> None:
        acting, now = operator_actor(request.user), utc_now()
        if change:
            wanted = {name: form.cleaned_data[name] for name in form.changed_data if name in _SIZE}
            change_pool(pool_id=obj.pk, acting=acting, now=now, **wanted)
            if "reserved_for" in form.changed_data:
                tenant_id, host = obj.reserved_for_id, {"region": obj.region, "name": obj.name}
                reserve_host(**host, tenant_id=tenant_id, acting=acting, now=now)
            return
        given = {name: form.cleaned_data[name] for name in ("region", "name", *_SIZE)}
        made = add_pool(**given, kind=ResourceKind(obj.kind), acting=acting, now=now)
        obj.__dict__.update(made.__dict__)

    def delete_model(self, request: HttpRequest, obj: CapacityPool) -> None:
        remove_pool(pool_id=obj.pk, acting=operator_actor(request.user), now=utc_now())

    @display(description=_("host"), ordering="name", header=True)
    def host(self, pool: CapacityPool) -> list[str]:
        return [pool.name, pool.region]

    @display(description=_("given out"), ordering="used")
    def use_shown(self, pool: CapacityPool) -> SafeString:
        numbers = f"{pool.used:,} / {pool.limit:,} ({percent_of(pool.used, pool.limit)} %)"
        return format_html('{} <span class="lumos-number">{}</span>', bar(pool.used, pool.limit), numbers)

    @display(description=_("capacity"), ordering="capacity")
    def capacity_shown(self, pool: CapacityPool) -> str:
        return dotted(pool.capacity)

    @display(description=_("oversubscription"), ordering="oversubscription")
    def ratio_shown(self, pool: CapacityPool) -> str:
        return f"{plain(pool.oversubscription)} \N{MULTIPLICATION SIGN}"

    @display(description=_("new allocations"), label={"open": "success", "closed": "warning"})
    def accepts(self, pool: CapacityPool) -> tuple[str, str]:
        return ("open", str(_("taken"))) if pool.accepting else ("closed", str(_("refused")))

    @display(description=_("reserved for"), ordering="reserved_for")
    def whose(self, pool: CapacityPool) -> str:
        return pool.reserved_for.name if pool.reserved_for else ""

    @action(description=_("Everything on one page"), icon="memory", permissions=["view"])
    def overview_button(self, request: HttpRequest) -> HttpResponse:
        return self.overview(request)

    @action(description=_("Everything on one page"), icon="memory", permissions=["view"])
    def overview_of_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.overview(request)

    @page(permission="view")
    def overview(self, request: HttpRequest) -> HttpResponse:
        """Every pool with its bar, who waits and why, and whether the counts are right."""
        waiting = waiting_list().select_related("tenant")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Capacity"),
            "opts": self.model._meta,
            "regions": _by_region(all_pools()),
            "waiting": list(waiting[:_SHOWN]),
            "waiting_count": waiting.count(),
            "holders": Allocation.objects.filter(released_at=None).count(),
            "miscounted": len(miscounted_pools()),
        }
        return TemplateResponse(request, "admin/lumos/capacity.html", context)


def _by_region(pools: Iterable[PoolFacts]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for pool in pools:
        row = {
            "pool": pool,
            "kind": KINDS[pool.kind],
            "bar": bar(pool.used, pool.limit),
            "percent": percent_of(pool.used, pool.limit),
            "of_capacity": percent_of(pool.used, pool.capacity),
            "ratio": plain(pool.oversubscription),
            "link": admin_link("tenants_capacitypool_change", pool.name, pool.id),
        }
        found.setdefault(pool.region, []).append(row)
    return found
