"""The domains that a comment links to, as their owners registered them.

Pure: no clock, no database, no model. What counts as a link is `moderation.text.normal`'s; under
which suffixes anyone may register is the Public Suffix List's (https://publicsuffix.org), private
suffixes included: `me.github.io` and `you.github.io` are two owners.

>>> find_domains("see http://shop.example.co.uk/x and www.EXAMPLE.co.uk, or me.github.io")
('example.co.uk', 'me.github.io')
"""

import ipaddress
import re
from functools import lru_cache

import idna
from publicsuffixlist import PublicSuffixList

from moderation.text.normal import find_links

HOSTS_READ = 100  # different hosts of one comment; a text of links alone would have thousands
_HOST_CHARS = 253  # RFC 1035 §2.3.4, without the root's dot

_SCHEME = re.compile(r"(?:https?|ftp)://")
_END = re.compile(r"[/\\?#]")
_PORT = re.compile(r":[0-9]*$")


def find_domains(text: str) -> tuple[str, ...]:
    """Return the domains that *text* links to, each once, in their order."""
    hosts = list(dict.fromkeys(find_hosts(text)))
    return tuple(dict.fromkeys(map(registered, hosts[:HOSTS_READ])))


def find_hosts(text: str) -> list[str]:
    """Return the host of every link of *text*, in ASCII where it has such a name."""
    return [host for link in find_links(text) if (host := host_of(link))]


@lru_cache(maxsize=4096)
def registered(host: str) -> str:
    """Return the domain that *host* belongs to; an address or a mere suffix is itself."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return _suffixes().privatesuffix(host) or host


def host_of(link: str) -> str | None:
    """Return the host of a folded link, where it has one of a possible length."""
    host = _END.split(_SCHEME.sub("", link, count=1), maxsplit=1)[0]
    # What stands before an @ is for show.
    host = _PORT.sub("", host.rpartition("@")[2]).strip(".,;:!?()*")
    if not 0 < len(host) <= _HOST_CHARS:
        return None
    return host if host.isascii() else _in_ascii(host)


@lru_cache(maxsize=1024)
def _in_ascii(host: str) -> str:
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return host


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    # Half a megabyte, and a tenth of a second to read: only for whoever has links to look up.
    return PublicSuffixList()
