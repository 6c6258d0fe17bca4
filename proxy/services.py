"""Every write of the catalogue: providers, their keys, models. Each leaves an audit entry and tells the gateways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hmac import compare_digest
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model as Row
from django.utils.translation import gettext as _

from audit.api import Actor, emit, record
from core.crypto import SealBroken, is_oldest_form, seal, unseal
from core.errors import Conflict, InvalidInput, NotFound
from core.http import UrlRefused, check_url, operator_policy
from proxy.catalogue import seal_context
from proxy.data import CatalogueChanged, ModelKind, ProviderKind
from proxy.models import Model, Provider, ProviderKey
from proxy.upstream.pool import Origin

OPTIONS = frozenset({"pace_ms", "stream_usage", "connections"})
_OPTION_LIMIT = 1_000_000


def add_provider(
    *,
    name: str,
    kind: str,
    acting: Actor,
    now: datetime,
    base_url: str = "",
    options: Mapping[str, int] | None = None,
    enabled: bool = True,
) -> Provider:
    """A new provider without a key. Raises InvalidInput; Conflict for a name that is taken."""
    if kind == ProviderKind.OPENAI:
        _check_base_url(base_url)
    with transaction.atomic():
        if Provider.objects.filter(name=name).exists():
            raise Conflict(f"There is a provider called {name} already")
        provider = Provider(
            name=name, kind=kind, base_url=base_url, options=dict(options or {}), enabled=enabled, created_at=now
        )
        _check_provider(provider)
        provider.save(force_insert=True)
        _tell("providers.add", provider.name, acting, {"kind": kind, "base_url": base_url})
    return provider


def change_provider(
    *,
    name: str,
    acting: Actor,
    now: datetime,
    base_url: str | None = None,
    options: Mapping[str, int] | None = None,
    enabled: bool | None = None,
) -> bool:
    """Change what is not None; False when it was so already. Raises NotFound, InvalidInput."""
    if base_url:
        _check_base_url(base_url)
    with transaction.atomic():
        provider = _locked_provider(name)
        wanted = {"base_url": base_url, "options": None if options is None else dict(options), "enabled": enabled}
        changes = _differences(provider, wanted)
        if not changes:
            return False
        _check_provider(provider)
        provider.save(update_fields=list(changes))
        _tell("providers.change", provider.name, acting, changes)
    return True


@transaction.atomic
def set_provider_key(*, provider: str, plaintext: str, acting: Actor, now: datetime, name: str = "main") -> ProviderKey:
    """Seal a provider's credential; the one set last is used. Raises NotFound, InvalidInput."""
    row = _locked_provider(provider)
    secret = plaintext.strip()
    if not secret.isascii() or not secret.isprintable() or " " in secret or not 8 <= len(secret) <= 500:
        raise InvalidInput("This is not a key", fields={"key": ["must be 8 to 500 printable characters"]})
    key, _ = ProviderKey.objects.update_or_create(
        provider=row,
        name=name,
        defaults={"sealed": seal(secret, context=seal_context(row.id)), "last_four": secret[-4:], "set_at": now},
    )
    _tell("providers.set_key", row.name, acting, {"key": name, "last_four": key.last_four})
    return key


@transaction.atomic
def seal_provider_keys_anew(*, acting: Actor, now: datetime) -> int:
    """Seal those of the oldest form as all others are, so that they can be wrapped anew; how many. Raises Sealed.

    What does not open stays as it is, and must be entered again.
    """
    changed = 0
    for key in ProviderKey.objects.select_for_update(of=("self",)).select_related("provider"):
        context = seal_context(key.provider_id)
        with suppress(SealBroken):
            if is_oldest_form(key.sealed):
                key.sealed = seal(unseal(key.sealed, context=context), context=context)
                key.save(update_fields=["sealed"])
                _tell("providers.seal_key_anew", key.provider.name, acting, {"key": key.name})
                changed += 1
    return changed


def provider_key_is(plaintext: str, *, provider: str, name: str = "main") -> bool:
    """Whether the credential that is sealed under this name is just that; what it is otherwise nobody is told."""
    key = ProviderKey.objects.filter(provider__name=provider, name=name).first()
    return key is not None and compare_digest(
        unseal(key.sealed, context=seal_context(key.provider_id)).encode(), plaintext.strip().encode()
    )


@transaction.atomic
def remove_provider_key(*, provider: str, name: str, acting: Actor, now: datetime) -> bool:
    """Forget a credential; False when there was none of that name. Raises NotFound."""
    row = _locked_provider(provider)
    deleted, _ = ProviderKey.objects.filter(provider=row, name=name).delete()
    if deleted:
        _tell("providers.remove_key", row.name, acting, {"key": name})
    return bool(deleted)


