"""Lists of networks: how they may be written, whom they let in, which lies within which."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.network_field import NetworksField
from core.networks import MOST, admits, is_within, networks_of, read_networks


def listed(*entries: str):
    return networks_of(read_networks(entries))


def test_networks_and_addresses_are_read_once_and_plainly() -> None:
    assert read_networks([" 10.0.0.0/8", "203.0.113.7", "2001:DB8::/32", "10.0.0.0/8", ""]) == (
        "10.0.0.0/8",
        "203.0.113.7/32",
        "2001:db8::/32",
    )
    assert read_networks([]) == ()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("10.0.0.1/8", "did you mean 10.0.0.0/8"),
        ("2001:db8::1/32", "did you mean 2001:db8::/32"),
        ("10.0.0.0/33", "is no network"),
        ("example.com", "is no network"),
        ("10.0.0.0-10.0.0.9", "is no network"),
        ("010.0.0.1", "is no network"),
        ("<script>" * 50, "is no network"),
    ],
)
def test_what_is_no_network_is_told_and_what_was_meant_is_offered(entry: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        read_networks([entry])
    assert len(str(caught.value)) < 160


def test_a_list_has_an_end() -> None:
    assert len(read_networks(f"10.0.{n}.0/24" for n in range(MOST))) == MOST
    with pytest.raises(ValueError, match="at most"):
        read_networks(f"10.0.{n}.0/24" for n in range(MOST + 1))


def test_an_empty_list_lets_everybody_in_and_any_other_nobody_who_cannot_be_read() -> None:
    assert admits((), "not an address")
    for nonsense in ("", "unknown", "10.0.0.1, 10.0.0.2", "10.0.0.1:443"):
        assert not admits(listed("0.0.0.0/0", "::/0"), nonsense)


def test_both_families_and_addresses_with_a_zone_are_known() -> None:
    allowed = listed("203.0.113.0/24", "2001:db8::/32")
    assert admits(allowed, "203.0.113.200")
    assert admits(allowed, "2001:db8:ffff::1")
    assert admits(allowed, "2001:db8::1%eth0")
    assert not admits(allowed, "203.0.114.1")
    assert not admits(allowed, "2001:db9::1")


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_an_ipv4_caller_on_a_socket_for_both_families_counts_as_what_it_is(address: IPv4Address, bits: int) -> None:
    network = (ip_network((address, bits), strict=False),)
    mapped = IPv6Address((0xFFFF << 32) | int(address))
    assert admits(network, str(address))
    assert admits(network, str(mapped))
    assert not admits((ip_network("::/0"),), str(mapped))


@given(st.ip_addresses(), st.integers(0, 32), st.integers(0, 32))
def test_who_is_within_lets_nobody_in_whom_the_wider_keeps_out(
    address: IPv4Address | IPv6Address, some: int, more: int
) -> None:
    wide = str(ip_network((address, some), strict=False))
    narrow = str(ip_network((address, min(some + more, 32)), strict=False))
    assert is_within([narrow], [wide])
    assert is_within([narrow], ["192.0.2.0/24", wide])


def test_what_is_not_within_is_told_apart() -> None:
    assert is_within(["10.1.0.0/16"], [])
    assert not is_within([], ["10.0.0.0/8"])
    assert not is_within(["10.0.0.0/8"], ["10.1.0.0/16"])
    assert not is_within(["10.1.0.0/16", "11.0.0.0/16"], ["10.0.0.0/8"])
    assert not is_within(["::/0"], ["0.0.0.0/0"])
    assert not is_within(["nonsense"], ["10.0.0.0/8"])


def test_a_person_parts_them_as_they_like() -> None:
    field = NetworksField(label="n", help_text="")
    assert field.clean("10.0.0.0/8, 11.0.0.0/8\r\n12.0.0.0/8\t13.0.0.0/8") == [
        "10.0.0.0/8",
        "11.0.0.0/8",
        "12.0.0.0/8",
        "13.0.0.0/8",
    ]
    assert field.clean("") == []
    assert field.prepare_value(["a", "b"]) == "a\nb"
    assert field.prepare_value("a b") == "a b"
    assert not field.has_changed(["10.0.0.0/8"], "10.0.0.0/8")
