"""Each shared table with a tenant in it is fenced, and what tenants' roles may do to shared tables is written here."""

from __future__ import annotations

import pytest
from django.db import connection

from billing.api import ensure_partitions_ahead
from core.clock import utc_now
from core.tenancy.rls import GROUP

pytestmark = pytest.mark.django_db

NEVER = {
    "auth_user",
    "django_session",
    "accounts_identity",
    "accounts_identityprovider",
    "mfa_authenticator",
    "account_emailaddress",
    "account_emailconfirmation",
    "usersessions_usersession",
    "tenants_operatortoken",
    "tenants_operator",
    "tenants_invitation",
    "tenants_apisession",
    "mail_outgoingmail",
    "proxy_providerkey",
    "billing_modelcost",
    "django_admin_log",
}
_TENANT_TABLES = """
SELECT DISTINCT c.relname, c.relrowsecurity, c.relforcerowsecurity,
  (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attname = 'tenant_id' AND NOT a.attisdropped
"""
_GRANTS = f"""
SELECT table_name, privilege_type FROM information_schema.role_table_grants
WHERE grantee = '{GROUP}' AND table_schema = 'public'
"""
_COLUMNS = f"""
SELECT DISTINCT table_name FROM information_schema.column_privileges
WHERE grantee = '{GROUP}' AND table_schema = 'public'
"""


def _rows(question: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchall()


def test_every_table_with_a_tenant_is_fenced_also_against_its_owner() -> None:
    tables = _rows(_TENANT_TABLES)
    assert len(tables) >= 8
    assert [name for name, enabled, forced, policies in tables if not (enabled and forced and policies >= 2)] == []


def test_tenants_may_write_to_few_shared_tables_and_delete_from_none() -> None:
    writes = {(name, verb) for name, verb in _rows(_GRANTS) if verb != "SELECT"}
    assert writes <= {
        ("audit_auditentry", "INSERT"),
        ("audit_entrynames", "INSERT"),
        ("audit_outboxevent", "INSERT"),
        ("tenants_apikey", "INSERT"),
    }


def test_accounts_sessions_providers_and_costs_are_closed_to_tenants() -> None:
    assert {name for (name,) in _rows(_COLUMNS)} & NEVER == set()


def test_partitions_are_reached_through_their_fenced_parent_only() -> None:
    ensure_partitions_ahead(utc_now(), 1)
    partitions = {name for (name,) in _rows("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")}
    assert partitions
    assert {name for (name,) in _rows(_COLUMNS)} & partitions == set()
