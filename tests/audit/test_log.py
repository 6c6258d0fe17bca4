"""The log itself: what an entry says, that it stays, and that nothing happens which it does not say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.utils import ProgrammingError

from audit import api, tasks
from audit.models import AuditEntry
from audit.upkeep import ENTRIES, MONTHS_AHEAD, ensure_partitions_ahead
from core.clock import utc_now
from core.request_id import current_request_id, request_scope
from core.tenancy import tenant_scope
from tenants.api import suspend_tenant, tenant_by_id
from tests.cast import TESTER, Operator, Player
from tests.rest import Caller, path_of

pytestmark = pytest.mark.django_db


def _act(**facts: object) -> AuditEntry:
    api.record("tests.act", **{"actor": api.SYSTEM, "tenant_id": None, "target": "x", **facts})
    return AuditEntry.objects.filter(action="tests.act").latest("id")


def _run(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def partition() -> str:
    return ENTRIES.partition(_act().at.replace(day=1))


def test_an_entry_says_why_what_it_was_and_what_it_became() -> None:
    entry = _act(
        reason="cheaper",
        before={"fee": Decimal("1.50"), "since": datetime(2026, 1, 1, tzinfo=UTC)},
        after={"fee": Decimal("1.25"), "since": None},
        detail={"places": {"b"}},
    )
    assert (entry.reason, entry.detail) == ("cheaper", {"places": ["b"]})
    assert entry.before == {"fee": "1.50", "since": "2026-01-01T00:00:00Z"}
    assert entry.after == {"fee": "1.25", "since": None}


def test_credentials_are_told_by_a_fingerprint_that_is_the_same_for_the_same_secret() -> None:
    secret = "sk-" + "a1" * 12
    entry = _act(before={"headers": [f"Bearer {secret}"]}, after={"key": secret}, detail={"deep": {"key": secret}})
    said = str([entry.before, entry.after, entry.detail])
    assert "a1a1" not in said
    assert entry.after["key"] == entry.detail["deep"]["key"] == api.fingerprint(secret)
    assert api.fingerprint(secret) != api.fingerprint(secret + "x")


@pytest.mark.parametrize("change", ["UPDATE {} SET action = 'y'", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("through", ["parent", "partition"])
def test_nobody_changes_the_log_by_mistake_not_even_its_owner(change: str, through: str, partition: str) -> None:
    table = "audit_auditentry" if through == "parent" else partition
    with pytest.raises(ProgrammingError, match=r"append-only|permission denied"):
        _run(change.format(table))


@pytest.mark.parametrize("change", ["UPDATE {} SET action = 'y'", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("through", ["parent", "partition"])
def test_an_owner_who_takes_the_privilege_back_meets_the_trigger(change: str, through: str, partition: str) -> None:
    table = "audit_auditentry" if through == "parent" else partition
    _run(f"GRANT UPDATE, DELETE, TRUNCATE ON {table} TO CURRENT_USER")
    with pytest.raises(ProgrammingError, match="append-only"):
        _run(change.format(table))


def test_the_owner_itself_lacks_the_privileges() -> None:
    question = "SELECT has_table_privilege('audit_auditentry', %s)"
    with connection.cursor() as cursor:
        for privilege, held in (("INSERT", True), ("UPDATE", False), ("DELETE", False), ("TRUNCATE", False)):
            cursor.execute(question, [privilege])
            assert cursor.fetchone() == (held,), privilege


def test_a_tenant_reads_and_writes_its_own_entries_only(acme: Player, globex: Player) -> None:
    with tenant_scope(globex.tenant.ref):
        assert {entry.tenant_id for entry in AuditEntry.objects.all()} == {globex.tenant.id}
        api.record("tests.act", actor=api.SYSTEM, tenant_id=globex.tenant.id, target="x")
        with pytest.raises(DatabaseError, match="row-level security"):
            api.record("tests.act", actor=api.SYSTEM, tenant_id=acme.tenant.id, target="x")


@pytest.fixture
def no_room(acme: Player) -> Iterator[None]:
    """The log refuses new entries of acme, as if its disk or partition were missing."""
    _run(f"ALTER TABLE audit_auditentry ADD CONSTRAINT full_up CHECK (tenant_id <> '{acme.tenant.id}') NOT VALID")
    yield
    _run("ALTER TABLE audit_auditentry DROP CONSTRAINT full_up")


def test_a_change_fails_when_its_entry_cannot_be_written(acme: Player, no_room: None) -> None:
    with pytest.raises(DatabaseError, match="full_up"), transaction.atomic():
        suspend_tenant(tenant_id=acme.tenant.id, reason="unpaid", acting=TESTER, now=utc_now())
    assert tenant_by_id(acme.tenant.id).is_active


@pytest.mark.usefixtures("redis")
def test_an_entry_names_the_request_that_made_it(acme: Player, olivia: Operator) -> None:
    body = {"reason": "unpaid"}
    answer = Caller(olivia.token).post(path_of(acme.tenant, "/suspend"), body, HTTP_X_REQUEST_ID="from-our-proxy-7")
    assert answer["x-request-id"] == "from-our-proxy-7"
    assert AuditEntry.objects.get(action="tenants.suspend").request_id == "from-our-proxy-7"
    answer = Caller(olivia.token).post(path_of(acme.tenant, "/resume"), HTTP_X_REQUEST_ID="no; shape")
    assert AuditEntry.objects.get(action="tenants.resume").request_id == answer["x-request-id"]
    assert answer["x-request-id"].startswith("req_")


def test_outside_of_requests_there_is_no_id_and_inside_of_one_the_inner_wins() -> None:
    assert current_request_id() == ""
    with request_scope("outer-request"), request_scope("inner-request"):
        assert _act().request_id == "inner-request"
    assert _act().request_id == ""


def test_there_is_room_for_the_year_ahead_and_the_task_makes_more_of_it() -> None:
    months = ENTRIES.months()
    now = utc_now()
    assert months[0] <= now <= months[-1]
    assert len(months) >= MONTHS_AHEAD
    assert tasks.keep_partitions() == ([], [])
    made = ensure_partitions_ahead(now + timedelta(days=40))
    assert len(made) in (1, 2)
    with pytest.raises(ProgrammingError, match="append-only"):
        _run(f"GRANT TRUNCATE ON {made[0]} TO CURRENT_USER; TRUNCATE {made[0]}")
