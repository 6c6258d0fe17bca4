"""What a profile's fields may hold, and which value holds; pure: no ORM, no clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from tenants.data import (
    EffectiveProfile,
    EffectiveValue,
    FailurePolicy,
    IsolationLevel,
    OverrideFacts,
    ProfileField,
    ProfileValue,
    ResourceAmounts,
    ScalingLimits,
    TenantType,
)
from tenants.errors import ProfileValueNotUsable

_DIGITS = re.compile(r"-?[0-9]{1,15}")
_MOST_AMOUNT = 2_000_000_000
_MOST_MODELS = 200
_LONGEST_NAME, _LONGEST_PLAN = 120, 40

# At birth only, so an exception for a tenant that lives already would do nothing.
NEVER_OVERRIDDEN: Final = frozenset({ProfileField.DEFAULT_PLAN})


def checked_value(field: ProfileField, value: object) -> ProfileValue:
    """The value as it is stored and compared. Raises ProfileValueNotUsable with the field and what it may be."""
    try:
        return _CHECKS[field](value)
    except ValueError as error:
        raise ProfileValueNotUsable(fields={field.value: [str(error)]}) from error


def value_of_text(field: ProfileField, text: str) -> object:
    """What somebody typed, as `checked_value` wants it: a number where digits stand, names by line or comma."""
    if field is ProfileField.ALLOWED_MODELS:
        return [name for part in text.splitlines() for name in map(str.strip, part.split(",")) if name]
    word = text.strip()
    return int(word) if _DIGITS.fullmatch(word) else word


def _whole(least: int, most: int) -> Callable[[object], ProfileValue]:
    def check(value: object) -> ProfileValue:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"is a whole number from {least} to {most}")
        return value

    return check


def _one_of(choices: type[StrEnum]) -> Callable[[object], ProfileValue]:
    def check(value: object) -> ProfileValue:
        if not isinstance(value, str) or value not in set(choices):
            raise ValueError(f"is one of {', '.join(choices)}")
        return choices(value).value

    return check


def _models(value: object) -> ProfileValue:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("is a list of names of models; empty for all")
    if len(value) > _MOST_MODELS or not all(_is_name(name) for name in value):
        raise ValueError(f"holds at most {_MOST_MODELS} names of 1 to {_LONGEST_NAME} printable characters")
    return tuple(sorted(set(value)))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 1 <= len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()


def _plan(value: object) -> ProfileValue:
    if not isinstance(value, str) or len(value) > _LONGEST_PLAN or not value.isprintable():
        raise ValueError("is the code of a plan, or empty")
    return value


_CHECKS: Mapping[ProfileField, Callable[[object], ProfileValue]] = {
    ProfileField.CPU_MILLICORES: _whole(0, _MOST_AMOUNT),
    ProfileField.MEMORY_MIB: _whole(0, _MOST_AMOUNT),
    ProfileField.STORAGE_MIB: _whole(0, _MOST_AMOUNT),
    ProfileField.GPUS: _whole(0, 10_000),
    ProfileField.WORKER_SLOTS: _whole(0, 10_000),
    ProfileField.MIN_REPLICAS: _whole(0, 100),
    ProfileField.MAX_REPLICAS: _whole(1, 100),
    ProfileField.ISOLATION_LEVEL: _one_of(IsolationLevel),
    ProfileField.FAILURE_POLICY: _one_of(FailurePolicy),
    ProfileField.RETENTION_DAYS: _whole(1, 36_500),
    ProfileField.ALLOWED_MODELS: _models,
    ProfileField.DEFAULT_PLAN: _plan,
}


def resolve(
    tenant_id: str,
    tenant_type: TenantType,
    profile: Mapping[ProfileField, ProfileValue],
    overrides: Iterable[OverrideFacts],
    now: datetime,
) -> EffectiveProfile:
    """What holds at `now`: of the overrides that count then, the one that was made last, else the type's value.

    `overrides` are the tenant's, in any order, without revoked ones; those that are over are passed by.
    """
    made_last_first = sorted(overrides, key=lambda override: override.id, reverse=True)
    values = {
        field: _decide(field, profile[field], [row for row in made_last_first if row.field is field], now)
        for field in ProfileField
    }
    return _effective(tenant_id, tenant_type, values)


def counts(override: OverrideFacts, now: datetime) -> bool:
    return override.valid_from <= now and not _is_over(override, now)


def _is_over(override: OverrideFacts, now: datetime) -> bool:
    return override.expires_at is not None and override.expires_at <= now


def _decide(
    field: ProfileField, profile_value: ProfileValue, overrides: Sequence[OverrideFacts], now: datetime
) -> EffectiveValue:
    decides = next((row for row in overrides if counts(row, now)), None)
    beside = tuple(row for row in overrides if row is not decides and not _is_over(row, now))
    return EffectiveValue(field, decides.value if decides else profile_value, profile_value, decides, beside)


def _effective(
    tenant_id: str, tenant_type: TenantType, values: Mapping[ProfileField, EffectiveValue]
) -> EffectiveProfile:
    most = _number(values, ProfileField.MAX_REPLICAS)
    models = values[ProfileField.ALLOWED_MODELS].value
    return EffectiveProfile(
        tenant_id=tenant_id,
        type=tenant_type,
        ceiling=ResourceAmounts(
            cpu_millicores=_number(values, ProfileField.CPU_MILLICORES),
            memory_mib=_number(values, ProfileField.MEMORY_MIB),
            storage_mib=_number(values, ProfileField.STORAGE_MIB),
            gpus=_number(values, ProfileField.GPUS),
            worker_slots=_number(values, ProfileField.WORKER_SLOTS),
        ),
        # Two overrides of different ages may contradict one another: what may at most be counts.
        scaling=ScalingLimits(min(_number(values, ProfileField.MIN_REPLICAS), most), most),
        isolation=IsolationLevel(str(values[ProfileField.ISOLATION_LEVEL].value)),
        failure_policy=FailurePolicy(str(values[ProfileField.FAILURE_POLICY].value)),
        retention_days=_number(values, ProfileField.RETENTION_DAYS),
        allowed_models=models if isinstance(models, tuple) else (),
        default_plan=str(values[ProfileField.DEFAULT_PLAN].value),
        values=values,
    )


def _number(values: Mapping[ProfileField, EffectiveValue], field: ProfileField) -> int:
    value = values[field].value
    assert isinstance(value, int)
    return value
