"""The only door to tenancy: which tenant this code runs for, and nothing about what a tenant is."""

from core.tenancy.context import (
    NoActiveScope,
    TenantRef,
    WrongTenant,
    clear_scope,
    current_tenant,
    enter_platform_process,
    platform_scope,
    require_tenant,
    run_in_tenant,
    schema_scope,
    tenant_scope,
)

__all__ = [
    "NoActiveScope",
    "TenantRef",
    "WrongTenant",
    "clear_scope",
    "current_tenant",
    "enter_platform_process",
    "platform_scope",
    "require_tenant",
    "run_in_tenant",
    "schema_scope",
    "tenant_scope",
]
