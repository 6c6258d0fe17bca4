"""Creating, suspending and resuming tenants, and what an interrupted creation leaves behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from django.db import connection, connections, transaction
from django.db.migrations.recorder import MigrationRecorder

from audit.models import AuditEntry, OutboxEvent
from core.clock import utc_now
from core.errors import InvalidInput
from core.redis import control
from core.tenancy import platform_scope, schema_scope, tenant_scope
from proxy.records import tenant_name
from tenants import api
from tenants.models import Domain, Membership, Tenant
from tenants.provisioning.head import TEMPLATE
from tenants.provisioning.schema import drop_schema, schema_exists
from tenants.services import lifecycle
from tenants.services.jobs import open_job
from tenants.workspace.models import Conversation
from tests import cast
from tests.scaling.conftest import report, worker
from tests.tenants.conftest import schemas

pytestmark = pytest.mark.django_db
NOW = utc_now()


def create(slug: str = "hooli", **changes: object) -> Tenant:
    facts = {"slug": slug, "name": "Hooli", "type": api.TenantType.ENTERPRISE, "acting": cast.TESTER, "now": NOW}
    return api.create_tenant(**(facts | changes))


def test_a_new_tenant_is_active_with_schema_role_and_address() -> None:
    tenant = create()
    assert tenant.is_active
    assert tenant.schema_name == f"t_{tenant.id}"
    assert schema_exists(tenant.schema_name)
    assert Domain.objects.get(tenant=tenant).domain == "hooli.localhost"
    assert AuditEntry.objects.filter(action="tenants.create", tenant_id=tenant.id).count() == 1


def test_its_tables_are_those_of_the_template(acme: cast.Player) -> None:
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = %s"
    constraints = "SELECT count(*) FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE nspname = %s"
    with connection.cursor() as cursor:
        for question in (tables, constraints):
            counts = []
            for schema in (TEMPLATE, acme.tenant.schema_name):
                cursor.execute(question, [schema])
                counts.append(cursor.fetchone())
            assert counts[0] == counts[1] != (0,)


def test_a_migration_that_comes_later_can_be_recorded_in_a_copied_schema(acme: cast.Player) -> None:
    with schema_scope(acme.tenant.schema_name, include_public=False):
        recorder = MigrationRecorder(connection)
        recorder.record_applied("workspace", "9999_later")
        assert ("workspace", "9999_later") in recorder.applied_migrations()
        assert ("workspace", "0001_initial") in recorder.applied_migrations()


def test_the_workspace_keeps_to_its_budget_of_twelve_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = %s", [TEMPLATE])
        assert cursor.fetchone()[0] - 1 <= 12  # one is Django's own record of migrations


def test_a_message_needs_a_conversation_of_the_same_tenant(acme: cast.Player, globex: cast.Player) -> None:
    with tenant_scope(acme.tenant.ref):
        kept = Conversation.objects.create(title="plan", model="demo", member_id="1")
        assert kept.messages.create(role="user", content="hi").conversation_id == kept.id
    with tenant_scope(globex.tenant.ref):
        assert not Conversation.objects.filter(pk=kept.id).exists()


@pytest.mark.parametrize(
    "slug", ["", "ab", "9lives", "Hooli", "ho oli", "ho_oli", "-hooli", "hooli-", "admin", "a" * 41, 'x"y']
)
def test_a_bad_slug_is_refused_by_name(slug: str) -> None:
    with pytest.raises(api.SlugNotUsable) as caught:
        create(slug)
    assert "slug" in caught.value.fields


def test_a_taken_slug_is_a_conflict_and_leaves_nothing(acme: cast.Player) -> None:
    before = schemas()
    with pytest.raises(api.SlugTaken):
        create("acme")
    assert schemas() == before


def test_a_creation_that_breaks_half_way_leaves_nothing() -> None:
    before = schemas()
    with mock.patch.object(lifecycle, "record", side_effect=RuntimeError("power cut")), pytest.raises(RuntimeError):
        create()
    assert schemas() == before
    assert not Tenant.objects.filter(slug="hooli").exists()


def test_suspending_needs_a_reason(acme: cast.Player) -> None:
    with pytest.raises(InvalidInput):
        api.suspend_tenant(tenant_id=acme.tenant.id, reason=" ", acting=cast.TESTER, now=NOW)


def test_suspend_and_resume_each_leave_one_entry_and_one_event(acme: cast.Player) -> None:
    OutboxEvent.objects.all().delete()
    for _ in range(2):
        api.suspend_tenant(tenant_id=acme.tenant.id, reason="unpaid", acting=cast.TESTER, now=NOW)
    assert api.tenant_by_id(acme.tenant.id).status == api.TenantStatus.SUSPENDED
    for _ in range(2):
        api.resume_tenant(tenant_id=acme.tenant.id, acting=cast.TESTER, now=NOW)
    assert api.tenant_by_id(acme.tenant.id).is_active
    changed = OutboxEvent.objects.filter(type_name="tenants.tenant-changed").order_by("id")
    assert [event.payload["status"] for event in changed] == ["SUSPENDED", "ACTIVE"]
    told = OutboxEvent.objects.filter(type_name="tenants.announced").order_by("id")
    assert [event.payload["name"] for event in told] == ["tenant.suspended", "tenant.resumed"]
    assert (
        AuditEntry.objects.filter(tenant_id=acme.tenant.id, action__in=["tenants.suspend", "tenants.resume"]).count()
        == 2
    )


def test_an_archived_tenant_cannot_be_resumed(acme: cast.Player) -> None:
    Tenant.objects.filter(pk=acme.tenant.id).update(status=api.TenantStatus.ARCHIVED)
    with pytest.raises(api.WrongStatus):
        api.resume_tenant(tenant_id=acme.tenant.id, acting=cast.TESTER, now=NOW)
    with pytest.raises(api.WrongStatus):
        api.create_api_key(tenant_id=acme.tenant.id, name="x", acting=cast.TESTER, now=NOW)


def test_an_unknown_tenant_is_said_to_be_unknown() -> None:
    for call in (lambda: api.tenant_by_id("x"), lambda: api.tenant_by_slug("x")):
        with pytest.raises(api.TenantNotFound):
            call()
    with pytest.raises(api.TenantNotFound):
        api.resume_tenant(tenant_id="x", acting=cast.TESTER, now=NOW)
    with pytest.raises(api.TenantNotFound):
        api.rename_tenant(tenant_id="x", name="y", acting=cast.TESTER, now=NOW)
    with pytest.raises(api.TenantNotFound):
        api.set_plan(tenant_id="x", plan="y", acting=cast.TESTER, now=NOW)


def test_renaming_and_changing_the_plan_keep_id_and_schema(acme: cast.Player) -> None:
    api.rename_tenant(tenant_id=acme.tenant.id, name=" Acme Corp ", acting=cast.TESTER, now=NOW)
    api.set_plan(tenant_id=acme.tenant.id, plan="business", acting=cast.TESTER, now=NOW)
    after = api.tenant_by_id(acme.tenant.id)
    assert (after.name, after.plan, after.schema_name) == ("Acme Corp", "business", acme.tenant.schema_name)
    with pytest.raises(InvalidInput):
        api.rename_tenant(tenant_id=acme.tenant.id, name="  ", acting=cast.TESTER, now=NOW)


def test_a_member_is_added_once_and_may_get_another_role(acme: cast.Player) -> None:
    for role in (api.Role.VIEWER, api.Role.ADMIN):
        api.add_member(tenant_id=acme.tenant.id, email=" Zoe@Acme.example", role=role, acting=cast.TESTER, now=NOW)
    member = Membership.objects.get(user__username="zoe@acme.example")
    assert member.role == api.Role.ADMIN
    assert not member.user.has_usable_password()
    with pytest.raises(InvalidInput):
        api.add_member(tenant_id=acme.tenant.id, email="nobody", role=api.Role.ADMIN, acting=cast.TESTER, now=NOW)


def test_the_same_account_may_belong_to_two_tenants(acme: cast.Player, globex: cast.Player) -> None:
    api.add_member(
        tenant_id=globex.tenant.id, email="amy@acme.example", role=api.Role.VIEWER, acting=cast.TESTER, now=NOW
    )
    theirs = Membership.objects.filter(user=acme.owner).order_by("tenant__slug")
    assert [(each.tenant.slug, each.role) for each in theirs] == [("acme", api.Role.OWNER), ("globex", api.Role.VIEWER)]


def test_with_tenant_is_refused(acme: cast.Player) -> None:
    from core.tenancy import NoActiveScope

    with pytest.raises(NoActiveScope), acme.tenant:
        pass


def test_a_tenant_that_is_dropped_leaves_no_schema_and_no_role(acme: cast.Player) -> None:
    for _ in range(2):
        drop_schema(acme.tenant.schema_name)
    assert not schema_exists(acme.tenant.schema_name)
    assert acme.tenant.schema_name not in schemas()


@pytest.mark.parametrize("name", ["public", 't_"; DROP SCHEMA public', "lumos_template"])
def test_no_other_schema_can_be_dropped_by_mistake(name: str) -> None:
    with pytest.raises(ValueError, match="not a tenant schema"):
        drop_schema(name)


@pytest.mark.django_db(transaction=True)
def test_many_creations_at_once_give_each_its_own_schema_and_one_winner_of_a_slug() -> None:
    def attempt(number: int) -> str | None:
        try:
            with platform_scope():
                return create(f"many-{number % 8}").schema_name
        except api.SlugTaken:
            return None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        made = [schema for schema in pool.map(attempt, range(16)) if schema]
    assert len(made) == len(set(made)) == 8
    for schema in made:
        drop_schema(schema)


def test_an_archived_tenant_comes_back_with_its_data_and_each_turn_is_a_job(acme: cast.Player) -> None:
    with tenant_scope(acme.tenant.ref):
        Conversation.objects.create(title="kept", model="demo", member_id="1")
    common = {"tenant_id": acme.tenant.id, "acting": cast.TESTER, "now": NOW}
    for _ in range(2):
        assert api.archive_tenant(reason="gone quiet", **common).status == api.TenantStatus.ARCHIVED
    with pytest.raises(api.WrongStatus):
        api.suspend_tenant(reason="unpaid", **common)
    for _ in range(2):
        assert api.restore_tenant(**common).is_active
    with tenant_scope(acme.tenant.ref):
        assert Conversation.objects.get().title == "kept"
    kinds = api.TenantJob.objects.filter(tenant_id=acme.tenant.id).order_by("id").values_list("kind", "state")
    assert list(kinds)[1:] == [("ARCHIVE", "CANCELLED"), ("RESTORE", "WAITING")]
    with pytest.raises(InvalidInput):
        api.archive_tenant(reason=" ", **common)


@pytest.mark.usefixtures("redis")
def test_the_job_of_a_suspension_withdraws_it_everywhere_and_waits_for_the_last_worker(acme: cast.Player) -> None:
    api.suspend_tenant(tenant_id=acme.tenant.id, reason="unpaid", acting=cast.TESTER, now=NOW)
    job = api.TenantJob.objects.get(kind="SUSPEND")
    report(NOW, {acme.tenant.id: [worker()]})
    assert api.run_job(job.id, now=NOW) is api.JobState.WAITING
    report(NOW, {acme.tenant.id: []})
    assert api.run_job(job.id, now=NOW) is api.JobState.DONE
    job.refresh_from_db()
    notes = {step.name: step.note for step in api.job_steps(job)}
    assert notes == {"gateway": "known to every gateway", "workers": "no worker is left"}
    record = control().get(tenant_name(acme.tenant.id))
    assert isinstance(record, bytes)
    assert b"SUSPENDED" in record


def test_of_two_turns_at_the_same_moment_the_later_is_refused_and_changes_nothing(acme: cast.Player) -> None:
    """As if the other's job had been stored after this one had looked for open ones."""
    other = open_job(kind=api.JobKind.ARCHIVE, tenant_id=acme.tenant.id, acting=cast.TESTER, now=NOW)
    with mock.patch.object(lifecycle, "cancel_open_jobs"), pytest.raises(api.WrongStatus), transaction.atomic():
        api.suspend_tenant(tenant_id=acme.tenant.id, reason="unpaid", acting=cast.TESTER, now=NOW)
    acme.tenant.refresh_from_db()
    assert acme.tenant.is_active
    assert [job.pk for job in api.TenantJob.objects.exclude(kind="CREATE")] == [other.pk]
