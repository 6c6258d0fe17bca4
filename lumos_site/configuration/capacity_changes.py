"""Changes of capacity: pools made and resized, hosts reserved for tenants; no pool is removed by leaving it out."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from lumos_site.configuration.changes import Findings, Kind, Run, differing, mentioned, told
from lumos_site.configuration.current import Current
from lumos_site.configuration.document import NOBODY, Document, HostEntry, PoolEntry
from tenants.api import add_pool, all_pools, change_pool, reserve_host, tenant_by_slug

_SIZE = ("capacity", "oversubscription", "accepting")


def compare_pools(wanted: Document, current: Current, findings: Findings) -> None:
    known = {_place(pool): pool for pool in current.document.pools}
    closed = {_host(entry) for entry in _turning(wanted, current)}
    for entry in wanted.pools:
        have = known.get(_place(entry))
        subject = f"pool {'.'.join(_place(entry))}"
        if have is None and entry.capacity is None:
            findings.mistake(entry.place, f"capacity.{'.'.join(_place(entry))}.capacity", "is missing")
        elif have is None:
            values = mentioned(entry, _SIZE)
            first = {**values, "accepting": False} if _host(entry) in closed else values
            findings.add(Kind.ADD, subject, entry.place, partial(_add, entry, first), *told(values))
        elif changes := differing(entry, have, _SIZE):
            findings.add(Kind.CHANGE, subject, entry.place, partial(_change, entry, changes), *told(changes, have))


def compare_hosts(wanted: Document, current: Current, findings: Findings) -> None:
    """Whose each host is. A new one takes nobody in before it is its tenant's."""
    tenants = {NOBODY, *(tenant.slug for tenant in (*wanted.tenants, *current.document.tenants))}
    known = {_host(pool) for pool in (*wanted.pools, *current.document.pools)}
    before = {_host(host): host.reserved_for for host in current.document.hosts}
    for entry in _turning(wanted, current):
        have, subject = before.get(_host(entry), NOBODY), f"host {'.'.join(_host(entry))}"
        path = f"capacity.{'.'.join(_host(entry))}.reserved_for"
        if entry.reserved_for not in tenants:
            findings.mistake(entry.place, path, f"there is no tenant {entry.reserved_for}")
        elif _host(entry) not in known:
            findings.mistake(entry.place, path, "is of a host without a pool")
        else:
            kind = Kind.CHANGE if have == NOBODY else Kind.REMOVE
            act = partial(_reserve, entry, _to_open(entry, wanted.pools, current.document.pools))
            findings.add(kind, subject, entry.place, act, f"reserved_for: {have} → {entry.reserved_for}")


def _turning(wanted: Document, current: Current) -> list[HostEntry]:
    """Hosts that are to be somebody else's than they are."""
    before = {_host(host): host.reserved_for for host in current.document.hosts}
    return [entry for entry in wanted.hosts if entry.reserved_for != before.get(_host(entry), NOBODY)]


def _to_open(entry: HostEntry, wanted: Iterable[PoolEntry], have: Iterable[PoolEntry]) -> list[PoolEntry]:
    """The pools of that host which the file makes, and which were made closed only to wait for their tenant."""
    there = {_place(pool) for pool in have}
    mine = [pool for pool in wanted if _host(pool) == _host(entry) and _place(pool) not in there]
    return [pool for pool in mine if pool.accepting is not False]


def _host(entry: PoolEntry | HostEntry) -> tuple[str, str]:
    return entry.region, entry.name


def _place(entry: PoolEntry) -> tuple[str, str, str]:
    return entry.region, entry.name, entry.kind.value


def _add(entry: PoolEntry, values: dict[str, Any], run: Run) -> None:
    add_pool(region=entry.region, name=entry.name, kind=entry.kind, acting=run.acting, now=run.now, **values)


def _change(entry: PoolEntry, changes: dict[str, Any], run: Run) -> None:
    [pool] = [pool for pool in all_pools() if (pool.region, pool.name, pool.kind.value) == _place(entry)]
    change_pool(pool_id=pool.id, acting=run.acting, now=run.now, **changes)


def _reserve(entry: HostEntry, to_open: list[PoolEntry], run: Run) -> None:
    tenant_id = None if entry.reserved_for == NOBODY else tenant_by_slug(entry.reserved_for).id
    reserve_host(region=entry.region, name=entry.name, tenant_id=tenant_id, acting=run.acting, now=run.now)
    for pool in to_open:
        _change(pool, {"accepting": True}, run)
