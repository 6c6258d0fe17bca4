"""The words of a placement, for the operator who asks why: pure, and no rule is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tenants.allocation.data import ResourceKind

NAMES = {
    ResourceKind.CPU_MILLICORES: "CPU",
    ResourceKind.MEMORY_MIB: "memory",
    ResourceKind.STORAGE_MIB: "storage",
    ResourceKind.GPUS: "GPUs",
    ResourceKind.WORKER_SLOTS: "worker slots",
}
UNITS = {
    ResourceKind.CPU_MILLICORES: " millicores",
    ResourceKind.MEMORY_MIB: " MiB",
    ResourceKind.STORAGE_MIB: " MiB",
}
ONLY = "the only pool"
BEST = "the best fit"
HOME = "where it is already"
CLOSED = "takes nothing new"
WOULD_MOVE = "would mean to move"
LACKS_THE_REST = "has no room for the rest"
FULLER = "would be fuller"
AS_GOOD = "is as good, and later in the alphabet"
NO_HOST = "reserve a host for it, or give it standard isolation"
NOTHING = "Nothing of it is rationed in this region."


def placed(told: Sequence[str], unrationed: Iterable[ResourceKind]) -> str:
    free = [NAMES[kind] for kind in unrationed]
    parts = [*told, f"not rationed here: {', '.join(free)}"] if free and told else list(told)
    return _sentence(parts) if parts else NOTHING


def waits(complaints: Sequence[str]) -> str:
    return _sentence([f"waits, {'; '.join(complaints)}"])


def behind(kinds: Iterable[ResourceKind]) -> str:
    return _sentence([f"waits behind others for {' and '.join(NAMES[kind] for kind in kinds)}"])


def chosen(kind: ResourceKind, pool: str, use: tuple[int, int], why: str, others: Sequence[str]) -> str:
    """`use` is what is given out of the pool afterwards, and what may be."""
    after, limit = use
    rest = f"; passed over: {', '.join(others)}" if others else ""
    return f"{NAMES[kind]} from {pool}, {why} ({after:,} of {limit:,}{UNITS.get(kind, '')} in use{rest})"


def passed_over(pool: str, fault: str) -> str:
    return f"{pool} {fault}"


def missing(kind: ResourceKind, amount: int) -> str:
    return f"is {amount:,}{UNITS.get(kind, '')} short"


def lacking(kind: ResourceKind, pools: Sequence[str]) -> str:
    return f"too little {NAMES[kind]}: {', '.join(pools)}" if pools else f"no {NAMES[kind]}"


def reserved(kind: ResourceKind, *, alone: bool) -> str:
    """No pool is open to whoever asks: it needs hosts of its own and has none, or all are others' own."""
    return f"no {NAMES[kind]} on a host of its own" if alone else f"all {NAMES[kind]} is reserved for others"


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
