"""Changes of plans and of the limits that plans and tenant types grant; prices are compared as published terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial

from billing.api import Meter, Plan, PlanPrice, PriceTerms, publish_plan_version, save_plan
from lumos_site.configuration.changes import Findings, Kind, Run, differing, mentioned, shown, told
from lumos_site.configuration.current import Current
from lumos_site.configuration.document import Document, LimitEntry, LimitWord, PlanEntry, TypeEntry
from quotas.api import set_plan_limit, set_type_limit
from tenants.api import TenantType

_FACE = ("name", "description", "tenant_types")
_TERMS = ("currency", "monthly_fee")
_LAST_POSITION = 1000


def compare_plans(wanted: Document, current: Current, findings: Findings) -> None:
    known = {plan.code: plan for plan in current.document.plans}
    for entry in wanted.plans:
        have = known.get(entry.code)
        subject = f"plan {entry.code}"
        if have is None:
            full = _completed(entry)
            details = (*told(mentioned(full, (*_FACE, *_TERMS))), *_price_lines((), full.prices or ()))
            findings.add(Kind.ADD, subject, entry.place, partial(_make_plan, full), *details)
        else:
            _compare_face(entry, have, subject, findings)
            _compare_terms(entry, have, subject, findings)
        before = have.limits if have else ()
        compare_shared_limits(entry, before, f"plan {entry.code}", findings, partial(_set_plan_limit, entry.code))


def _completed(entry: PlanEntry) -> PlanEntry:
    """A new plan with what the file leaves out."""
    return replace(
        entry,
        name=entry.name or entry.code.replace("-", " ").title(),
        currency=entry.currency or "USD",
        monthly_fee=entry.monthly_fee or Decimal(0),
        prices=entry.prices or (),
    )


def _make_plan(plan: PlanEntry, run: Run) -> None:
    _save_face(plan, run)
    _publish(plan, run)


def _compare_face(entry: PlanEntry, have: PlanEntry, subject: str, findings: Findings) -> None:
    changes = differing(entry, have, _FACE)
    if changes:
        act = partial(_save_face, replace(have, **changes))
        findings.add(Kind.CHANGE, subject, entry.place, act, *told(changes, have))


def _save_face(plan: PlanEntry, run: Run) -> None:
    """How the plan is presented; its place in the price list stays."""
    stored = Plan.objects.filter(code=plan.code).first()
    save_plan(
        code=plan.code,
        name=plan.name or plan.code,
        description=plan.description or "",
        tenant_types=[kind.value for kind in plan.tenant_types or ()],
        position=stored.position if stored else _LAST_POSITION,
        acting=run.acting,
        now=run.now,
    )


def _compare_terms(entry: PlanEntry, have: PlanEntry, subject: str, findings: Findings) -> None:
    changes = differing(entry, have, _TERMS)
    lines = told(changes, have)
    if entry.prices is not None and _by_meter(entry.prices) != _by_meter(have.prices or ()):
        changes["prices"] = entry.prices
        lines += _price_lines(have.prices or (), entry.prices)
    if changes:
        keep = "tenants on it keep their terms until they are subscribed anew"
        act = partial(_publish, replace(have, **changes))
        findings.add(Kind.CHANGE, f"{subject}: a new version", entry.place, act, *lines, f"({keep})")


def _publish(plan: PlanEntry, run: Run) -> None:
    publish_plan_version(
        plan_code=plan.code,
        currency=plan.currency or "USD",
        monthly_fee=plan.monthly_fee or Decimal(0),
        prices=plan.prices or (),
        acting=run.acting,
        now=run.now,
    )


def _by_meter(prices: tuple[PlanPrice, ...]) -> dict[tuple[Meter, str], PriceTerms]:
    return {(price.meter, price.model): price.terms for price in prices}


def _price_lines(before: tuple[PlanPrice, ...], after: tuple[PlanPrice, ...]) -> tuple[str, ...]:
    """One line for each price that comes, goes or changes."""
    old, new = _by_meter(before), _by_meter(after)
    return tuple(
        f"price of {meter}, {'every model' if model == '*' else model}: {_terms(old.get(at))} → {_terms(new.get(at))}"
        for at in dict.fromkeys((*old, *new))
        if old.get(at) != new.get(at)
        for meter, model in [at]
    )


def _terms(terms: PriceTerms | None) -> str:
    if terms is None:
        return "nothing"
    tiers = ", ".join(
        f"{shown(tier.unit_amount)}{f' up to {shown(tier.up_to)}' if tier.up_to is not None else ''}"
        for tier in terms.tiers
    )
    free = f", {shown(terms.included_units)} included" if terms.included_units else ""
    return f"{terms.charge_model.value} {tiers}{free}"


def compare_types(wanted: Document, current: Current, findings: Findings) -> None:
    known = {entry.type: entry.limits for entry in current.document.tenant_types}
    for entry in wanted.tenant_types:
        subject = f"tenant type {entry.type}"
        compare_shared_limits(entry, known.get(entry.type, ()), subject, findings, partial(_set_type_limit, entry.type))


def compare_shared_limits(
    entry: PlanEntry | TypeEntry,
    before: tuple[LimitEntry, ...],
    subject: str,
    findings: Findings,
    act: Callable[[LimitEntry, Run], None],
) -> None:
    """Limits that many tenants share. They can be changed, not taken away."""
    known = {limit.dimension: limit for limit in before}
    for limit in entry.limits:
        have = known.get(limit.dimension)
        if limit.value is LimitWord.DEFAULT:
            message = "cannot be default here: it is the default; write a number or unlimited"
            findings.mistake(limit.place, f"{subject}.limits.{limit.dimension}", message)
        elif limit != have:
            findings.add(
                Kind.CHANGE if have else Kind.ADD,
                f"limit {limit.dimension} of {subject}",
                limit.place,
                partial(act, limit),
                f"{limit_line(have)} → {limit_line(limit)}",
            )


def limit_line(limit: LimitEntry | None) -> str:
    if limit is None:
        return "default"
    value = limit.value.value if isinstance(limit.value, LimitWord) else limit_text(limit)
    told = value if limit.hard else f"{value} (soft)"
    return f"{told} until {limit.expires_at:%Y-%m-%d %H:%M} UTC" if limit.expires_at else told


def limit_text(limit: LimitEntry) -> str:
    """The number as the file says it: money in the currency's major unit."""
    if limit.dimension.value.startswith("money"):
        return shown(Decimal(limit.value).scaleb(-6))
    return str(limit.value)


def limit_value(limit: LimitEntry) -> int | None:
    """The number as the services take it: None for unlimited."""
    return None if isinstance(limit.value, LimitWord) else limit.value


def _set_plan_limit(code: str, limit: LimitEntry, run: Run) -> None:
    set_plan_limit(
        plan=code,
        dimension=limit.dimension,
        value=limit_value(limit),
        hard=limit.hard,
        acting=run.acting,
        now=run.now,
    )


def _set_type_limit(kind: TenantType, limit: LimitEntry, run: Run) -> None:
    set_type_limit(
        tenant_type=kind,
        dimension=limit.dimension,
        value=limit_value(limit),
        hard=limit.hard,
        acting=run.acting,
        now=run.now,
    )
