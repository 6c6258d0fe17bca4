"""Webhooks to a real server: signed, of one tenant only, tried again, disabled, never lost and never doubled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import ProgrammingError, connection, transaction
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.models import IdentityProvider
from accounts.services.providers import remove_identity_provider
from audit.api import fingerprint
from audit.models import AuditEntry
from audit.names import is_reference
from core.clock import utc_now
from core.crypto import SealBroken
from core.errors import InvalidInput
from core.http import UrlRefused
from core.tenancy import TenantRef, platform_scope, tenant_scope
from mail.api import send_waiting
from quotas.api import Dimension, set_limit
from quotas.models import QuotaAlert
from quotas.services import _said
from scaling.api import pause_policy, set_policy
from tenants.api import (
    DeliveryNotFound,
    DeliveryState,
    Editor,
    EndpointFacts,
    EndpointNotFound,
    EventName,
    ProfileField,
    Role,
    Tenant,
    TenantStatus,
    TenantType,
    WebhookDelivery,
    add_endpoint,
    add_member,
    announce,
    cancel_deletion,
    change_endpoint,
    change_role,
    change_settings,
    create_api_key,
    delete_tenant,
    deliveries_of,
    delivery_of,
    delivery_text,
    disable_endpoint,
    enable_endpoint,
    endpoint_of,
    endpoints_of,
    override_value,
    remove_endpoint,
    remove_member,
    rename_tenant,
    resend_delivery,
    resend_failed,
    resume_tenant,
    revoke_api_key,
    rotate_secret,
    send_test,
    set_tenant_networks,
    set_tenant_type,
    suspend_tenant,
)
from tenants.tasks import deliver_webhooks
from tenants.tasks import prune_webhooks as prune_task
from tenants.webhooks.data import CHOSEN, Announced
from tenants.webhooks.delivery import LOCK, run_deliveries
from tenants.webhooks.errors import EndpointDisabled, EventsNotKnown, TooManyEndpoints
from tenants.webhooks.fanout import fan_out
from tenants.webhooks.secrets import open_secret, seal_secret
from tenants.webhooks.upkeep import forget_deliveries, prune_webhooks
from tenants.workspace.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from tests.audit.reading import entries
from tests.cast import TESTER, Player
from tests.proved import prove
from tests.tenants.webhooks_receiver import LOCAL, Receiver, receiving

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def _add(player: Player, server: Receiver, *events: str) -> tuple[EndpointFacts, str]:
    common = {"tenant_id": player.tenant.id, "acting": TESTER, "now": utc_now(), "policy": LOCAL}
    return add_endpoint(url=server.url, events=events, **common)


def _tell(player: Player, event: EventName = EventName.KEY_CREATED, **data: object) -> str:
    """An event as the outbox hands it over; returns the id under which it is sent."""
    event_id = WebhookMessageIds.next()
    fan_out(Announced(player.tenant.id, event_id, event.value, utc_now().isoformat(), data))
    return f"evt_{event_id}"


class WebhookMessageIds:
    @staticmethod
    def next() -> str:
        from core.ids import new_ulid

        return new_ulid()


def _deliver(*, later: timedelta = timedelta()) -> int:
    return run_deliveries(now=utc_now() + later, policy=LOCAL)


def _only(player: Player) -> WebhookDelivery:
    [delivery] = deliveries_of(player.tenant.id)
    return delivery


def _common(player: Player) -> dict:
    return {"tenant_id": player.tenant.id, "acting": TESTER, "now": utc_now()}


def test_an_event_arrives_signed_and_the_librarys_own_check_agrees(acme: Player, server: Receiver) -> None:
    _facts, secret = _add(acme, server)
    message = _tell(acme, name="ci")
    assert _deliver() == 1
    [(path, headers, body)] = server.got
    assert (path, headers["webhook-id"], headers["content-type"]) == ("/hook", message, "application/json")
    told = Webhook(secret).verify(body, headers)
    assert (told["type"], told["version"], told["tenant"], told["data"]) == (
        "key.created",
        1,
        acme.tenant.public_id,
        {"name": "ci"},
    )
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"ci", b"cx"), headers)
    delivery = _only(acme)
    assert (delivery.state, delivery.attempts, delivery.last_status) == (DeliveryState.DELIVERED, 1, 200)
    text = delivery_text(delivery)
    assert json.loads(text.payload) == told
    assert [(each.status, each.error, each.answer) for each in text.attempts] == [(200, "", "thanks")]
    assert _deliver(later=timedelta(days=1)) == 0


def test_globex_never_gets_acmes_events_and_sees_none_of_its_deliveries(
    acme: Player, globex: Player, server: Receiver
) -> None:
    with receiving() as theirs:
        _add(acme, server)
        _add(globex, theirs)
        mine, yours = _tell(acme, name="acme-canary"), _tell(globex, name="globex-canary")
        _deliver()
        assert (server.ids, theirs.ids) == ([mine], [yours])
        assert b"acme-canary" not in theirs.got[0][2]
    with tenant_scope(TenantRef(globex.tenant.id)):
        assert {row.tenant_id for row in WebhookDelivery.objects.all()} == {globex.tenant.id}
        assert WebhookMessage.objects.count() == 1
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            WebhookDelivery.objects.update(due_at=utc_now())
    acmes = deliveries_of(acme.tenant.id)[0]
    with pytest.raises(DeliveryNotFound):
        resend_delivery(delivery_id=acmes.pk, **_common(globex))
    with pytest.raises(EndpointNotFound):
        rotate_secret(endpoint_id=acmes.endpoint_id, **_common(globex))
    with pytest.raises(DeliveryNotFound):
        delivery_of(globex.tenant.id, acmes.pk)


def test_only_what_was_asked_for_is_sent_and_each_event_once_however_often_it_arrives(
    acme: Player, server: Receiver
) -> None:
    _add(acme, server, "key.revoked", "key.revoked")
    event = Announced(acme.tenant.id, WebhookMessageIds.next(), "key.revoked", utc_now().isoformat(), {})
    for _time in range(3):
        fan_out(event)
    _tell(acme, EventName.KEY_CREATED)
    _deliver()
    fan_out(event)
    _deliver()
    assert server.ids == [f"evt_{event.id}"]


@pytest.mark.parametrize(("status", "headers"), [(500, {}), (302, {"Location": "http://127.0.0.1:1/"}), (404, {})])
def test_anything_but_success_is_tried_again_under_the_same_id_and_given_up_in_the_end(
    acme: Player, server: Receiver, status: int, headers: dict[str, str]
) -> None:
    _add(acme, server)
    server.status, server.headers = status, headers
    message = _tell(acme)
    assert _deliver() == 1
    assert _deliver() == 0  # not before its pause is over
    assert _deliver(later=timedelta(seconds=6)) == 1
    delivery = _only(acme)
    assert (delivery.state, delivery.last_status, delivery.last_error) == ("WAITING", status, f"answered {status}")
    for number in range(8):
        _deliver(later=timedelta(days=2 * (number + 1)))
        WebhookEndpoint_unfail(acme)
    assert _only(acme).state == DeliveryState.FAILED
    assert set(server.ids) == {message}
    assert len(server.got) == 10
    server.status = 200
    assert resend_failed(endpoint_id=_only(acme).endpoint_id, **_common(acme)) == 1
    _deliver()
    assert _only(acme).state == DeliveryState.DELIVERED
    assert len(delivery_text(_only(acme)).attempts) == 11


def WebhookEndpoint_unfail(player: Player) -> None:
    """Keep the endpoint from being disabled, which this test is not about."""
    with tenant_scope(TenantRef(player.tenant.id)):
        WebhookEndpoint.objects.update(enabled=True, failing_since=None, failures=0)
    WebhookDelivery.objects.filter(state=DeliveryState.HELD).update(state=DeliveryState.WAITING)


def test_a_receiver_that_asks_for_patience_gets_it(acme: Player, server: Receiver) -> None:
    _add(acme, server)
    server.status, server.headers = 429, {"Retry-After": "600"}
    _tell(acme)
    _deliver()
    assert _deliver(later=timedelta(seconds=500)) == 0
    assert _deliver(later=timedelta(seconds=700)) == 1


def test_a_server_that_is_not_there_and_one_inside_are_told_apart_in_words(acme: Player, server: Receiver) -> None:
    _add(acme, server)
    _tell(acme)
    run_deliveries(now=utc_now())  # by the policy of an installation, which lets no tenant call this machine
    assert server.got == []
    assert _only(acme).last_error == "The address must begin with https://."
    with tenant_scope(TenantRef(acme.tenant.id)):
        WebhookEndpoint.objects.update(url="http://127.0.0.1:1/")
    _deliver(later=timedelta(seconds=30))
    assert "connection failed" in _only(acme).last_error


def test_after_five_days_without_success_it_is_disabled_and_the_owners_are_told(acme: Player, server: Receiver) -> None:
    prove(acme.owner)
    facts, _secret = _add(acme, server)
    server.status = 503
    first = _tell(acme)
    _deliver()
    assert _deliver(later=timedelta(days=5, seconds=10)) == 1
    now = endpoint_of(acme.tenant.id, facts.id, now=utc_now())
    assert (now.enabled, now.disabled_because, now.failures) == (False, "failing", 2)
    assert _only(acme).state == DeliveryState.HELD
    send_waiting(now=utc_now() + timedelta(days=6))
    letter = next(each for each in outbox.outbox if "disabled" in each.subject)
    assert letter.to == ["amy@acme.example"]
    assert f"/webhooks/whe_{facts.id}/" in letter.body
    assert AuditEntry.objects.filter(action="webhooks.disable", tenant_id=acme.tenant.id).exists()
    _tell(acme)  # what happens while it is disabled is not told it
    with pytest.raises(EndpointDisabled):
        send_test(endpoint_id=facts.id, **_common(acme))
    with pytest.raises(EndpointDisabled):
        resend_failed(endpoint_id=facts.id, **_common(acme))
    server.status = 200
    assert enable_endpoint(endpoint_id=facts.id, **_common(acme)).enabled
    _deliver()
    assert server.ids == [first] * 3
    assert endpoint_of(acme.tenant.id, facts.id, now=utc_now()).failures == 0


def test_an_endpoint_that_says_it_is_gone_is_disabled_at_once(acme: Player, server: Receiver) -> None:
    facts, _secret = _add(acme, server)
    server.status = 410
    _tell(acme)
    _deliver()
    assert endpoint_of(acme.tenant.id, facts.id, now=utc_now()).disabled_because == "gone"


def test_disabling_by_hand_holds_what_waits_and_nothing_is_lost(acme: Player, server: Receiver) -> None:
    facts, _secret = _add(acme, server)
    message = _tell(acme)
    assert disable_endpoint(endpoint_id=facts.id, **_common(acme)).disabled_because == "by hand"
    assert _deliver() == 0
    enable_endpoint(endpoint_id=facts.id, **_common(acme))
    _deliver()
    assert server.ids == [message]


def test_after_a_rotation_both_secrets_verify_until_the_overlap_is_over(acme: Player, server: Receiver) -> None:
    facts, old = _add(acme, server)
    after, new = rotate_secret(endpoint_id=facts.id, **_common(acme))
    assert after.old_secret_until is not None
    _tell(acme)
    _deliver()
    _path, headers, body = server.got[-1]
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    with tenant_scope(TenantRef(acme.tenant.id)):
        stored = WebhookEndpoint.objects.get()
        stored.secrets[1]["until"] = (utc_now() - timedelta(seconds=1)).isoformat()
        stored.save()
    assert endpoint_of(acme.tenant.id, facts.id, now=utc_now()).old_secret_until is None
    _tell(acme)
    _deliver()
    _path, headers, body = server.got[-1]
    Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


def test_a_secret_is_nowhere_in_clear_and_opens_for_its_own_endpoint_only(
    acme: Player, globex: Player, server: Receiver
) -> None:
    facts, secret = _add(acme, server)
    with tenant_scope(TenantRef(acme.tenant.id)):
        stored = json.dumps(list(WebhookEndpoint.objects.values()), default=str)
    entries = json.dumps(list(AuditEntry.objects.values("detail", "before", "after")))
    assert secret not in stored + entries + repr(facts)
    sealed = seal_secret(secret, tenant_id=acme.tenant.id, endpoint_id=facts.id)
    assert open_secret(sealed, tenant_id=acme.tenant.id, endpoint_id=facts.id) == secret
    for where in ((globex.tenant.id, facts.id), (acme.tenant.id, "0" * 26)):
        with pytest.raises(SealBroken):
            open_secret(sealed, tenant_id=where[0], endpoint_id=where[1])


def test_a_restored_copy_whose_secret_does_not_open_sends_nothing_unsigned(acme: Player, server: Receiver) -> None:
    _add(acme, server)
    with tenant_scope(TenantRef(acme.tenant.id)):
        row = WebhookEndpoint.objects.get()
        row.secrets = [{"sealed": seal_secret("x", tenant_id=acme.tenant.id, endpoint_id="0" * 26), "until": ""}]
        row.save()
    _tell(acme)
    assert _deliver() == 0
    assert (server.got, _only(acme).last_error, _only(acme).state) == ([], "seal_broken", "HELD")


@pytest.mark.parametrize(
    "url",
    ["http://93.184.216.34/", "https://127.0.0.1/", "https://169.254.169.254/", "https://user@93.184.216.34/", "x"],
)
def test_an_address_that_is_not_public_is_refused_when_it_is_entered(acme: Player, url: str) -> None:
    with pytest.raises(UrlRefused):
        add_endpoint(url=url, **_common(acme))
    facts, _secret = add_endpoint(url="https://93.184.216.34/x", **_common(acme))
    with pytest.raises(UrlRefused):
        change_endpoint(endpoint_id=facts.id, url=url, **_common(acme))


def test_unknown_events_and_too_many_endpoints_are_refused(acme: Player, server: Receiver) -> None:
    for event in ("key.stolen", "webhook.test"):
        with pytest.raises(EventsNotKnown):
            _add(acme, server, event)
    with pytest.raises(InvalidInput):
        add_endpoint(url="https://93.184.216.34/", description="x\x00", **_common(acme))
    for _number in range(20):
        _add(acme, server)
    with pytest.raises(TooManyEndpoints):
        _add(acme, server)


def test_an_endpoint_is_changed_and_removed_with_what_was_on_its_way(acme: Player, server: Receiver) -> None:
    facts, _secret = _add(acme, server)
    changed = change_endpoint(
        endpoint_id=facts.id, description="new", events=["key.created"], url=server.url, policy=LOCAL, **_common(acme)
    )
    assert (changed.description, changed.events) == ("new", ("key.created",))
    assert AuditEntry.objects.filter(action="webhooks.change").count() == 1
    _tell(acme)
    remove_endpoint(endpoint_id=facts.id, **_common(acme))
    assert (_deliver(), endpoints_of(acme.tenant.id, now=utc_now()), deliveries_of(acme.tenant.id)) == (0, [], [])
    with pytest.raises(EndpointNotFound):
        endpoint_of(acme.tenant.id, facts.id, now=utc_now())


def test_what_follows_the_server_in_an_address_is_not_in_the_log(acme: Player, server: Receiver) -> None:
    url = f"{server.url}/T0/acme-canary-path?token=acme-canary-query"
    facts, _secret = add_endpoint(url=url, policy=LOCAL, **_common(acme))
    change_endpoint(endpoint_id=facts.id, url=url + "2", policy=LOCAL, **_common(acme))
    remove_endpoint(endpoint_id=facts.id, **_common(acme))
    details = [entry.detail for entry in entries(action__startswith="webhooks.")]
    assert "acme-canary" not in json.dumps(details)
    assert {detail["url"] for detail in details} == {f"http://127.0.0.1:{server.port}"}
    assert len({detail["address"] for detail in details}) == 2
    rows = AuditEntry.objects.filter(action__startswith="webhooks.")
    assert all(is_reference(row.detail["address"]) for row in rows)  # so that it goes with the tenant
    assert fingerprint(url) not in str(list(rows.values()))


def test_a_test_goes_to_one_endpoint(acme: Player, server: Receiver) -> None:
    facts, _secret = _add(acme, server)
    _add(acme, server)
    message = send_test(endpoint_id=facts.id, **_common(acme))
    _deliver()
    assert server.ids == [f"evt_{message}"]
    assert json.loads(server.got[0][2])["type"] == "webhook.test"


def test_what_was_delivered_can_be_sent_again_under_its_id(acme: Player, server: Receiver) -> None:
    _add(acme, server)
    message = _tell(acme)
    _deliver()
    resend_delivery(delivery_id=_only(acme).pk, **_common(acme))
    _deliver()
    assert server.ids == [message, message]


def test_the_answer_that_is_kept_is_short_and_storable(acme: Player, server: Receiver) -> None:
    _add(acme, server)
    server.body = b"\x00\xff" + b"x" * 100_000
    _tell(acme)
    _deliver()
    [attempt] = delivery_text(_only(acme)).attempts
    assert len(attempt.answer) == 1000


def test_many_deliveries_go_out_side_by_side_and_few_to_one_endpoint(acme: Player, server: Receiver) -> None:
    _add(acme, server)
    server.pause = 0.05
    told = {_tell(acme) for _number in range(12)}
    assert _deliver() == 12
    assert set(server.ids) == told


def test_one_process_delivers_at_a_time(acme: Player, server: Receiver) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from core.locks import alone

    _add(acme, server)
    _tell(acme)

    def elsewhere() -> int:
        try:
            with platform_scope():
                return run_deliveries(now=utc_now(), policy=LOCAL)
        finally:
            connection.close()

    with alone(LOCK) as mine, ThreadPoolExecutor(1) as threads:
        assert mine
        assert threads.submit(elsewhere).result() == 0


def test_old_deliveries_are_forgotten_with_what_they_said(acme: Player, server: Receiver) -> None:
    _add(acme, server)
    _tell(acme)
    _deliver()
    kept = _tell(acme)
    assert prune_webhooks(now=utc_now() + timedelta(days=29)) == 0
    assert prune_webhooks(now=utc_now() + timedelta(days=31)) == 1
    with tenant_scope(TenantRef(acme.tenant.id)):
        assert [f"evt_{row.id}" for row in WebhookMessage.objects.all()] == [kept]
        assert not WebhookAttempt.objects.exists()


def test_nothing_is_delivered_for_a_tenant_that_is_gone(acme: Player, globex: Player, server: Receiver) -> None:
    _add(acme, server)
    _tell(acme)
    _add(globex, server)
    others = _tell(globex)
    assert forget_deliveries(acme.tenant.id, utc_now()) == "1 deliveries are forgotten"
    Tenant.objects.filter(pk=acme.tenant.id).update(status=TenantStatus.DELETING)
    _tell(acme)  # no deletion waits: its grace period is over
    fan_out(Announced("0" * 26, WebhookMessageIds.next(), "key.created", utc_now().isoformat(), {}))
    _deliver()
    assert server.ids == [others]


def test_the_tasks_deliver_and_prune(acme: Player) -> None:
    assert deliver_webhooks() == 0
    assert prune_task() == 0


def test_each_change_of_a_tenant_is_told(acme: Player, server: Receiver, django_capture_on_commit_callbacks) -> None:
    """Through the outbox, from the services that change things."""
    _add(acme, server)
    common = _common(acme)
    with django_capture_on_commit_callbacks(execute=True):
        key, _plain = create_api_key(name="told", **common)
        revoke_api_key(key_id=key.id, **common)
        member = add_member(email="new@acme.example", role=Role.VIEWER, **common)
        prove(member.user)
        change_role(membership_id=member.id, role=Role.ADMIN, owners=True, **common)
        remove_member(membership_id=member.id, owners=True, **common)
        rename_tenant(name="Acme Two", **common)
        change_settings(values={"playground.default_model": "m"}, editor=Editor.OWNER, **common)
        set_tenant_networks(networks=["10.0.0.0/8"], **common)
        set_tenant_networks(networks=[], **common)
        override = override_value(field=ProfileField.RETENTION_DAYS, value=7, reason="their wish", **common)
        set_tenant_type(tenant_type=TenantType.GOVERNMENT, reason="they are one", **common)
        IdentityProvider.objects.create(tenant_id=acme.tenant.id, issuer="https://id.example", client_id="l")
        remove_identity_provider(**common)
        set_limit(dimension=Dimension.REQUESTS_PER_MINUTE, value=60, reason="their wish", **common)
        set_policy(max_replicas=3, **common)
        pause_policy(**common)
        suspend_tenant(reason="unpaid", **common)
        resume_tenant(**common)
        alert = QuotaAlert(tenant_id=acme.tenant.id, scope="tenant", dimension="money_per_month", period="2026-11")
        alert.threshold, alert.limit, alert.level = 90, 100, 91
        announce(tenant_id=acme.tenant.id, event=EventName.QUOTA_ALERT, data=_said(alert), now=utc_now())
    _deliver()
    told = {json.loads(body)["type"]: json.loads(body)["data"] for _path, _headers, body in server.got}
    elsewhere = {"tenant.deletion_asked", "tenant.deletion_cancelled", "identity_provider.changed"}
    elsewhere.add("tenant.data_restored")
    assert set(CHOSEN) - set(told) == {"tenant.archived", "tenant.restored", "tenant.plan_changed"} | elsewhere
    assert told["networks.changed"] == {"networks": [], "portal_networks": [], "by": TESTER.label}
    assert (told["profile.changed"]["what"], told["profile.changed"]["field"]) == ("set", override.field)
    assert "their wish" not in json.dumps(told["profile.changed"])
    assert told["tenant.type_changed"] == {"from": "ENTERPRISE", "to": "GOVERNMENT"}
    assert told["identity_provider.removed"] == {"issuer": "https://id.example", "by": TESTER.label}
    assert told["limits.changed"] == {
        "what": "set",
        "dimension": "requests_per_minute",
        "value": 60,
        "hard": True,
        "until": None,
    }
    assert (told["scaling.changed"]["mode"], told["scaling.changed"]["max_replicas"]) == ("paused", 3)
    assert "their wish" not in json.dumps(told)
    assert told["key.created"]["id"] == key.public_id
    assert told["tenant.suspended"] == {"status": "SUSPENDED"}  # the reason is for the people, in the portal
    assert told["settings.changed"]["names"] == ["playground.default_model"]
    assert told["quota.alert"]["used"] == 91
    assert not [body for _path, _headers, body in server.got if key.digest.encode() in body]


def test_a_tenant_that_is_to_be_deleted_is_told_so_and_of_the_way_back(
    acme: Player, server: Receiver, django_capture_on_commit_callbacks
) -> None:
    _add(acme, server, "tenant.deletion_asked", "tenant.deletion_cancelled")
    common = _common(acme)
    with django_capture_on_commit_callbacks(execute=True):
        delete_tenant(typed_name=acme.tenant.name, reason="secret reason", grace=timedelta(days=3), **common)
    with django_capture_on_commit_callbacks(execute=True):
        assert Tenant.objects.get(pk=acme.tenant.id).status == TenantStatus.DELETING
        cancel_deletion(**common)
    _deliver()
    told = [(json.loads(body)["type"], json.loads(body)["data"]) for _path, _headers, body in server.got]
    until = (common["now"] + timedelta(days=3)).isoformat()
    assert sorted(told) == [
        ("tenant.deletion_asked", {"until": until}),
        ("tenant.deletion_cancelled", {"status": "ACTIVE"}),
    ]
