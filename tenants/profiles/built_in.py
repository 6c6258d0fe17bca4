"""The profiles that an installation starts with; pure. Operators edit the stored rows, which begin as these.

Amounts are small enough that one of each type finds room on an ordinary machine. Nobody starts with a GPU, since a
tenant that asks for one waits where there is none. Nobody starts with hosts of its own either: no new installation has
one to reserve, and the tenant would wait for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tenants.data import FailurePolicy, IsolationLevel, ProfileField, ProfileValue, TenantType


@dataclass(frozen=True, slots=True)
class _Start:
    """CPU, memory, storage and worker slots; the most workers are as many as the slots."""

    room: tuple[int, int, int, int]
    failure: FailurePolicy
    days: int
    plan: str

    def values(self) -> dict[ProfileField, ProfileValue]:
        cpu, memory, storage, slots = self.room
        return {
            ProfileField.CPU_MILLICORES: cpu,
            ProfileField.MEMORY_MIB: memory,
            ProfileField.STORAGE_MIB: storage,
            ProfileField.GPUS: 0,
            ProfileField.WORKER_SLOTS: slots,
            ProfileField.MIN_REPLICAS: 0,
            ProfileField.MAX_REPLICAS: slots,
            ProfileField.ISOLATION_LEVEL: IsolationLevel.STANDARD,
            ProfileField.FAILURE_POLICY: self.failure,
            ProfileField.RETENTION_DAYS: self.days,
            ProfileField.ALLOWED_MODELS: (),
            ProfileField.DEFAULT_PLAN: self.plan,
        }


_CLOSED, _CONSERVATIVE = FailurePolicy.FAIL_CLOSED, FailurePolicy.CONSERVATIVE
_STARTS = {
    TenantType.INDIVIDUAL: _Start((500, 512, 2_048, 2), _CONSERVATIVE, 180, "free"),
    TenantType.SMALL_BUSINESS: _Start((1_000, 1_024, 10_240, 4), _CONSERVATIVE, 365, "pro"),
    TenantType.ENTERPRISE: _Start((8_000, 8_192, 204_800, 20), _CLOSED, 1_095, "enterprise"),
    TenantType.GOVERNMENT: _Start((4_000, 4_096, 102_400, 12), _CLOSED, 2_555, "public-sector"),
    TenantType.EDUCATIONAL: _Start((2_000, 2_048, 51_200, 8), _CONSERVATIVE, 365, "campus"),
}
BUILT_IN: Final[Mapping[TenantType, Mapping[ProfileField, ProfileValue]]] = {
    kind: start.values() for kind, start in _STARTS.items()
}
