"""The isolation report: what it shows of a fenced tenant, and that it sees each fence that was broken on purpose."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from prometheus_client import REGISTRY

from audit.models import AuditEntry
from core.clock import utc_now
from core.http import SafeClient
from core.tenancy import platform_scope, tenant_scope
from core.tenancy.rls import GROUP
from tenants.api import (
    CheckResult,
    IsolationReport,
    Outcome,
    Role,
    Tenant,
    last_reports,
    report_checks,
    run_isolation_report,
)
from tenants.isolation import network_fence, registry, storage_fence
from tenants.isolation.registry import Check, FenceKind, checks, run_check, title_of
from tenants.isolation.reporting import KEEP, prove_all
from tenants.models import TenantDataKey
from tenants.tasks import prove_isolation
from tests.cast import TESTER, Operator, Player
from tests.portal.conftest import as_role, stranger  # noqa: F401 - a fixture
from tests.rest import Caller, path_of

pytestmark = pytest.mark.usefixtures("redis")


def found(player: Player) -> dict[str, CheckResult]:
    report = run_isolation_report(tenant_id=player.tenant.id, acting=TESTER, now=utc_now())
    return {result.name: result for result in report_checks(report)}


def one(player: Player, name: str) -> CheckResult:
    [check] = [check for check in checks() if check.name == name]
    return run_check(check, player.tenant.ref)


def sql(statement: str) -> None:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what is still to be checked would hold a table up
        cursor.execute(statement)


# --- a tenant that is fenced --------------------------------------------------------------------------------------


def test_a_fenced_tenant_passes_every_check_with_evidence(acme: Player, globex: Player) -> None:
    results = found(acme)
    assert {result.fence for result in results.values()} == set(FenceKind)
    bad = (Outcome.FAILED, Outcome.COULD_NOT_RUN)
    assert {name: result.evidence for name, result in results.items() if result.outcome in bad} == {}
    passed = {name for name, result in results.items() if result.outcome is Outcome.PASSED}
    assert len(passed) >= 13
    assert all(result.evidence for result in results.values())
    assert "permission denied" in results["other_schemas_closed"].evidence
    assert "row-level security" in results["foreign_write_refused"].evidence
    assert "hold rows of other tenants" in results["shared_rows_hidden"].evidence
    assert "another tenant's" in results["canary_closed_to_others"].evidence


def test_no_evidence_names_another_tenant_or_a_key(acme: Player, globex: Player) -> None:
    said = json.dumps([result.evidence for result in found(acme).values()])
    for secret in (globex.tenant.id, globex.tenant.slug, globex.tenant.name, globex.owner.email):
        assert secret not in said
    assert acme.tenant.schema_name in said


def test_checks_change_nothing_but_the_report_and_its_entry(acme: Player) -> None:
    before = AuditEntry.objects.count()
    found(acme)
    entry = AuditEntry.objects.latest("at")
    assert AuditEntry.objects.count() == before + 1
    assert (entry.action, entry.tenant_id, entry.detail["failed"]) == ("isolation.report", acme.tenant.id, [])


def test_only_the_newest_reports_are_kept(acme: Player) -> None:
    now = utc_now()
    made = [
        IsolationReport(tenant_id=acme.tenant.id, outcome="passed", took_ms=1, asked_by="x", ran_at=now)
        for _ in range(KEEP + 5)
    ]
    IsolationReport.objects.bulk_create(made)
    newest = run_isolation_report(tenant_id=acme.tenant.id, acting=TESTER, now=now)
    assert IsolationReport.objects.filter(tenant_id=acme.tenant.id).count() == KEEP
    assert last_reports(acme.tenant.id, limit=1) == [newest]


# --- each fence broken on purpose ---------------------------------------------------------------------------------


@pytest.mark.parametrize("power", ["LOGIN", "CREATEDB", "CREATEROLE"])
def test_a_role_with_a_power_is_seen(acme: Player, power: str) -> None:
    sql(f'ALTER ROLE "{acme.tenant.schema_name}" {power}')
    result = one(acme, "role_has_no_powers")
    assert result.outcome is Outcome.FAILED
    assert power.lower() in result.evidence.replace("canlogin", "login")


def test_a_role_that_got_another_tenants_role_is_seen(acme: Player, globex: Player) -> None:
    sql(f'GRANT "{globex.tenant.schema_name}" TO "{acme.tenant.schema_name}"')
    assert one(acme, "role_has_no_powers").outcome is Outcome.FAILED
    assert one(acme, "other_schemas_closed").outcome is Outcome.FAILED


def test_an_opened_schema_is_seen(acme: Player, globex: Player) -> None:
    sql(f'GRANT USAGE ON SCHEMA "{globex.tenant.schema_name}" TO "{acme.tenant.schema_name}"')
    result = one(acme, "other_schemas_closed")
    assert result.outcome is Outcome.FAILED
    assert globex.tenant.id not in result.evidence


def test_row_security_that_was_taken_off_a_table_is_seen(acme: Player, globex: Player) -> None:
    sql("ALTER TABLE tenants_apikey DISABLE ROW LEVEL SECURITY")
    assert "tenants_apikey" in one(acme, "shared_tables_fenced").evidence
    result = one(acme, "shared_rows_hidden")
    assert (result.outcome, "tenants_apikey" in result.evidence) == (Outcome.FAILED, True)


def test_a_policy_that_shows_all_rows_is_seen(acme: Player, globex: Player) -> None:
    sql(f"CREATE POLICY open_door ON tenants_apikey TO {GROUP} USING (true)")
    assert one(acme, "shared_tables_fenced").outcome is Outcome.PASSED
    assert one(acme, "shared_rows_hidden").outcome is Outcome.FAILED


def test_a_new_shared_table_without_a_fence_is_seen(acme: Player) -> None:
    sql("CREATE TABLE forgotten (tenant_id varchar(26) NOT NULL)")
    assert "forgotten" in one(acme, "shared_tables_fenced").evidence


def test_a_log_that_lets_others_names_in_is_seen(acme: Player) -> None:
    sql(f"CREATE POLICY open_door ON audit_auditentry FOR INSERT TO {GROUP} WITH CHECK (true)")
    assert one(acme, "foreign_write_refused").outcome is Outcome.FAILED


def test_a_write_that_fails_for_another_reason_is_no_proof_of_the_fence(acme: Player) -> None:
    sql(f"CREATE POLICY open_door ON audit_auditentry FOR INSERT TO {GROUP} WITH CHECK (true)")
    sql("ALTER TABLE audit_auditentry ADD CONSTRAINT odd CHECK (action <> 'check') NOT VALID")
    result = one(acme, "foreign_write_refused")
    assert (result.outcome, "23514" in result.evidence) == (Outcome.COULD_NOT_RUN, True)


def test_a_data_key_that_is_gone_or_anothers_is_seen(acme: Player, globex: Player) -> None:
    theirs = TenantDataKey.objects.get(pk=globex.tenant.id)
    TenantDataKey.objects.filter(pk=acme.tenant.id).update(wrapped=bytes(theirs.wrapped))
    assert one(acme, "data_key_wrapped").outcome is Outcome.FAILED
    TenantDataKey.objects.filter(pk=acme.tenant.id).delete()
    assert one(acme, "data_key_wrapped").outcome is Outcome.FAILED


def test_two_tenants_with_one_key_are_seen(acme: Player, globex: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_fence, "data_key_of", lambda tenant_id: b"k" * 32)
    assert one(acme, "canary_closed_to_others").outcome is Outcome.FAILED


def test_a_transport_that_calls_private_addresses_is_seen(acme: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SafeClient, "get", lambda self, url, **more: None)
    assert one(acme, "forbidden_addresses_at_connect").outcome is Outcome.FAILED
    assert one(acme, "rebinding_refused").outcome is Outcome.FAILED
    monkeypatch.setattr(network_fence, "check_url", lambda url, **more: None)
    assert one(acme, "forbidden_addresses_at_save").outcome is Outcome.FAILED


def test_the_networks_of_a_tenant_are_tried_at_both_doors(acme: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    assert one(acme, "allowed_networks_in_force").outcome is Outcome.NOT_APPLICABLE
    named = {"allowed_networks": ["192.0.2.0/24"], "portal_networks": ["198.51.100.0/24"]}
    Tenant.objects.filter(pk=acme.tenant.id).update(**named)
    result = one(acme, "allowed_networks_in_force")
    assert result.outcome is Outcome.PASSED
    assert "192.0.2.0/24, and 198.51.100.1 is refused" in result.evidence
    monkeypatch.setattr(network_fence, "check_portal_address", lambda entries, address: None)
    assert "got in: portal" in one(acme, "allowed_networks_in_force").evidence


def test_a_sealed_installation_is_told_and_not_passed(acme: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "at hand" in one(acme, "not_sealed").evidence
    monkeypatch.setattr(storage_fence, "is_sealed", lambda: True)
    assert one(acme, "not_sealed").outcome is Outcome.COULD_NOT_RUN


def broken_check(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def run(tenant: Any) -> str:
        raise error

    monkeypatch.setattr(registry, "_checks", [Check(FenceKind.DATA, "made_up", "Made up", run)])


def test_a_check_that_cannot_run_is_told_as_such_and_never_as_passed(
    acme: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_check(monkeypatch, RuntimeError("secret detail"))
    report = run_isolation_report(tenant_id=acme.tenant.id, acting=TESTER, now=utc_now())
    [result] = report_checks(report)
    assert (report.outcome, result.outcome) == (Outcome.COULD_NOT_RUN, Outcome.COULD_NOT_RUN)
    assert "secret detail" not in result.evidence
    assert (title_of("made_up"), title_of("of_a_former_version")) == ("Made up", "of_a_former_version")


def test_a_failure_is_counted_for_the_operators_alert(acme: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted() -> float:
        labels = {"fence": "data", "outcome": "failed"}
        return REGISTRY.get_sample_value("lumos_isolation_check_failures_total", labels) or 0.0

    before = counted()
    broken_check(monkeypatch, registry.Broken("on purpose"))
    assert prove_isolation() == 1
    assert counted() == before + 1
    assert REGISTRY.get_sample_value("lumos_isolation_failed_tenants") == 1
    assert prove_all(now=utc_now()) == 1  # looked at already: nothing runs again
    assert IsolationReport.objects.count() == 1


def test_a_name_is_given_to_one_check_only() -> None:
    with pytest.raises(ValueError, match="already"):
        registry.proves(FenceKind.DATA, "role_has_no_powers", "again")(lambda tenant: "")


# --- where it is read ---------------------------------------------------------------------------------------------


def test_the_operator_runs_and_reads_it_by_rest(acme: Player, olivia: Operator) -> None:
    caller = Caller(olivia.token)
    assert caller.get(path_of(acme.tenant, "/isolation-report")).json()["code"] == "isolation_report_not_found"
    made = caller.post(path_of(acme.tenant, "/isolation-report"))
    assert made.status_code == 201
    assert made.json()["outcome"] == "passed"
    read = caller.get(path_of(acme.tenant, "/isolation-report")).json()
    assert read == made.json()
    assert {check["fence"] for check in read["checks"]} == {"data", "network", "compute", "storage"}
    assert all(check["title"] != check["name"] for check in read["checks"])


def test_the_command_prints_every_check_and_ends_with_1_when_a_fence_is_broken(
    acme: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("isolation_report", "acme")
    assert "ok     data     role_has_no_powers" in capsys.readouterr().out
    sql("ALTER TABLE tenants_apikey NO FORCE ROW LEVEL SECURITY")
    with pytest.raises(SystemExit, match="1"):
        call_command("isolation_report", "acme")
    assert "FAILED data     shared_tables_fenced" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no such tenant"):
        call_command("isolation_report", "nobody")


def test_owners_and_admins_read_it_in_the_portal_and_others_do_not(acme: Player, globex: Player, as_role) -> None:  # noqa: F811
    owner = as_role(acme.tenant, Role.OWNER)
    assert "No report was made yet" in owner.get("/isolation/").content.decode()
    found(acme)
    page = owner.get("/isolation/").content.decode()
    assert "permission denied" in page
    assert globex.tenant.name not in page
    assert as_role(acme.tenant, Role.DEVELOPER).get("/isolation/").status_code == 403
    assert stranger(acme.tenant).get("/isolation/").status_code == 302


def test_a_tenants_role_reads_its_own_reports_and_changes_none(acme: Player, globex: Player) -> None:
    found(acme)
    found(globex)
    with tenant_scope(globex.tenant.ref):
        assert {report.tenant_id for report in IsolationReport.objects.all()} == {globex.tenant.id}
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            IsolationReport.objects.update(outcome="passed")
