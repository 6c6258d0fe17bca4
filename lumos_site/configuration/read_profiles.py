"""Profiles of types, exceptions of tenants and dated limits in a file; owns their fields, resolves nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import yaml

from lumos_site.configuration.document import OverrideEntry
from lumos_site.configuration.fields import Fields
from lumos_site.configuration.marks import Source
from tenants.api import ProfileField, ProfileValue, ProfileValueNotUsable, checked_value, value_of_text

DEFAULT = "default"
_NAMES = tuple(field.value for field in ProfileField)


def read_profile(source: Source, node: yaml.Node, path: str) -> dict[ProfileField, ProfileValue]:
    """The values that the file mentions."""
    fields = Fields(source, node, path, _NAMES)
    found = {field: _value(fields, field.value, field) for field in ProfileField if fields.has(field.value)}
    return {field: value for field, value in found.items() if value is not None}


def read_override(name: str, source: Source, node: yaml.Node, path: str) -> OverrideEntry | None:
    """A value, `default`, or a map of value, reason, valid_from and expires_at."""
    if name not in _NAMES or name == ProfileField.DEFAULT_PLAN:
        source.mistake(node, path, f"cannot be overridden; choose from {', '.join(_NAMES[:-1])}")
        return None
    if not isinstance(node, yaml.MappingNode):
        key = yaml.ScalarNode("tag:yaml.org,2002:str", "value", node.start_mark, node.end_mark)
        node = yaml.MappingNode("tag:yaml.org,2002:map", [(key, node)], node.start_mark, node.end_mark)
    fields = Fields(source, node, path, ("value", "reason", "valid_from", "expires_at"))
    fields.require("value")
    field = ProfileField(name)
    is_default = fields.word("value") == DEFAULT
    return OverrideEntry(
        of=field,
        value=None if is_default else _value(fields, "value", field),
        reason=fields.text("reason"),
        valid_from=instant(fields, "valid_from"),
        expires_at=instant(fields, "expires_at"),
        place=fields.place,
    )


def _value(fields: Fields, name: str, field: ProfileField) -> ProfileValue | None:
    """None where it is missing or a mistake."""
    if not fields.has(name):
        return None
    given: object = fields.names(name) if fields.is_list(name) else None
    if given is None and not fields.is_list(name):
        given = value_of_text(field, fields.raw(name))
    try:
        return checked_value(field, given)
    except ProfileValueNotUsable as error:
        fields.mistake(name, "; ".join(error.fields[field.value]))
        return None


def instant(fields: Fields, name: str) -> datetime | None:
    """A date or an instant; UTC where it names no zone."""
    text = fields.text(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fields.mistake(name, "must be a date or an instant, such as 2027-01-31 or 2027-01-31T12:00:00Z")
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
