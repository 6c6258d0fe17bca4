"""The section `tenants`: people, keys, limits and scaling of each; owns their fields, creates nothing."""

from __future__ import annotations

import json
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from core.networks import read_networks
from lumos_site.configuration.document import KeyEntry, ScalingEntry, TenantEntry, WantedStatus
from lumos_site.configuration.fields import Fields
from lumos_site.configuration.marks import Source
from lumos_site.configuration.read_plans import read_limits
from lumos_site.configuration.read_profiles import instant, read_override
from scaling.api import POLICY_FIELDS, Mode
from tenants.api import Role, Scope, SettingNotFound, SettingNotValid, TenantType, check_value, spec_of

_FACE = ("name", "type", "plan", "region", "status", "networks", "portal_networks")
_TENANT = (*_FACE, "members", "keys", "limits", "overrides", "scaling", "settings")
_KEY = ("live", "scopes", "models", "requests_per_minute", "tokens_per_minute", "expires_at", "networks", "revoked")


def read_tenant(slug: str, source: Source, node: yaml.Node, path: str) -> TenantEntry:
    fields = Fields(source, node, path, _TENANT)
    return TenantEntry(
        slug=slug,
        name=fields.text("name", longest=120),
        type=fields.choice("type", TenantType),
        plan=fields.text("plan", longest=40),
        region=fields.text("region", longest=40),
        status=fields.choice("status", WantedStatus),
        networks=_networks(fields, "networks"),
        portal_networks=_networks(fields, "portal_networks"),
        members={address: role for address, role in fields.named("members", _member) if role is not None},
        keys=fields.named("keys", _key),
        limits=read_limits(fields, "expires_at", "reason"),
        overrides=tuple(entry for entry in fields.named("overrides", read_override) if entry is not None),
        scaling=next(iter(fields.each("scaling", _scaling)), None),
        settings=next(iter(fields.each("settings", _settings)), {}),
        place=fields.place,
    )


def _member(address: str, source: Source, node: yaml.Node, path: str) -> tuple[str, Role | None]:
    if "@" not in address:
        source.mistake(node, path, "must be an e-mail address with a role behind it")
    name = node.value.upper() if isinstance(node, yaml.ScalarNode) else ""
    if name not in Role.__members__:
        source.mistake(node, path, f"must be one of {', '.join(Role)}")
        return address, None
    return address.strip().lower(), Role(name)


def _key(name: str, source: Source, node: yaml.Node, path: str) -> KeyEntry:
    fields = Fields(source, node, path, _KEY)
    if not 1 <= len(name.strip()) <= 80:
        fields.mistake("", "a key's name has 1 to 80 characters")
    scopes = fields.names("scopes")
    if scopes is not None and (not scopes or set(scopes) - set(Scope)):
        fields.mistake("scopes", f"choose from {', '.join(Scope)}")
    return KeyEntry(
        name=name.strip(),
        live=fields.flag("live"),
        scopes=scopes,
        models=fields.names("models"),
        requests_per_minute=fields.whole("requests_per_minute", least=1),
        tokens_per_minute=fields.whole("tokens_per_minute", least=1),
        expires_at=instant(fields, "expires_at"),
        networks=_networks(fields, "networks"),
        revoked=fields.flag("revoked") is True,
        place=fields.place,
    )


def _networks(fields: Fields, name: str) -> tuple[str, ...] | None:
    entries = fields.names(name)
    try:
        return None if entries is None else read_networks(entries)
    except ValueError as error:
        fields.mistake(name, str(error))
        return None


def _settings(source: Source, node: yaml.Node, path: str) -> dict[str, Any]:
    """Values as JSON has them, null for the default; each is checked against its own schema."""
    found = {}
    for name, key, inner in source.pairs(node, path):
        value = json.loads(json.dumps(SafeConstructor().construct_document(inner), default=str))
        try:
            check_value(spec_of(name), value)
        except (SettingNotFound, SettingNotValid) as error:
            source.mistake(key, f"{path}.{name}", error.message)
        else:
            found[name] = value
    return found


def _scaling(source: Source, node: yaml.Node, path: str) -> ScalingEntry:
    fields = Fields(source, node, path, POLICY_FIELDS)
    return ScalingEntry(
        min_replicas=fields.whole("min_replicas", most=10_000),
        max_replicas=fields.whole("max_replicas", most=10_000),
        cpu_target_percent=fields.whole("cpu_target_percent", least=1, most=100),
        memory_target_percent=fields.whole("memory_target_percent", least=1, most=100),
        queue_target=fields.whole("queue_target", most=1_000_000),
        scale_up_cooldown_seconds=fields.whole("scale_up_cooldown_seconds", most=86_400),
        scale_down_cooldown_seconds=fields.whole("scale_down_cooldown_seconds", most=86_400),
        mode=fields.choice("mode", Mode),
        place=fields.place,
    )
