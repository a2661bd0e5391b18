"""Which addresses messages may go to: the service must not be made to knock on inner doors. Pure.

Public unicast addresses only, after IANA's special-purpose registries (RFC 6890), also when an
IPv6 address carries an IPv4 one: mapped (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052).
"""

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_INNER: Final[tuple[Network, ...]] = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10",
         "::1/128", "fc00::/7"),
    )
)  # fmt: skip
# What the `is_global` of some versions of Python still holds for public.
_NEVER: Final[tuple[Network, ...]] = tuple(
    map(ip_network, ("192.88.99.0/24", "2001::/32", "2001:20::/28", "3fff::/20"))
)


class Reach(Struct, frozen=True, kw_only=True):
    """What is allowed beyond public addresses."""

    inner: bool = False
    """Private and loopback addresses; never link-local ones, where clouds keep their keys."""
    networks: tuple[Network, ...] = ()
    """Whatever is in these."""


def refusal(address: Address, reach: Reach) -> str:
    """Why no message goes to this address; empty when one may."""
    carried = _carried(address)
    if any(one in network for one in (address, carried) if one for network in reach.networks):
        return ""
    kind = _kind(carried or address)
    if not kind or (kind == "private" and reach.inner):
        return ""
    return f"{address} is a {kind} address"


def _kind(address: Address) -> str:
    """Empty for a public one."""
    if any(address in network for network in _INNER):
        return "private"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    is_public = address.is_global and not any(address in network for network in _NEVER)
    if isinstance(address, IPv6Address):
        is_public = is_public and address in _GLOBAL_UNICAST
    return "" if is_public else "reserved"


def _carried(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def parse(text: str) -> Address:
    """What `getaddrinfo` gives; a zone (`fe80::1%eth0`) stays part of it."""
    return ipaddress.ip_address(text)
