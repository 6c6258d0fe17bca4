"""Bringing one schema to head; owns the plan of migrations, computed once, and the transaction around one schema.

The migration command loads the graph, introspects the catalogue and builds the project's state for each schema.
Here all of that is done once per thread; what is left per schema is the DDL itself. Only the tenants' own apps change
a tenant's schema; the migrations of shared apps are recorded there, as django-tenants does.
"""

from __future__ import annotations

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from core.faults import fault_point
from core.tenancy import schema_scope
from tenants.provisioning.head import TEMPLATE
from tenants.provisioning.schema import grant_tables

Key = tuple[str, str]


class Replay:
    """The plan of all migrations; one per thread, because rendered states are not shared safely."""

    def __init__(self) -> None:
        self._loader = MigrationLoader(None, ignore_no_migrations=True)
        own = {label.rpartition(".")[2] for label in settings.TENANT_APPS}
        self._plan: list[tuple[Key, bool]] = [(key, key[0] in own) for key in self._ordered()]
        self._before: dict[Key, ProjectState] = {}

    def _ordered(self) -> list[Key]:
        seen: dict[Key, None] = {}
        for leaf in self._loader.graph.leaf_nodes():
            for key in self._loader.graph.forwards_plan(leaf):
                seen.setdefault(key)
        return list(seen)

    def bring_to_head(self, schema: str, *, lock_timeout_ms: int = 5000) -> int:
        """Apply and record what `schema` lacks, in one transaction; returns how many migrations that were.

        Raises django.db.OperationalError when a lock could not be had in time; nothing is changed then.
        """
        with schema_scope(schema, include_public=False), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{lock_timeout_ms}ms"])
            recorder = MigrationRecorder(connection)
            recorder.ensure_schema()
            applied = recorder.applied_migrations()
            missing = [(key, is_own) for key, is_own in self._plan if key not in applied]
            for key, is_own in missing:
                if is_own:
                    self._apply(key)
                recorder.record_applied(*key)
                fault_point("fleet.migrate.recorded")
            if missing and schema != TEMPLATE:
                grant_tables(schema)
        return len(missing)

    def _apply(self, key: Key) -> None:
        if key not in self._before:
            self._before[key] = self._loader.project_state(key, at_end=False)
        migration = self._loader.graph.nodes[key]
        with connection.schema_editor(atomic=migration.atomic) as editor:
            migration.apply(self._before[key].clone(), editor)
