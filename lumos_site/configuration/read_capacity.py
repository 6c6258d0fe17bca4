"""The section `capacity`: region, host, kind, and how much of it; owns its fields, sizes nothing."""

from __future__ import annotations

import yaml

from lumos_site.configuration.document import HostEntry, PoolEntry
from lumos_site.configuration.fields import Fields
from lumos_site.configuration.marks import Source
from tenants.api import ResourceKind

_SIZE = ("capacity", "oversubscription", "accepting")
_RESERVED = "reserved_for"
_TEXT = "tag:yaml.org,2002:str"
_MAP = "tag:yaml.org,2002:map"


def read_capacity(sections: Fields) -> tuple[tuple[PoolEntry, ...], tuple[HostEntry, ...]]:
    """The pools of all regions, and whose hosts are; an amount alone stands for a map with nothing but the capacity."""

    def read_region(region: str, source: Source, node: yaml.Node, path: str) -> list[PoolEntry | HostEntry]:
        hosts = source.pairs(node, path)
        return [
            entry for name, _, value in hosts for entry in _read_host(region, name, source, value, f"{path}.{name}")
        ]

    found = [entry for entries in sections.named("capacity", read_region) for entry in entries]
    pools = tuple(entry for entry in found if isinstance(entry, PoolEntry))
    return pools, tuple(entry for entry in found if isinstance(entry, HostEntry))


def _read_host(region: str, name: str, source: Source, node: yaml.Node, path: str) -> list[PoolEntry | HostEntry]:
    fields = Fields(source, node, path, [_RESERVED, *(kind.value for kind in ResourceKind)])
    pools: list[PoolEntry | HostEntry] = [
        _read_pool(region, name, kind, (source, value, f"{path}.{kind}"))
        for kind in ResourceKind
        if (value := fields.node(kind.value)) is not None
    ]
    tenant = fields.text(_RESERVED)
    return pools if tenant is None else [*pools, HostEntry(region, name, tenant, fields.place_of(_RESERVED))]


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
