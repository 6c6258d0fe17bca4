"""Every change to a scaling policy, and the sending of probes; each change has its row in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from audit.api import SYSTEM, Actor, record
from scaling.data import Mode
from scaling.errors import PolicyInvalid, PolicyNotFound
from scaling.models import ScalingPolicy
from scaling.tasks import probe
from tenants.api import EventName, announce, effective_profile, tenant_by_id

POLICY_FIELDS = (
    "min_replicas",
    "max_replicas",
    "cpu_target_percent",
    "memory_target_percent",
    "queue_target",
    "scale_up_cooldown_seconds",
    "scale_down_cooldown_seconds",
    "mode",
)
_FIELD_OF_CONSTRAINT = {
    "scaling_max_range": "max_replicas",
    "scaling_min_under_max": "min_replicas",
    "scaling_cpu_range": "cpu_target_percent",
    "scaling_memory_range": "memory_target_percent",
    "scaling_queue_range": "queue_target",
    "scaling_zero_can_wake": "queue_target",
    "scaling_up_cooldown_range": "scale_up_cooldown_seconds",
    "scaling_down_cooldown_range": "scale_down_cooldown_seconds",
    "scaling_mode_known": "mode",
}


@transaction.atomic
def set_policy(*, tenant_id: str, acting: Actor, now: datetime, **changes: Any) -> ScalingPolicy:
    """Change the named fields of a tenant's policy (see POLICY_FIELDS), making one with the defaults first.

    Obeyed from the next round on. Raises PolicyInvalid with the fields at fault, also where a number of replicas is
    not one that the tenant's profile allows, and TenantNotFound.
    """
    unknown = sorted(changes.keys() - set(POLICY_FIELDS))
    if unknown:
        raise PolicyInvalid(fields={name: ["is not a field of a scaling policy"] for name in unknown})
    policy = _locked(tenant_id) or _fresh(tenant_id, now)
    before = _values(policy) if policy.version else {}
    for name, value in changes.items():
        setattr(policy, name, value)
    if _values(policy) != before:
        _check(policy)
        _check_reach(policy, before, now)
        _store(policy, now)
        detail = {"version": policy.version, "from": before, "to": _values(policy)}
        record("scaling.set_policy", actor=acting, tenant_id=tenant_id, target=policy.public_id, detail=detail)
        if changes:  # the defaults of a new tenant are no news
            _announce(policy, now)
    return policy


def pause_policy(*, tenant_id: str, acting: Actor, now: datetime) -> ScalingPolicy:
    """Freeze the tenant's replicas where they are. Raises PolicyNotFound."""
    return _set_mode(tenant_id, Mode.PAUSED, "scaling.pause_policy", acting, now)


def resume_policy(*, tenant_id: str, acting: Actor, now: datetime, mode: Mode = Mode.AUTO) -> ScalingPolicy:
    """Let the policy act (or recommend) again. Raises PolicyNotFound."""
    return _set_mode(tenant_id, mode, "scaling.resume_policy", acting, now)


@transaction.atomic
def ensure_policy(*, tenant_id: str, now: datetime) -> ScalingPolicy:
    """Return the tenant's policy, made with the defaults when there was none. Raises TenantNotFound."""
    found = ScalingPolicy.objects.filter(tenant_id=tenant_id).first()
    return found or set_policy(tenant_id=tenant_id, acting=SYSTEM, now=now)


@transaction.atomic
def _set_mode(tenant_id: str, mode: Mode, action: str, acting: Actor, now: datetime) -> ScalingPolicy:
    policy = _locked(tenant_id)
    if policy is None:
        raise PolicyNotFound()
    if policy.mode != mode:
        before, policy.mode = policy.mode, mode
        _store(policy, now)
        detail = {"version": policy.version, "from": before, "to": mode}
        record(action, actor=acting, tenant_id=tenant_id, target=policy.public_id, detail=detail)
        _announce(policy, now)
    return policy


def _announce(policy: ScalingPolicy, now: datetime) -> None:
    told = {"version": policy.version, **_values(policy), "mode": str(policy.mode)}
    announce(tenant_id=policy.tenant_id, event=EventName.SCALING_CHANGED, data=told, now=now)


def _locked(tenant_id: str) -> ScalingPolicy | None:
    return ScalingPolicy.objects.select_for_update().filter(tenant_id=tenant_id).first()


def _fresh(tenant_id: str, now: datetime) -> ScalingPolicy:
    """The defaults, as far as the tenant's profile allows them."""
    policy = ScalingPolicy(tenant=tenant_by_id(tenant_id), updated_at=now, version=0)
    limits = effective_profile(tenant_id, now=now).scaling
    policy.min_replicas, policy.max_replicas = limits.within(policy.min_replicas), limits.within(policy.max_replicas)
    return policy


def _check_reach(policy: ScalingPolicy, before: Mapping[str, Any], now: datetime) -> None:
    """Raise PolicyInvalid for a newly set number of replicas that the tenant's profile does not allow.

    One that was set when more was allowed stays, and the loop does not go beyond what is allowed now.
    """
    limits = effective_profile(policy.tenant_id, now=now).scaling
    text = _("The tenant's profile allows %(least)s to %(most)s workers.")
    told = text % {"least": limits.min_replicas, "most": limits.max_replicas}
    numbers = {"min_replicas": policy.min_replicas, "max_replicas": policy.max_replicas}
    beyond = [name for name, n in numbers.items() if n != before.get(name) and limits.within(n) != n]
    if beyond:
        step = "Override the tenant's profile, or choose another number"
        raise PolicyInvalid(fields={name: [told] for name in beyond}, next_step=step)


def _values(policy: ScalingPolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in POLICY_FIELDS}


def _store(policy: ScalingPolicy, now: datetime) -> None:
    """Check and save as a new version. Raises PolicyInvalid."""
    policy.version += 1
    policy.updated_at = now
    _check(policy)
    policy.save()


def _check(policy: ScalingPolicy) -> None:
    """Raise PolicyInvalid with every message under the field that it speaks of."""
    faults: dict[str, list[str]] = {}
    try:
        policy.clean_fields(exclude=["tenant"])
    except ValidationError as error:
        raise PolicyInvalid(fields=error.message_dict) from error
    for constraint in ScalingPolicy._meta.constraints:
        try:
            constraint.validate(ScalingPolicy, policy)
        except ValidationError as error:
            faults.setdefault(_FIELD_OF_CONSTRAINT[constraint.name], []).extend(error.messages)
    if faults:
        raise PolicyInvalid(fields=faults)


def send_probes(*, tenant_id: str, acting: Actor, count: int = 1, busy_seconds: float = 0.0) -> int:
    """Put `count` probes (1 to 100) on the tenant's queue; each may keep its worker busy for up to 60 s.

    A probe shows that the tenant's own workers take its tasks, as whom they run and how long they need; many busy
    ones show its policy at work. Raises PolicyInvalid for numbers out of range and TenantNotFound.
    """
    if not 1 <= count <= 100 or not 0 <= busy_seconds <= 60:
        raise PolicyInvalid("Send 1 to 100 probes of 0 to 60 seconds")
    tenant = tenant_by_id(tenant_id)
    detail: Mapping[str, Any] = {"count": count, "busy_seconds": busy_seconds}
    record("scaling.send_probes", actor=acting, tenant_id=tenant_id, target=tenant.public_id, detail=detail)
    for _number in range(count):
        probe.apply_async(kwargs={"tenant_id": tenant_id, "busy_seconds": busy_seconds})
    return count
