"""Changes of API keys: new ones are made, revoked ones revoked; of an old one only its networks can change."""

from __future__ import annotations

from functools import partial
from typing import Any

from lumos_site.configuration.changes import Findings, Kind, Run, differing, mentioned, told
from lumos_site.configuration.current import Current
from lumos_site.configuration.document import KeyEntry, TenantEntry
from tenants.api import KeyLimits, create_api_key, revoke_api_key, set_key_networks, tenant_by_slug

_LIMITS = ("requests_per_minute", "tokens_per_minute")
_KEY = ("live", "scopes", "models", "expires_at", *_LIMITS)
_NEW = (*_KEY, "networks")


def compare_keys(entry: TenantEntry, have: TenantEntry, current: Current, findings: Findings) -> None:
    known = {key.name: key for key in have.keys}
    for key in entry.keys:
        before = known.get(key.name)
        subject = f"API key {key.name} of {entry.slug}"
        if before is None and not key.revoked:
            findings.add(Kind.ADD, subject, key.place, partial(_create, entry.slug, key), *told(mentioned(key, _NEW)))
        elif before is not None and key.revoked:
            key_id = current.key_ids[entry.slug, key.name]
            findings.add(Kind.REMOVE, subject, key.place, partial(_revoke, entry.slug, key_id), "revoked for good")
        elif before is not None:
            _refuse_alteration(entry.slug, key, before, findings)
            _compare_networks(entry.slug, key, before, current, findings)


def _refuse_alteration(slug: str, key: KeyEntry, before: KeyEntry, findings: Findings) -> None:
    for name in differing(key, before, _KEY):
        message = "cannot be changed: add a key under another name, then set revoked: true here"
        findings.mistake(key.place, f"tenants.{slug}.keys.{key.name}.{name}", message)


def _compare_networks(slug: str, key: KeyEntry, before: KeyEntry, current: Current, findings: Findings) -> None:
    changes = differing(key, before, ("networks",))
    if changes:
        act = partial(_set_networks, slug, current.key_ids[slug, key.name], changes["networks"])
        findings.add(Kind.CHANGE, f"API key {key.name} of {slug}", key.place, act, *told(changes, before))


def _set_networks(slug: str, key_id: str, networks: tuple[str, ...], run: Run) -> None:
    set_key_networks(
        tenant_id=tenant_by_slug(slug).id, key_id=key_id, networks=networks, acting=run.acting, now=run.now
    )


def _create(slug: str, key: KeyEntry, run: Run) -> None:
    values: dict[str, Any] = mentioned(key, ("live", "scopes", "models", "expires_at", "networks"))
    _, plaintext = create_api_key(
        tenant_id=tenant_by_slug(slug).id,
        name=key.name,
        limits=KeyLimits(key.requests_per_minute, key.tokens_per_minute),
        acting=run.acting,
        now=run.now,
        **values,
    )
    run.new_keys.setdefault(slug, {})[key.name] = plaintext


def _revoke(slug: str, key_id: str, run: Run) -> None:
    revoke_api_key(tenant_id=tenant_by_slug(slug).id, key_id=key_id, acting=run.acting, now=run.now)
