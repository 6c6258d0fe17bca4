"""What a tenant is granted: type profiles, overrides, and what machines give it."""

from tenants.allocation.allocator import ResourceAllocator
from tenants.allocation.data import (
    AllocationChanged,
    AllocationState,
    HostStanding,
    OwnAllocation,
    PoolFacts,
    ResourceKind,
)
from tenants.allocation.hosts import host_standing, reserve_host
from tenants.allocation.machine import seed_pools
from tenants.allocation.pools import add_pool, change_pool
from tenants.allocation.selectors import all_pools, own_allocations
from tenants.allocation.slots import granted_amounts, worker_slots, worker_slots_here
from tenants.profiles.effective import (
    all_profiles,
    effective_profile,
    effective_profiles,
    live_overrides,
    profile_values,
)
from tenants.profiles.services import (
    announce_overrides,
    override_value,
    revoke_override,
    set_profile_fields,
    set_tenant_type,
)
from tenants.profiles.values import checked_value, value_of_text

__all__ = [
    "AllocationChanged",
    "AllocationState",
    "HostStanding",
    "OwnAllocation",
    "PoolFacts",
    "ResourceAllocator",
    "ResourceKind",
    "add_pool",
    "all_pools",
    "all_profiles",
    "announce_overrides",
    "change_pool",
    "checked_value",
    "effective_profile",
    "effective_profiles",
    "granted_amounts",
    "host_standing",
    "live_overrides",
    "override_value",
    "own_allocations",
    "profile_values",
    "reserve_host",
    "revoke_override",
    "seed_pools",
    "set_profile_fields",
    "set_tenant_type",
    "value_of_text",
    "worker_slots",
    "worker_slots_here",
]
