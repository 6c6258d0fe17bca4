"""Recovery codes, checked by their digests; owns that they open an account while the installation is sealed.

The library keeps a seed, which the master key seals, and a mask of those that were used. Beside them stand HMACs of
the codes under a pepper: who lacks the master key has the codes of no app, and needs another way in.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts.data import FactorKind
from core.crypto import current_version, hmac_digest
from core.master_keys import Sealed

_PEPPER = "recovery_code"
_DIGESTS = "digests"


def note_digests(row: Authenticator) -> None:
    """Keep the digests of all of its codes, used ones too: the mask goes by their order. Raises Sealed."""
    version = current_version(_PEPPER)
    codes = [_digest(row.user_id, code, version) for code in row.wrap().generate_codes()]
    row.data[_DIGESTS] = {"version": version, "codes": codes}
    row.save(update_fields=["data"])


def note_missing_digests(rows: Iterable[Authenticator]) -> None:
    """For codes of before there were digests, when their account proves itself and the master key is there."""
    for row in rows:
        if row.type == FactorKind.RECOVERY and _DIGESTS not in row.data:
            with suppress(Sealed):
                note_digests(row)


@transaction.atomic
def use_recovery_code(row: Authenticator, code: str) -> bool:
    """Whether it is one of these and was not used yet; it is now. Raises Sealed for codes from before the digests."""
    held = Authenticator.objects.select_for_update().get(pk=row.pk)
    if _DIGESTS not in held.data:
        note_digests(held)
    kept = cast("dict[str, Any]", held.data[_DIGESTS])
    digest = _digest(held.user_id, normalize_user_code(code), kept["version"])
    same = [hmac.compare_digest(digest, known) for known in kept["codes"]]
    used = 1 << same.index(True) if any(same) else 0
    if not used or held.data["used_mask"] & used:
        return False
    held.data["used_mask"] |= used
    held.save(update_fields=["data"])
    return True


def codes_left(row: Authenticator) -> int:
    """How many were not used yet; needs no key."""
    return int(app_settings.RECOVERY_CODE_COUNT) - int(row.data["used_mask"]).bit_count()


def _digest(account_id: int, code: str, version: int) -> str:
    return hmac_digest(f"{account_id}|{code}", _PEPPER, version)
