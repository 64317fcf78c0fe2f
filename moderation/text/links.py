"""The domains that a comment links to, as their owners registered them.

Pure: no clock, no database, no model. What counts as a link is `moderation.text.normal`'s; under
which suffixes anyone may register is the Public Suffix List's (https://publicsuffix.org), private
suffixes included: `me.github.io` and `you.github.io` are two owners.

A host ends where no host goes on, for whoever reads the link and for whatever program cuts it out
of the text. A browser takes more for a host (https://url.spec.whatwg.org/#host-parsing): so what
looks like a domain behind such an end is a host as well.

>>> find_domains("see http://shop.example.co.uk/x and www.EXAMPLE.co.uk, or me.github.io")
('example.co.uk', 'me.github.io')
>>> find_hosts("http://a.example,http://b.example. `http://%63.example`")
['a.example', 'b.example', 'c.example']
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile
from urllib.parse import unquote

import idna
from publicsuffixlist import PublicSuffixList

from moderation.text.normal import INVISIBLE, compose, find_links, unescape

HOSTS_READ = 100  # different hosts of one comment; a text of links alone would have thousands
_HOST_CHARS = 253  # RFC 1035 §2.3.4, without the root's dot

# One link may hold several: "http://a.org,http://b.org" has no space.
_ANOTHER = re.compile(r"(?=(?:https?|ftp)://)")
_SCHEME = re.compile(r"(?:(?:https?|ftp):)?[/\\]*")
_END = re.compile(r"[/\\?#]")
# What browsers follow as it stands, whatever people would read in it: pictographs, letters of other
# alphabets, IPv6 addresses, user names. Every branch takes what it can and gives nothing back.
_FOLLOWED = re.compile(r"(?:https?|ftp)://[^\s<>\"']*+", re.IGNORECASE)
# An address without its scheme, or with breaks in it, is one only where markup says that it is.
_MARKED = re.compile(
    r"""(?<![^\s"'/])(?:href|src|action)\s*+=\s*+(?:"([^"<>]*+)|'([^'<>]*+)|([^\s"'<>]++))"""
    r"|(?:\]\(|\[(?:url|link|img)[\]=])\s*+([/\\]{2}[^\s<>\"'()\[\]]*+)",
    re.IGNORECASE,
)
_LEADS = re.compile(r"(?:https?|ftp):|[/\\]{2}", re.IGNORECASE)
_PORT = re.compile(r":[0-9]*$")
_STRIPPED = re.compile(r"[\t\n\r]+")  # browsers read an address without them
_ADDRESS = re.compile(r"\[[0-9a-f:.]+\]")
_NUMBERS = re.compile(r"(?:(?:^|\.)(?:[0-9]{1,32}|0x[0-9a-f]{0,32})){1,4}$")
_RUN = re.compile(r"[a-z0-9._-]+")
_WORDS = "LMN"  # general categories: letters, marks, numbers
_WIDE_DOT = "\u3002"
# No ending has a hyphen or an underscore but in Punycode, nor letters of two alphabets, accented
# ones aside: what follows it is text that was written on without a space.
_ENDING = re.compile(r"xn--[a-z0-9-]+|[a-z0-9]++(?![\u0080-\u024f])")


def find_domains(text: str) -> tuple[str, ...]:
    """Return the domains that *text* links to, each once, in their order."""
    hosts = list(dict.fromkeys(find_hosts(text)))
    return tuple(dict.fromkeys(map(registered, hosts[:HOSTS_READ])))


def find_hosts(text: str, *, once: bool = False) -> list[str]:
    """Return the host of every link of *text*, in ASCII where it has such a name.

    First as people read the text, then those that a browser finds in it besides: of a name that
    both read in their own way, stra\u00dfe.de or one in lookalikes, there are two; with *once* one.
    """
    links = find_links(text)
    hosts = [host for link in links for host in hosts_of(link)]
    if "/" not in text and "=" not in text:
        return hosts
    read, known = set(links), set(hosts)
    besides = [link for link in _followed(text) if link not in read]
    if once:
        besides = [
            link
            for link in besides
            if not any(each in read and hosts_of(each) for each in find_links(link))
        ]
    return hosts + [host for link in besides for host in hosts_of(link) if host not in known]


def _followed(text: str) -> Iterator[str]:
    """Return the links of *text* that may not be the same to a browser as to people."""
    plain, followed = None, frozenset[str]()
    if "://" in text and (not text.isascii() or "://[" in text or "@[" in text):
        plain = INVISIBLE.sub("", unescape(text))
        found = [link.lower() for link in _FOLLOWED.findall(plain)]
        followed = frozenset(found)
        yield from found
    if "//" in text or "\\\\" in text or "=" in text:
        for marked in _MARKED.finditer(text if plain is None else plain):
            address = _STRIPPED.sub("", unescape(marked[marked.lastindex or 0])).strip().lower()
            if _LEADS.match(address) is not None and address not in followed:
                yield address


@lru_cache(maxsize=4096)
def registered(host: str) -> str:
    """Return the domain that *host* belongs to; an address or a mere suffix is itself."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return _suffixes().privatesuffix(host) or host


def host_of(link: str) -> str | None:
    """Return the host of a folded link, or of a domain alone; None where it is not just one."""
    names = _names(_authority(link).rpartition("@")[2])
    return names[0] if len(names) == 1 else None


def hosts_of(link: str) -> list[str]:
    """Return the hosts of a folded link; most have one, and one that is only begun has none."""
    found = []
    for part in _ANOTHER.split(link):
        # What stands before an @ is for show, unless nothing comes after.
        user, _, host = _authority(part).rpartition("@")
        found += _domains(_names(host)) or _domains(_names(user))
    return found


def _authority(link: str) -> str:
    link = _STRIPPED.sub("", link)
    begin = _SCHEME.match(link)
    return _END.split(link[begin.end() if begin else 0 :], maxsplit=1)[0]


def _domains(names: list[str]) -> list[str]:
    """Return which of *names* are domains, or else the first of them."""
    return [
        name for at, name in enumerate(names) if "." in name and (at == 0 or name[-1].isalpha())
    ] or names[:1]


def _names(host: str) -> list[str]:
    """Return what may be the name of a host in *host*: more than one where it is written oddly."""
    host = _PORT.sub("", host)
    if "%" in host:
        host = unquote(host).lower()
    if not host.isascii():
        host = _plain(host)
    if (address := _ADDRESS.match(host)) is not None:
        return [address[0]]
    return [name for run in _runs(host) if (name := _name(run))]


def _plain(host: str) -> str:
    """Return *host* in compatibility form, as text is before links are found in it."""
    return INVISIBLE.sub("", compose(host)).lower().replace(_WIDE_DOT, ".")


def _runs(host: str) -> list[str]:
    """Return what of *host* stands between characters that no host has."""
    if host.isascii():
        return _RUN.findall(host)
    return "".join(character if _is_of_host(character) else " " for character in host).split(" ")


def _is_of_host(character: str) -> bool:
    if character in "-._":
        return True
    category = unicodedata.category(character)
    return category[0] in _WORDS or category == "So"  # pictographs: browsers take them in a host


def _name(run: str) -> str:
    """Return the host that *run* is, or an empty text."""
    run = run.lstrip("-._").partition("..")[0]
    end = len(run)
    while end and unicodedata.category(run[end - 1])[0] not in _WORDS:
        end -= 1
    above, dot, ending = run[:end].rpartition(".")
    if dot:
        ending = _ending(ending)
    host = (above + dot + ending).rstrip(".")
    if len(host) > _HOST_CHARS:
        return ""
    if not host.isascii():
        return _in_ascii(host)
    return host if _NUMBERS.match(host) is None else _dotted(host)


def _dotted(host: str) -> str:
    """Return the IPv4 address that *host*, of numbers alone, is to a browser, or itself.

    One number may stand for several, and any may be octal or hexadecimal
    (https://url.spec.whatwg.org/#concept-ipv4-parser).
    """
    try:
        *first, last = (_number(part) for part in host.split("."))
    except ValueError:
        return host
    spread = 4 - len(first)  # how many bytes the last one has
    if last >= 256**spread or any(number > 255 for number in first):  # noqa: PLR2004
        return host
    return str(ipaddress.IPv4Address(bytes([*first, *last.to_bytes(spread)])))


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") else 10)


def _ending(label: str) -> str:
    if (plain := _ENDING.match(label)) is not None:
        return plain[0]
    return "".join(takewhile(lambda each: unicodedata.category(each)[0] in _WORDS, label))


@lru_cache(maxsize=1024)
def _in_ascii(host: str) -> str:
    # Label by label: one that is no name does not hide whom the rest belongs to.
    return ".".join(label if label.isascii() else _label(label) for label in host.split("."))


def _label(label: str) -> str:
    try:
        return idna.encode(label, uts46=True).decode()
    except idna.IDNAError:
        return label


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    # Half a megabyte, and a tenth of a second to read: only for whoever has links to look up.
    return PublicSuffixList()
