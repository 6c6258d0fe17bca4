"""What somebody who rules the database can do to the log; for tests only, and rolled back with them."""

from __future__ import annotations

from django.db import connection

_TABLES = ("audit_auditentry", "audit_entrynames", "audit_auditlink", "audit_chainhead")


def tamper(*statements: str) -> None:
    """Run SQL with privileges taken back and every trigger of the log switched off, as its owner can."""
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"GRANT ALL ON {table} TO CURRENT_USER; ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)
        for table in _TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
