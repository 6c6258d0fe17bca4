"""A check finds what somebody with all rights in the database did, and names the first bad link."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from audit import api, tasks
from audit.chain.links import GENESIS
from audit.chain.signing import public_keys
from audit.data import ChainFault, FaultKind
from audit.models import AuditEntry, AuditLink, ChainHead
from audit.upkeep import ENTRIES, MonthNotSealed, retire_months
from core.clock import utc_now
from core.errors import InvalidInput, NotFound
from core.ids import new_ulid, prefixed
from core.partitions import month_of
from lumos_site.settings.env import env_months
from tests.audit.conftest import write
from tests.audit.tampering import tamper
from tests.cast import TESTER

pytestmark = pytest.mark.django_db


def _fault(chain: str) -> ChainFault:
    [report] = api.check_chains(now=utc_now(), chain=chain)
    assert report.fault is not None
    return report.fault


def _entry(chain: str, sequence: int) -> str:
    return AuditLink.objects.get(chain=chain, sequence=sequence).entry_id


def _rewrite(chain: str, sequence: int) -> None:
    """Change an entry and calculate every digest and hash behind it anew, as one who knows how it is done would."""
    rows = list(AuditEntry.objects.filter(tenant_id=chain).order_by("at", "id"))
    rows[sequence - 1].target = "forged"
    tamper(
        f"UPDATE audit_auditentry SET target = 'forged' WHERE id = '{rows[sequence - 1].id}'",
        f"DELETE FROM audit_auditlink WHERE chain = '{chain}'",
        f"DELETE FROM audit_chainhead WHERE chain = '{chain}'",
        f"DELETE FROM audit_waitingentry WHERE chain = '{chain}'",
        *(
            f"INSERT INTO audit_waitingentry (chain, entry_id, entry_at) VALUES ('{chain}', '{row.id}', '{row.at}')"
            for row in rows
        ),
    )
    api.seal_waiting(now=utc_now())


def test_whole_chains_hold_and_the_check_is_noted(hooli: str) -> None:
    write("", 2)
    write(hooli, 1)  # still waiting; the check seals it first
    reports = {report.chain: report for report in api.check_chains(now=utc_now())}
    assert {chain: (report.links, report.fault) for chain, report in reports.items()} == {
        hooli: (9, None),
        api.PLATFORM: (2, None),
    }
    head = ChainHead.objects.get(pk=hooli)
    assert (head.verified_sequence, head.fault) == (9, "")
    assert head.verified_at is not None
    assert tasks.verify() == 0


@pytest.mark.parametrize(
    "column",
    ["action = 'x'", "actor_label = 'x'", "reason = 'x'", "detail = '{}'", "after = '{}'", "at = at + '1 microsecond'"],
)
def test_a_changed_entry_is_named(hooli: str, column: str) -> None:
    entry = _entry(hooli, 5)
    tamper(f"UPDATE audit_auditentry SET {column} WHERE id = '{entry}'")
    fault = _fault(hooli)
    assert (fault.sequence, fault.kind in (FaultKind.ALTERED, FaultKind.ENTRY_GONE)) == (5, True)
    assert entry in fault.sentence
    assert ChainHead.objects.get(pk=hooli).fault == fault.sentence
    assert tasks.verify() == 1


def test_an_entry_moved_to_another_tenant_is_named(hooli: str) -> None:
    tamper(f"UPDATE audit_auditentry SET tenant_id = '{new_ulid()}' WHERE id = '{_entry(hooli, 2)}'")
    assert (_fault(hooli).kind, _fault(hooli).sequence) == (FaultKind.ALTERED, 2)


def test_a_deleted_entry_is_named(hooli: str) -> None:
    tamper(f"DELETE FROM audit_auditentry WHERE id = '{_entry(hooli, 3)}'")
    assert (_fault(hooli).kind, _fault(hooli).sequence) == (FaultKind.ENTRY_GONE, 3)


def test_a_gap_in_the_numbers_is_named(hooli: str) -> None:
    tamper(f"DELETE FROM audit_auditlink WHERE chain = '{hooli}' AND sequence IN (4, 5)")
    fault = _fault(hooli)
    assert (fault.kind, fault.sequence) == (FaultKind.GAP, 4)
    assert "the next one is 6" in fault.sentence


def test_an_altered_link_is_named(hooli: str) -> None:
    tamper(f"UPDATE audit_auditlink SET hash = repeat('a', 64) WHERE chain = '{hooli}' AND sequence = 6")
    assert (_fault(hooli).kind, _fault(hooli).sequence) == (FaultKind.BROKEN_LINK, 6)


def test_a_tail_cut_behind_the_heads_back_is_named(hooli: str) -> None:
    tamper(
        f"DELETE FROM audit_auditentry WHERE id IN ('{_entry(hooli, 7)}', '{_entry(hooli, 8)}')",
        f"DELETE FROM audit_auditlink WHERE chain = '{hooli}' AND sequence > 6",
    )
    fault = _fault(hooli)
    assert (fault.kind, fault.sequence) == (FaultKind.CUT_TAIL, 7)
    assert "has 8 links" in fault.sentence


def test_a_tail_cut_together_with_an_older_head_is_found_by_a_head_that_was_kept(hooli: str) -> None:
    old = ChainHead.objects.get(pk=hooli)
    write(hooli, 2)
    api.seal_waiting(now=utc_now())
    assert api.publish_heads(now=utc_now()) == 1
    tamper(
        f"DELETE FROM audit_auditentry WHERE id IN ('{_entry(hooli, 9)}', '{_entry(hooli, 10)}')",
        f"DELETE FROM audit_auditlink WHERE chain = '{hooli}' AND sequence > 8",
        f"UPDATE audit_chainhead SET sequence = 8, hash = '{old.hash}', signature = '{old.signature}',"
        f" sealed_at = '{old.sealed_at}' WHERE chain = '{hooli}'",
    )
    assert (_fault(hooli).kind, _fault(hooli).sequence) == (FaultKind.CUT_TAIL, 9)


def test_a_history_written_anew_is_consistent_and_only_kept_heads_find_it(hooli: str) -> None:
    _rewrite(hooli, 3)
    assert [report.fault for report in api.check_chains(now=utc_now(), chain=hooli)] == [None]


def test_a_history_written_anew_is_found_by_a_head_that_was_kept(hooli: str) -> None:
    assert tasks.publish_heads() == 1
    write(hooli, 2)
    _rewrite(hooli, 3)
    fault = _fault(hooli)
    assert (fault.kind, fault.sequence) == (FaultKind.REWRITTEN, 1)
    assert "links 1 to 8" in fault.sentence


def test_a_chain_that_is_gone_altogether_is_found_by_a_head_that_was_kept(hooli: str) -> None:
    api.publish_heads(now=utc_now())
    tamper(*(f"DELETE FROM {table}" for table in ("audit_auditentry", "audit_auditlink", "audit_chainhead")))
    [report] = [report for report in api.check_chains(now=utc_now()) if report.chain == hooli]
    assert report.fault is not None
    assert report.fault.kind == FaultKind.CUT_TAIL


def test_an_entry_that_came_past_the_sealer_is_found(hooli: str) -> None:
    tamper(
        "INSERT INTO audit_auditentry SELECT 'planted', at, tenant_id, actor_kind, actor_id, actor_label, action,"
        f" target, reason, before, after, detail, request_id FROM audit_auditentry WHERE id = '{_entry(hooli, 1)}'"
    )
    fault = _fault(hooli)
    assert (fault.kind, fault.sentence) == (FaultKind.UNSEALED, "entry planted was never sealed")


def test_an_entry_that_went_before_it_was_sealed_is_found(hooli: str) -> None:
    write(hooli, 1)
    tamper("DELETE FROM audit_auditentry WHERE id IN (SELECT entry_id FROM audit_waitingentry)")
    assert "is gone before it was sealed" in _fault(hooli).sentence


def test_a_forged_signature_is_found(hooli: str) -> None:
    tamper(f"UPDATE audit_chainhead SET signature = repeat('0', 128) WHERE chain = '{hooli}'")
    assert (_fault(hooli).kind, _fault(hooli).sequence) == (FaultKind.FORGED_HEAD, 8)


def test_heads_are_kept_once_for_each_growth(hooli: str, heads: Path) -> None:
    assert api.publish_heads(now=utc_now()) == 1
    assert api.publish_heads(now=utc_now()) == 0
    write(hooli, 1)
    api.seal_waiting(now=utc_now())
    api.publish_heads(now=utc_now())
    [file] = heads.iterdir()
    assert [json.loads(line)["sequence"] for line in file.read_text().splitlines()] == [8, 9]


def test_an_export_can_be_checked_by_whoever_has_the_public_key(hooli: str) -> None:
    lines = list(api.export_chain(hooli))
    assert [json.loads(line)["type"] for line in lines] == ["start", *["link"] * 8, "head"]
    keys = public_keys()
    assert json.loads(lines[-1])["public_key"] in keys.values()
    report = api.check_lines(lines, keys=keys)
    assert (report.chain, report.links, report.fault) == (hooli, 8, None)
    rest = list(api.export_chain(hooli, after=5))
    assert api.check_lines(rest, keys=keys).links == 8
    assert json.loads(lines[0])["hash"] == GENESIS


def _kind(lines: list[str], keys: dict[str, str] | None = None) -> tuple[FaultKind, int]:
    fault = api.check_lines(lines, keys=public_keys() if keys is None else keys).fault
    assert fault is not None
    return fault.kind, fault.sequence


def test_a_changed_export_is_found(hooli: str) -> None:
    lines = list(api.export_chain(hooli))
    assert _kind([line.replace('"target": "3"', '"target": "33"') for line in lines]) == (FaultKind.ALTERED, 4)
    assert _kind([*lines[:4], *lines[5:]]) == (FaultKind.GAP, 4)
    assert _kind([*lines[:6], lines[-1]]) == (FaultKind.CUT_TAIL, 6)
    assert _kind(lines[:-1]) == (FaultKind.FORGED_HEAD, 8)
    assert _kind(lines, {}) == (FaultKind.FORGED_HEAD, 8)


@pytest.mark.parametrize("text", ["", "{}", "no json", "[]", '{"type": "start"}\nno'])
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises((InvalidInput, KeyError)):
        api.check_lines(text.splitlines(), keys={})


def test_a_chain_that_is_not_there_cannot_be_exported(db: None) -> None:
    with pytest.raises(NotFound):
        next(api.export_chain(new_ulid()))


def test_a_month_is_dropped_by_rule_and_the_chain_still_holds(hooli: str) -> None:
    old = month_of(utc_now() - timedelta(days=500))
    ENTRIES.ensure([old])
    tenant_id = new_ulid()
    for _ in range(2):
        AuditEntry.objects.create(
            at=old, tenant_id=tenant_id, actor_kind="system", actor_id="x", actor_label="x", action="x", target="x"
        )
    with pytest.raises(MonthNotSealed):
        retire_months(now=utc_now(), keep=12)
    api.seal_waiting(now=utc_now())
    write(tenant_id, 1)
    assert retire_months(now=utc_now(), keep=0) == []
    assert retire_months(now=utc_now(), keep=12) == [f"{old:%Y-%m}"]
    assert AuditEntry.objects.filter(tenant_id=tenant_id).count() == 1
    reports = {report.chain: report for report in api.check_chains(now=utc_now())}
    assert (reports[tenant_id].links, reports[tenant_id].fault) == (3, None)
    assert {report.fault for report in reports.values()} == {None}
    assert api.check_lines(api.export_chain(tenant_id), keys=public_keys()).fault is None


def test_a_month_that_was_dropped_without_a_rule_is_found(hooli: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {ENTRIES.partition(month_of(utc_now()))}")
    ENTRIES.ensure([month_of(utc_now())])
    assert (_fault(hooli).kind, _fault(hooli).sequence) == (FaultKind.ENTRY_GONE, 1)


@pytest.mark.parametrize("text", ["11", "-1", "many", "1.5"])
def test_a_rule_that_keeps_too_little_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LUMOS_AUDIT_KEEP_MONTHS", text)
    with pytest.raises(ImproperlyConfigured, match="is not valid"):
        env_months("LUMOS_AUDIT_KEEP_MONTHS", least=12)


def _command(*words: str) -> str:
    said = io.StringIO()
    call_command("audit", *words, stdout=said)
    return said.getvalue()


def test_the_command_says_that_all_is_well_or_names_the_first_bad_link(hooli: str) -> None:
    write("", 1)
    assert "2 chains, 9 links hold. 0 entries wait" in _command("verify")
    tamper(f"DELETE FROM audit_auditlink WHERE chain = '{hooli}' AND sequence = 4")
    said = io.StringIO()
    with pytest.raises(CommandError, match="1 of 2 chains are broken"):
        call_command("audit", "verify", stdout=said)
    assert f"BROKEN {prefixed('ten', hooli)} at link 4: link 4 is missing" in said.getvalue()
    assert "1 chains, 1 links" in _command("verify", "platform")


def test_the_command_exports_a_file_that_it_can_check_itself(hooli: str, tmp_path: Path) -> None:
    file = tmp_path / "hooli.jsonl"
    _command("export", prefixed("ten", hooli), "--output", str(file))
    assert "1 chains, 8 links hold." in _command("verify", "--file", str(file))
    keys = _command("keys").split()
    assert "8 links hold" in _command("verify", "--file", str(file), "--public-key", *keys)
    with pytest.raises(CommandError, match="broken"):
        _command("verify", "--file", str(file), "--public-key", "ed25519:0=AAAA")
    assert _command("export", prefixed("ten", hooli), "--after", "7").count('"link"') == 2  # its own first export


def test_the_command_takes_heads_that_were_kept_elsewhere(hooli: str, heads: Path, tmp_path: Path) -> None:
    api.publish_heads(now=utc_now())
    [file] = heads.iterdir()
    elsewhere = file.rename(tmp_path / "copied.jsonl")
    _rewrite(hooli, 2)
    assert "links hold" in _command("verify")
    with pytest.raises(CommandError, match="broken"):
        _command("verify", "--heads", str(elsewhere))
    elsewhere.write_text("nonsense\n")
    with pytest.raises(CommandError, match="is not JSON"):
        _command("verify", "--heads", str(elsewhere))


def test_the_command_adopts_a_frozen_chain(hooli: str) -> None:
    tamper(f"UPDATE audit_chainhead SET key_id = 'ed25519:lost' WHERE chain = '{hooli}'")
    write(hooli, 1)
    with pytest.raises(CommandError, match="broken"):
        _command("verify")
    assert "goes on after link 8" in _command("adopt", prefixed("ten", hooli), "--reason", "the key was lost")
    assert "10 links hold" in _command("verify")
    assert TESTER.kind == AuditEntry.objects.get(action="audit.adopt_chain").actor_kind


@pytest.mark.parametrize("words", [["export", "ten_1"], ["export", new_ulid()], ["verify", "--file", "/nowhere"]])
def test_the_command_says_what_it_cannot_use(db: None, words: list[str]) -> None:
    with pytest.raises(CommandError):
        _command(*words)
