"""Which settings a tenant has, with types, defaults and editors; owns no value. Each one has an effect somewhere.

Declared in one place, so that the list is complete in every process, whatever it has imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.text import is_storable
from tenants.centre.data import Editor, Json, SettingSpec
from tenants.centre.errors import SettingNotFound, SettingNotValid
from tenants.centre.schema import complaints

_DOMAIN = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_ADDRESS = re.compile(r"[^\s@]{1,64}@[^\s@]{1,185}")
_LONGEST = 10_000  # characters of a value as JSON
_NOTICE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 500},
        "level": {"type": "string", "enum": ["info", "warning"]},
    },
    "required": ["text", "level"],
    "additionalProperties": False,
}
_NO_NOTICE = {"text": "", "level": "info"}


def _are_domains(value: Json) -> str:
    wrong = [name for name in value if _DOMAIN.fullmatch(name) is None]
    return _("not a domain: %(names)s") % {"names": ", ".join(wrong)} if wrong else ""


def _are_addresses(value: Json) -> str:
    wrong = [name for name in value if _ADDRESS.fullmatch(name) is None]
    return _("not an e-mail address: %(names)s") % {"names": ", ".join(wrong)} if wrong else ""


REQUIRE_FACTOR = "members.require_second_factor"
SPECS: tuple[SettingSpec, ...] = (
    SettingSpec(
        "playground.default_model",
        gettext_lazy("Model of the playground"),
        gettext_lazy("The model that the playground and the examples begin with. Empty: the first that works."),
        {"type": "string", "maxLength": 120},
        default="",
    ),
    SettingSpec(
        "playground.system_message",
        gettext_lazy("System message of the playground"),
        gettext_lazy("What a new conversation in the playground begins with. Members may change it there."),
        {"type": "string", "maxLength": 4000},
        default="",
    ),
    SettingSpec(
        "portal.announcement",
        gettext_lazy("Announcement"),
        gettext_lazy("Shown on top of each page of this portal. Without a text nothing is shown."),
        _NOTICE,
        default=_NO_NOTICE,
    ),
    SettingSpec(
        "portal.operator_notice",
        gettext_lazy("Notice by the operators"),
        gettext_lazy("Shown on top of each page of the portal, above the workspace's own announcement."),
        _NOTICE,
        default=_NO_NOTICE,
        editor=Editor.OPERATOR,
    ),
    SettingSpec(
        "alerts.recipients",
        gettext_lazy("Recipients of quota alerts"),
        gettext_lazy("These addresses get a letter when use passes a threshold of a limit."),
        {"type": "array", "items": {"type": "string"}, "maxItems": 20, "uniqueItems": True},
        default=[],
        check=_are_addresses,
    ),
    SettingSpec(
        "keys.longest_life_days",
        gettext_lazy("Longest life of an API key"),
        gettext_lazy("In days. New keys must expire within them; keys that are there stay. 0: no limit."),
        {"type": "integer", "minimum": 0, "maximum": 3650},
        default=0,
        editor=Editor.OWNER,
    ),
    SettingSpec(
        REQUIRE_FACTOR,
        gettext_lazy("Second factor for members"),
        gettext_lazy("Nothing of this workspace opens before a member has added and proved a second factor."),
        {"type": "boolean"},
        default=False,
        editor=Editor.OWNER,
    ),
    SettingSpec(
        "members.allowed_domains",
        gettext_lazy("Domains of members"),
        gettext_lazy("Only they can be invited, or be taken in by the identity provider. None: any address."),
        {"type": "array", "items": {"type": "string"}, "maxItems": 50, "uniqueItems": True},
        default=[],
        editor=Editor.OWNER,
        check=_are_domains,
    ),
)
_BY_NAME: Mapping[str, SettingSpec] = {spec.name: spec for spec in SPECS}


def spec_of(name: str) -> SettingSpec:
    """Raises SettingNotFound."""
    if name not in _BY_NAME:
        raise SettingNotFound(f"There is no setting {name[:80]}", next_step="List the settings to see all names")
    return _BY_NAME[name]


def is_known(name: str) -> bool:
    return name in _BY_NAME


def check_value(spec: SettingSpec, value: Json) -> None:
    """Raise SettingNotValid, with the place inside the value, when it does not fit; None (not set) always does."""
    if value is None:
        return
    if len(json.dumps(value)) > _LONGEST or not _is_storable(value):
        raise _not_valid(spec, _("is too long or holds characters that cannot be stored"))
    for place, fault in complaints(spec.schema, value):
        raise _not_valid(spec, f"{place}: {fault}" if place else fault)
    if complaint := spec.check(value):
        raise _not_valid(spec, complaint[:300])


def _not_valid(spec: SettingSpec, complaint: str) -> SettingNotValid:
    return SettingNotValid(f"{spec.name}: {complaint}", fields={spec.name: [complaint]})


def _is_storable(value: Json) -> bool:
    if isinstance(value, str):
        return is_storable(value)
    if isinstance(value, dict):
        return all(_is_storable(each) for pair in value.items() for each in pair)
    return all(map(_is_storable, value)) if isinstance(value, list) else True
