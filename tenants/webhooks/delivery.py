"""Carries messages to endpoints; owns at-least-once delivery under one webhook-id, in no certain order.

A delivery is claimed by moving its next attempt, sent while nothing is locked, and written down afterwards. Who dies in
between leaves it to whoever comes after the claim's end, under the same webhook-id: a receiver that has seen it knows.
One process delivers at a time, to many endpoints at once and to one with few connections.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import Error, transaction

from core.crypto import SealBroken
from core.errors import LumosError
from core.faults import fault_point
from core.http import Answer, Limits, SafeClient, UrlPolicy, tenant_policy
from core.ids import prefixed
from core.locks import alone
from core.tenancy import TenantRef, tenant_scope
from tenants.errors import TenantNotFound
from tenants.models import WebhookDelivery
from tenants.webhooks.data import DeliveryState
from tenants.webhooks.health import note_failure, note_success, note_unsignable
from tenants.webhooks.patience import retry_after, wait_after
from tenants.webhooks.resealing import seal_anew
from tenants.webhooks.secrets import is_older_form, open_secret, valid_secrets
from tenants.webhooks.signing import signed_headers
from tenants.workspace.models import WebhookAttempt, WebhookEndpoint, WebhookMessage

log = structlog.get_logger(__name__)
LOCK = 7_052_052  # advisory lock: one process delivers
CLAIM = timedelta(minutes=1)  # more than an attempt can take
AT_ONCE, AT_ONE_TENANT, AT_ONE_ENDPOINT = 16, 6, 4
_LIMITS = Limits(connect_seconds=5, total_seconds=15, body_bytes=4096, cut_body=True)
_GONE = 410
_ANSWER_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed delivery with what is sent."""

    delivery: WebhookDelivery
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` None: no answer, and `error` says why."""

    status: int | None
    took_ms: int
    error: str = ""
    answer: str = ""
    asked: timedelta | None = None

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def run_deliveries(*, now: datetime, policy: UrlPolicy | None = None, seconds: float = 20.0) -> int:
    """Deliver what is due; returns how many attempts were made. Nothing happens while another process does it."""
    began, made = time.monotonic(), 0
    client = SafeClient(policy or tenant_policy(), limits=_LIMITS)
    with alone(LOCK) as mine, ThreadPoolExecutor(AT_ONCE, "webhook") as threads:
        flying: dict[Future[Outcome], Parcel] = {}
        while mine:
            elapsed = time.monotonic() - began
            if elapsed < seconds:
                for parcel in _claim(now + timedelta(seconds=elapsed), flying):
                    flying[threads.submit(_send, client, parcel)] = parcel
            if not flying:
                break
            done, _pending = wait(flying, timeout=1.0, return_when=FIRST_COMPLETED)
            at = now + timedelta(seconds=time.monotonic() - began)
            for future in done:
                _write_down(flying.pop(future).delivery, future.result(), at)
                made += 1
    return made


def _claim(now: datetime, flying: dict[Future[Outcome], Parcel]) -> Iterator[Parcel]:
    """As many as there is room for, of one tenant a share, and of one endpoint a few."""
    at_endpoint = Counter(parcel.delivery.endpoint_id for parcel in flying.values())
    at_tenant = Counter(parcel.delivery.tenant_id for parcel in flying.values())
    for _place in range(AT_ONCE - len(flying)):
        full = [endpoint for endpoint, number in at_endpoint.items() if number >= AT_ONE_ENDPOINT]
        busy = [tenant for tenant, number in at_tenant.items() if number >= AT_ONE_TENANT]
        delivery = _claim_one(now, full, busy)
        if delivery is None:
            return
        parcel = _packed_or_put_off(delivery, now)
        if parcel is not None:
            at_endpoint[delivery.endpoint_id] += 1
            at_tenant[delivery.tenant_id] += 1
            yield parcel


@transaction.atomic
def _claim_one(now: datetime, full: list[str], busy: list[str]) -> WebhookDelivery | None:
    due = WebhookDelivery.objects.filter(state=DeliveryState.WAITING, due_at__lte=now)
    due = due.exclude(endpoint_id__in=full).exclude(tenant_id__in=busy)
    delivery: WebhookDelivery | None = due.select_for_update(skip_locked=True).order_by("due_at", "id").first()
    if delivery is not None:
        delivery.attempts, delivery.due_at = delivery.attempts + 1, now + CLAIM
        delivery.save(update_fields=["attempts", "due_at"])
    return delivery


def _packed_or_put_off(delivery: WebhookDelivery, now: datetime) -> Parcel | None:
    """None for what cannot be signed or read now: it is put off or held, nothing is lost, and others' go on."""
    try:
        with transaction.atomic():
            return _packed(delivery, now)
    except SealBroken as error:
        _store(delivery, last_error=error.code)
        with transaction.atomic():
            note_unsignable(delivery.tenant_id, delivery.endpoint_id, now)
        why = error.code
    except TenantNotFound as error:  # its key is destroyed
        why = error.code
        _store(delivery, state=DeliveryState.HELD, last_error=why)
    except (LumosError, Error) as error:  # no attempt was made, so none counts
        why = error.code if isinstance(error, LumosError) else type(error).__name__
        _store(delivery, attempts=delivery.attempts - 1, due_at=now + CLAIM, last_error=why)
    log.warning("webhooks.not_packed", delivery=delivery.id, tenant=delivery.tenant_id, error=why)
    return None


def _packed(delivery: WebhookDelivery, now: datetime) -> Parcel | None:
    """What to send and where; None, with the delivery put in order, when there is nothing to send."""
    tenant_id = delivery.tenant_id
    try:
        with tenant_scope(TenantRef(tenant_id)):
            endpoint = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id).first()
            message = WebhookMessage.objects.filter(pk=delivery.message_id).first()
            if endpoint is None or message is None:
                raise _NothingToSend
            if not endpoint.enabled:
                _store(delivery, state=DeliveryState.HELD)
                return None
            sealed = valid_secrets(endpoint.secrets, now)
        secrets = _opened(sealed, endpoint.id, tenant_id)
        if any(is_older_form(one) for one in sealed):
            seal_anew(tenant_id, endpoint.id)
    except _NothingToSend:
        delivery.delete()
        return None
    headers = signed_headers(prefixed("evt", message.id), message.body, secrets, now)
    return Parcel(delivery, endpoint.url, headers, message.body.encode())


def _opened(sealed: list[str], endpoint_id: str, tenant_id: str) -> list[str]:
    """The newest must open; of the older ones those that do, so that a rotation mends an endpoint at once."""
    newest, *older = sealed
    opened = [open_secret(newest, tenant_id=tenant_id, endpoint_id=endpoint_id)]
    for one in older:
        with suppress(SealBroken):
            opened.append(open_secret(one, tenant_id=tenant_id, endpoint_id=endpoint_id))
    return opened


class _NothingToSend(Exception):
    """The endpoint or the message is gone."""


def _send(client: SafeClient, parcel: Parcel) -> Outcome:
    """In a thread without a scope, which could not reach the database."""
    fault_point("webhooks.claimed")
    began = time.perf_counter()
    try:
        answer = client.post(parcel.url, content=parcel.body, headers=parcel.headers)
    except LumosError as error:
        return Outcome(None, _since(began), error.message[:200])
    fault_point("webhooks.sent")
    return _read(answer, _since(began))


def _read(answer: Answer, took_ms: int) -> Outcome:
    text = answer.body.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")[:_ANSWER_KEPT]
    good = 200 <= answer.status < 300
    error = "" if good else f"answered {answer.status}"
    return Outcome(answer.status, took_ms, error, text, retry_after(answer.headers.get("retry-after", "")))


def _since(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)


def _write_down(delivery: WebhookDelivery, outcome: Outcome, now: datetime) -> None:
    """What one tenant's database does not take ends nobody else's round; the delivery is tried again, or given up."""
    try:
        _note(delivery, outcome, now)
    except Error as error:
        log.warning("webhooks.not_noted", delivery=delivery.id, tenant=delivery.tenant_id, error=type(error).__name__)
        _put_off(delivery, outcome.asked, now, last_error=type(error).__name__)


def _put_off(delivery: WebhookDelivery, asked: timedelta | None, now: datetime, **told: object) -> None:
    """To the next attempt; given up after the last."""
    pause = wait_after(delivery.attempts, random.random(), asked)  # noqa: S311 - spreads load, hides nothing
    if pause is None:
        _store(delivery, state=DeliveryState.FAILED, finished_at=now, **told)
    else:
        _store(delivery, due_at=now + pause, **told)


@transaction.atomic
def _note(delivery: WebhookDelivery, outcome: Outcome, now: datetime) -> None:
    """The attempt, what comes next, and how the endpoint is: all or nothing."""
    with tenant_scope(TenantRef(delivery.tenant_id)):
        WebhookAttempt.objects.create(
            delivery_id=delivery.id,
            at=now,
            status=outcome.status,
            took_ms=outcome.took_ms,
            error=outcome.error,
            answer=outcome.answer,
        )
    told = {"last_status": outcome.status, "last_error": outcome.error}
    if outcome.is_good:
        _store(delivery, state=DeliveryState.DELIVERED, finished_at=now, **told)
        note_success(delivery.tenant_id, delivery.endpoint_id)
        return
    _put_off(delivery, outcome.asked, now, **told)
    note_failure(delivery.tenant_id, delivery.endpoint_id, gone=outcome.status == _GONE, now=now)


def _store(delivery: WebhookDelivery, **values: object) -> None:
    """Only while it is as it was claimed: somebody may have sent it again, or disabled the endpoint, meanwhile."""
    claimed = WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, state=DeliveryState.WAITING)
    claimed.update(**values)
