"""`./lumos effective SLUG`: what holds for a tenant, value by value, and where each comes from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from core.clock import utc_now
from core.errors import LumosError
from core.ids import prefixed
from core.money import from_micro
from core.tenancy import platform_scope
from quotas.api import Limit, LimitStep, Unit, effective_limits
from tenants.api import EffectiveValue, OverrideFacts, ProfileValue, effective_profile, tenant_by_slug


class Command(BaseCommand):
    help = "Show what holds for a tenant: profile, overrides and limits, each with its source."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant's slug")

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            try:
                self._show(options["slug"], utc_now())
            except LumosError as error:
                raise CommandError(f"{error.message}. {error.next_step or ''}".strip()) from error
            except DatabaseError as error:
                raise CommandError(f"The database refused: {error}. Is it migrated? Run: ./lumos prepare") from error

    def _show(self, slug: str, now: datetime) -> None:
        tenant = tenant_by_slug(slug)
        profile, limits = effective_profile(tenant.id, now=now), effective_limits(tenant.id, now=now)
        self.stdout.write(f"{tenant.name} ({tenant.slug}), type {profile.type}, plan {tenant.plan or 'none'}")
        rows = [(value.field.value, _text(value.value), _source(value)) for value in profile.values.values()]
        rows += [
            (limit.dimension.value, _amount(limit), _way(limits.steps[limit.dimension])) for limit in limits.limits
        ]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        for name, value, source in rows:
            self.stdout.write(f"  {name:<{widths[0]}}  {value:<{widths[1]}}  {source}")


def _text(value: ProfileValue) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "all"
    return str(value) or "none"


def _source(value: EffectiveValue) -> str:
    waiting = "".join(f"; also {_text(row.value)} {_when(row)}" for row in value.beside)
    if value.override is None:
        return f"type{waiting}"
    row = value.override
    told = f"override {prefixed('ovr', row.id)} by {row.by} {_when(row)}: {row.reason}"
    return f"{told} (type: {_text(value.profile_value)}){waiting}"


def _when(row: OverrideFacts) -> str:
    since = f"from {row.valid_from:%Y-%m-%d %H:%M}"
    return f"{since} until {row.expires_at:%Y-%m-%d %H:%M} UTC" if row.expires_at else f"{since} UTC"


def _amount(limit: Limit) -> str:
    if limit.value is None:
        return "unlimited"
    is_money = limit.dimension.unit is Unit.MICRO
    number = format(from_micro(limit.value).normalize(), "f") if is_money else str(limit.value)
    return number if limit.hard else f"{number} (soft)"


def _way(steps: tuple[LimitStep, ...]) -> str:
    [decided] = [step for step in steps if step.applies]
    told = f"{decided.source.value} ({decided.label})"
    if decided.by:
        until = f" until {decided.expires_at:%Y-%m-%d %H:%M} UTC" if decided.expires_at else ""
        reason = f": {decided.reason}" if decided.reason else ""
        return f"{told} by {decided.by}{until}{reason}"
    return told
