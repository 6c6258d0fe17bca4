"""A small installation in full swing: at least one row of everything that operators can look at."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal

from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from audit.api import seal_waiting
from billing.api import ingest_pending, seed_catalogue, set_model_cost, subscribe_tenant
from core.clock import utc_now
from core.ids import new_ulid
from core.redis import control
from proxy.api import add_model, add_provider, set_provider_key
from quotas.api import Dimension, recover, seed_type_limits, set_limit, set_plan_limit
from quotas.models import QuotaAlert
from scaling.api import ensure_policy
from scaling.models import ScalingDecision
from tenants.allocation.allocator import allocate
from tenants.allocation.data import ResourceKind
from tenants.allocation.pools import add_pool
from tenants.api import ProfileField, Role, begin_impersonation, invite_member, override_value
from tenants.data import BackupKind, BackupStatus, ResourceAmounts, SchemaStatus
from tenants.isolation.registry import CheckResult, FenceKind, Outcome
from tenants.models import IsolationReport, SchemaState, TenantBackup, WebhookDelivery
from tests.billing.facts import fact, send
from tests.cast import TESTER, Operator, Player, found_acme, found_globex, found_initech


def set_stage(olivia: Operator) -> dict[str, Player]:
    """acme, globex and initech, with plans, limits, usage of the last minutes, providers, policies and a schedule."""
    now = utc_now()
    seed_catalogue(acting=TESTER, now=now - timedelta(days=2))
    seed_type_limits(acting=TESTER, now=now)
    players = {"acme": found_acme(), "globex": found_globex(), "initech": found_initech()}
    recover(control())
    for name, plan in (("acme", "pro"), ("globex", "free")):
        tenant_id = players[name].tenant.id
        subscribe_tenant(tenant_id=tenant_id, plan_code=plan, acting=TESTER, now=now - timedelta(days=2))
        ensure_policy(tenant_id=tenant_id, now=now)
        _usage(players[name])
    _limits(players["acme"])
    _providers()
    _decision(players["acme"])
    acme = players["acme"].tenant.id
    invite_member(tenant_id=acme, email="new@acme.example", role=Role.VIEWER, owners=True, acting=TESTER, now=now)
    begin_impersonation(
        tenant_id=acme,
        operator=olivia.user,
        session_key="none",
        membership_id="",
        reason="a question about a bill",
        acting=TESTER,
        now=now,
    )
    _upkeep(players["acme"])
    _capacity(players)
    seal_waiting(now=now)
    ingest_pending(now=now)
    every = IntervalSchedule.objects.create(every=10, period="seconds")
    CrontabSchedule.objects.create()
    PeriodicTask.objects.create(name="billing: ingest", task="billing.ingest", interval=every)
    return players


def _usage(player: Player) -> None:
    now = utc_now()
    for number, status in enumerate(("ok", "ok", "upstream_error")):
        milliseconds = int((now - timedelta(seconds=10 + number)).timestamp() * 1000)
        usage = fact(
            id=f"req_{new_ulid(milliseconds)}",
            tenant_id=player.tenant.id,
            key_id=player.key.id,
            status=status,
            occurred_at_ms=milliseconds,
            price_version="pro@1",
        )
        send(usage)


def _limits(acme: Player) -> None:
    now = utc_now()
    set_plan_limit(plan="pro", dimension=Dimension.REQUESTS_PER_MINUTE, value=600, acting=TESTER, now=now)
    set_limit(tenant_id=acme.tenant.id, dimension=Dimension.MONEY_PER_MONTH, value=2_500_000, acting=TESTER, now=now)
    override_value(
        tenant_id=acme.tenant.id,
        field=ProfileField.WORKER_SLOTS,
        value=30,
        reason="a launch",
        acting=TESTER,
        now=now,
    )
    QuotaAlert.objects.create(
        tenant_id=acme.tenant.id,
        scope="tenant",
        dimension=Dimension.MONEY_PER_MONTH,
        period="2026-11",
        threshold=90,
        version=1,
        limit=2_500_000,
        level=2_300_000,
        reached_at=now,
    )


def _providers() -> None:
    now = utc_now()
    add_provider(name="demo", kind="demo", acting=TESTER, now=now)
    add_model(name="demo-chat", provider="demo", acting=TESTER, now=now)
    add_provider(name="cloud", kind="openai", base_url="https://models.example/v1", acting=TESTER, now=now)
    set_provider_key(provider="cloud", plaintext="upstream-credential-abcd", acting=TESTER, now=now)
    set_model_cost(
        provider="demo",
        model="demo-chat",
        input_token=Decimal("0.000001"),
        output_token=Decimal("0.000002"),
        acting=TESTER,
        now=now - timedelta(days=1),
    )


def _decision(acme: Player) -> None:
    now = utc_now()
    ScalingDecision.objects.create(
        tenant_id=acme.tenant.id,
        policy_version=1,
        current=0,
        wanted=1,
        final=1,
        reason="scaled_up",
        sentence="Scaled acme from 0 to 1 replica.",
        changed=True,
        first_at=now,
        last_at=now,
    )


def _capacity(players: dict[str, Player]) -> None:
    now = utc_now()
    kind = ResourceKind.GPUS
    add_pool(region="local", name="host-1", kind=kind, capacity=2, acting=TESTER, now=now)
    for name, gpus in (("acme", 2), ("globex", 3)):
        allocate(
            tenant_id=players[name].tenant.id,
            request_key="training",
            amounts=ResourceAmounts(gpus=gpus),
            acting=TESTER,
            now=now,
        )


def _upkeep(acme: Player) -> None:
    now = utc_now()
    sent = {"tenant_id": acme.tenant.id, "endpoint_id": new_ulid(), "message_id": new_ulid(), "event": "key.created"}
    WebhookDelivery.objects.create(**sent, due_at=now)
    SchemaState.objects.create(schema_name=acme.tenant.schema_name, status=SchemaStatus.CURRENT, checked_at=now)
    TenantBackup.objects.create(tenant_id=acme.tenant.id, kind=BackupKind.SCHEDULED, status=BackupStatus.DONE, size=1)
    result = CheckResult(FenceKind.DATA, "role_has_no_powers", Outcome.PASSED, "No powers.", 1)
    IsolationReport.objects.create(
        tenant_id=acme.tenant.id, outcome=Outcome.PASSED, checks=[asdict(result)], took_ms=1, asked_by="olivia"
    )
