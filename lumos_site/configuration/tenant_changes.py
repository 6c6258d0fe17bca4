"""Changes of tenants, their members, plan, limits and scaling policy; their API keys are in key_changes."""

from __future__ import annotations

from functools import partial
from typing import Any

from billing.api import subscribe_tenant
from lumos_site.configuration.changes import Findings, Kind, Run, differing, mentioned, told
from lumos_site.configuration.current import Current
from lumos_site.configuration.document import Document, LimitEntry, LimitWord, ScalingEntry, TenantEntry, WantedStatus
from lumos_site.configuration.key_changes import compare_keys
from lumos_site.configuration.plan_changes import limit_line, limit_value
from lumos_site.configuration.profile_changes import compare_overrides, compare_type, default_plan_of
from lumos_site.configuration.setting_changes import compare_settings
from quotas.api import clear_limit, set_limit
from scaling.api import POLICY_FIELDS, set_policy
from tenants.api import (
    Role,
    add_member,
    create_tenant,
    rename_tenant,
    resume_tenant,
    set_tenant_networks,
    suspend_tenant,
    tenant_by_slug,
)

REASON = "Suspended by the configuration file"


def compare_tenants(wanted: Document, current: Current, findings: Findings) -> None:
    known = {tenant.slug: tenant for tenant in current.document.tenants}
    plans = {plan.code for plan in (*wanted.plans, *current.document.plans)}
    for entry in wanted.tenants:
        have = known.get(entry.slug)
        path = f"tenants.{entry.slug}"
        if entry.plan is not None and entry.plan not in plans:
            findings.mistake(entry.place, f"{path}.plan", f"there is no plan {entry.plan}")
            continue
        if have is None:
            have = _compare_new(entry, path, findings)
            _compare_plan(entry, have, entry.plan or _starting_plan(entry, wanted, current, plans), findings)
        else:
            _compare_face(entry, have, path, findings)
            _compare_plan(entry, have, entry.plan, findings)
        _compare_networks(entry, have, findings)
        _compare_members(entry, have, findings)
        _compare_limits(entry, have, findings)
        compare_overrides(entry, have, findings)
        compare_keys(entry, have, current, findings)
        _compare_scaling(entry, have, findings)
        compare_settings(entry, have, findings)
        _compare_status(entry, have, findings)


def _id(slug: str) -> str:
    """Looked up when the change is made: the tenant may be one of the changes before."""
    return tenant_by_slug(slug).id


def _compare_new(entry: TenantEntry, path: str, findings: Findings) -> TenantEntry:
    """Adds the tenant; returns what it will be before the rest of the entry is looked at."""
    if entry.type is None:
        findings.mistake(entry.place, f"{path}.type", "is missing")
    values = {"name": entry.name or entry.slug.title(), **mentioned(entry, ("type", "region"))}

    def act(run: Run) -> None:
        create_tenant(slug=entry.slug, acting=run.acting, now=run.now, **values)

    findings.add(Kind.ADD, f"tenant {entry.slug}", entry.place, act, *told(values))
    return TenantEntry(entry.slug, **values, status=WantedStatus.ACTIVE)


def _compare_face(entry: TenantEntry, have: TenantEntry, path: str, findings: Findings) -> None:
    if entry.region not in (None, have.region):
        findings.mistake(entry.place, f"{path}.region", f"is {have.region} and cannot be changed here")
    compare_type(entry, have, findings)
    if entry.name not in (None, have.name):
        act = partial(_rename, entry.slug, entry.name or "")
        findings.add(Kind.CHANGE, f"tenant {entry.slug}", entry.place, act, f"name: {have.name} → {entry.name}")


def _rename(slug: str, name: str, run: Run) -> None:
    rename_tenant(tenant_id=_id(slug), name=name, acting=run.acting, now=run.now)


def _starting_plan(entry: TenantEntry, wanted: Document, current: Current, plans: set[str]) -> str | None:
    """The plan that a new tenant of that type gets when the file names none, where it is for sale."""
    plan = default_plan_of(entry.type, wanted, current) if entry.type else None
    return plan if plan in plans else None


