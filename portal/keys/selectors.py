"""A tenant's keys as the portal lists them; the key itself is nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.errors import InvalidInput
from core.ids import parse_prefixed
from tenants.api import ApiKey, KeyNotFound


class KeyState(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"

    @property
    def words(self) -> Promise:
        return _STATE_WORDS[self]


_STATE_WORDS: dict[KeyState, Promise] = {
    KeyState.ACTIVE: _("Active"),
    KeyState.EXPIRED: _("Expired"),
    KeyState.REVOKED: _("Revoked"),
}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One line of the list. Limits of None: none of its own."""

    public_id: str
    name: str
    shown: str
    live: bool
    state: KeyState
    scopes: tuple[str, ...]
    models: tuple[str, ...]
    networks: tuple[str, ...]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    created_by: str

    @property
    def is_active(self) -> bool:
        return self.state is KeyState.ACTIVE


def keys_of(tenant_id: str, *, now: datetime, with_ended: bool = False) -> list[KeyRow]:
    """The tenant's keys, newest first; expired and revoked ones only when asked for."""
    rows = [_row(key, now) for key in ApiKey.objects.filter(tenant_id=tenant_id).order_by("-created_at", "-id")]
    return rows if with_ended else [row for row in rows if row.is_active]


def key_of(tenant_id: str, public_id: str, *, now: datetime) -> KeyRow:
    """One key of the tenant; raises KeyNotFound, for another tenant's key and for nonsense alike."""
    try:
        key = ApiKey.objects.filter(tenant_id=tenant_id, pk=parse_prefixed("key", public_id)).first()
    except InvalidInput as error:
        raise KeyNotFound() from error
    if key is None:
        raise KeyNotFound()
    return _row(key, now)


def _row(key: ApiKey, now: datetime) -> KeyRow:
    return KeyRow(
        public_id=key.public_id,
        name=key.name,
        shown=f"{key.prefix}…{key.last_four}",
        live=key.live,
        state=_state(key, now),
        scopes=tuple(key.scopes),
        models=tuple(key.allowed_models),
        networks=tuple(key.allowed_networks),
        requests_per_minute=key.requests_per_minute,
        tokens_per_minute=key.tokens_per_minute,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        created_at=key.created_at,
        created_by=key.created_by,
    )


def _state(key: ApiKey, now: datetime) -> KeyState:
    if key.revoked_at is not None:
        return KeyState.REVOKED
    if key.expires_at is not None and key.expires_at <= now:
        return KeyState.EXPIRED
    return KeyState.ACTIVE
