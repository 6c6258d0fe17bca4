"""The section `capacity` of configuration files: read with all its mistakes, applied, exported as it was said."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.clock import utc_now
from lumos_site.configuration.apply import apply_document, find_changes
from lumos_site.configuration.current import read_current
from lumos_site.configuration.export import export_text
from lumos_site.configuration.marks import ConfigurationRefused
from lumos_site.configuration.read import read_text
from tenants.api import (
    ResourceAllocator,
    ResourceAmounts,
    Tenant,
    TenantStatus,
    all_pools,
    change_pool,
)
from tenants.models import AllocationPart
from tests.cast import TESTER, Operator, Player

FILE = """\
capacity:
  local:
    host-1:
      cpu_millicores: {capacity: 16000, oversubscription: 2.5}
      memory_mib: 65536
      gpus: {capacity: 2, accepting: false}
  moon:
    rover:
      worker_slots: 4
"""


def apply(text: str, tmp_path) -> list[str]:
    document = read_text(text)
    changes = find_changes(document, utc_now())
    apply_document(document, expected=changes, acting=TESTER, now=utc_now(), keys_file=tmp_path / "keys.json")
    return [str(change) for change in changes]


def test_pools_are_made_once_and_exported_as_they_were_said(db, tmp_path) -> None:
    said = apply(FILE, tmp_path)
    assert said[0] == "+ pool local.host-1.cpu_millicores\n    capacity: 16000\n    oversubscription: 2.5"
    assert apply(FILE, tmp_path) == []
    assert [(pool.name, pool.kind.value, pool.limit, pool.accepting) for pool in all_pools()] == [
        ("host-1", "cpu_millicores", 40_000, True),
        ("host-1", "memory_mib", 65_536, True),
        ("host-1", "gpus", 2, False),
        ("rover", "worker_slots", 4, True),
    ]
    text = export_text(read_current(utc_now()).document)
    assert find_changes(read_text(text), utc_now()) == []
    assert "memory_mib: 65536" in text


def test_a_resize_is_told_and_what_is_not_mentioned_stays(db, tmp_path) -> None:
    apply(FILE, tmp_path)
    said = apply("capacity: {local: {host-1: {cpu_millicores: {oversubscription: 4}}}}", tmp_path)
    assert said == ["~ pool local.host-1.cpu_millicores\n    oversubscription: 2.5 → 4"]
    [cpu] = [pool for pool in all_pools() if pool.kind.value == "cpu_millicores"]
    assert (cpu.capacity, cpu.oversubscription) == (16_000, Decimal(4))
    change_pool(pool_id=cpu.id, capacity=1, acting=TESTER, now=utc_now())
    assert len(all_pools()) == 4


def test_less_than_is_given_out_is_a_mistake_at_its_line(acme: Player, tmp_path) -> None:
    apply(FILE, tmp_path)
    ResourceAllocator.allocate(
        tenant_id=acme.tenant.id,
        request_key="work",
        amounts=ResourceAmounts(memory_mib=100),
        acting=TESTER,
        now=utc_now(),
    )
    with pytest.raises(ConfigurationRefused, match=r"1:41: pool local.host-1.memory_mib: More is given out"):
        apply("capacity: {local: {host-1: {memory_mib: 99}}}", tmp_path)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("capacity: {local: {a: {cpus: 1}}}", "cpus: is not known here"),
        ("capacity: {local: {a: {gpus: many}}}", "capacity: must be a whole number"),
        ("capacity: {local: {a: {gpus: {accepting: maybe}}}}", "accepting: must be true or false"),
        ("capacity: {local: {a: 5}}", "must be a map"),
        ("capacity: {local: {a: {reserved_for: [acme]}}}", "reserved_for: must be text"),
        ("capacity: {local: {a: {gpus: {oversubscription: -1}}}}", "must be a number of 0 or more"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, mistake: str) -> None:
    with pytest.raises(ConfigurationRefused, match=mistake):
        read_text(text)


def test_a_new_pool_needs_a_capacity(db) -> None:
    with pytest.raises(ConfigurationRefused, match=r"capacity.local.a.gpus.capacity: is missing"):
        find_changes(read_text("capacity: {local: {a: {gpus: {accepting: true}}}}"), utc_now())


RESERVED = """\
capacity:
  local:
    vault: {reserved_for: hooli, memory_mib: 65536, worker_slots: 64, gpus: {capacity: 2, accepting: false}}
tenants:
  hooli: {type: GOVERNMENT}
  pied: {type: ENTERPRISE}
"""


def _whose() -> dict[str, tuple[str, bool]]:
    return {pool.kind.value: (pool.reserved_for, pool.accepting) for pool in all_pools() if pool.name == "vault"}


def test_a_new_host_is_reserved_for_a_tenant_of_the_same_file_before_it_takes_anybody_in(
    olivia: Operator, tmp_path
) -> None:
    said = apply(RESERVED, tmp_path)
    assert "~ host local.vault\n    reserved_for: nobody → hooli" in said
    hooli = Tenant.objects.get(slug="hooli")
    assert _whose() == {
        "memory_mib": (hooli.id, True),
        "worker_slots": (hooli.id, True),
        "gpus": (hooli.id, False),
    }
    parts = AllocationPart.objects.filter(pool__name="vault")
    assert set(parts.values_list("tenant_id", flat=True)) <= {hooli.id}
    assert apply(RESERVED, tmp_path) == []
    text = export_text(read_current(utc_now()).document)
    assert "reserved_for: hooli" in text
    assert find_changes(read_text(text), utc_now()) == []


def test_a_host_is_given_back_by_the_file_and_taking_it_away_is_asked_about(acme: Player, tmp_path) -> None:
    apply(FILE, tmp_path)
    apply("capacity: {moon: {rover: {reserved_for: acme}}}", tmp_path)
    assert [pool.reserved_for for pool in all_pools() if pool.name == "rover"] == [acme.tenant.id]
    back = "capacity: {moon: {rover: {reserved_for: nobody}}}"
    assert [change.is_destructive for change in find_changes(read_text(back), utc_now())] == [True]
    assert apply(back, tmp_path) == ["- host moon.rover\n    reserved_for: acme → nobody"]
    assert {pool.reserved_for for pool in all_pools()} == {""}


def test_a_host_of_an_archived_tenant_is_in_no_file_as_its_tenant_is(acme: Player, tmp_path) -> None:
    apply(FILE, tmp_path)
    apply("capacity: {moon: {rover: {reserved_for: acme}}}", tmp_path)
    Tenant.objects.filter(pk=acme.tenant.id).update(status=TenantStatus.ARCHIVED)
    text = export_text(read_current(utc_now()).document)
    assert "reserved_for" not in text
    assert find_changes(read_text(text), utc_now()) == []


@pytest.mark.parametrize(
    ("host", "mistake"),
    [
        ("rover: {reserved_for: nobodys-tenant}", r"moon.rover.reserved_for: there is no tenant nobodys-tenant"),
        ("lander: {reserved_for: acme}", r"moon.lander.reserved_for: is of a host without a pool"),
    ],
)
def test_a_reservation_that_cannot_be_is_a_mistake(acme: Player, tmp_path, host: str, mistake: str) -> None:
    apply(FILE, tmp_path)
    with pytest.raises(ConfigurationRefused, match=mistake):
        find_changes(read_text(f"capacity: {{moon: {{{host}}}}}"), utc_now())
