"""Which checks there are, and how one is run; owns the list and the shape of a result, knows no fence.

A check is told the tenant and answers with a sentence of evidence: what it tried, and what came back. It raises Broken
when the fence does not hold and NotApplicable when there is nothing to try. Any other error means that the check itself
could not run, which is shown as such and never as passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog
from django.utils.functional import Promise

from core.tenancy import TenantRef

log = structlog.get_logger(__name__)


class FenceKind(StrEnum):
    DATA = "data"
    NETWORK = "network"
    COMPUTE = "compute"
    STORAGE = "storage"


class Outcome(StrEnum):
    """COULD_NOT_RUN proves nothing, and is told like a failure of the report, not of the fence."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    COULD_NOT_RUN = "could_not_run"


class Broken(Exception):
    """The fence does not hold; the text is the evidence."""


class Unprovable(Exception):
    """The check could not be made, for a reason that people may read."""


class NotApplicable(Exception):
    """There is nothing to try here; the text says why."""


CheckFunction = Callable[[TenantRef], str]


@dataclass(frozen=True, slots=True)
class Check:
    """`name` is stable and goes into reports, `title` is for people; `run` returns evidence."""

    fence: FenceKind
    name: str
    title: str | Promise
    run: CheckFunction


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. `ms` is how long it took."""

    fence: FenceKind
    name: str
    outcome: Outcome
    evidence: str
    ms: int


_checks: list[Check] = []


def proves(fence: FenceKind, name: str, title: str | Promise) -> Callable[[CheckFunction], CheckFunction]:
    """Decorator: `function(tenant)` is a check of that fence. Raises ValueError for a name that is taken."""

    def register(function: CheckFunction) -> CheckFunction:
        if any(check.name == name for check in _checks):
            raise ValueError(f"There is a check called {name} already")
        _checks.append(Check(fence, name, title, function))
        return function

    return register


def checks() -> tuple[Check, ...]:
    """All, by fence in the order of FenceKind, and in the order in which they were added."""
    order = list(FenceKind)
    return tuple(sorted(_checks, key=lambda check: order.index(check.fence)))


def title_of(name: str) -> str:
    """What a check is called; its name for one that a former version had."""
    return next((str(check.title) for check in _checks if check.name == name), name)


def run_check(check: Check, tenant: TenantRef) -> CheckResult:
    """Run one check; whatever happens in it becomes a result."""
    began = time.perf_counter()
    outcome, evidence = _tried(check, tenant)
    milliseconds = round((time.perf_counter() - began) * 1000)
    return CheckResult(check.fence, check.name, outcome, evidence[:1000], milliseconds)


def _tried(check: Check, tenant: TenantRef) -> tuple[Outcome, str]:
    try:
        return Outcome.PASSED, check.run(tenant)
    except Broken as broken:
        return Outcome.FAILED, str(broken)
    except NotApplicable as reason:
        return Outcome.NOT_APPLICABLE, str(reason)
    except Unprovable as reason:
        return Outcome.COULD_NOT_RUN, str(reason)
    except Exception as error:  # a check that cannot run must not hide the others
        log.exception("isolation.check.could_not_run", check=check.name, tenant=tenant.id)
        return Outcome.COULD_NOT_RUN, f"The check could not run: {type(error).__name__}"


def summary(results: tuple[CheckResult, ...]) -> Outcome:
    """The worst that was found: failed before could not run before passed."""
    found = {result.outcome for result in results}
    for outcome in (Outcome.FAILED, Outcome.COULD_NOT_RUN):
        if outcome in found:
            return outcome
    return Outcome.PASSED
