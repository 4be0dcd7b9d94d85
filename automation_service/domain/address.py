"""Which addresses a receiver may have: public ones, and those in networks that the operator allows.

Callers choose the URL of a rule, and the request is sent from inside the operator's network. Without this check a rule
could reach services that only that network can reach.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_FORBIDDEN: dict[str, tuple[str, ...]] = {
    "unspecified": ("0.0.0.0/8", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "carrier-grade NAT": ("100.64.0.0/10",),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": (
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "240.0.0.0/4", "100::/64", "2001:db8::/32", "3fff::/20", "5f00::/16",
    ),
    # These contain an IPv4 address, and a router may deliver to it.
    "IPv4 inside IPv6": ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/23"),
}  # fmt: skip
_NETWORKS = [(name, ip_network(each)) for name, networks in _FORBIDDEN.items() for each in networks]
_PUBLIC_IPV6 = IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks that the operator allows."""

    allowed: tuple[Network, ...] = ()

    def refusal(self, address: str) -> str | None:
        """Returns why an address is forbidden, such as `loopback`; None if it is allowed."""
        found = _plain(ip_address(address.partition("%")[0]))
        if any(found in network for network in self.allowed):
            return None
        for name, network in _NETWORKS:
            if found in network:
                return name
        return "not public" if isinstance(found, IPv6Address) and found not in _PUBLIC_IPV6 else None


def read_networks(texts: Iterable[str]) -> Networks:
    """Parses networks such as `10.0.0.0/8`; empty texts are skipped.

    Raises:
        ValueError: A text is not a network.
    """
    return Networks(tuple(ip_network(text.strip()) for text in texts if text.strip()))


def _plain(address: Address) -> Address:
    """Returns an IPv4-mapped IPv6 address as IPv4, because the operating system treats them alike."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
