"""The page that says what holds for one tenant and where each value comes from: profile first, then limits."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.admin import EMPTY
from core.errors import LumosError
from quotas.data import EffectiveLimits, LimitSource
from quotas.models import TypeLimit
from quotas.selectors import usage_of
from quotas.values import shown_value
from tenants.api import EffectiveProfile, ProfileOverride, ProfileValue, TenantTypeProfile

SOURCES = {
    LimitSource.BUILT_IN: _("built in"),
    LimitSource.TENANT_TYPE: _("type"),
    LimitSource.PLAN: _("plan"),
    LimitSource.OVERRIDE: _("its own"),
    LimitSource.KEY: _("key"),
}


_WORDS: dict[str, dict[Any, Any]] = {
    column.name: dict(column.flatchoices) for column in TenantTypeProfile._meta.fields if column.flatchoices
}


def explained_limits(tenant_id: str, limits: EffectiveLimits, now: Any) -> list[dict[str, Any]]:
    """One row for each dimension: use, limit, and the steps that led to it."""
    labels = dict(TypeLimit._meta.get_field("dimension").flatchoices)
    try:
        meters = {reading.dimension: reading for reading in usage_of(tenant_id, now=now)}
    except LumosError:  # Redis is away: the limits are true all the same
        meters = {}
    return [
        {
            "label": labels[limit.dimension.value],
            "limit": shown_value(limit.dimension, limit.value),
            "hard": limit.hard,
            "steps": [
                {"step": step, "source": SOURCES[step.source], "value": shown_value(limit.dimension, step.value)}
                for step in limits.steps.get(limit.dimension, ())
            ],
            "used": shown_value(limit.dimension, meters[limit.dimension].used) if limit.dimension in meters else EMPTY,
            "percent": min(meters[limit.dimension].percent or 0, 100) if limit.dimension in meters else None,
        }
        for limit in limits.limits
    ]


def explained_profile(profile: EffectiveProfile) -> list[dict[str, Any]]:
    """One row for each field of the profile: what holds, what the type says, and the override that decided."""
    labels = dict(ProfileOverride._meta.get_field("field").flatchoices)
    return [
        {
            "label": labels[field.value],
            "value": _shown(field.value, value.value),
            "profile_value": _shown(field.value, value.profile_value),
            "override": value.override,
            "beside": [(row, _shown(field.value, row.value)) for row in value.beside],
        }
        for field, value in profile.values.items()
    ]


def _shown(field: str, value: ProfileValue) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or str(_("all"))
    return str(_WORDS.get(field, {}).get(value, value if value != "" else EMPTY))
