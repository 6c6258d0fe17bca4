"""One tenant's webhooks that cannot leave: nothing is lost, no attempt is used up, and everybody else's go on."""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection
from standardwebhooks import Webhook

from core.clock import utc_now
from core.tenancy import TenantRef, platform_scope, tenant_scope
from tenants.api import DeliveryState, enable_endpoint, endpoint_of, rotate_secret
from tenants.models import TenantDataKey, WebhookDelivery
from tenants.services.data_keys import data_key_of
from tenants.webhooks.delivery import AT_ONE_TENANT, CLAIM, _claim
from tenants.webhooks.patience import PAUSES
from tenants.webhooks.secrets import seal_secret
from tenants.workspace.models import WebhookEndpoint
from tests.cast import Player
from tests.tenants.test_webhooks import _add, _common, _deliver, _only, _tell
from tests.tenants.webhooks_receiver import Receiver, receiving

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@contextmanager
def sealed_off(player: Player) -> Iterator[None]:
    """As if the data key's version of the master key were away."""
    row = TenantDataKey.objects.filter(pk=player.tenant.id)
    version = row.get().kek_version
    row.update(kek_version=77)
    yield
    row.update(kek_version=version)


@contextmanager
def lacking(player: Player, table: str) -> Iterator[None]:
    """The tenant's schema without a table, as one that is behind in its migrations."""
    _sql(f'ALTER TABLE "{player.tenant.schema_name}".{table} RENAME TO away')
    yield
    _sql(f'ALTER TABLE "{player.tenant.schema_name}".away RENAME TO {table}')


def _sql(statement: str) -> None:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)


def _in_the_older_form(secret: str, player: Player, endpoint_id: str) -> str:
    """As the first releases sealed it: no mark, and the parts of the context in another order."""
    nonce, context = os.urandom(12), f"workspace_webhook_endpoint|{endpoint_id}|secrets|{player.tenant.id}"
    sealed = AESGCM(data_key_of(player.tenant.id)).encrypt(nonce, secret.encode(), context.encode())
    return base64.b64encode(nonce + sealed).decode()


def test_a_secret_in_the_older_form_signs_and_is_sealed_anew(acme: Player, server: Receiver) -> None:
    facts, secret = _add(acme, server)
    with tenant_scope(TenantRef(acme.tenant.id)):
        row = WebhookEndpoint.objects.get()
        assert row.secrets[0]["sealed"].startswith("t1.")
        broken = seal_secret("x", tenant_id=acme.tenant.id, endpoint_id="0" * 26)
        row.secrets = [
            {"sealed": _in_the_older_form(secret, acme, facts.id), "until": ""},
            {"sealed": _in_the_older_form("whsec_x", acme, "0" * 26), "until": "2999-01-01T00:00:00+00:00"},
            {"sealed": broken, "until": "2999-01-01T00:00:00+00:00"},
        ]
        row.save()
        before = row.secrets
    for _ in range(2):
        _tell(acme)
        assert _deliver() == 1
        _path, headers, body = server.got[-1]
        Webhook(secret).verify(body, headers)
    with tenant_scope(TenantRef(acme.tenant.id)):
        newest, *others = WebhookEndpoint.objects.get().secrets
    assert newest["sealed"].startswith("t1.")
    assert others == before[1:]  # what does not open stays as it is


def test_hours_without_the_master_key_use_up_no_attempt(acme: Player, server: Receiver) -> None:
    _add(acme, server)
    message = _tell(acme)
    rounds = len(PAUSES) + 3
    with sealed_off(acme):
        for number in range(rounds):
            assert _deliver(later=CLAIM * 2 * number) == 0
    assert (_only(acme).attempts, _only(acme).last_error) == (0, "sealed")
    server.status = 500
    _deliver(later=CLAIM * 2 * rounds)
    assert (_only(acme).state, _only(acme).attempts) == (DeliveryState.WAITING, 1)
    server.status = 200
    _deliver(later=CLAIM * 2 * rounds + timedelta(hours=1))
    assert server.ids == [message, message]


def test_a_secret_that_never_opens_disables_its_endpoint_and_another_secret_mends_it(
    acme: Player, server: Receiver
) -> None:
    facts, _secret = _add(acme, server)
    with tenant_scope(TenantRef(acme.tenant.id)):
        row = WebhookEndpoint.objects.get()
        row.secrets = [{"sealed": seal_secret("x", tenant_id=acme.tenant.id, endpoint_id="0" * 26), "until": ""}]
        row.save()
    message = _tell(acme)
    assert [_deliver(later=CLAIM * 2 * number) for number in range(3)] == [0, 0, 0]
    assert (_only(acme).state, _only(acme).attempts) == (DeliveryState.HELD, 1)
    assert not endpoint_of(acme.tenant.id, facts.id, now=utc_now()).enabled
    rotate_secret(endpoint_id=facts.id, **_common(acme))
    enable_endpoint(endpoint_id=facts.id, **_common(acme))
    assert _deliver() == 1
    assert server.ids == [message]


def test_what_a_destroyed_key_sealed_is_held(acme: Player, server: Receiver) -> None:
    _add(acme, server)
    _tell(acme)
    TenantDataKey.objects.filter(pk=acme.tenant.id).delete()
    assert _deliver() == 0
    assert _only(acme).state == DeliveryState.HELD


def test_one_tenants_schema_without_its_endpoints_ends_nobody_elses_round(
    acme: Player, globex: Player, server: Receiver
) -> None:
    for player in (acme, globex):
        _add(player, server)
    mine, theirs = _tell(acme), _tell(globex)
    with lacking(acme, "workspace_webhook_endpoint"):
        assert _deliver() == 1
        assert server.ids == [theirs]
    assert _deliver(later=CLAIM * 2) == 1
    assert server.ids == [theirs, mine]


def test_an_outcome_that_one_schema_does_not_take_leaves_the_others_outcomes(
    acme: Player, globex: Player, server: Receiver
) -> None:
    for player in (acme, globex):
        _add(player, server)
        _tell(player)
    with lacking(acme, "workspace_webhook_attempt"):
        assert _deliver() == 2
    assert (_only(acme).state, _only(acme).last_error) == (DeliveryState.WAITING, "ProgrammingError")
    assert _only(globex).state == DeliveryState.DELIVERED


def test_a_tenant_with_many_endpoints_and_a_backlog_leaves_places_for_the_others(
    acme: Player, globex: Player, server: Receiver
) -> None:
    for _number in range(4):
        _add(acme, server)
    for _number in range(5):
        _tell(acme)
    _add(globex, server)
    _tell(globex)
    WebhookDelivery.objects.filter(tenant_id=globex.tenant.id).update(due_at=utc_now())
    claimed = Counter(parcel.delivery.tenant_id for parcel in _claim(utc_now() + timedelta(seconds=1), {}))
    assert claimed == {acme.tenant.id: AT_ONE_TENANT, globex.tenant.id: 1}
