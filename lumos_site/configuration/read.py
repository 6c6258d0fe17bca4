"""From the text of a file to a Document; owns which fields there are, checks shapes, asks no database.

Rules that need to know what is there already, such as whether a model's provider exists, are difference.py's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from lumos_site.configuration.document import CostEntry, Document, ModelEntry, ProviderEntry, Secret
from lumos_site.configuration.fields import Fields
from lumos_site.configuration.marks import ConfigurationRefused, Mistake, Place, Source, compose
from lumos_site.configuration.read_capacity import read_capacity
from lumos_site.configuration.read_plans import read_plan, read_type
from lumos_site.configuration.read_tenants import read_tenant

_SECTIONS = ("capacity", "providers", "models", "plans", "tenant_types", "tenants")
_PROVIDER = ("kind", "base_url", "enabled", "options", "key", "keys", "models")
_MODEL = ("provider", "upstream_name", "kinds", "context", "max_output", "default_output", "enabled", "cost")
_COST = ("currency", "input_per_million", "cached_per_million", "output_per_million")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}")
_KINDS = ("chat", "embeddings")
MAIN_KEY = "main"


def read_file(path: Path, environment: Mapping[str, str] = os.environ) -> Document:
    """The document in a file. Raises ConfigurationRefused with every mistake, or for a file that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise ConfigurationRefused([Mistake(Place(str(path), 1, 1), "", f"cannot be read: {reason}")]) from error
    return read_text(text, str(path), environment)


def read_text(text: str, file: str = "configuration", environment: Mapping[str, str] = os.environ) -> Document:
    """The document in `text`. `env:NAME` is looked up in `environment`; a variable that is not set reads as ""."""
    source = Source(file, [])
    root = compose(text, source)
    document = Document() if root is None else _document(source, root, environment)
    if source.mistakes:
        raise ConfigurationRefused(source.mistakes)
    return document


def _document(source: Source, root: yaml.Node, environment: Mapping[str, str]) -> Document:
    sections = Fields(source, root, "", _SECTIONS, ignored="x-")  # a place for anchors

    def read_provider(
        name: str, inner: Source, node: yaml.Node, path: str
    ) -> tuple[ProviderEntry, tuple[ModelEntry, ...]]:
        return _provider(Fields(inner, node, path, _PROVIDER), name, environment)

    pairs = sections.named("providers", read_provider)
    models = [model for _, inner in pairs for model in inner]
    names = {model.name: model for model in models}
    for model in sections.named("models", lambda name, inner, node, path: _model(inner, node, path, name)):
        if model.name in names:
            message = f"is given twice; first under its provider in line {names[model.name].place.line}"
            source.mistakes.append(Mistake(model.place, f"models.{model.name}", message))
        models.append(model)
    pools, hosts = read_capacity(sections)
    return Document(
        pools=pools,
        hosts=hosts,
        providers=tuple(provider for provider, _ in pairs),
        models=tuple(models),
        plans=sections.named("plans", read_plan),
        tenant_types=sections.named("tenant_types", read_type),
        tenants=sections.named("tenants", read_tenant),
    )


def _provider(
    fields: Fields, name: str, environment: Mapping[str, str]
) -> tuple[ProviderEntry, tuple[ModelEntry, ...]]:
    _check_name(fields, name)
    base_url = fields.text("base_url")
    if base_url is not None and re.fullmatch(r"https?://[^/\s]+(/\S*)?", base_url) is None:
        fields.mistake("base_url", "must start with http:// or https://")
    if fields.has("key") and fields.has("keys"):
        fields.mistake("keys", "use key or keys, not both")
    entry = ProviderEntry(
        name=name,
        kind=fields.text("kind", longest=40),
        base_url=base_url.rstrip("/") if base_url else None,
        enabled=fields.flag("enabled"),
        options=_options(fields),
        keys=_keys(fields, environment),
        place=fields.place,
    )
    return entry, _models_of(fields, name)


