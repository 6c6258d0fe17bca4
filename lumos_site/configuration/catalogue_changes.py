"""Changes of providers, their keys, models and costs; compares and names the services, decides nothing of theirs."""

from __future__ import annotations

from functools import partial
from typing import Any

from billing.api import set_model_cost
from lumos_site.configuration.changes import Findings, Kind, Run, differing, mentioned, shown, told
from lumos_site.configuration.current import Current
from lumos_site.configuration.document import CostEntry, Document, ModelEntry, ProviderEntry, Secret
from proxy.api import (
    ProviderKind,
    add_model,
    add_provider,
    change_model,
    change_provider,
    provider_key_is,
    set_provider_key,
)

_PROVIDER = ("base_url", "options", "enabled")
_MODEL = ("provider", "upstream_name", "kinds", "context", "max_output", "default_output", "enabled")


def compare_providers(wanted: Document, current: Current, findings: Findings) -> None:
    known = {provider.name: provider for provider in current.document.providers}
    for entry in wanted.providers:
        have = known.get(entry.name)
        path, subject = f"providers.{entry.name}", f"provider {entry.name}"
        if entry.kind is not None and entry.kind not in set(ProviderKind):
            findings.mistake(entry.place, f"{path}.kind", f"must be one of {', '.join(ProviderKind)}")
        elif have is None:
            _add_provider(entry, subject, findings)
        elif entry.kind not in (None, have.kind):
            findings.mistake(entry.place, f"{path}.kind", f"is {have.kind} and cannot be changed; use another name")
        elif changes := differing(entry, have, _PROVIDER):
            act = partial(_change_provider, entry.name, changes)
            findings.add(_kind(changes), subject, entry.place, act, *told(changes, have))
        _compare_keys(entry, have, findings)


def _add_provider(entry: ProviderEntry, subject: str, findings: Findings) -> None:
    values = {"kind": entry.kind or ProviderKind.OPENAI.value, **mentioned(entry, _PROVIDER)}
    if values["kind"] == ProviderKind.OPENAI and not entry.base_url:
        findings.mistake(entry.place, f"providers.{entry.name}.base_url", "is missing")

    def act(run: Run) -> None:
        add_provider(name=entry.name, acting=run.acting, now=run.now, **values)

    findings.add(Kind.ADD, subject, entry.place, act, *told(values))


def _change_provider(name: str, changes: dict[str, Any], run: Run) -> None:
    change_provider(name=name, acting=run.acting, now=run.now, **changes)


def _kind(changes: dict[str, Any]) -> Kind:
    """Switching something off takes it away from its users."""
    return Kind.REMOVE if changes.get("enabled") is False else Kind.CHANGE


def _compare_keys(entry: ProviderEntry, have: ProviderEntry | None, findings: Findings) -> None:
    held = have.keys if have else {}
    for name, secret in entry.keys.items():
        if not secret.value and name in held:
            continue  # a placeholder of an export, or a variable that is only set where it is needed: keep the key
        if not secret.value:
            path = f"providers.{entry.name}.keys.{name}"
            findings.mistake(secret.place, path, f"the environment variable {secret.variable} is not set")
        elif not provider_key_is(secret.value, provider=entry.name, name=name):
            subject = f"key {name} of provider {entry.name}"
            kind = Kind.CHANGE if name in held else Kind.ADD
            ends = f"ends with …{secret.value[-4:]}" if len(secret.value) >= 12 else "(too short to show its end)"
            findings.add(kind, subject, secret.place, partial(_set_key, entry.name, name, secret), ends)


def _set_key(provider: str, name: str, secret: Secret, run: Run) -> None:
    set_provider_key(provider=provider, name=name, plaintext=secret.value, acting=run.acting, now=run.now)


def compare_models(wanted: Document, current: Current, findings: Findings) -> None:
    known = {model.name: model for model in current.document.models}
    providers = {provider.name for provider in (*wanted.providers, *current.document.providers)}
    for entry in wanted.models:
        have = known.get(entry.name)
        path, subject = f"models.{entry.name}", f"model {entry.name}"
        if entry.provider is None and have is None:
            findings.mistake(entry.place, f"{path}.provider", "is missing")
            continue
        if entry.provider is not None and entry.provider not in providers:
            findings.mistake(entry.place, f"{path}.provider", f"there is no provider {entry.provider}")
            continue
        if have is None:
            values = mentioned(entry, _MODEL)
            findings.add(Kind.ADD, subject, entry.place, partial(_add_model, entry.name, values), *told(values))
        elif changes := differing(entry, have, _MODEL):
            act = partial(_change_model, entry.name, changes)
            findings.add(_kind(changes), subject, entry.place, act, *told(changes, have))
        _compare_cost(entry, have, findings)


def _add_model(name: str, values: dict[str, Any], run: Run) -> None:
    add_model(name=name, acting=run.acting, now=run.now, **values)


def _change_model(name: str, changes: dict[str, Any], run: Run) -> None:
    change_model(name=name, acting=run.acting, now=run.now, **changes)


def _compare_cost(entry: ModelEntry, have: ModelEntry | None, findings: Findings) -> None:
    before = have.cost if have else None
    provider = entry.provider or (have.provider if have else None)
    moved = have is not None and provider != have.provider
    if entry.cost is None or provider is None or (entry.cost == before and not moved):
        return
    subject = f"cost of model {entry.name} at {provider}"
    kind = Kind.CHANGE if before else Kind.ADD
    act = partial(_set_cost, provider, entry.name, entry.cost)
    findings.add(kind, subject, entry.place, act, f"{_cost_line(before)} → {_cost_line(entry.cost)}")


def _cost_line(cost: CostEntry | None) -> str:
    if cost is None:
        return "nothing"
    amounts = (cost.input_token, cost.cached_token, cost.output_token)
    return f"{' / '.join(shown(amount.scaleb(6)) for amount in amounts)} {cost.currency} a million"


def _set_cost(provider: str, model: str, cost: CostEntry, run: Run) -> None:
    set_model_cost(
        provider=provider,
        model=model,
        currency=cost.currency,
        input_token=cost.input_token,
        cached_token=cost.cached_token,
        output_token=cost.output_token,
        acting=run.acting,
        now=run.now,
    )
