"""The section `capacity`: region, host, kind, and how much of it; owns its fields, sizes nothing."""

from __future__ import annotations

import yaml

from lumos_site.configuration.document import PoolEntry
from lumos_site.configuration.fields import Fields
from lumos_site.configuration.marks import Source
from tenants.api import ResourceKind

_SIZE = ("capacity", "oversubscription", "accepting")
_TEXT = "tag:yaml.org,2002:str"
_MAP = "tag:yaml.org,2002:map"


def read_capacity(sections: Fields) -> tuple[PoolEntry, ...]:
    """The pools of all regions; an amount alone stands for a map with nothing but the capacity."""

    def read_region(region: str, source: Source, node: yaml.Node, path: str) -> tuple[PoolEntry, ...]:
        hosts = source.pairs(node, path)
        return tuple(
            pool for name, _, value in hosts for pool in _read_host(region, name, source, value, f"{path}.{name}")
        )

    return tuple(pool for pools in sections.named("capacity", read_region) for pool in pools)


def _read_host(region: str, name: str, source: Source, node: yaml.Node, path: str) -> list[PoolEntry]:
    fields = Fields(source, node, path, [kind.value for kind in ResourceKind])
    return [
        _read_pool(region, name, kind, (source, value, f"{path}.{kind}"))
        for kind in ResourceKind
        if (value := fields.node(kind.value)) is not None
    ]


def _read_pool(region: str, name: str, kind: ResourceKind, at: tuple[Source, yaml.Node, str]) -> PoolEntry:
    source, node, path = at
    if not isinstance(node, yaml.MappingNode):
        key = yaml.ScalarNode(_TEXT, "capacity", node.start_mark, node.end_mark)
        node = yaml.MappingNode(_MAP, [(key, node)], node.start_mark, node.end_mark)
    fields = Fields(source, node, path, _SIZE)
    return PoolEntry(
        region=region,
        name=name,
        kind=kind,
        capacity=fields.whole("capacity"),
        oversubscription=fields.number("oversubscription"),
        accepting=fields.flag("accepting"),
        place=fields.place,
    )
