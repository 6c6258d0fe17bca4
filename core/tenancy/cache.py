"""Cache keys that carry their tenant; refuses to build one for nobody."""

from __future__ import annotations

from core.tenancy.context import NoActiveScope, active_scope


def make_key(key: str, key_prefix: str, version: int) -> str:
    """Django's KEY_FUNCTION: `<prefix>:<schema>:<version>:<key>`; raises NoActiveScope outside any scope."""
    scope = active_scope()
    if scope is None:
        raise NoActiveScope("A cache key was built outside tenant_scope() and platform_scope()")
    return f"{key_prefix}:{scope.schema_name}:{version}:{key}"
