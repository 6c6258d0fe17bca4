"""How the operators' admin looks: names, colours, the sidebar; no figure and no rule."""

from __future__ import annotations

import os
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _item(title: Any, icon: str, model: str, page: str = "changelist") -> dict[str, Any]:
    """A link to a model's list or another page of it, shown to accounts that may see it."""
    app, _dot, name = model.partition(".")

    def permitted(request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{app}.view_{name}"))

    link = reverse_lazy(f"admin:{app}_{name}_{page}")
    return {"title": title, "icon": icon, "link": link, "permission": permitted}


def environment(request: HttpRequest) -> list[str]:
    """The badge beside the title, so that nobody mistakes one installation for another."""
    name = os.environ.get("LUMOS_ENVIRONMENT", "local")
    colour = {"production": "danger", "staging": "warning"}.get(name, "info")
    return [name, colour]


def _group(title: Any, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"title": title, "separator": title is not None, "items": list(items), **more}


_NAVIGATION = [
    _group(None, {"title": _("Overview"), "icon": "monitoring", "link": reverse_lazy("admin:index")}),
    _group(
        _("Customers"),
        _item(_("Tenants"), "apartment", "tenants.tenant"),
        _item(_("API keys"), "key", "tenants.apikey"),
        _item(_("Members"), "group", "tenants.membership"),
        _item(_("Invitations"), "mail", "tenants.invitation"),
        _item(_("Impersonations"), "supervisor_account", "tenants.impersonation"),
        _item(_("Subscriptions"), "contract", "billing.subscription"),
        _item(_("Domains"), "language", "tenants.domain"),
        _item(_("Webhook deliveries"), "webhook", "tenants.webhookdelivery"),
    ),
    _group(
        _("Usage and limits"),
        _item(_("Usage events"), "receipt_long", "billing.usageevent"),
        _item(_("Usage by hour and day"), "bar_chart", "billing.usagerollup"),
        _item(_("Limits of tenants"), "speed", "quotas.tenantlimit"),
        _item(_("Limits of plans"), "tune", "quotas.planlimit"),
        _item(_("Limits of tenant types"), "category", "quotas.typelimit"),
        _item(_("Profiles of tenant types"), "badge", "tenants.tenanttypeprofile"),
        _item(_("Overrides of tenants"), "alt_route", "tenants.profileoverride"),
        _item(_("Quota alerts"), "notifications_active", "quotas.quotaalert"),
    ),
    _group(
        _("What is sold"),
        _item(_("Plans"), "sell", "billing.plan"),
        _item(_("Plan versions"), "history_edu", "billing.planversion"),
        _item(_("Providers"), "dns", "proxy.provider"),
        _item(_("Models"), "neurology", "proxy.model"),
        _item(_("Model costs"), "payments", "billing.modelcost"),
    ),
    _group(
        _("Capacity and scaling"),
        _item(_("Policies"), "autorenew", "scaling.scalingpolicy"),
        _item(_("Decisions"), "timeline", "scaling.scalingdecision"),
        _item(_("Capacity"), "memory", "tenants.capacitypool", "overview"),
        _item(_("Capacity pools"), "dns", "tenants.capacitypool"),
        _item(_("Allocations"), "view_quilt", "tenants.allocation"),
    ),
    _group(
        _("Platform"),
        _item(_("Audit log"), "history", "audit.auditentry"),
        _item(_("Audit chains"), "link", "audit.chainhead"),
        _item(_("Accounts"), "person", "auth.user"),
        _item(_("Operators"), "shield_person", "tenants.operator"),
        _item(_("Operator tokens"), "vpn_key", "tenants.operatortoken"),
        _item(_("Isolation reports"), "security", "tenants.isolationreport"),
        _item(_("Backups"), "backup", "tenants.tenantbackup"),
        _item(_("Schemas"), "database", "tenants.schemastate"),
        _item(_("Schedule"), "schedule", "django_celery_beat.periodictask"),
        _item(_("Outbox"), "outbox", "audit.outboxevent"),
        _item(_("Outgoing mail"), "outgoing_mail", "mail.outgoingmail"),
        {"title": _("API documentation"), "icon": "api", "link": reverse_lazy("api-docs")},
        collapsible=True,
    ),
]

_SCALE = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")
_LIGHTNESS = (97.5, 94, 88.5, 81, 72, 61, 50, 44.5, 38.5, 34, 26)
_CHROMA = (0.012, 0.03, 0.06, 0.1, 0.135, 0.16, 0.168, 0.15, 0.125, 0.1, 0.07)

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Lumos operators"),
    "SITE_HEADER": "Lumos",
    "SITE_SUBHEADER": _("Control plane"),
    "SITE_SYMBOL": "lightbulb",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": False,
    "SHOW_BACK_BUTTON": True,
    "SHOW_LANGUAGES": True,
    "ENVIRONMENT": "lumos_site.settings.admin.environment",
    "BORDER_RADIUS": "8px",
    "STYLES": [lambda request: static("admin/lumos.css")],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("portal/mark.svg")}],
    "COLORS": {
        "primary": {
            step: f"oklch({light}% {chroma} 264)"
            for step, light, chroma in zip(_SCALE, _LIGHTNESS, _CHROMA, strict=True)
        }
    },
    "ACCOUNT": {
        "navigation": [
            {"title": _("Security"), "link": reverse_lazy("admin:security")},
            {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
        ]
    },
    "COMMAND": {"search_models": False, "search_callback": "lumos_site.palette.search", "show_history": True},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": _NAVIGATION,
    },
}
