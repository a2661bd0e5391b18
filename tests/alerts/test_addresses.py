"""Which doors messages may knock on."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alerts.addresses import Reach, parse, refusal
from app.alerts.sending import check_url

PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8")
INNER = (
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.255.0.1", "100.64.0.1", "::1",
    "fc00::1", "fd12::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1",
    "2002:7f00:1::", "2002:a00:1::", "::10.0.0.1",
)  # fmt: skip
NEVER = (
    "169.254.169.254", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1",  # noqa: S104
    "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1",
    "::", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "2001:db8::1", "2001::1",
    "3fff::1", "64:ff9b:1::1", "5f00::1", "4000::1",
    "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::", "::ffff:0.0.0.0",
)  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_reached(text: str) -> None:
    assert refusal(parse(text), Reach()) == ""


@pytest.mark.parametrize("text", INNER)
def test_inner_addresses_are_reached_only_when_allowed(text: str) -> None:
    assert "private" in refusal(parse(text), Reach())
    assert refusal(parse(text), Reach(inner=True)) == ""


@pytest.mark.parametrize("text", NEVER)
def test_link_local_multicast_and_reserved_ones_are_not_reached_even_then(text: str) -> None:
    assert refusal(parse(text), Reach())
    assert refusal(parse(text), Reach(inner=True))


def test_a_named_network_is_reached_also_through_an_address_that_carries_it() -> None:
    reach = Reach(networks=(ipaddress.ip_network("10.1.0.0/16"),))

    assert refusal(parse("10.1.2.3"), reach) == ""
    assert refusal(parse("::ffff:10.1.2.3"), reach) == ""
    assert refusal(parse("10.2.0.1"), reach)


@given(st.ip_addresses(v=4))
def test_no_way_of_writing_makes_an_address_more_public(address: ipaddress.IPv4Address) -> None:
    forms = (
        f"::ffff:{address}",
        f"64:ff9b::{address}",
        f"2002:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}::",
    )

    for form in forms:
        assert bool(refusal(parse(form), Reach())) is bool(refusal(address, Reach()))


@given(st.ip_addresses(v=4).filter(lambda address: not address.is_global))
def test_nothing_that_iana_keeps_apart_is_reached(address: ipaddress.IPv4Address) -> None:
    assert refusal(address, Reach())


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "http://", "https:///x", "gopher://x/",
        "http://user:pw@example.com/", "http://user@example.com/", "http://example.com:0/",
        "http://example.com:99999/", "http://exa mple.com/", "http://example.com/#x",
        "http://example.com/…", "http://[::1", "http://127.0.0.1/", "http://[::1]/",
        "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/", "http://x/\n", "x",
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_refused_is_told_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is looked at below
        check_url(url, Reach())

    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://hooks.slack.com/services/T/B/x", "http://8.8.8.8:81/"])
def test_other_addresses_are_taken(url: str) -> None:
    check_url(url, Reach())
