"""What each operator role may do: one table of areas and levels, spelled out as Django's permission names; pure.

A table of the database belongs to exactly one area, and one that belongs to none fails a test: a new table is never
open by accident. Levels contain one another: to change is also to view.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from functools import cache

from tenants.api import OperatorRole


class Level(IntEnum):
    """How far a role reaches into an area."""

    NOTHING = 0
    VIEW = 1
    CHANGE = 2
    DELETE = 3


class Area(StrEnum):
    """Tables that are looked after by the same people."""

    TENANTS = "tenants"
    MEMBERS = "members"
    IMPERSONATION = "impersonation"
    KEYS = "keys"
    ACCOUNTS = "accounts"
    OPERATORS = "operators"
    TOKENS = "tokens"
    LIMITS = "limits"
    USAGE = "usage"
    CONTRACTS = "contracts"
    PRICES = "prices"
    CATALOGUE = "catalogue"
    PROVIDER_KEYS = "provider keys"
    SCALING = "scaling"
    CAPACITY = "capacity"
    AUDIT = "audit"
    PLATFORM = "platform"


AREAS: Mapping[Area, frozenset[str]] = {
    Area.TENANTS: frozenset({"tenants.tenant", "tenants.domain", "tenants.webhookdelivery", "tenants.isolationreport"}),
    Area.MEMBERS: frozenset({"tenants.membership", "tenants.invitation"}),
    Area.IMPERSONATION: frozenset({"tenants.impersonation"}),
    Area.KEYS: frozenset({"tenants.apikey"}),
    Area.ACCOUNTS: frozenset({"auth.user"}),
    Area.OPERATORS: frozenset({"tenants.operator"}),
    Area.TOKENS: frozenset({"tenants.operatortoken"}),
    Area.LIMITS: frozenset(
        {
            "quotas.tenantlimit",
            "quotas.planlimit",
            "quotas.typelimit",
            "quotas.quotaalert",
            "tenants.tenanttypeprofile",
            "tenants.profileoverride",
        }
    ),
    Area.USAGE: frozenset({"billing.usageevent", "billing.usagerollup"}),
    Area.CONTRACTS: frozenset({"billing.subscription"}),
    Area.PRICES: frozenset({"billing.plan", "billing.planversion", "billing.modelcost"}),
    Area.CATALOGUE: frozenset({"proxy.provider", "proxy.model"}),
    Area.PROVIDER_KEYS: frozenset({"proxy.providerkey"}),
    Area.SCALING: frozenset({"scaling.scalingpolicy", "scaling.scalingdecision"}),
    Area.CAPACITY: frozenset({"tenants.capacitypool", "tenants.allocation"}),
    Area.AUDIT: frozenset({"audit.auditentry", "audit.chainhead"}),
    Area.PLATFORM: frozenset(
        {
            "audit.outboxevent",
            "tenants.schemastate",
            "tenants.tenantbackup",
            "mail.outgoingmail",
            "django_celery_beat.periodictask",
            "django_celery_beat.intervalschedule",
            "django_celery_beat.crontabschedule",
        }
    ),
}

_COLUMNS = (OperatorRole.SECURITY, OperatorRole.BILLING, OperatorRole.SUPPORT, OperatorRole.READ_ONLY)
_N, _V, _C, _D = Level.NOTHING, Level.VIEW, Level.CHANGE, Level.DELETE
_TABLE: Mapping[Area, tuple[Level, Level, Level, Level]] = {
    # area               security billing support read-only
    Area.TENANTS: (_C, _V, _C, _V),
    Area.MEMBERS: (_C, _V, _C, _V),
    Area.IMPERSONATION: (_D, _N, _C, _V),
    Area.KEYS: (_C, _N, _V, _V),
    Area.ACCOUNTS: (_C, _N, _V, _V),
    Area.OPERATORS: (_V, _N, _N, _V),
    Area.TOKENS: (_C, _N, _N, _N),
    Area.LIMITS: (_V, _C, _C, _V),
    Area.USAGE: (_V, _V, _V, _V),
    Area.CONTRACTS: (_N, _C, _V, _V),
    Area.PRICES: (_N, _C, _V, _V),
    Area.CATALOGUE: (_V, _V, _V, _V),
    Area.PROVIDER_KEYS: (_C, _N, _N, _N),
    Area.SCALING: (_V, _N, _C, _V),
    Area.CAPACITY: (_V, _N, _C, _V),
    Area.AUDIT: (_V, _V, _V, _V),
    Area.PLATFORM: (_V, _N, _V, _V),
}
_VERBS: Mapping[str, Level] = {
    "view": Level.VIEW,
    "add": Level.CHANGE,
    "change": Level.CHANGE,
    "delete": Level.DELETE,
}
# Beside the verbs: what one table has and others lack.
_FURTHER: Mapping[str, tuple[Area, Level]] = {
    "tenants.raise_impersonation": (Area.IMPERSONATION, Level.DELETE),
}


def level_of(role: OperatorRole, area: Area) -> Level:
    if role is OperatorRole.SUPER:
        return Level.DELETE
    return _TABLE[area][_COLUMNS.index(role)]


@cache
def operator_permissions(role: OperatorRole) -> frozenset[str]:
    """Everything that role may do, as `app.verb_table`."""
    further = frozenset(name for name, (area, needed) in _FURTHER.items() if level_of(role, area) >= needed)
    return further | frozenset(
        f"{app}.{verb}_{table}"
        for area, labels in AREAS.items()
        for app, _dot, table in (label.partition(".") for label in labels)
        for verb, needed in _VERBS.items()
        if level_of(role, area) >= needed
    )
