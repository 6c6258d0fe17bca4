"""Changes of capacity pools: made and resized; none is removed by leaving it out."""

from __future__ import annotations

from functools import partial
from typing import Any

from lumos_site.configuration.changes import Findings, Kind, Run, differing, mentioned, told
from lumos_site.configuration.current import Current
from lumos_site.configuration.document import Document, PoolEntry
from tenants.api import add_pool, all_pools, change_pool

_SIZE = ("capacity", "oversubscription", "accepting")


def compare_pools(wanted: Document, current: Current, findings: Findings) -> None:
    known = {_place(pool): pool for pool in current.document.pools}
    for entry in wanted.pools:
        have = known.get(_place(entry))
        subject = f"pool {'.'.join(_place(entry))}"
        if have is None and entry.capacity is None:
            findings.mistake(entry.place, f"capacity.{'.'.join(_place(entry))}.capacity", "is missing")
        elif have is None:
            values = mentioned(entry, _SIZE)
            findings.add(Kind.ADD, subject, entry.place, partial(_add, entry, values), *told(values))
        elif changes := differing(entry, have, _SIZE):
            findings.add(Kind.CHANGE, subject, entry.place, partial(_change, entry, changes), *told(changes, have))


def _place(entry: PoolEntry) -> tuple[str, str, str]:
    return entry.region, entry.name, entry.kind.value


def _add(entry: PoolEntry, values: dict[str, Any], run: Run) -> None:
    add_pool(region=entry.region, name=entry.name, kind=entry.kind, acting=run.acting, now=run.now, **values)


def _change(entry: PoolEntry, changes: dict[str, Any], run: Run) -> None:
    [pool] = [pool for pool in all_pools() if (pool.region, pool.name, pool.kind.value) == _place(entry)]
    change_pool(pool_id=pool.id, acting=run.acting, now=run.now, **changes)