@transaction.atomic
def add_model(
    *,
    name: str,
    provider: str,
    acting: Actor,
    now: datetime,
    upstream_name: str = "",
    kinds: Sequence[str] = (ModelKind.CHAT,),
    context: int = 0,
    max_output: int = 4096,
    default_output: int = 1024,
    enabled: bool = True,
) -> Model:
    """A new model of an existing provider. Raises NotFound, InvalidInput; Conflict for a name that is taken."""
    if Model.objects.filter(name=name).exists():
        raise Conflict(f"There is a model called {name} already")
    model = Model(
        name=name,
        provider=_locked_provider(provider),
        upstream_name=upstream_name or name,
        kinds=[str(kind) for kind in kinds],
        context=context,
        max_output=max_output,
        default_output=min(default_output, max_output),
        enabled=enabled,
        created_at=now,
    )
    _check_model(model)
    model.save(force_insert=True)
    _tell("models.add", name, acting, {"provider": provider})
    return model


@transaction.atomic
def change_model(
    *,
    name: str,
    acting: Actor,
    now: datetime,
    provider: str | None = None,
    upstream_name: str | None = None,
    kinds: Sequence[str] | None = None,
    context: int | None = None,
    max_output: int | None = None,
    default_output: int | None = None,
    enabled: bool | None = None,
) -> bool:
    """Change what is not None; False when it was so already. Raises NotFound, InvalidInput."""
    model = Model.objects.select_for_update().filter(name=name).first()
    if model is None:
        raise NotFound(f"There is no model called {name}")
    wanted: dict[str, Any] = {"upstream_name": upstream_name, "context": context, "enabled": enabled}
    wanted |= {"max_output": max_output, "default_output": default_output}
    wanted["provider_id"] = None if provider is None else _locked_provider(provider).id
    wanted["kinds"] = None if kinds is None else [str(kind) for kind in kinds]
    changes = _differences(model, wanted)
    if not changes:
        return False
    _check_model(model)
    model.save(update_fields=list(changes))
    _tell("models.change", name, acting, changes)
    return True


def _locked_provider(name: str) -> Provider:
    provider = Provider.objects.select_for_update().filter(name=name).first()
    if provider is None:
        raise NotFound(f"There is no provider called {name}")
    return provider


def _differences(row: Row, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Sets on the row what differs and is not None; returns just that."""
    changes = {field: value for field, value in wanted.items() if value is not None and getattr(row, field) != value}
    for field, value in changes.items():
        setattr(row, field, value)
    return changes


def options_fault(options: object) -> str:
    """What is wrong with options as somebody typed them; "" when they are an object of whole numbers that we know."""
    if isinstance(options, Mapping):
        numbers = options.values()
        if options.keys() <= OPTIONS and all(type(x) is int and 0 <= x <= _OPTION_LIMIT for x in numbers):
            return ""
    return f"whole numbers for: {', '.join(sorted(OPTIONS))}"


def _check_provider(provider: Provider) -> None:
    if fault := options_fault(provider.options):
        raise InvalidInput("Unknown option", fields={"options": [fault]})
    if provider.kind == ProviderKind.OPENAI and not provider.base_url:
        raise InvalidInput("The base URL is missing", fields={"base_url": ["must look like https://host[:port]/path"]})
    _check_row(provider)


def _check_base_url(base_url: str) -> None:
    """May ask a name server, so it comes before the transaction. Raises InvalidInput and its UrlRefused."""
    try:
        Origin.of(base_url)
    except ValueError as error:
        message = "must look like https://host[:port]/path"
        raise InvalidInput("The base URL is not usable", fields={"base_url": [message]}) from error
    try:
        check_url(base_url, policy=operator_policy(), field="base_url")
    except UrlRefused as error:
        mend = _("if this server is yours, name its network in LUMOS_PRIVATE_NETWORKS and start Lumos anew")
        raise UrlRefused(error.message, fields={"base_url": [mend]}, next_step=mend) from error


def _check_model(model: Model) -> None:
    known = {kind.value for kind in ModelKind}
    if not model.kinds or set(model.kinds) - known:
        raise InvalidInput("Unknown kind of model", fields={"kinds": [f"choose from: {', '.join(sorted(known))}"]})
    _check_row(model)


def _check_row(row: Row) -> None:
    try:
        row.full_clean(validate_unique=False)
    except ValidationError as error:
        raise InvalidInput("The values are not usable", fields=error.message_dict) from error


def _tell(action: str, subject: str, acting: Actor, detail: Mapping[str, Any]) -> None:
    record(action, actor=acting, tenant_id=None, target=subject, detail=detail)
    emit(CatalogueChanged(subject))
