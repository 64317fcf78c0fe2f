"""Where the service may post to on somebody else's word: to the outside, never to its own network.

An address that a tenant names could be one that only this machine reaches: a database, a cloud's
metadata, the service itself (OWASP calls it server-side request forgery). Names are checked by
what they resolve to, at the moment of connecting. Pure: resolves nothing, reads no setting.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import idna

from aboveboard.errors import AddressRefused, WebhookUnusable

URL_LIMIT = 2048  # characters
PORTS = {"http": 80, "https": 443}

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_PRINTABLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")

# What Python's own `is_global` lets through, in one version or another, and leads inside.
_INSIDE = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocol assignments; Oracle's cloud keeps its metadata there
        "192.88.99.0/24",  # relays of 6to4, RFC 7526
        "168.63.129.16/32",  # Azure's own server, under a public address
        "::/96",  # IPv4-compatible, RFC 4291
        "64:ff9b:1::/48",  # NAT64 of a local network, RFC 8215
        "fec0::/10",  # site-local, RFC 3879
        "3fff::/20",  # documentation, RFC 9637
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """An http or https URL in one spelling, taken apart."""

    scheme: str
    host: str
    """In A-labels, lower case; an IPv6 address without its brackets."""

    port: int
    path: str
    """With the query."""

    @property
    def netloc(self) -> str:
        """The host, and the port unless it is the scheme's own, as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{self.scheme}://{self.netloc}{self.path}"


def parse(url: str) -> Target:
    """Take a URL apart. Raises WebhookUnusable, which does not quote it."""
    if not 1 <= len(url) <= URL_LIMIT:
        raise WebhookUnusable(f"expected a URL of up to {URL_LIMIT} characters, got {len(url)}")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode()
    except (ValueError, idna.IDNAError) as error:
        raise WebhookUnusable("expected an http or https URL, got one that is none") from error
    shown = f"[{host}]" if ":" in host else host
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme not in PORTS or not _HOST.fullmatch(shown) or port == 0:
        raise WebhookUnusable("expected an http or https URL with a host, got another")
    if not _PRINTABLE.fullmatch(path):
        raise WebhookUnusable("expected a URL of printable ASCII characters, got others")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise WebhookUnusable("expected a URL without user, password and fragment, got one of them")
    return Target(parts.scheme, host.rstrip("."), port or PORTS[parts.scheme], path)


class Targets:
    """The outside, and what the operator has named of the inside."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """Take names, addresses and networks. Raises ValueError for anything else."""
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for one in allowed:
            network = _network(one)
            if network is not None:
                self._networks.append(network)
            elif _NAME.fullmatch(one) and numeric(one) is None:
                self._names.add(one)
            else:
                raise ValueError("expected a host name, an address or a network")

    def check(self, target: Target) -> None:
        """Refuse what can be seen to lead inside without asking anybody. Raises AddressRefused.

        Plain http is for what the operator has named: elsewhere anybody could read along.
        """
        address = numeric(target.host)
        if address is not None:
            self.check_address(target.host, address)
        elif target.host not in self._names and (
            target.host == "localhost" or target.host.endswith(".localhost")
        ):
            raise AddressRefused("expected an address of the outside, got this machine's own name")
        if target.scheme == "http" and not self._is_named(target.host, address):
            raise AddressRefused("expected an https URL, got http")

    def check_address(self, host: str, address: Address) -> None:
        """Refuse to connect to what *host* resolved to. Raises AddressRefused."""
        if is_inside(address) and not self._is_named(host, address):
            raise AddressRefused("expected an address of the outside, got one of the inside")

    def _is_named(self, host: str, address: Address | None) -> bool:
        if host in self._names:
            return True
        if address is None:
            return False
        plain = _unmapped(address)
        return any(plain in network for network in self._networks)


def is_inside(address: Address) -> bool:
    """Whether an address is not of the public internet, in whatever way it is written."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return True
        for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
            if inner is not None and is_inside(inner):
                return True
        if address.ipv4_mapped is not None:
            return False
        if address in _NAT64:
            return is_inside(IPv4Address(int(address) & 0xFFFF_FFFF))
    return (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or any(address in network for network in _INSIDE)
    )


def numeric(host: str) -> Address | None:
    """Read a host that is a number: also `127.1`, `2130706433`, `0x7f.1` and `0177.0.0.1`.

    The system's own reading, the one that connecting would use; nobody is asked.
    """
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return ip_address(found[0][4][0])


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None