def _options(fields: Fields) -> dict[str, int] | None:
    """A provider kind's own settings; all of them are whole numbers."""
    if not fields.has("options"):
        return None
    return {name: number for name, number in fields.named("options", _option) if number is not None}


def _option(name: str, source: Source, node: yaml.Node, path: str) -> tuple[str, int | None]:
    if isinstance(node, yaml.ScalarNode) and re.fullmatch(r"[0-9][0-9_]{0,15}", node.value):
        return name, int(node.value)
    source.mistake(node, path, "must be a whole number of 0 or more")
    return name, None


def _keys(fields: Fields, environment: Mapping[str, str]) -> dict[str, Secret]:
    def read_named(name: str, source: Source, node: yaml.Node, path: str) -> tuple[str, Secret | None]:
        return name, _secret(source, node, path, environment)

    def read_only(source: Source, node: yaml.Node, path: str) -> tuple[str, Secret | None]:
        return read_named(MAIN_KEY, source, node, path)

    found = fields.named("keys", read_named) if fields.has("keys") else fields.each("key", read_only)
    return {name: secret for name, secret in found if secret is not None}


def _secret(source: Source, node: yaml.Node, path: str, environment: Mapping[str, str]) -> Secret | None:
    if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
        source.mistake(node, path, "must be a provider's key, or env:NAME of the variable that holds it")
        return None
    text = node.value.strip()
    if not text.startswith("env:"):
        return Secret(text, place=source.place(node))
    variable = text.removeprefix("env:").strip()
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable) is None:
        source.mistake(node, path, "env: needs the name of an environment variable, such as env:OPENAI_API_KEY")
        return None
    return Secret(environment.get(variable, "").strip(), variable, source.place(node))


def _models_of(fields: Fields, provider: str) -> tuple[ModelEntry, ...]:
    """Models under their provider: a list of names, or a map like the top-level `models`."""
    if fields.is_list("models"):
        place = fields.place_of("models")
        return tuple(ModelEntry(name, provider, place=place) for name in fields.names("models") or ())
    return fields.named("models", lambda name, source, node, path: _model(source, node, path, name, provider))


def _model(source: Source, node: yaml.Node, path: str, name: str, provider: str | None = None) -> ModelEntry:
    fields = Fields(source, node, path, _MODEL)
    _check_name(fields, name)
    if provider is not None and fields.has("provider"):
        fields.mistake("provider", f"is {provider} already, under which this model stands")
    kinds = fields.names("kinds")
    if kinds is not None and (not kinds or set(kinds) - set(_KINDS)):
        fields.mistake("kinds", f"choose from {', '.join(_KINDS)}")
    return ModelEntry(
        name=name,
        provider=provider or fields.text("provider", longest=100),
        upstream_name=fields.text("upstream_name", longest=200),
        kinds=kinds,
        context=fields.whole("context", least=1),
        max_output=fields.whole("max_output", least=1),
        default_output=fields.whole("default_output", least=1),
        enabled=fields.flag("enabled"),
        cost=next(iter(fields.each("cost", _cost)), None),
        place=fields.place,
    )


def _cost(source: Source, node: yaml.Node, path: str) -> CostEntry | None:
    fields = Fields(source, node, path, _COST)
    fields.require("input_per_million", "output_per_million")
    entered, cached, output = (fields.number(name) for name in _COST[1:])
    if entered is None or output is None:
        return None
    return CostEntry(
        currency=fields.currency() or "USD",
        input_token=entered.scaleb(-6),
        cached_token=(entered if cached is None else cached).scaleb(-6),
        output_token=output.scaleb(-6),
    )


def _check_name(fields: Fields, name: str) -> None:
    if _NAME.fullmatch(name) is None:
        fields.mistake("", "a name has 1 to 100 letters, digits and . _ : / @ -, and starts with a letter or digit")
