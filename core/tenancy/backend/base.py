"""The database backend behind the fence: every cursor is set to the scope of the running context, or refused.

It replaces what django-tenants keeps on the thread's connection by the ContextVar of `core.tenancy.context`, sends
search_path and role in one statement, and fails closed: without a scope nothing runs, and when the statement fails
the connection is closed, because nobody knows any longer whom it belongs to.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django_tenants.postgresql_backend import base as library
from psycopg.pq import TransactionStatus

from core.conf import process_role
from core.tenancy.context import PLATFORM, PUBLIC, NoActiveScope, Scope, TenantRef, active_scope, set_scope


class DatabaseWrapper(library.DatabaseWrapper):  # type: ignore[misc]
    """Connection of one thread; owns no tenant of its own."""

    _built = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._built = True

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "application_name": f"lumos-{process_role()}"}

    @property
    def pool(self) -> Any:
        """The driver's pool, in the roles that the settings name."""
        return super().pool if process_role() in getattr(settings, "DATABASE_POOLED_ROLES", ()) else None

    @property
    def schema_name(self) -> str:
        """What the library's router and migrations ask for; the platform's when nothing is active."""
        return (active_scope() or PLATFORM).schema_name

    @schema_name.setter
    def schema_name(self, value: str | None) -> None:
        """The library writes here from set_tenant(), which is overridden below; nothing to keep."""

    @property
    def tenant(self) -> TenantRef | Scope:
        scope = active_scope() or PLATFORM
        return scope.tenant or scope

    @tenant.setter
    def tenant(self, value: object) -> None:
        """See schema_name."""

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:
        """Called by the library's migration commands; a new connection must not change its caller's scope."""
        if self._built:
            schema: str = tenant.schema_name
            set_scope(PLATFORM if schema == PUBLIC else Scope(schema, include_public=include_public))

    def _handle_search_path(self, cursor: Any = None) -> None:
        scope = active_scope()
        if scope is None:
            raise NoActiveScope()
        if self.connection.info.transaction_status == TransactionStatus.INERROR:
            return  # PostgreSQL accepts nothing but a rollback here, so there is nothing to protect
        try:
            with self.wrap_database_errors:
                self._apply(scope, cursor)
        except BaseException:
            self._abandon()
            raise

    def _apply(self, scope: Scope, cursor: Any) -> None:
        if cursor is not None:
            cursor.cursor.execute(scope.statement)
            return
        with self.connection.cursor() as throwaway:  # a named cursor carries one statement only
            throwaway.execute(scope.statement)

    def _abandon(self) -> None:
        """Drop the connection for good, also from its pool: its session state is unknown."""
        if self.connection is not None:
            self.connection.close()
            self.close()
