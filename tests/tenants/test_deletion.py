"""Deleting a tenant: asked for in earnest, taken back in time, and then nothing of it is left but what a duty keeps."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db.models.signals import post_delete
from django.test import Client

from audit.models import AuditEntry, EntryNames, OutboxEvent
from billing.api import ingest_pending
from billing.models import PeriodPosition, Subscription, UsageEvent, UsageRollup
from billing.selectors import period_totals
from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import prefixed
from core.lifecycle import keeps, kept_tables
from core.redis import control
from core.tenancy import tenant_scope
from mail.api import Letter, queue_mail
from mail.models import OutgoingMail
from proxy.handlers import follow_key
from proxy.handlers import follow_tenant as publish_followed
from proxy.records import key_name, tenant_name
from quotas.api import BlockingQuotaEngine, ReserveRequest, calendar_month, effective_limits
from scaling.handlers import follow_tenant
from scaling.models import ScalingPolicy
from tenants import api
from tenants.conf import deletion_grace
from tenants.data import KeyChanged, TenantChanged
from tenants.models import Domain, Membership, Tenant, TenantBackup, TenantJob
from tenants.provisioning.retire import remains_of
from tenants.workspace.models import Conversation
from tests import cast
from tests.audit.reading import entries as the_log
from tests.billing.facts import fact, send
from tests.rest import Caller, path_of
from tests.scaling.conftest import report, worker
from tests.tenants.leaving import GRACE, REASON, ask, deletion_of, furnish, traces

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed", "redis")]
NOW = utc_now()
LATER = NOW + GRACE


@pytest.fixture(autouse=True)
def _folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMOS_BACKUPS", str(tmp_path / "backups"))


@pytest.fixture
def players() -> dict[str, cast.Player]:
    return furnish()


@pytest.fixture
def acme(players: dict[str, cast.Player]) -> Tenant:
    """With something everywhere."""
    return players["acme"].tenant


@pytest.fixture
def plain() -> Tenant:
    """With next to nothing, where it is not about what is left."""
    report(NOW, {})
    return cast.found_acme().tenant


def finish(tenant: Tenant, now: Any = LATER) -> TenantJob:
    job = deletion_of(tenant.id)
    api.run_job(job.id, now=now)
    job.refresh_from_db()
    return job


def notes(job: TenantJob) -> dict[str, str]:
    return {step.name: step.note for step in api.job_steps(job)}


@pytest.mark.parametrize("typed", ["", "acme", "Acme ", " Acme", "ACME", "Globex"])
def test_without_the_exact_name_nothing_happens(plain: Tenant, typed: str) -> None:
    with pytest.raises(api.NameNotTyped) as caught:
        ask(plain, now=NOW, typed_name=typed)
    assert "name" in caught.value.fields
    assert api.tenant_by_id(plain.id).is_active


def test_a_reason_and_a_grace_period_that_makes_sense_are_needed(plain: Tenant) -> None:
    for changes in ({"reason": "  "}, {"grace": timedelta(days=-1)}, {"grace": timedelta(0), "export": True}):
        with pytest.raises(InvalidInput):
            ask(plain, now=NOW, **changes)
    assert not TenantJob.objects.filter(kind=api.JobKind.DELETE).exists()


def test_it_is_stopped_at_once_and_waits_for_the_end_of_the_grace_period(acme: Tenant) -> None:
    ask(acme, now=NOW)
    assert api.tenant_by_id(acme.id).status == api.TenantStatus.DELETING
    assert not control().exists(tenant_name(acme.id))
    job = deletion_of(acme.id)
    assert (job.state, job.due_at) == (api.JobState.WAITING, LATER)
    assert notes(job)["stop-workers"] == "no worker is left"
    assert "can be taken back" in notes(job)["grace"]
    with tenant_scope(acme.ref):
        assert Conversation.objects.count() == 1
    with pytest.raises(api.WrongStatus):
        api.resume_job(job_id=job.id, acting=cast.TESTER, now=NOW)
    assert finish(acme, LATER - timedelta(seconds=1)).state == api.JobState.WAITING
    assert api.tenant_by_id(acme.id).status == api.TenantStatus.DELETING


def test_asking_twice_is_asking_once(plain: Tenant) -> None:
    for _ in range(2):
        ask(plain, now=NOW)
    assert TenantJob.objects.filter(kind=api.JobKind.DELETE).count() == 1
    assert AuditEntry.objects.filter(action="tenants.delete").count() == 1


def test_what_is_to_be_deleted_can_neither_be_resumed_nor_given_keys_or_members(plain: Tenant) -> None:
    ask(plain, now=NOW)
    common = {"tenant_id": plain.id, "acting": cast.TESTER, "now": NOW}
    for call in (api.resume_tenant, api.restore_tenant):
        with pytest.raises(api.WrongStatus):
            call(**common)
    with pytest.raises(api.WrongStatus):
        api.suspend_tenant(reason="x", **common)
    with pytest.raises(api.WrongStatus):
        api.create_api_key(name="x", **common)
    with pytest.raises(api.WrongStatus):
        api.invite_member(email="x@acme.example", role=api.Role.VIEWER, owners=True, **common)
    assert deletion_of(plain.id).state == api.JobState.WAITING


@pytest.mark.parametrize("before", ["ACTIVE", "SUSPENDED", "ARCHIVED"])
def test_taken_back_in_time_it_is_what_it_was(plain: Tenant, before: str) -> None:
    common = {"tenant_id": plain.id, "acting": cast.TESTER, "now": NOW}
    if before == "SUSPENDED":
        api.suspend_tenant(reason="unpaid", **common)
    if before == "ARCHIVED":
        api.archive_tenant(reason="quiet", **common)
    reason = api.tenant_by_id(plain.id).status_reason
    ask(plain, now=NOW)
    back = api.cancel_deletion(**common)
    assert (back.status, back.status_reason) == (before, reason)
    assert deletion_of(plain.id).state == api.JobState.CANCELLED
    assert finish(plain).state == api.JobState.CANCELLED
    assert control().exists(tenant_name(plain.id)) == (before != "ARCHIVED")
    with pytest.raises(api.WrongStatus):
        api.cancel_deletion(**common)


def test_when_the_grace_period_is_over_there_is_no_way_back(plain: Tenant) -> None:
    ask(plain, now=NOW)
    report(LATER, {plain.id: [worker()]})  # so that the job stops behind the grace period
    assert finish(plain).state == api.JobState.WAITING
    with pytest.raises(api.WrongStatus, match="over"):
        api.cancel_deletion(tenant_id=plain.id, acting=cast.TESTER, now=LATER)
    with pytest.raises(api.TenantNotFound):
        api.cancel_deletion(tenant_id="x", acting=cast.TESTER, now=LATER)


def test_nothing_is_left_but_what_a_duty_keeps(acme: Tenant, players: dict[str, cast.Player]) -> None:
    before = traces(acme.id)
    assert len(before) > 15, before
    digest = players["acme"].key.digest
    ask(acme, now=NOW)
    job = finish(acme)
    assert (job.state, job.error) == (api.JobState.DONE, ""), notes(job)
    assert traces(acme.id) == []
    assert not control().exists(key_name(digest))
    tombstone = Tenant.objects.get(pk=acme.id)
    assert (tombstone.status, tombstone.slug) == (api.TenantStatus.DELETED, f"deleted-{acme.id[-12:]}")
    assert "acme" not in f"{tombstone.name}{tombstone.slug}{tombstone.status_reason}".lower()
    assert not Domain.objects.filter(domain__startswith="acme").exists()
    assert notes(job)["proof"] == "nothing is left"
    assert AuditEntry.objects.get(action="tenants.erase").detail == {"kept": sorted(kept_tables())}


def test_the_books_and_the_log_stay_and_name_ids_only(acme: Tenant) -> None:
    events = UsageEvent.objects.filter(tenant_id=acme.id).count()
    tokens = sum(row.input_tokens for row in UsageRollup.objects.filter(tenant_id=acme.id, grain="day"))
    log = AuditEntry.objects.filter(tenant_id=acme.id).order_by("id").values()
    entries = list(log)
    assert "amy@acme.example" in str([entry.detail for entry in the_log(tenant_id=acme.id)])
    ask(acme, now=NOW)
    finish(acme)
    assert UsageEvent.objects.filter(tenant_id=acme.id).count() == events > 0
    kept = UsageRollup.objects.filter(tenant_id=acme.id, grain="day")
    assert sum(row.input_tokens for row in kept) == tokens > 0
    assert PeriodPosition.objects.filter(tenant_id=acme.id).exists()
    ended = Subscription.objects.get(tenant_id=acme.id).ends_at
    assert ended is not None
    assert ended >= LATER
    assert list(log.filter(pk__in=[entry["id"] for entry in entries])) == entries
    books = (UsageEvent, UsageRollup, PeriodPosition, Subscription, AuditEntry, EntryNames)
    rows = [row for model in books for row in model.objects.filter(tenant_id=acme.id).values()]
    assert "amy" not in str(rows).lower()
    assert "acme" not in str(rows).lower()
    counted = {totals.tenant_id for totals in period_totals(calendar_month(int(NOW.timestamp())))}
    assert counted
    assert acme.id not in counted


def test_accounts_of_this_tenant_only_go_with_their_sessions_and_others_stay(
    acme: Tenant, players: dict[str, cast.Player]
) -> None:
    common = {"role": api.Role.VIEWER, "acting": cast.TESTER, "now": NOW}
    api.add_member(tenant_id=acme.id, email="mallory@globex.example", **common)
    api.add_member(tenant_id=acme.id, email="olivia@lumos.example", **common)
    assert Session.objects.count() == 1
    ask(acme, now=NOW)
    finish(acme)
    assert set(User.objects.values_list("username", flat=True)) >= {"mallory@globex.example", "olivia"}
    assert not User.objects.filter(username="amy@acme.example").exists()
    assert Session.objects.count() == 0
    assert {row.tenant.slug for row in Membership.objects.select_related("tenant")} == {"globex", "initech"}


def test_the_others_keep_everything(acme: Tenant, players: dict[str, cast.Player]) -> None:
    globex = players["globex"].tenant
    with tenant_scope(globex.ref):
        Conversation.objects.create(title="globex's", model="demo", member_id="1")
    before = traces(globex.id)
    ask(acme, now=NOW)
    finish(acme)
    assert set(before) - set(traces(globex.id)) == set()  # there may be more: what acme held may be globex' now
    with tenant_scope(globex.ref):
        assert Conversation.objects.get().title == "globex's"
    assert control().exists(tenant_name(globex.id))
    assert control().exists(key_name(players["globex"].key.digest))


def test_it_waits_for_the_last_worker_the_last_request_and_the_last_usage(acme: Tenant) -> None:
    ask(acme, now=NOW)
    engine = BlockingQuotaEngine(control())
    limits = effective_limits(acme.id, now=utc_now())
    open_one = engine.reserve(ReserveRequest("req_open", limits, 1, 1, 1, 1, b"{}"))
    assert notes(finish(acme))["gateway"] == "1 requests are not settled"
    assert open_one.ticket is not None
    engine.release(open_one.ticket)
    report(LATER, {acme.id: [worker()]})
    assert notes(finish(acme))["workers"] == "1 workers are left"
    report(LATER, {acme.id: []})
    send(fact(id="req_late", tenant_id=acme.id))
    assert notes(finish(acme))["books"] == "1 usage events are on their way into the books"
    ingest_pending(now=LATER)
    assert finish(acme).state == api.JobState.DONE
    assert traces(acme.id) == []


def test_what_somebody_puts_back_meanwhile_is_found_by_the_proof(acme: Tenant) -> None:
    ask(acme, now=NOW)
    finish(acme)
    job = deletion_of(acme.id)
    job.steps = [step for step in job.steps if step["name"] != "proof"]
    job.state = api.JobState.WAITING
    job.save()
    control().set(tenant_name(acme.id), "{}")
    TenantBackup.objects.create(tenant_id=acme.id, kind="EXPORT")
    assert remains_of(acme.id) == [f"key {tenant_name(acme.id)}", "rows of tenants_tenantbackup"]
    assert finish(acme).state == api.JobState.DONE
    assert traces(acme.id) == []


def test_late_events_bring_nothing_back(acme: Tenant, players: dict[str, cast.Player]) -> None:
    key = players["acme"].key
    ask(acme, now=NOW)
    finish(acme)
    follow_key(KeyChanged(acme.id, key.id, key.digest))
    follow_tenant(TenantChanged(acme.id, api.TenantStatus.ACTIVE))
    publish_followed(TenantChanged(acme.id, api.TenantStatus.ACTIVE))
    assert not ScalingPolicy.objects.filter(tenant_id=acme.id).exists()
    assert traces(acme.id) == []


def test_nobody_does_anything_to_a_tombstone(plain: Tenant) -> None:
    ask(plain, now=NOW)
    finish(plain)
    common = {"tenant_id": plain.id, "acting": cast.TESTER, "now": LATER}
    for call in (
        lambda: api.rename_tenant(name="x", **common),
        lambda: api.set_plan(plan="pro", **common),
        lambda: api.add_member(email="x@acme.example", role=api.Role.OWNER, **common),
        lambda: api.resume_tenant(**common),
        lambda: ask(plain, now=LATER),
        lambda: api.tenant_by_slug(f"deleted-{plain.id[-12:]}"),
        lambda: effective_limits(plain.id, now=utc_now()),
    ):
        with pytest.raises(api.TenantNotFound):
            call()
    assert plain.id not in {facts.id for facts in api.all_tenant_facts()}


def test_the_same_slug_created_again_shows_nothing_of_the_old_one(
    acme: Tenant, players: dict[str, cast.Player]
) -> None:
    ask(acme, now=NOW)
    finish(acme)
    again = cast.found("acme", api.TenantType.ENTERPRISE, email="amy@acme.example", plan="pro")
    assert again.tenant.id != acme.id
    with tenant_scope(again.tenant.ref):
        assert not Conversation.objects.exists()
    caller, old = Caller(again.plaintext), Caller(players["acme"].plaintext)
    assert old.get(path_of(acme)).status_code == 401
    assert caller.get(path_of(acme)).status_code == 404
    assert [row["name"] for row in caller.get(path_of(again.tenant, "/keys")).json()["data"]] == ["first"]
    points = caller.get(path_of(again.tenant, "/usage")).json()["data"]
    assert {point["figures"]["requests"] for point in points} == {0}
    browser = Client(HTTP_HOST="acme.localhost")
    browser.force_login(again.owner)
    for page in ("/", "/keys/", "/usage/", "/members/", "/bill/"):
        answer = browser.get(page)
        assert answer.status_code == 200, page
        assert acme.id not in answer.content.decode()
        assert "new@acme.example" not in answer.content.decode()
    assert traces(acme.id) == []


def test_letters_from_the_operators_site_to_its_people_go_with_them(
    acme: Tenant, players: dict[str, cast.Player]
) -> None:
    people = [players[name].owner.email for name in ("acme", "globex")]
    OutgoingMail.objects.all().delete()
    for address in people:
        queue_mail(Letter("account_address", address, "en", {"link": "x"}), now=NOW)
    ask(acme, now=NOW)
    finish(acme)
    assert list(OutgoingMail.objects.values_list("to", flat=True)) == people[1:]


def test_no_event_with_its_members_and_keys_stays_in_the_outbox(acme: Tenant) -> None:
    told = OutboxEvent.objects.filter(payload__tenant_id=acme.id, type_name="tenants.announced")
    assert told.filter(payload__icontains="acme").exists()
    OutboxEvent.objects.filter(pk=told.latest("id").pk).update(delivered_at=None, failed_at=NOW)
    ask(acme, now=NOW)
    assert notes(finish(acme))["proof"] == "nothing is left"
    assert not OutboxEvent.objects.filter(payload__tenant_id=acme.id).exists()


def test_an_account_that_another_tenant_takes_in_meanwhile_stays(acme: Tenant, players: dict[str, cast.Player]) -> None:
    amy = User.objects.get(username="amy@acme.example")

    def take_in(**_: Any) -> None:
        Membership.objects.create(tenant=players["globex"].tenant, user=amy, role=api.Role.VIEWER)

    post_delete.connect(take_in, sender=Session)
    try:
        ask(acme, now=NOW)
        finish(acme)
    finally:
        post_delete.disconnect(take_in, sender=Session)
    assert [row.tenant.slug for row in Membership.objects.filter(user=amy).select_related("tenant")] == ["globex"]


def test_a_last_backup_can_be_fetched_until_the_end(plain: Tenant) -> None:
    ask(plain, now=NOW, export=True)
    backup = TenantBackup.objects.get(tenant_id=plain.id, status="DONE", kind="EXPORT")
    assert api.backup_path(backup).exists()
    finish(plain)
    assert not api.backup_path(backup).exists()


def test_a_creation_that_is_under_way_ends(plain: Tenant) -> None:
    TenantJob.objects.filter(tenant_id=plain.id, kind=api.JobKind.CREATE).update(state=api.JobState.STUCK)
    ask(plain, now=NOW, grace=timedelta(0))
    job = finish(plain, NOW)
    assert job.state == api.JobState.DONE
    assert notes(job)["creation"] == "its creation was under way and has ended"


def test_a_table_is_kept_by_one_duty() -> None:
    with pytest.raises(ValueError, match="kept already"):
        keeps("audit_auditentry", "again")


def test_by_rest_with_the_name_in_the_body(acme: Tenant) -> None:
    olivia = api.create_operator_token(
        user_id=User.objects.get(username="olivia").pk, name="t", acting=cast.TESTER, now=utc_now()
    )[1]
    caller = Caller(olivia)
    assert caller.delete(path_of(acme), data={}, content_type="application/json").status_code == 400
    wrong = caller.delete(path_of(acme), data={"name": "acme", "reason": REASON}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "name_not_typed")
    done = caller.delete(path_of(acme), data={"name": "Acme", "reason": REASON}, content_type="application/json")
    assert (done.status_code, done.json()["status"]) == (202, "DELETING")
    assert caller.post(path_of(acme, "/cancel-deletion")).json()["status"] == "ACTIVE"
    caller.delete(path_of(acme), data={"name": "Acme", "reason": REASON}, content_type="application/json")
    finish(acme, utc_now() + GRACE)
    assert caller.get(path_of(acme)).status_code == 404
    ids = [row["id"] for row in caller.get("/tenants").json()["data"]]
    assert prefixed("ten", acme.id) not in ids
    gone = caller.get("/tenants?status=DELETED").json()["data"]
    assert [row["id"] for row in gone] == [prefixed("ten", acme.id)]


def test_by_command_with_the_name_or_not_at_all(plain: Tenant) -> None:
    out = StringIO()
    with pytest.raises(CommandError, match="--name"):
        call_command("delete_tenant", "acme", "--reason", REASON)
    with pytest.raises(CommandError, match="exactly"):
        call_command("delete_tenant", "acme", "--reason", REASON, "--name", "acme")
    call_command("delete_tenant", "acme", "--reason", REASON, "--name", "Acme", stdout=out)
    call_command("delete_tenant", "acme", "--cancel", stdout=out)
    assert "is stopped" in out.getvalue()
    assert "is kept, and active as before" in out.getvalue()
    call_command("delete_tenant", "acme", "--reason", REASON, "--name", "Acme", "--grace-days", "0", stdout=out)
    assert Tenant.objects.get(pk=plain.id).status == api.TenantStatus.DELETED
    assert traces(plain.id) == []


@pytest.mark.parametrize("value", ["-1", "366", "many", "1.5"])
def test_a_grace_period_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LUMOS_DELETE_GRACE_DAYS", value)
    with pytest.raises(ValueError, match="0 to 365"):
        deletion_grace()


def test_by_the_admin_with_the_name_typed_on_a_page_of_its_own(plain: Tenant) -> None:
    browser = Client(HTTP_HOST="localhost")
    browser.force_login(cast.found_olivia().user)
    page = f"/admin/tenants/tenant/{plain.id}/erase/"
    assert "For 30 days it can be taken back" in browser.get(page).content.decode()
    sent = {"confirmed": "1", "reason": REASON, "typed_name": "acme"}
    refused = browser.post(page, sent, follow=True)
    assert "Type the tenant&#x27;s name exactly" in refused.content.decode()
    assert api.tenant_by_id(plain.id).is_active
    browser.post(page, {**sent, "typed_name": "Acme", "export": "on"})
    assert api.tenant_by_id(plain.id).status == api.TenantStatus.DELETING
    assert deletion_of(plain.id).input["export"] is True
    assert AuditEntry.objects.get(action="tenants.delete").actor_kind == "operator"
    browser.post(f"/admin/tenants/tenant/{plain.id}/keep/", {"confirmed": "1"})
    assert api.tenant_by_id(plain.id).is_active


def test_members_are_told_that_it_is_being_deleted(plain: Tenant) -> None:
    ask(plain, now=NOW)
    browser = Client(HTTP_HOST="acme.localhost")
    browser.force_login(User.objects.get(username="amy@acme.example"))
    answer = browser.get("/")
    assert answer.status_code == 403
    assert "Acme is being deleted" in answer.content.decode()
