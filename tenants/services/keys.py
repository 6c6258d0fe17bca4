"""Making and revoking credentials; the whole key leaves this module once, and is stored nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from audit.api import Actor, Personal, emit, record
from core.crypto import current_version, hmac_digest
from core.errors import InvalidInput
from core.locks import wait_turn
from tenants.centre.selectors import setting_of
from tenants.data import KeyChanged, KeyLimits, Scope, TenantStatus
from tenants.errors import KeyNotFound, TenantNotFound, TooManyKeys, WrongStatus
from tenants.keyformat import new_key
from tenants.models import ApiKey, OperatorToken, Tenant
from tenants.services.networks import checked_networks
from tenants.webhooks.announce import announce
from tenants.webhooks.data import EventName

PEPPER = "api_key"
MOST_KEYS = 1_000  # of one tenant that are not revoked: each is held by every gateway's Redis
_TURN = 7_052_063  # advisory lock, with the tenant's id: one more of its keys at a time
_NO_NEW_KEYS = frozenset({TenantStatus.ARCHIVED, TenantStatus.DELETING, TenantStatus.DELETED})
DEFAULT_SCOPES = (Scope.INFERENCE,)


def digest_of(plaintext: str) -> str:
    """What is stored for a new key: HMAC-SHA256 under the current version of the pepper."""
    return hmac_digest(plaintext, PEPPER)


def digests_of(plaintext: str) -> list[str]:
    """What may be stored for a key: its digest under each version of the pepper, newest first."""
    return [hmac_digest(plaintext, PEPPER, version) for version in range(current_version(PEPPER), 0, -1)]


@transaction.atomic
def create_api_key(
    *,
    tenant_id: str,
    name: str,
    acting: Actor,
    now: datetime,
    live: bool = True,
    scopes: Sequence[str] = DEFAULT_SCOPES,
    models: Sequence[str] = (),
    limits: KeyLimits | None = None,
    expires_at: datetime | None = None,
    networks: Sequence[str] = (),
) -> tuple[ApiKey, str]:
    """A new key and its plaintext, which is not kept. Raises InvalidInput, WrongStatus, TenantNotFound, TooManyKeys."""
    _check_input(name, scopes, expires_at, now)
    tenant = _tenant_with_room(tenant_id)
    _check_life(tenant_id, expires_at, now)
    plaintext = new_key("live" if live else "test")
    limits = limits or KeyLimits()
    key = ApiKey.objects.create(
        tenant=tenant,
        name=name.strip(),
        digest=digest_of(plaintext),
        pepper_version=current_version(PEPPER),
        prefix=plaintext[:12],
        last_four=plaintext[-4:],
        live=live,
        scopes=list(dict.fromkeys(scopes)),
        allowed_models=list(models),
        allowed_networks=checked_networks(networks, "networks"),
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        expires_at=expires_at,
        created_at=now,
        created_by=acting.label,
    )
    _tell("keys.create", key, acting)
    emit(KeyChanged(tenant.id, key.id, key.digest))
    _announce(EventName.KEY_CREATED, key, acting, now)
    return key, plaintext


def _tell(action: str, key: ApiKey, acting: Actor) -> None:
    detail = {"name": Personal(key.name)}
    record(action, actor=acting, tenant_id=key.tenant_id, target=key.public_id, detail=detail)


def _announce(event: EventName, key: ApiKey, acting: Actor, now: datetime) -> None:
    data = {"id": key.public_id, "name": key.name, "live": key.live, "scopes": key.scopes, "by": acting.label}
    announce(tenant_id=key.tenant_id, event=event, data=data, now=now)


def _tenant_with_room(tenant_id: str) -> Tenant:
    """The tenant that may have one more key, counted by one at a time."""
    wait_turn(_TURN, tenant_id)
    tenant: Tenant | None = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None:
        raise TenantNotFound()
    if tenant.status in _NO_NEW_KEYS:
        raise WrongStatus("An archived tenant gets no new keys, nor one that is to be deleted")
    if tenant.api_keys.filter(revoked_at__isnull=True).count() >= MOST_KEYS:
        raise TooManyKeys()
    return tenant


def _check_input(name: str, scopes: Sequence[str], expires_at: datetime | None, now: datetime) -> None:
    if not 1 <= len(name.strip()) <= 80:
        raise InvalidInput("A key needs a name", fields={"name": ["must have 1 to 80 characters"]})
    unknown = sorted(set(scopes) - {scope.value for scope in Scope})
    if unknown or not scopes:
        known = ", ".join(scope.value for scope in Scope)
        raise InvalidInput("Unknown scope", fields={"scopes": [f"choose from: {known}"]})
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("The key would be born expired", fields={"expires_at": ["must lie in the future"]})


def _check_life(tenant_id: str, expires_at: datetime | None, now: datetime) -> None:
    """The tenant's owners may have decided how long a key lives at most."""
    days = setting_of(tenant_id, "keys.longest_life_days")
    if days and (expires_at is None or expires_at > now + timedelta(days=days)):
        complaint = _("must lie within %(days)d days: so this workspace's settings want it") % {"days": days}
        raise InvalidInput(_("The key would live too long"), fields={"expires_at": [complaint]})


@transaction.atomic
def revoke_api_key(*, tenant_id: str, key_id: str, acting: Actor, now: datetime) -> ApiKey:
    """Revoke for good; a second call changes nothing. Raises KeyNotFound for another tenant's key too."""
    key = ApiKey.objects.select_for_update().filter(pk=key_id, tenant_id=tenant_id).first()
    if key is None:
        raise KeyNotFound()
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
        _tell("keys.revoke", key, acting)
        _announce(EventName.KEY_REVOKED, key, acting, now)
    emit(KeyChanged(tenant_id, key.id, key.digest))
    return key


@transaction.atomic
def create_operator_token(
    *, user_id: int, name: str, acting: Actor, now: datetime, expires_at: datetime | None = None
) -> tuple[OperatorToken, str]:
    """A REST credential for an operator's program, and its plaintext, which is not kept."""
    plaintext = new_key("oper")
    token = OperatorToken.objects.create(
        user_id=user_id,
        name=name,
        digest=digest_of(plaintext),
        pepper_version=current_version(PEPPER),
        last_four=plaintext[-4:],
        created_at=now,
        expires_at=expires_at,
    )
    record("operator_tokens.create", actor=acting, tenant_id=None, target=token.id, detail={"name": name})
    return token, plaintext


@transaction.atomic
def revoke_operator_token(*, token_id: str, acting: Actor, now: datetime) -> OperatorToken:
    """Revoke for good; a second call changes nothing. Raises KeyNotFound."""
    token = OperatorToken.objects.select_for_update().filter(pk=token_id).first()
    if token is None:
        raise KeyNotFound()
    if token.revoked_at is None:
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        record("operator_tokens.revoke", actor=acting, tenant_id=None, target=token.id, detail={"name": token.name})
    return token
