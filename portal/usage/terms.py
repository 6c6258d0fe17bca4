"""What a workspace may use, in plain words, and whether that is its type's or was agreed for it alone; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import formats
from tenants.api import EffectiveProfile, FailurePolicy, ProfileField


@dataclass(frozen=True, slots=True)
class Term:
    """One line: what it is about, what holds, and where that comes from."""

    label: str
    text: str
    source: str


def terms_of(profile: EffectiveProfile) -> list[Term]:
    """In the order in which people ask."""
    room, days = profile.ceiling, profile.retention_days
    return [
        Term(_("Models"), _models(profile.allowed_models), _source(profile, ProfileField.ALLOWED_MODELS)),
        Term(_("Workers of your own"), _workers(profile), _source(profile, ProfileField.MAX_REPLICAS)),
        Term(_("CPU"), _cores(room.cpu_millicores), _source(profile, ProfileField.CPU_MILLICORES)),
        Term(_("Memory"), _mebibytes(room.memory_mib), _source(profile, ProfileField.MEMORY_MIB)),
        Term(_("Storage"), _mebibytes(room.storage_mib), _source(profile, ProfileField.STORAGE_MIB)),
        Term(
            _("Conversations are kept for"),
            ngettext("%(count)d day", "%(count)d days", days) % {"count": days},
            _source(profile, ProfileField.RETENTION_DAYS),
        ),
        Term(
            _("When usage cannot be counted"),
            _failure(profile.failure_policy),
            _source(profile, ProfileField.FAILURE_POLICY),
        ),
    ]


def _source(profile: EffectiveProfile, field: ProfileField) -> str:
    override = profile[field].override
    if override is None:
        return _("by your type of workspace")
    if override.expires_at is None:
        return _("agreed for your workspace")
    return _("agreed for your workspace until %(at)s") % {"at": formats.utc_minute(override.expires_at)}


def _models(names: tuple[str, ...]) -> str:
    return ", ".join(names) or _("All that are offered")


def _workers(profile: EffectiveProfile) -> str:
    limits = profile.scaling
    return _("%(least)s to %(most)s") % {"least": limits.min_replicas, "most": limits.max_replicas}


def _cores(millicores: int) -> str:
    whole, part = divmod(millicores, 1000)
    number = f"{whole}.{part:03d}".rstrip("0").rstrip(".")
    return ngettext("%(number)s core", "%(number)s cores", 1 if millicores == 1000 else 2) % {"number": number}


def _mebibytes(amount: int) -> str:
    return f"{formats.exact(amount // 1024)} GiB" if amount and amount % 1024 == 0 else f"{formats.exact(amount)} MiB"


def _failure(policy: FailurePolicy) -> str:
    if policy is FailurePolicy.FAIL_CLOSED:
        return _("Requests are refused until it can be counted again")
    return _("A small share of your limits is still served, and counted later")
