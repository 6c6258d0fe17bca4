"""The master key's life: set up once, expected by every process, rotated while all work, retired when it is unused.

Rotation adds a version and wraps anew: first tenants' data keys, then every envelope that stands in a shared table,
wherever that is. Each batch is a transaction; killed at any point, the next run goes on with what is not done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from audit.api import SYSTEM, Actor, record
from core import master_keys
from core.faults import fault_point
from core.master_keys import Sealed
from tenants.errors import MasterKeyInUse
from tenants.models import MasterKey, TenantDataKey
from tenants.services.data_keys import wrap_anew
from tenants.services.envelopes import envelope_uses, rewrap_envelopes

log = structlog.get_logger(__name__)
_BATCH = 100
IN_FLIGHT = timedelta(days=1)  # what Redis may still hold under a version after it was replaced


@dataclass(frozen=True, slots=True)
class Rotation:
    """How far it is: the version that things are wrapped with now, how many were wrapped anew."""

    version: int
    data_keys: int = 0
    envelopes: int = 0


Tell = Callable[[Rotation], None]


def check_master_keys() -> bool:
    """Tell this process which master keys to expect; True when it has them all."""
    kept = MasterKey.objects.filter(retired_at=None).values_list("version", "fingerprint")
    master_keys.expect(dict(kept))
    return not master_keys.is_sealed()


def known_fingerprints() -> Mapping[int, str]:
    return dict(MasterKey.objects.filter(retired_at=None).values_list("version", "fingerprint"))


def set_up_master_key(*, now: datetime) -> bool:
    """Make the first master key of an installation that has none; False when the installation is sealed.

    Where anything is wrapped already, a key that is missing is lost or mislaid, and none is made in its place.
    """
    check_master_keys()
    if not MasterKey.objects.exists():
        version = master_keys.current_version()
        if master_keys.find(version) is None and TenantDataKey.objects.exists():
            log.error("tenants.master_key.missing", version=version)
            return False
        _store(version, master_keys.make(version), SYSTEM, now)
    unsealed = check_master_keys()
    if not unsealed:
        log.error("tenants.master_key.sealed")
    return unsealed


def rotate_master_key(*, acting: Actor, now: datetime, tell: Tell = lambda progress: None) -> Rotation:
    """Wrap everything with a new version of the master key, or go on with a rotation that was broken off.

    Others work on meanwhile. The old version stays until `retire_master_key`. Raises Sealed.
    """
    if not check_master_keys():
        raise Sealed()
    current = master_keys.current_version()
    _store(current, master_keys.master_key(current), acting, now)  # an environment may have chosen one that is new here
    uses = master_key_uses(oldest=False)  # which no rotation can change: it keeps version 1, and nothing else
    unfinished = any(count for version, count in uses.items() if version != current)
    if not unfinished:
        current = _add_version(current + 1, acting, now)
    done = Rotation(current)
    while count := _wrap_data_keys(current):
        done = Rotation(current, done.data_keys + count, done.envelopes)
        tell(done)
    for count in rewrap_envelopes(current, _BATCH):
        done = Rotation(current, done.data_keys, done.envelopes + count)
        tell(done)
    detail = {"version": current, "data_keys": done.data_keys, "envelopes": done.envelopes}
    record("master_keys.rotate", actor=acting, tenant_id=None, target=f"v{current}", detail=detail)
    return done


def _add_version(version: int, acting: Actor, now: datetime) -> int:
    if master_keys.is_chosen_by_environment():
        step = f"Give LUMOS_MASTER_KEY_V{version} and LUMOS_MASTER_KEY_CURRENT={version} to all processes, then again"
        raise MasterKeyInUse("The environment says which version of the master key is current", next_step=step)
    _store(version, master_keys.make(version), acting, now)
    fault_point("master_keys.rotate.stored")
    master_keys.choose(version)
    fault_point("master_keys.rotate.chosen")
    check_master_keys()
    return version


@transaction.atomic
def _store(version: int, key: bytes, acting: Actor, now: datetime) -> None:
    made = {"fingerprint": master_keys.fingerprint(key), "made_at": now}
    _, is_new = MasterKey.objects.get_or_create(version=version, defaults=made)
    if is_new:
        MasterKey.objects.filter(replaced_at=None).exclude(pk=version).update(replaced_at=now)
        record("master_keys.add", actor=acting, tenant_id=None, target=f"v{version}")


@transaction.atomic
def _wrap_data_keys(current: int) -> int:
    rows = TenantDataKey.objects.select_for_update(skip_locked=True).exclude(kek_version=current).order_by("pk")
    batch = list(rows[:_BATCH])
    for row in batch:
        wrap_anew(row, current)
    fault_point("master_keys.rotate.data_keys")
    return len(batch)


def master_key_uses(*, oldest: bool = True) -> dict[int, int]:
    """How many data keys and envelopes each version wraps that is not retired; of the oldest form too, or without."""
    uses = {version: 0 for version in known_fingerprints()}
    for version in TenantDataKey.objects.values_list("kek_version", flat=True):
        uses[version] = uses.get(version, 0) + 1
    for version, count in envelope_uses(oldest=oldest).items():
        uses[version] = uses.get(version, 0) + count
    return uses


@transaction.atomic
def retire_master_key(*, version: int, acting: Actor, now: datetime, tell: Callable[[], None] = lambda: None) -> None:
    """Forget a version for good. Raises MasterKeyInUse while anything needs it or may still need it.

    `tell` is called before the key goes: whoever still expects it would be sealed without it.
    """
    row: MasterKey | None = MasterKey.objects.select_for_update().filter(pk=version).first()
    if row is not None and row.retired_at is not None and master_keys.find(version) is not None:
        transaction.on_commit(lambda: _forget(version, tell))  # broken off before the key was forgotten
        return
    if row is None or row.retired_at is not None or version == master_keys.current_version():
        raise MasterKeyInUse("This is no old version of the master key")
    count = master_key_uses().get(version, 0)
    if count:
        raise MasterKeyInUse(f"{count} keys and values are wrapped with it", next_step="Run: ./lumos rotate_kek")
    if row.replaced_at is None or now < row.replaced_at + IN_FLIGHT:
        raise MasterKeyInUse("It was in use less than a day ago, and what is in flight may still need it")
    row.retired_at = now
    row.save(update_fields=["retired_at"])
    record("master_keys.retire", actor=acting, tenant_id=None, target=f"v{version}")
    transaction.on_commit(lambda: _forget(version, tell))


def _forget(version: int, tell: Callable[[], None]) -> None:
    check_master_keys()
    tell()
    fault_point("master_keys.retire.told")
    master_keys.forget(version)
