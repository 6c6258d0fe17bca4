"""Every write of the quotas app: limits of tenants, types and plans, and alerts out of Redis."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import cast

import redis
from django.db import transaction

from audit.api import SYSTEM, Actor, Personal, emit, record
from core.ids import new_ulid, prefixed
from core.redis import control
from quotas.data import Dimension, LimitsChanged, ThresholdReached
from quotas.engine.keys import EngineKeys
from quotas.engine.plan import check_limit_value
from quotas.errors import LimitNotUsable
from quotas.models import PlanLimit, QuotaAlert, StoredLimit, TenantLimit, TypeLimit
from quotas.policies import BUILT_IN
from tenants.api import EventName, TenantType, announce, tenant_by_id


def set_limit(
    *,
    tenant_id: str,
    dimension: Dimension,
    value: int | None,
    acting: Actor,
    now: datetime,
    hard: bool = True,
    expires_at: datetime | None = None,
    reason: str = "",
) -> bool:
    """Give a tenant its own limit, for good or until `expires_at`; None is unlimited, 0 allows nothing.

    False when it was so already. Raises LimitNotUsable, TenantNotFound.
    """
    check_limit_value(value)
    if expires_at is not None and expires_at <= now:
        raise LimitNotUsable("A limit ends later than now", fields={"expires_at": ["must be later than now"]})
    with transaction.atomic():
        tenant = tenant_by_id(tenant_id)
        row, _ = TenantLimit.objects.select_for_update().get_or_create(
            tenant=tenant, dimension=dimension, defaults={"is_active": False}
        )
        same_reason = reason in ("", row.reason)
        if row.is_active and same_reason and (row.value, row.hard, row.expires_at) == (value, hard, expires_at):
            return False
        before = _described(row) if row.is_active else None
        row.is_active, row.expires_at, row.reason, row.set_by = True, expires_at, reason[:300], acting.label[:200]
        _change(row, value, hard, now)
        _tell("quotas.set_limit", _public(tenant_id), dimension, acting, before=before, after=row, tenant_id=tenant_id)
        _announce("set", row, now)
    return True


def clear_limit(*, tenant_id: str, dimension: Dimension, acting: Actor, now: datetime) -> bool:
    """Take a tenant's own limit away, so that plan and type decide again. False when there was none."""
    with transaction.atomic():
        row = (
            TenantLimit.objects.select_for_update()
            .filter(tenant_id=tenant_id, dimension=dimension, is_active=True)
            .first()
        )
        if row is None:
            return False
        before = _described(row)
        row.is_active = False
        _change(row, row.value, row.hard, now)
        _tell(
            "quotas.clear_limit", _public(tenant_id), dimension, acting, before=before, after=None, tenant_id=tenant_id
        )
        _announce("cleared", row, now)
    return True


def expire_limits(*, now: datetime, limit: int = 500) -> int:
    """Clear tenants' own limits whose end has come, so that plan and type decide again. Returns how many.

    Reading takes account of the end by itself; the gateways' records do not. Safe in parallel.
    """
    with transaction.atomic():
        over = TenantLimit.objects.select_for_update(skip_locked=True).filter(is_active=True, expires_at__lte=now)
        rows = list(over.order_by("id")[:limit])
        for row in rows:
            before, row.is_active = _described(row), False
            _change(row, row.value, row.hard, now)
            public, dimension = _public(row.tenant_id), Dimension(row.dimension)
            _tell("quotas.expire_limit", public, dimension, SYSTEM, before=before, after=None, tenant_id=row.tenant_id)
            _announce("ended", row, now)
    return len(rows)


def set_type_limit(
    *,
    tenant_type: TenantType,
    dimension: Dimension,
    value: int | None,
    acting: Actor,
    now: datetime,
    hard: bool = True,
) -> bool:
    """Change the profile of a tenant type. False when it was so already; raises LimitNotUsable."""
    check_limit_value(value)
    with transaction.atomic():
        row, is_new = TypeLimit.objects.select_for_update().get_or_create(tenant_type=tenant_type, dimension=dimension)
        if not is_new and (row.value, row.hard) == (value, hard):
            return False
        before = None if is_new else _described(row)
        _change(row, value, hard, now)
        _tell("quotas.set_type_limit", tenant_type.value, dimension, acting, before=before, after=row)
    return True


def set_plan_limit(
    *, plan: str, dimension: Dimension, value: int | None, acting: Actor, now: datetime, hard: bool = True
) -> bool:
    """Change what a plan grants. False when it was so already; raises LimitNotUsable."""
    check_limit_value(value)
    with transaction.atomic():
        row, is_new = PlanLimit.objects.select_for_update().get_or_create(plan=plan, dimension=dimension)
        if not is_new and (row.value, row.hard) == (value, hard):
            return False
        before = None if is_new else _described(row)
        _change(row, value, hard, now)
        _tell("quotas.set_plan_limit", plan, dimension, acting, before=before, after=row)
    return True


