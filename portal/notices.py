"""What a workspace's owners and the operators want its members to read on each page."""

from __future__ import annotations

from dataclasses import dataclass

from tenants.api import settings_named

_NAMES = ("portal.operator_notice", "portal.announcement")


@dataclass(frozen=True, slots=True)
class Notice:
    """`level` is info or warning."""

    text: str
    level: str
    by_operators: bool


def notices_of(tenant_id: str) -> list[Notice]:
    """Those that say something, the operators' first."""
    values = settings_named(tenant_id, *_NAMES)
    notices = (Notice(values[name]["text"], values[name]["level"], name == _NAMES[0]) for name in _NAMES)
    return [notice for notice in notices if notice.text]
