"""What of the machines the workspace may use, kind by kind, in words; reads its own allocations, decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from portal import formats
from tenants.api import OwnAllocation, ResourceKind, own_allocations

_LABELS: dict[ResourceKind, Promise] = {
    ResourceKind.CPU_MILLICORES: gettext_lazy("Processor cores"),
    ResourceKind.MEMORY_MIB: gettext_lazy("Memory"),
    ResourceKind.STORAGE_MIB: gettext_lazy("Storage"),
    ResourceKind.GPUS: gettext_lazy("GPUs"),
    ResourceKind.WORKER_SLOTS: gettext_lazy("Workers at once"),
}


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind: what was asked for in all, and since when a part of that is waited for, if one is."""

    label: str
    amount: str
    waiting_since: datetime | None


def resources_of(tenant_id: str) -> list[Resource]:
    """The kinds of which the workspace has anything or waits for something, in the usual order."""
    rows = own_allocations(tenant_id)
    return [
        Resource(str(_LABELS[kind]), _amount(kind, total), _waits(kind, rows))
        for kind in ResourceKind
        if (total := sum(getattr(row.wanted, kind.value) for row in rows))
    ]


def _waits(kind: ResourceKind, rows: Iterable[OwnAllocation]) -> datetime | None:
    """A request is given whole or not at all, so all of its kinds wait together."""
    since = [row.waiting_since for row in rows if row.waiting_since and getattr(row.wanted, kind.value)]
    return min(since, default=None)


def _amount(kind: ResourceKind, amount: int) -> str:
    if kind is ResourceKind.CPU_MILLICORES:
        return formats.exact(Decimal(amount) / 1000)
    if kind in (ResourceKind.MEMORY_MIB, ResourceKind.STORAGE_MIB):
        return f"{formats.exact(amount // 1024)} GiB" if amount % 1024 == 0 else f"{formats.exact(amount)} MiB"
    return formats.exact(amount)
