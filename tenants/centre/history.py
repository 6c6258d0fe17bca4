"""Settings through time: what a version was, and what lies between two of them; pure.

Values are by name, and a name that is missing is not set. Versions come newest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tenants.centre.data import Json, SettingChange, SettingsVersion


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[SettingChange, ...]:
    """What leads from one to the other, by name."""
    return tuple(
        SettingChange(name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def applied(values: Mapping[str, Json], changes: Mapping[str, Json]) -> dict[str, Json]:
    """The values with the changes; None takes a value away."""
    merged = {**values, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def values_at(number: int, current: Mapping[str, Json], versions: Iterable[SettingsVersion]) -> dict[str, Json]:
    """The values as version `number` left them: today's, with each later change undone."""
    values = dict(current)
    for version in versions:
        if version.number > number:
            values = applied(values, {change.name: change.before for change in version.changes})
    return values
