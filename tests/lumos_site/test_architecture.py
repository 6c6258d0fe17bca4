"""The map of modules is what the code and the database say, and tells what would be hidden by hand."""

from __future__ import annotations

import ast

import pytest
from django.db import connection

from core.conf import ROOT
from lumos_site.architecture import plan, readiness, sources
from lumos_site.architecture.plan import multitenant_plan
from tests.cast import Operator, Player
from tests.rest import Caller

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
PATH = "/architecture/multitenant-plan"


@pytest.fixture
def modules() -> dict[str, dict]:
    return {module["name"]: module for module in multitenant_plan()["modules"]}


def test_operators_read_it_and_tenants_do_not(acme: Player, olivia: Operator) -> None:
    answer = Caller(olivia.token).get(PATH)
    assert answer.status_code == 200
    assert {module["name"] for module in answer.json()["modules"]} == set(sources.ROOMS)
    assert Caller(acme.plaintext).get(PATH).status_code == 403
    assert Caller().get(PATH).status_code == 401


def test_each_package_of_the_product_is_a_module() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages == set(sources.ROOMS)


def test_the_contract_is_the_front_door(modules: dict[str, dict]) -> None:
    tenants = modules["tenants"]["contract"]
    assert "create_tenant" in {function["name"] for function in tenants["functions"]}
    created = next(function for function in tenants["functions"] if function["name"] == "create_tenant")
    assert "slug: 'str'" in created["signature"]
    assert "Tenant" in tenants["types"]
    assert "tenants.tenant-changed" in tenants["events_published"]
    assert "GET /api/v1/tenants" in tenants["routes"]
    assert "tenants.deliver_webhooks" in tenants["tasks"]
    followed = {row["event"] for row in modules["proxy"]["contract"]["events_subscribed"]}
    assert {"tenants.tenant-changed", "quotas.limits-changed"} <= followed
    assert {"event": "*", "handler": "audit.stream.publish"} in modules["audit"]["contract"]["events_subscribed"]


def test_the_scope_of_each_table_is_the_databases_word(modules: dict[str, dict]) -> None:
    scopes = {row["table"]: row for module in modules.values() for row in module["data_scope"]}
    assert scopes["workspace_conversation"]["scope"] == "tenant_schema"
    assert scopes["tenants_webhookdelivery"] == {
        "table": "tenants_webhookdelivery",
        "scope": "shared_fenced",
        "tenants_may": ["SELECT"],
    }
    assert scopes["proxy_providerkey"] == {"table": "proxy_providerkey", "scope": "shared", "tenants_may": []}
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_webhookdelivery NO FORCE ROW LEVEL SECURITY")
    again = {row["table"]: row for module in multitenant_plan()["modules"] for row in module["data_scope"]}
    assert again["tenants_webhookdelivery"]["scope"] == "shared"


def test_metrics_say_whether_they_tell_tenants_apart(modules: dict[str, dict]) -> None:
    gateway = {row["name"]: row for row in modules["proxy"]["metrics"]}
    assert gateway["lumos_gateway_requests"]["labels"] == ["endpoint", "outcome"]
    assert gateway["lumos_gateway_requests"]["by_tenant"] is False
    told = list(sources._metrics(ast.parse('Counter("a_total", "x", ["tenant", "kind"])')))
    assert [(metric.name, metric.by_tenant) for metric in told] == [("a_total", True)]


def test_what_ties_a_module_is_listed(modules: dict[str, dict]) -> None:
    assert modules["mail"]["split"] == {"level": "ready", "blocked_by": []}
    assert "foreign key: quotas_tenantlimit.tenant_id → tenants_tenant" in modules["quotas"]["split"]["blocked_by"]
    assert modules["quotas"]["split"]["level"] == "database"
    assert "tenants" in modules["quotas"]["uses"]
    assert "quotas" in modules["tenants"]["used_by"]


def test_an_import_past_a_door_blocks() -> None:
    [found] = [each for each in sources._imports(ast.parse("from tenants.services.keys import revoke")) if each[1]]
    assert found[1:3] == ("tenants", "services")
    ties = {"uses": [], "used_by": [], "imports_past_the_door": ["x.py:1 tenants.services"], "shared_models": []}
    assert readiness.verdict(ties, []) == {"level": "code", "blocked_by": ["import: x.py:1 tenants.services"]}


def test_health_is_asked_for_and_not_claimed(modules: dict[str, dict], monkeypatch: pytest.MonkeyPatch) -> None:
    assert modules["quotas"]["health"] == {"status": "ok", "needs": ["database", "redis"], "failed": []}
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    away = {module["name"]: module["health"] for module in multitenant_plan()["modules"]}
    assert away["quotas"]["failed"] == ["redis"]
    assert away["mail"]["status"] == "ok"
    assert plan._probed(lambda: None)["ok"]
