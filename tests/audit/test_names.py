"""Names stand apart from entries: what is taken out, how readers get it back, that nobody changes it, how it goes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.utils import ProgrammingError
from hypothesis import given
from hypothesis import strategies as st

from audit import api
from audit.chain.verification import verify_chain
from audit.data import FaultKind
from audit.models import AuditEntry, EntryNames
from audit.names import Taken, are_its_names, is_reference, put_back, reference_of
from audit.selectors import entries_with_names, named, recent_entries
from core.clock import utc_now
from core.tenancy import tenant_scope
from tenants.api import suspend_tenant, tenant_by_id
from tests.audit.reading import the_entry
from tests.audit.tampering import tamper
from tests.cast import Operator, Player
from tests.rest import Caller, path_of

AMY = api.Actor("member", "7", "amy@acme.example")
OLIVIA = api.Actor("operator", "1", "olivia")
KEY = "ab" * 32
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


class TestPure:
    @given(JSON)
    def test_whatever_is_taken_out_can_be_put_back_and_is_what_was_taken(self, value: object) -> None:
        taken = Taken()
        facts = taken.facts({"plain": 1, "list": [api.Personal(value)], "deep": {"one": api.Personal(value)}})
        assert put_back(facts, taken.values) == {"plain": 1, "list": [value], "deep": {"one": value}}
        names = {"key": taken.key, "actor_label": "", "target": "", "reason": "", "values": taken.values}
        assert are_its_names({"detail": facts}, names)

    def test_the_same_name_looks_different_in_each_entry(self) -> None:
        facts = [Taken().facts({"email": api.Personal("amy@acme.example")})["email"] for _ in range(2)]
        assert facts[0] != facts[1]
        assert all(is_reference(text) for text in facts)

    def test_what_is_empty_names_nobody(self) -> None:
        taken = Taken()
        assert taken.text("reason", "") == ""
        assert taken.facts({"a": api.Personal(None), "b": api.Personal([])}) == {"a": None, "b": []}
        assert not taken

    def test_a_credential_is_told_by_its_fingerprint_apart_from_the_entry_too(self) -> None:
        taken = Taken()
        secret = "sk-" + "a1" * 12
        facts = taken.facts({"key": api.Personal({"deep": [secret]})})
        assert "a1a1" not in str([facts, taken.values])
        assert put_back(facts, taken.values) == {"key": {"deep": [api.fingerprint(secret)]}}

    def test_what_nobody_knows_any_more_stays_a_reference_or_is_called_so(self) -> None:
        reference = reference_of(KEY, "amy")
        assert put_back([reference, "x"], {}) == [reference, "x"]
        assert put_back({"who": reference}, {}, gone="(erased)") == {"who": "(erased)"}

    @pytest.mark.parametrize(
        "change",
        [
            {"actor_label": "mallory"},
            {"key": "cd" * 32},
            {"key": "no hex"},
            {"values": {reference_of(KEY, "zoe"): "mallory"}},
            {"values": {reference_of(KEY, "mallory"): "mallory"}},
            {"values": None},
            {"target": "something that the entry says itself"},
        ],
    )
    def test_names_that_are_not_the_entrys_are_found(self, change: dict[str, object]) -> None:
        content = {"actor_label": reference_of(KEY, "amy"), "target": "x", "detail": [reference_of(KEY, "zoe")]}
        names: dict[str, object] = {"key": KEY, "actor_label": "amy", "target": "", "reason": ""}
        names |= {"values": {reference_of(KEY, "zoe"): "zoe"}}
        assert are_its_names(content, names)
        assert not are_its_names(content, names | change)
        assert not are_its_names(content, {name: names[name] for name in names if name != "key"})


@pytest.mark.django_db
class TestRecord:
    def test_the_row_has_references_and_readers_get_the_names(self, acme: Player) -> None:
        since = datetime(2026, 1, 1, tzinfo=UTC)
        detail = {"email": api.Personal("zoe@acme.example"), "since": api.Personal(since), "role": "VIEWER"}
        api.record("tests.act", actor=AMY, tenant_id=acme.tenant.id, target="x", reason="for Zoe", detail=detail)
        row = AuditEntry.objects.get(action="tests.act")
        assert (row.actor_kind, row.actor_id, row.target, row.detail["role"]) == ("member", "7", "x", "VIEWER")
        assert all(map(is_reference, (row.actor_label, row.reason, row.detail["email"], row.detail["since"])))
        shown = the_entry(action="tests.act")
        assert (shown.actor_label, shown.reason) == ("amy@acme.example", "for Zoe")
        assert shown.detail == {"email": "zoe@acme.example", "since": "2026-01-01T00:00:00Z", "role": "VIEWER"}
        assert recent_entries(limit=1)[0].actor_label == "amy@acme.example"

    def test_what_is_about_nobody_stays_in_the_row(self) -> None:
        api.record("tests.act", actor=OLIVIA, tenant_id=None, target="prices", reason="cheaper", detail={"n": 1})
        row = AuditEntry.objects.get(action="tests.act")
        assert (row.actor_label, row.reason, row.detail) == ("olivia", "cheaper", {"n": 1})
        assert not EntryNames.objects.exists()

    def test_an_operator_is_named_in_the_row_unless_the_label_names_a_member_too(self, acme: Player) -> None:
        both = api.Actor("operator", "1", "olivia as amy@acme.example", acts_for=True)
        for actor in (OLIVIA, both):
            api.record("tests.act", actor=actor, tenant_id=acme.tenant.id, target="x")
        labels = (
            AuditEntry.objects.filter(action="tests.act").order_by("at", "id").values_list("actor_label", flat=True)
        )
        assert [is_reference(label) for label in labels] == [False, True]

    def test_names_that_nobody_would_ever_erase_are_refused(self) -> None:
        both = api.Actor("operator", "1", "olivia as amy@acme.example", acts_for=True)
        with pytest.raises(ValueError, match="for ever"):
            api.record("tests.act", actor=both, tenant_id=None, target="x")

    def test_forgetting_an_account_takes_its_names_from_the_platforms_chain_only(self, acme: Player) -> None:
        api.record("tests.self", actor=AMY, tenant_id=None, target=api.Personal("amy@acme.example"))
        about = {"target": api.Personal("amy@acme.example"), "about_account": "7"}
        api.record("tests.reset", actor=OLIVIA, tenant_id=None, reason="Amy called", **about)
        api.record("tests.else", actor=OLIVIA, tenant_id=None, target=api.Personal("bob"), about_account="8")
        api.record("tests.here", actor=AMY, tenant_id=acme.tenant.id, target="x")
        assert api.forget_account("7") == 2
        assert is_reference(the_entry(action="tests.self").actor_label)
        assert is_reference(the_entry(action="tests.reset").reason)
        assert the_entry(action="tests.else").target == "bob"
        assert the_entry(action="tests.here").actor_label == "amy@acme.example"

    def test_a_tenant_reads_and_writes_its_own_names_only(self, acme: Player, globex: Player) -> None:
        with tenant_scope(globex.tenant.ref):
            assert {row.tenant_id for row in EntryNames.objects.all()} == {globex.tenant.id}
            api.record("tests.act", actor=AMY, tenant_id=globex.tenant.id, target="x")
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                EntryNames.objects.create(
                    entry_id="x", entry_at=utc_now(), tenant_id=acme.tenant.id, key=KEY, actor_label="forged"
                )
            with pytest.raises(ProgrammingError, match="permission denied"):
                EntryNames.objects.all().delete()

    def test_a_change_fails_when_the_names_cannot_be_written(self, acme: Player) -> None:
        refusal = f"ADD CONSTRAINT full_up CHECK (tenant_id <> '{acme.tenant.id}') NOT VALID"
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE audit_entrynames {refusal}")
        with pytest.raises(DatabaseError, match="full_up"), transaction.atomic():
            suspend_tenant(tenant_id=acme.tenant.id, reason="unpaid", acting=OLIVIA, now=utc_now())
        assert tenant_by_id(acme.tenant.id).is_active
        assert not AuditEntry.objects.filter(action="tenants.suspend").exists()

    @pytest.mark.parametrize("change", ["UPDATE {} SET reason = 'y'", "TRUNCATE {}"])
    def test_names_go_and_are_never_changed(self, acme: Player, change: str) -> None:
        def run(statement: str) -> None:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)

        with pytest.raises(ProgrammingError, match=r"append-only|permission denied"):
            run(change.format("audit_entrynames"))
        run("GRANT UPDATE, TRUNCATE ON audit_entrynames TO CURRENT_USER")
        with pytest.raises(ProgrammingError, match="append-only"):
            run(change.format("audit_entrynames"))


@pytest.mark.django_db
def test_a_check_finds_a_name_that_was_changed_and_accepts_one_that_is_gone(acme: Player) -> None:
    api.record("tests.act", actor=AMY, tenant_id=acme.tenant.id, target="x", detail={"who": api.Personal("zoe")})
    api.seal_waiting(now=utc_now())
    chain = acme.tenant.id
    assert verify_chain(chain).fault is None
    lines = list(api.export_chain(chain))
    tamper("UPDATE audit_entrynames SET actor_label = 'mallory' WHERE actor_label = 'amy@acme.example'")
    fault = verify_chain(chain).fault
    assert fault is not None
    assert (fault.kind, "names of entry" in fault.sentence) == (FaultKind.RENAMED, True)
    forged = [line.replace('"zoe"', '"mallory"') for line in lines]
    assert api.check_lines(lines, keys=api.public_keys()).fault is None
    report = api.check_lines(forged, keys=api.public_keys())
    assert report.fault is not None
    assert report.fault.kind == FaultKind.RENAMED
    EntryNames.objects.all().delete()
    assert verify_chain(chain).fault is None
    assert named(entries_with_names().get(action="tests.act"), gone="?").detail == {"who": "?"}


@pytest.mark.django_db
@pytest.mark.usefixtures("redis")
def test_by_rest_names_are_read_and_found(acme: Player, olivia: Operator) -> None:
    target = api.Personal("amy@acme.example")
    api.record("tests.act", actor=AMY, tenant_id=acme.tenant.id, target=target, reason="so", detail={"a": target})
    for path in (path_of(acme.tenant, "/audit"), "/audit/entries"):
        [row] = Caller(olivia.token).get(path, QUERY_STRING="target=amy@acme.example").json()["data"]
        assert (row["actor_label"], row["reason"], row["detail"]) == (AMY.label, "so", {"a": AMY.label})
    EntryNames.objects.filter(tenant_id=acme.tenant.id).delete()
    [row] = Caller(olivia.token).get("/audit/entries", QUERY_STRING="action=tests.act").json()["data"]
    assert (row["actor_id"], is_reference(row["actor_label"])) == ("7", True)