def seed_type_limits(*, acting: Actor, now: datetime) -> int:
    """Write the built-in profiles as rows that operators can edit; rows that are there stay. Returns the new ones."""
    revision = _milliseconds(now)
    with transaction.atomic():
        known = set(TypeLimit.objects.values_list("tenant_type", "dimension"))
        missing = [
            TypeLimit(tenant_type=kind, dimension=dimension, value=value, revision=revision, changed_at=now)
            for kind, profile in BUILT_IN.items()
            for dimension, value in profile.items()
            if (kind.value, dimension.value) not in known
        ]
        TypeLimit.objects.bulk_create(missing, ignore_conflicts=True)
        if missing:
            detail = {"rows": len(missing)}
            record("quotas.seed_type_limits", actor=acting, tenant_id=None, target="types", detail=detail)
            emit(LimitsChanged(""))
    return len(missing)


def _change(row: StoredLimit, value: int | None, hard: bool, now: datetime) -> None:
    row.value, row.hard, row.changed_at = value, hard, now
    row.revision = max(row.revision + 1, _milliseconds(now))
    row.save()


def _milliseconds(now: datetime) -> int:
    return int(now.timestamp() * 1000)


def _described(row: StoredLimit) -> dict[str, object]:
    described: dict[str, object] = {"value": row.value, "hard": row.hard}
    if isinstance(row, TenantLimit) and (row.expires_at or row.reason):
        described |= {"until": row.expires_at.isoformat() if row.expires_at else None, "reason": row.reason}
    return described


def _without_words(described: dict[str, object] | None) -> dict[str, object] | None:
    """As the log keeps it: the reason that somebody typed goes with the tenant."""
    return described and {name: Personal(value) if name == "reason" else value for name, value in described.items()}


def _public(tenant_id: str) -> str:
    return prefixed("ten", tenant_id)


def _tell(
    action: str,
    target: str,
    dimension: Dimension,
    acting: Actor,
    *,
    before: dict[str, object] | None,
    after: StoredLimit | None,
    tenant_id: str = "",
) -> None:
    told = {"before": before, "after": _described(after) if after else None}
    detail = {"dimension": dimension.value, **{name: _without_words(values) for name, values in told.items()}}
    record(action, actor=acting, tenant_id=tenant_id or None, target=target, detail=detail)
    emit(LimitsChanged(tenant_id))


def _announce(what: str, row: TenantLimit, now: datetime) -> None:
    """To the tenant's endpoints, without the operator's reason."""
    until = row.expires_at.isoformat() if row.expires_at else None
    told = {"what": what, "dimension": str(row.dimension), "value": row.value, "hard": row.hard, "until": until}
    announce(tenant_id=row.tenant_id, event=EventName.LIMITS_CHANGED, data=told, now=now)


def store_alerts(*, limit: int = 500) -> int:
    """Move announced thresholds from Redis into rows, each once, and tell of the new ones. Returns how many."""
    client, stream = control(), EngineKeys.of_installation().alerts
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(stream, count=limit))
    if not entries:
        return 0
    rows = [_alert(entry_id, fields) for entry_id, fields in entries]
    with transaction.atomic():
        QuotaAlert.objects.bulk_create(rows, ignore_conflicts=True)
        stored = set(QuotaAlert.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
        new = [row for row in rows if row.pk in stored]
        for alert in _highest(new):
            emit(_reached(alert))
            announce(tenant_id=alert.tenant_id, event=EventName.QUOTA_ALERT, data=_said(alert), now=alert.reached_at)
        transaction.on_commit(partial(_forget, client, stream, [entry_id for entry_id, _ in entries]))
    return len(new)


def _forget(client: redis.Redis, stream: str, entry_ids: list[bytes]) -> None:
    client.xdel(stream, *entry_ids)


def _alert(entry_id: bytes, fields: dict[bytes, bytes]) -> QuotaAlert:
    text = {name.decode(): value.decode() for name, value in fields.items()}
    milliseconds = int(entry_id.split(b"-")[0])
    return QuotaAlert(
        id=new_ulid(milliseconds),
        tenant_id=text["tenant"],
        scope=text["scope"],
        dimension=text["dimension"],
        period=text["period"],
        threshold=int(text["threshold"]),
        version=int(text["version"]),
        limit=int(text["limit"]),
        level=int(text["level"]),
        reached_at=datetime.fromtimestamp(milliseconds / 1000, tz=UTC),
    )


def _highest(alerts: Iterable[QuotaAlert]) -> Iterable[QuotaAlert]:
    """A jump over several thresholds is told once, with the highest."""
    top: dict[tuple[str, str, str, str, int], QuotaAlert] = {}
    for alert in alerts:
        name = (alert.tenant_id, alert.scope, alert.dimension, alert.period, alert.version)
        if name not in top or top[name].threshold < alert.threshold:
            top[name] = alert
    return top.values()


def _said(alert: QuotaAlert) -> dict[str, object]:
    """An alert as a tenant's webhooks tell it; money is in micro-units, like every limit."""
    names = ("scope", "dimension", "period", "threshold", "limit")
    return {**{name: getattr(alert, name) for name in names}, "used": alert.level}


def _reached(alert: QuotaAlert) -> ThresholdReached:
    return ThresholdReached(
        tenant_id=alert.tenant_id,
        scope=alert.scope,
        dimension=alert.dimension,
        period=alert.period,
        threshold=alert.threshold,
        used=alert.level,
        limit=alert.limit,
    )
