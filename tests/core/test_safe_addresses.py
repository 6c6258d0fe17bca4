"""Which URLs and addresses may be called: every spelling that ever fooled somebody, and the public internet."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from core.http import (
    Address,
    Refusal,
    UrlPolicy,
    UrlRefused,
    ask_system,
    carried,
    check_url,
    numeric,
    operator_policy,
    parse_private_networks,
    parse_url,
    refusal_of,
    tenant_policy,
)
from lumos_site.settings.env import env_private_networks

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("127.0.0.1", Refusal.LOOPBACK),
        ("127.255.255.254", Refusal.LOOPBACK),
        ("0.0.0.0", Refusal.UNSPECIFIED),
        ("0.1.2.3", Refusal.UNSPECIFIED),
        ("10.0.0.1", Refusal.PRIVATE),
        ("172.16.0.1", Refusal.PRIVATE),
        ("172.31.255.255", Refusal.PRIVATE),
        ("192.168.1.1", Refusal.PRIVATE),
        ("100.64.0.1", Refusal.SHARED),
        ("100.127.255.255", Refusal.SHARED),
        ("169.254.1.1", Refusal.LINK_LOCAL),
        ("169.254.169.254", Refusal.METADATA),
        ("100.100.100.200", Refusal.METADATA),
        ("168.63.129.16", Refusal.METADATA),
        ("192.0.0.1", Refusal.RESERVED),
        ("198.19.255.255", Refusal.RESERVED),
        ("203.0.113.7", Refusal.RESERVED),
        ("192.88.99.1", Refusal.TUNNEL),
        ("224.0.0.1", Refusal.MULTICAST),
        ("255.255.255.255", Refusal.RESERVED),
        ("::", Refusal.UNSPECIFIED),
        ("::1", Refusal.LOOPBACK),
        ("::ffff:127.0.0.1", Refusal.LOOPBACK),
        ("::ffff:169.254.169.254", Refusal.METADATA),
        ("::127.0.0.1", Refusal.TUNNEL),
        ("64:ff9b::10.0.0.1", Refusal.PRIVATE),
        ("64:ff9b::a9fe:a9fe", Refusal.METADATA),
        ("64:ff9b:1::1", Refusal.TUNNEL),
        ("2002:7f00:1::", Refusal.TUNNEL),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Refusal.TUNNEL),
        ("2001:db8::1", Refusal.RESERVED),
        ("2001:2::1", Refusal.RESERVED),
        ("fd00::1", Refusal.PRIVATE),
        ("fd00:ec2::254", Refusal.METADATA),
        ("fe80::1", Refusal.LINK_LOCAL),
        ("fec0::1", Refusal.PRIVATE),
        ("ff02::1", Refusal.MULTICAST),
        ("4000::1", Refusal.RESERVED),
    ],
)
def test_what_is_not_public_is_refused_with_its_reason(text: str, refusal: Refusal) -> None:
    assert refusal_of(ip_address(text)) is refusal


@pytest.mark.parametrize(
    "text",
    [
        PUBLIC,
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "223.255.255.255",
        "2606:4700::1111",
        "2001:4860:4860::8888",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
    ],
)
def test_the_public_internet_is_open_to_its_very_edges(text: str) -> None:
    assert refusal_of(ip_address(text)) is None


@given(st.ip_addresses(v=4))
def test_an_ipv6_address_that_carries_an_ipv4_one_is_judged_like_it(address: IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        wrapped = IPv6Address(int(IPv6Address(prefix)) | int(address))
        assert carried(wrapped) == address
        assert refusal_of(wrapped) is refusal_of(address)


@given(st.ip_addresses(v=4))
def test_nothing_is_open_that_the_library_calls_closed(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert refusal_of(address) is not None


@given(st.ip_addresses(v=6))
def test_in_ipv6_only_what_is_given_out_is_open(address: IPv6Address) -> None:
    if carried(address) is address and address not in ip_network("2000::/3"):
        assert refusal_of(address) is not None


@given(st.ip_addresses())
def test_no_policy_opens_metadata_and_a_listed_network_opens_all_else(address: Address) -> None:
    everything = UrlPolicy(private=parse_private_networks(["0.0.0.0/0", "::/0"]))
    assert everything.permits("x", address) is (refusal_of(address) is not Refusal.METADATA)


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "https://",
            "https:///path",
            "ftp://example.com",
            "file:///etc/passwd",
            "gopher://example.com",
            "//example.com",
            "example.com",
            "https://user@example.com",
            "https://user:secret@example.com",
            "https://@example.com",
            "https://example.com@10.0.0.1",
            "https://example.com:0",
            "https://example.com:",
            "https://example.com:99999",
            "https://example.com:80x",
            "https://example.com.",
            "https://example..com",
            "https://-a.example",
            "https://a-.example",
            "https://exa mple.com",
            "https://example.com\\@10.0.0.1",
            "https://example.com/\r\nHost: x",
            "https://example.com\t",
            "https://%31%32%37.0.0.1",
            "https://０x7f.1",
            "https://１２７.0.0.1",
            "https://127。0。0。1",
            "https://bücher.example",
            "https://2130706433",
            "https://0x7f000001",
            "https://0x7f.1",
            "https://0177.0.0.1",
            "https://127.1",
            "https://127.0.1",
            "https://127.0.0.01",
            "https://127.0.0.1.",
            "https://1.2.3.4.5",
            "https://256.1.1.1",
            "https://a.0x1f",
            "https://a.0x",
            "https://[::1",
            "https://[::1%25eth0]",
            "https://[fe80::1%eth0]",
            "https://[127.0.0.1]",
            "https://[v1.x]",
            f"https://{'a' * 64}.example",
            f"https://{'a.' * 130}example",
            f"https://example.com/{'x' * 2000}",
        ],
    )
    def test_what_two_readers_could_read_differently_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError):
            parse_url(url)

    def test_what_is_plain_is_read(self) -> None:
        place = parse_url("HTTPS://Hooks.Example.com:8443/in/box?x=1&y=2#part")
        assert (place.scheme, place.host, place.port, place.target) == (
            "https",
            "hooks.example.com",
            8443,
            "/in/box?x=1&y=2",
        )
        assert (place.authority, place.address, place.secure) == ("hooks.example.com:8443", None, True)
        assert parse_url("http://example.com").authority == "example.com"
        assert parse_url("http://example.com").target == "/"
        assert parse_url("https://xn--bcher-kva.example").host == "xn--bcher-kva.example"
        v6 = parse_url("https://[2606:4700::1111]:444/")
        assert (v6.address, v6.authority) == (ip_address("2606:4700::1111"), "[2606:4700::1111]:444")

    @given(st.text(max_size=60))
    def test_any_text_is_read_or_refused_and_never_breaks(self, text: str) -> None:
        for url in (text, f"https://{text}", f"https://example.com/{text}"):
            try:
                place = parse_url(url)
            except ValueError:
                continue
            assert place.host.isascii()
            assert numeric(place.host) == place.address


def knows(**names: Sequence[str]):
    table = {name.replace("_", "."): [ip_address(text) for text in found] for name, found in names.items()}
    return lambda host: table.get(host, [])


class TestPolicies:
    @pytest.mark.parametrize(
        "url",
        [
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://10.0.0.1:8443/hook",
            "https://inside.example/",
            "https://both.example/",
            "https://unknown.example/",
            "http://outside.example/",
            "https://localhost/",
        ],
    )
    def test_what_a_tenant_enters_leads_to_the_public_internet_or_nowhere(self, url: str) -> None:
        resolver = knows(
            outside_example=[PUBLIC],
            inside_example=["10.0.0.1"],
            both_example=[PUBLIC, "169.254.169.254"],
            localhost=["127.0.0.1"],
        )
        with pytest.raises(UrlRefused) as caught:
            check_url(url, policy=tenant_policy(), field="endpoint", resolver=resolver)
        assert list(caught.value.fields) == ["endpoint"]

    def test_a_name_inside_and_one_that_nobody_knows_are_refused_in_the_same_words(self) -> None:
        told = set()
        for host in ("inside.example", "unknown.example"):
            with pytest.raises(UrlRefused) as caught:
                check_url(f"https://{host}/", policy=tenant_policy(), resolver=knows(inside_example=["10.0.0.1"]))
            told.add((caught.value.message, str(caught.value.fields)))
        assert len(told) == 1

    def test_a_public_one_is_taken(self) -> None:
        place = check_url("https://outside.example/x", policy=tenant_policy(), resolver=knows(outside_example=[PUBLIC]))
        assert place.host == "outside.example"

    def test_operators_reach_the_networks_and_names_that_the_settings_list_and_tenants_do_not(self, settings) -> None:
        settings.PRIVATE_NETWORKS = parse_private_networks(["10.1.0.0/16", "fd00:1::/64", "Ollama"])
        resolver = knows(ollama=["172.18.0.5"], linked=["169.254.7.7"], vllm=["10.2.0.1"])
        for url in ("http://10.1.2.3:8000/v1", "http://[fd00:1::7]/v1", "http://ollama:11434/v1", "https://later/v1"):
            check_url(url, policy=operator_policy(), resolver=resolver)
            with pytest.raises(UrlRefused):
                check_url(url.replace("http:", "https:"), policy=tenant_policy(), resolver=resolver)
        for url in ("http://10.2.0.1/v1", "http://vllm/v1", "http://172.18.0.5/v1", "http://127.0.0.1/v1"):
            with pytest.raises(UrlRefused):
                check_url(url, policy=operator_policy(), resolver=resolver)

    def test_a_listed_name_opens_neither_link_local_addresses_nor_metadata(self, settings) -> None:
        settings.PRIVATE_NETWORKS = parse_private_networks(["ollama", "169.254.0.0/16"])
        with pytest.raises(UrlRefused):
            check_url("http://ollama/", policy=operator_policy(), resolver=knows(ollama=["169.254.169.254"]))
        settings.PRIVATE_NETWORKS = parse_private_networks(["ollama"])
        with pytest.raises(UrlRefused):
            check_url("http://ollama/", policy=operator_policy(), resolver=knows(ollama=["169.254.7.7"]))

    @pytest.mark.parametrize("entry", ["10.0.0.1/8", "10.0.0.0/33", "300.1.1.1", "a b", "http://x", "*", ""])
    def test_a_list_that_cannot_be_read_is_refused(self, entry: str) -> None:
        with pytest.raises(ValueError):
            parse_private_networks([entry])

    def test_the_systems_resolver_knows_this_machine_and_not_what_is_nowhere(self) -> None:
        assert ip_address("127.0.0.1") in ask_system("localhost")
        assert ask_system("no-such-name.invalid") == []
        assert ask_system("a" * 300) == []

    def test_the_setting_names_itself_when_it_cannot_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LUMOS_PRIVATE_NETWORKS", "10.0.0.0/8, ollama")
        assert env_private_networks("LUMOS_PRIVATE_NETWORKS").names == {"ollama"}
        monkeypatch.setenv("LUMOS_PRIVATE_NETWORKS", "10.0.0.0/40")
        with pytest.raises(ImproperlyConfigured, match="LUMOS_PRIVATE_NETWORKS"):
            env_private_networks("LUMOS_PRIVATE_NETWORKS")
