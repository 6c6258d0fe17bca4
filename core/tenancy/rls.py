"""Row level security for shared tables, as migration operations; owns the policies and the tenants' group role.

A tenant's role is named `t_<tenant id>`, so the policy compares a column with the role's own name: no setting that
code could forget or forge takes part. The policy is forced, so the owner of the table needs one too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured
from django.db.migrations.operations import RunSQL

GROUP = os.environ.get("LUMOS_TENANT_GROUP") or "lumos_tenant"
"""Of this installation: roles belong to the whole server, and who makes or drops a tenant's has this one locked."""
if re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", GROUP) is None:
    raise ImproperlyConfigured(
        f"LUMOS_TENANT_GROUP={GROUP!r} is no name of a role; use a-z, 0-9 and _, up to 63 of them"
    )

# Several databases of one cluster may migrate at once, hence the handlers.
_GROUP_SQL = f"""
DO $$ BEGIN
  CREATE ROLE {GROUP} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT USAGE ON SCHEMA public TO {GROUP};
"""


def fence(table: str, *, privileges: Sequence[str] = ("SELECT",), column: str = "tenant_id") -> RunSQL:
    """Let a tenant's role see and write only rows whose `column` is its own id, by `privileges` at most."""
    mine = f"({column} = substr(current_user::text, 3))"
    statements = [
        _GROUP_SQL,
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
        f"CREATE POLICY tenant_fence ON {table} TO {GROUP} USING {mine} WITH CHECK {mine};",
        f"CREATE POLICY platform ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);",
    ]
    if privileges:
        statements.append(f"GRANT {', '.join(privileges)} ON {table} TO {GROUP};")
    return RunSQL(
        "\n".join(statements),
        reverse_sql=f"DROP POLICY tenant_fence ON {table}; DROP POLICY platform ON {table};"
        f" ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;"
        f" REVOKE ALL ON {table} FROM {GROUP};",
    )


def share(table: str, *, privileges: Sequence[str] = ("SELECT",)) -> RunSQL:
    """Let tenants' roles read a table that belongs to no tenant, such as the catalogue of models."""
    return RunSQL(
        _GROUP_SQL + f"GRANT {', '.join(privileges)} ON {table} TO {GROUP};",
        reverse_sql=f"REVOKE ALL ON {table} FROM {GROUP};",
    )