def _compare_plan(entry: TenantEntry, have: TenantEntry, wanted: str | None, findings: Findings) -> None:
    if wanted is None or wanted == have.plan:
        return
    kind = Kind.CHANGE if have.plan else Kind.ADD
    act = partial(_subscribe, entry.slug, wanted)
    findings.add(kind, f"subscription of {entry.slug}", entry.place, act, f"plan: {have.plan or 'nothing'} → {wanted}")


def _subscribe(slug: str, plan: str, run: Run) -> None:
    subscribe_tenant(tenant_id=_id(slug), plan_code=plan, acting=run.acting, now=run.now)


def _compare_networks(entry: TenantEntry, have: TenantEntry, findings: Findings) -> None:
    changes = differing(entry, have, ("networks", "portal_networks"))
    if changes:
        act = partial(_set_networks, entry.slug, changes)
        findings.add(Kind.CHANGE, f"networks of {entry.slug}", entry.place, act, *told(changes, have))


def _set_networks(slug: str, changes: dict[str, Any], run: Run) -> None:
    set_tenant_networks(tenant_id=_id(slug), acting=run.acting, now=run.now, **changes)


def _compare_members(entry: TenantEntry, have: TenantEntry, findings: Findings) -> None:
    for address, role in entry.members.items():
        before = have.members.get(address)
        if before is not role:
            kind = Kind.CHANGE if before else Kind.ADD
            act = partial(_add_member, entry.slug, address, role)
            line = f"role: {before or 'nothing'} → {role}"
            findings.add(kind, f"member {address} of {entry.slug}", entry.place, act, line)


def _add_member(slug: str, address: str, role: Role, run: Run) -> None:
    add_member(tenant_id=_id(slug), email=address, role=role, acting=run.acting, now=run.now)


def _compare_limits(entry: TenantEntry, have: TenantEntry, findings: Findings) -> None:
    known = {limit.dimension: limit for limit in have.limits}
    for limit in entry.limits:
        before = known.get(limit.dimension)
        if limit == before or (limit.value is LimitWord.DEFAULT and before is None):
            continue
        findings.add(
            Kind.CHANGE if before else Kind.ADD,
            f"limit {limit.dimension} of {entry.slug}",
            limit.place,
            partial(_set_limit, entry.slug, limit),
            f"{limit_line(before)} → {limit_line(limit)}",
        )


def _set_limit(slug: str, limit: LimitEntry, run: Run) -> None:
    if limit.value is LimitWord.DEFAULT:
        clear_limit(tenant_id=_id(slug), dimension=limit.dimension, acting=run.acting, now=run.now)
        return
    set_limit(
        tenant_id=_id(slug),
        dimension=limit.dimension,
        value=limit_value(limit),
        hard=limit.hard,
        expires_at=limit.expires_at,
        reason=limit.reason or "",
        acting=run.acting,
        now=run.now,
    )


def _compare_scaling(entry: TenantEntry, have: TenantEntry, findings: Findings) -> None:
    if entry.scaling is None:
        return
    changes = differing(entry.scaling, have.scaling or ScalingEntry(), POLICY_FIELDS)
    if changes:
        kind = Kind.CHANGE if have.scaling else Kind.ADD
        values = {**changes, **({"queue_target": None} if changes.get("queue_target") == 0 else {})}
        act = partial(_set_policy, entry.slug, values)
        findings.add(kind, f"scaling of {entry.slug}", entry.scaling.place, act, *told(changes, have.scaling))


def _set_policy(slug: str, values: dict[str, Any], run: Run) -> None:
    set_policy(tenant_id=_id(slug), acting=run.acting, now=run.now, **values)


def _compare_status(entry: TenantEntry, have: TenantEntry, findings: Findings) -> None:
    if entry.status is None or entry.status is have.status:
        return
    kind = Kind.REMOVE if entry.status is WantedStatus.SUSPENDED else Kind.CHANGE
    act = partial(_set_status, entry.slug, entry.status)
    findings.add(kind, f"tenant {entry.slug}", entry.place, act, f"status: {have.status} → {entry.status}")


def _set_status(slug: str, status: WantedStatus, run: Run) -> None:
    if status is WantedStatus.SUSPENDED:
        suspend_tenant(tenant_id=_id(slug), reason=REASON, acting=run.acting, now=run.now)
    else:
        resume_tenant(tenant_id=_id(slug), acting=run.acting, now=run.now)
