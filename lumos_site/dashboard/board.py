"""What the front page knows: figures of now and today across all tenants, gathered from the rooms; no HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Q

import proxy.api as proxy
from audit.api import EntryFacts, broken_chains, recent_entries
from billing.api import (
    PlanVersion,
    UsageEvent,
    UsageFigures,
    UsagePoint,
    UsageStatus,
    fleet_by_hour,
    fleet_by_provider,
    fleet_by_tenant,
    fleet_total,
)
from core.ids import new_ulid
from scaling.api import DecisionFacts, recent_changes
from tenants.api import ApiKey, Tenant, TenantStatus

WINDOW = timedelta(minutes=5)
DAY = timedelta(days=1)
_FAILING = Decimal("0.2")
_GOOD = (UsageStatus.OK, UsageStatus.CLIENT_CLOSED)


@dataclass(frozen=True, slots=True)
class Pulse:
    """The last five minutes."""

    requests: int
    failures: int

    @property
    def per_minute(self) -> Decimal:
        return (Decimal(self.requests) / Decimal(WINDOW.seconds // 60)).quantize(Decimal("0.1"))

    @property
    def error_percent(self) -> Decimal:
        return percent(self.failures, self.requests)


@dataclass(frozen=True, slots=True)
class TopTenant:
    id: str
    name: str
    figures: UsageFigures
    share: int


@dataclass(frozen=True, slots=True)
class ProviderState:
    """`state` is one of disabled, no_key, failing, healthy, idle, judged by the last two clock hours."""

    id: str
    name: str
    kind: str
    state: str
    figures: UsageFigures

    @property
    def error_percent(self) -> Decimal:
        return percent(self.figures.failures, self.figures.requests)

    @property
    def mean_latency_ms(self) -> int:
        return self.figures.latency_ms // self.figures.requests if self.figures.requests else 0


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour of the chart; heights in percent of the highest."""

    point: UsagePoint
    height: int
    failed: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a new installation."""

    done: bool
    page: str


@dataclass(frozen=True, slots=True)
class Board:
    at: datetime
    currency: str
    tenants: dict[str, int]
    pulse: Pulse
    today: UsageFigures
    yesterday: UsageFigures
    hours: tuple[Bar, ...]
    top: tuple[TopTenant, ...]
    providers: tuple[ProviderState, ...]
    scaling: tuple[tuple[DecisionFacts, str], ...]
    audit: tuple[EntryFacts, ...]
    broken_chains: int

    @property
    def is_quiet(self) -> bool:
        """Nothing was ever asked, as far as two days can tell: a new installation."""
        return not (self.today.requests or self.yesterday.requests)


def percent(part: int, whole: int) -> Decimal:
    return (Decimal(100 * part) / Decimal(whole)).quantize(Decimal("0.1")) if whole else Decimal(0)


def board(now: datetime) -> Board:
    """Everything that the page shows, in a fixed number of queries."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    shares = fleet_by_tenant(midnight, now, 8)
    changes = recent_changes(limit=6)
    names = _names({share.label for share in shares} | {change.tenant_id for change in changes})
    return Board(
        at=now,
        currency=_currency(),
        tenants=dict(Tenant.objects.values_list("status").annotate(n=Count("id")).order_by()),
        pulse=_pulse(now),
        today=fleet_total(midnight, now),
        yesterday=fleet_total(midnight - DAY, midnight),
        hours=_bars(fleet_by_hour(now - DAY + timedelta(hours=1), now)),
        top=tuple(_top(share.label, names, share.figures, shares[0].figures) for share in shares),
        providers=_providers(now),
        scaling=tuple((change, names.get(change.tenant_id, change.tenant_id)) for change in changes),
        audit=tuple(recent_entries(limit=8)),
        broken_chains=broken_chains(),
    )


def first_steps() -> dict[str, Step]:
    """What a new installation still lacks before its first request."""
    usable = (p for p in proxy.all_providers() if p.enabled and (p.keys or p.kind == proxy.ProviderKind.DEMO))
    return {
        "provider": Step(any(usable), "proxy_provider_changelist"),
        "model": Step(bool(proxy.usable_models()), "proxy_model_changelist"),
        "tenant": Step(Tenant.objects.filter(status=TenantStatus.ACTIVE).exists(), "tenants_tenant_add"),
        "key": Step(ApiKey.objects.filter(revoked_at=None).exists(), "tenants_apikey_add"),
    }  # fmt: skip


def _names(ids: set[str]) -> dict[str, str]:
    return dict(Tenant.objects.filter(pk__in=ids).values_list("id", "name"))


def _currency() -> str:
    """The one currency of all plans; empty when there are several, since their sum has none."""
    found = set(PlanVersion.objects.exclude(published_at=None).values_list("currency", flat=True))
    return found.pop() if len(found) == 1 else ""


def _pulse(now: datetime) -> Pulse:
    """Request ids begin with their millisecond, so their index finds the last minutes in any partition."""
    since = now - WINDOW
    first = f"req_{new_ulid(int(since.timestamp() * 1000))}"
    counted = UsageEvent.objects.filter(id__gte=first, occurred_at__gte=since).aggregate(
        requests=Count("pk"), failures=Count("pk", filter=~Q(status__in=_GOOD))
    )
    return Pulse(counted["requests"], counted["failures"])


def _bars(points: tuple[UsagePoint, ...]) -> tuple[Bar, ...]:
    highest = max((point.figures.requests for point in points), default=0) or 1
    return tuple(
        Bar(
            point,
            -(-100 * point.figures.requests // highest),
            -(-100 * point.figures.failures // (point.figures.requests or 1)),
        )
        for point in points
    )


def _top(tenant_id: str, names: dict[str, str], figures: UsageFigures, most: UsageFigures) -> TopTenant:
    share = 100 * figures.requests // (most.requests or 1)
    return TopTenant(tenant_id, names.get(tenant_id, tenant_id), figures, share)


def _providers(now: datetime) -> tuple[ProviderState, ...]:
    hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    recent = {share.label: share.figures for share in fleet_by_provider(hour, now)}
    return tuple(_provider(row, recent.get(row.name, UsageFigures())) for row in proxy.all_providers())


def _provider(row: proxy.ProviderFacts, figures: UsageFigures) -> ProviderState:
    if not row.enabled:
        state = "disabled"
    elif row.kind == proxy.ProviderKind.OPENAI and not row.keys:
        state = "no_key"
    elif not figures.requests:
        state = "idle"
    else:
        state = "failing" if figures.failures >= _FAILING * figures.requests else "healthy"
    return ProviderState(row.id, row.name, row.kind, state, figures)
