"""The audit log by REST: a tenant reads its own, operators all, and whoever reads can check what was read."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from audit import api
from audit.models import AuditEntry, ChainHead
from core.clock import utc_now
from tenants.api import OperatorRole, create_api_key, suspend_tenant
from tests.audit.conftest import write
from tests.audit.reading import the_entry
from tests.audit.tampering import tamper
from tests.cast import TESTER, Operator, Player, found_olivia
from tests.rest import Caller, path_of

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
def acme_reads(acme: Player) -> Caller:
    _, key = create_api_key(tenant_id=acme.tenant.id, name="audit", scopes=["audit:read"], acting=TESTER, now=utc_now())
    suspend_tenant(tenant_id=acme.tenant.id, reason="unpaid", acting=TESTER, now=utc_now())
    api.seal_waiting(now=utc_now())
    return Caller(key)


def test_a_tenant_reads_what_was_done_to_it_with_reason_and_link(acme_reads: Caller, acme: Player) -> None:
    answer = acme_reads.get(path_of(acme.tenant, "/audit"))
    rows = answer.json()["data"]
    assert {row["tenant_id"] for row in rows} == {acme.tenant.public_id}
    [row] = [row for row in rows if row["action"] == "tenants.suspend"]
    assert (row["sequence"], len(row["hash"])) == (len(rows), 64)
    found = acme_reads.get(path_of(acme.tenant, "/audit"), QUERY_STRING="action=keys.create").json()["data"]
    assert {row["action"] for row in found} == {"keys.create"}
    until = row["at"].replace("+", "%2B")
    earlier = acme_reads.get(path_of(acme.tenant, "/audit"), QUERY_STRING=f"until={until}").json()["data"]
    assert len(earlier) == len(rows) - 1


def test_a_tenant_keeps_its_head_and_an_export_that_it_can_check(acme_reads: Caller, acme: Player) -> None:
    head = acme_reads.get(path_of(acme.tenant, "/audit/chain")).json()
    assert (head["chain"], head["waiting"], head["fault"]) == (acme.tenant.public_id, 0, "")
    keys = {row["key_id"]: row["public_key"] for row in acme_reads.get("/audit/keys").json()["data"]}
    answer = acme_reads.get(path_of(acme.tenant, "/audit/export"))
    assert answer["content-type"] == "application/x-ndjson"
    lines = answer.content.decode().splitlines()
    report = api.check_lines(lines, keys=keys)
    assert (report.links, report.fault) == (head["sequence"], None)
    assert AuditEntry.objects.get(action="audit.export_chain").actor_kind == "key"
    assert acme_reads.get(path_of(acme.tenant, "/audit/chain")).json()["waiting"] == 1


def test_a_tenant_sees_neither_the_platforms_log_nor_anothers(acme_reads: Caller, acme: Player, globex: Player) -> None:
    for path in ("/audit/entries", "/audit/chains", "/audit/chains/platform", "/audit/chains/platform/export"):
        assert acme_reads.get(path).status_code == 403
    assert acme_reads.get(path_of(globex.tenant, "/audit")).status_code == 404
    assert Caller(acme.plaintext).get(path_of(acme.tenant, "/audit")).json()["code"] == "scope_missing"


def test_an_operator_reads_all_chains_and_checks_one(acme_reads: Caller, olivia: Operator, acme: Player) -> None:
    write("", 1)
    api.seal_waiting(now=utc_now())
    caller = Caller(olivia.token)
    chains = [row["chain"] for row in caller.get("/audit/chains").json()["data"]]
    assert chains == [acme.tenant.public_id, "platform"]
    assert caller.get("/audit/chains/platform").json()["chain"] == "platform"
    assert "tenants.suspend" in {row["action"] for row in caller.get("/audit/entries").json()["data"]}
    address = f"/audit/chains/{acme.tenant.public_id}/check"
    whole = caller.post(address).json()
    assert (whole["fault"], whole["chain"]) == (None, acme.tenant.public_id)
    assert AuditEntry.objects.get(action="audit.check_chain").actor_label == "olivia (tests)"
    tamper(f"DELETE FROM audit_auditlink WHERE chain = '{acme.tenant.id}' AND sequence = 2")
    assert caller.post(address).json()["fault"]["sequence"] == 2
    assert caller.get(f"/audit/chains/{acme.tenant.public_id}").json()["fault"] != ""


def test_only_a_super_operator_adopts_a_chain(acme_reads: Caller, olivia: Operator, acme: Player) -> None:
    tamper(f"UPDATE audit_chainhead SET frozen = true, fault = 'x' WHERE chain = '{acme.tenant.id}'")
    address = f"/audit/chains/{acme.tenant.public_id}/adopt"
    assert Caller(olivia.token).post(address, {}).status_code == 400
    answer = Caller(olivia.token).post(address, {"reason": "restored"})
    assert (answer.json()["frozen"], answer.json()["fault"]) == (False, "")


@pytest.mark.parametrize("chain", ["nothing", "ten_1", "ten_01jd0000000000000000000000"])
def test_a_chain_that_is_not_there_is_not_found(olivia: Operator, chain: str) -> None:
    caller = Caller(olivia.token)
    assert caller.get(f"/audit/chains/{chain}").status_code == 404
    assert caller.post(f"/audit/chains/{chain}/check").status_code == 404
    assert caller.get(f"/audit/chains/{chain}/export").status_code == 404


def test_a_long_chain_is_exported_in_parts_that_fit_together(hooli: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.chain.export.LONGEST_PART", 3)
    parts, after = [], 0
    while True:
        lines = list(api.export_chain(hooli, after=after, most=3))
        parts += lines
        last = json.loads(lines[-1])
        if last["type"] == "head":
            break
        after = last["after"]
    assert api.check_lines(parts, keys=dict([("x", "y")])).links == 8
    wrong = [line for line in parts if json.loads(line).get("sequence") != 3]
    with pytest.raises(Exception, match="does not go on from it"):
        api.check_lines(wrong, keys={})


@pytest.fixture
def browser(acme_reads: Caller, olivia: Operator) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.force_login(olivia.user)
    return client


def test_the_operators_page_checks_and_exports_a_chain(browser: Client, acme: Player) -> None:
    page = f"/admin/audit/chainhead/{acme.tenant.id}"
    assert "Not checked yet" in browser.get("/admin/audit/chainhead/").content.decode()
    assert "Every entry is read" in browser.get(f"{page}/verify/").content.decode()
    said = browser.post(f"{page}/verify/", {"confirmed": "1"}, follow=True).content.decode()
    assert "1 chain was checked." in said
    export = browser.get(f"{page}/export/")
    assert export["content-disposition"].endswith(f'audit-{acme.tenant.id}.jsonl"')
    assert json.loads(export.content.decode().splitlines()[-1])["type"] == "head"
    assert "Holds, " in browser.get("/admin/audit/chainhead/").content.decode()
    assert "does not hold" not in browser.get("/admin/").content.decode()


def test_a_broken_chain_is_told_on_the_page_and_on_the_front_page(browser: Client, acme: Player) -> None:
    tamper(f"DELETE FROM audit_auditlink WHERE chain = '{acme.tenant.id}' AND sequence = 2")
    page = f"/admin/audit/chainhead/{acme.tenant.id}"
    assert "link 2 is missing" in browser.post(f"{page}/verify/", {"confirmed": "1"}, follow=True).content.decode()
    assert "Broken" in browser.get("/admin/audit/chainhead/?holds=no").content.decode()
    assert "1 audit chain does not hold" in browser.get("/admin/live/").content.decode()


def test_a_chain_is_adopted_with_a_reason(browser: Client, acme: Player) -> None:
    tamper(f"UPDATE audit_chainhead SET frozen = true, fault = 'x' WHERE chain = '{acme.tenant.id}'")
    page = f"/admin/audit/chainhead/{acme.tenant.id}/adopt/"
    assert "This field is required" in browser.post(page, {"confirmed": "1"}).content.decode()
    browser.post(page, {"confirmed": "1", "reason": "restored", "ticket": "OPS-8"})
    assert not ChainHead.objects.get(pk=acme.tenant.id).frozen
    assert the_entry(action="audit.adopt_chain").reason == "restored [OPS-8]"


def test_a_page_refuses_what_would_take_too_long(
    browser: Client, acme: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.admin.chains.LONGEST_PART", 1)
    monkeypatch.setattr("audit.admin.chains._MOST_AT_ONCE", 1)
    page = f"/admin/audit/chainhead/{acme.tenant.id}"
    assert "too long for a page" in browser.get(f"{page}/export/", follow=True).content.decode()
    assert "too long for a page" in browser.post(f"{page}/verify/", {"confirmed": "1"}, follow=True).content.decode()


def test_security_may_check_and_not_adopt(acme_reads: Caller, acme: Player) -> None:
    guard = Caller(found_olivia(OperatorRole.SECURITY).token)
    address = f"/audit/chains/{acme.tenant.public_id}"
    assert guard.post(f"{address}/check").status_code == 200
    assert guard.post(f"{address}/adopt", {"reason": "x"}).status_code == 403
