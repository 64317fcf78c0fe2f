"""Lists of words, domains, addresses and patterns that a site wants comments held against.

Pure: no clock, no database, no model. Patterns are RE2's (https://github.com/google/re2): they
take time in proportion to the text, whatever they are. However many entries there are, a comment
is read once for each kind of them, not once for each entry.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import re2

from moderation.errors import PatternInvalid
from moderation.policy.pseudonym import Address
from moderation.policy.traits import Author
from moderation.text.addresses import LINK_TOKEN, MAIL_TOKEN
from moderation.text.links import host_of, hosts_of
from moderation.text.normal import list_words
from moderation.verdict import Verdict

MEMORY = 64 << 20  # bytes that RE2 may take for what it remembers of one list
_BEGINNING = 4  # characters
LEAST_MEMORY = 256 << 10  # bytes, of which no pattern has less
PROGRAM_LIMIT = 20_000  # RE2's instructions, the patterns of a list together
PROGRAM_MEMORY = 4 << 20  # bytes: enough to compile three times as many

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind(StrEnum):
    """What an entry is held against."""

    WORDS = "words"
    """A word of the text, or several in a row, in any letter case."""

    CONTAINS = "contains"
    """Any part of the text, as written or as seen, or of what the author says of themselves."""

    PATTERNS = "patterns"
    """The text, by an RE2 pattern."""

    DOMAINS = "domains"
    """The host of a link, or of the author's URL: the domain itself or below it."""

    EMAILS = "emails"
    """The author's e-mail address; `@example.org` is everybody there."""

    NETWORKS = "networks"
    """The author's address."""

    USER_AGENTS = "user_agents"
    """Any part of the author's user agent."""


class Entry(NamedTuple):
    """Which entry of a list matched; the first has number 1."""

    kind: Kind
    number: int


class Looked(Protocol):
    """What is looked at in a comment."""

    text: str
    author: Author

    @property
    def words(self) -> Sequence[str]:
        """The words in their plain form."""
        ...

    @property
    def shown(self) -> str:
        """The text as people see it."""
        ...

    @property
    def hosts(self) -> Sequence[str]:
        """The host of every link."""
        ...


Finder = Callable[[Any], int | None]
"""Answers the index of the entry that something matches, or None."""


@dataclass(frozen=True)
class Listing:
    """A named list: comments that match an entry get its *verdict*.

    One whose verdict is approve is a list of what is allowed. Raises PatternInvalid.
    """

    name: str
    verdict: Verdict
    entries: Mapping[Kind, Sequence[str]]
    _finders: Mapping[Kind, Finder] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        made = {kind: _FINDERS[kind](given) for kind, given in self.entries.items() if given}
        object.__setattr__(self, "_finders", made)

    def find(self, comment: Looked) -> Entry | None:
        """Return the first entry, by kind, that the comment matches."""
        for kind, finder in self._finders.items():
            for looked in self._looked(kind, comment):
                at = finder(looked)
                if at is not None:
                    return Entry(kind, at + 1)
        return None

    def _looked(self, kind: Kind, comment: Looked) -> Iterable[Any]:
        yield from _LOOKED[kind](comment)
        # What is allowed is allowed as it was written: markup may hide what nobody would allow.
        if kind in _SEEN and self.verdict is not Verdict.APPROVE and comment.shown != comment.text:
            yield comment.shown

    def has_host(self, host: str) -> bool:
        """Whether a domain of the list is *host* or above it."""
        finder = self._finders.get(Kind.DOMAINS)
        return finder is not None and finder(host) is not None


def _looked_hosts(comment: Looked) -> Iterable[str]:
    yield from comment.hosts
    if comment.author.url:
        yield from hosts_of(comment.author.url.strip().lower())


def _present(*values: str | None) -> list[str]:
    return [value for value in values if value]


_SEEN = frozenset({Kind.CONTAINS, Kind.PATTERNS})

_LOOKED: Mapping[Kind, Callable[[Looked], Iterable[Any]]] = {
    Kind.WORDS: lambda comment: (comment.words,),
    Kind.CONTAINS: lambda comment: _present(
        comment.text,
        comment.author.name,
        comment.author.email,
        comment.author.url,
        comment.author.user_agent,
    ),
    Kind.PATTERNS: lambda comment: (comment.text,),
    Kind.DOMAINS: _looked_hosts,
    Kind.EMAILS: lambda comment: _present(comment.author.email),
    Kind.NETWORKS: lambda comment: () if comment.author.ip is None else (comment.author.ip,),
    Kind.USER_AGENTS: lambda comment: _present(comment.author.user_agent),
}


def plain_words(entry: str) -> list[str]:
    """Return the words of an entry in their plain form. Raises PatternInvalid."""
    words = list_words(entry)
    if not words or LINK_TOKEN in words or MAIL_TOKEN in words:
        raise PatternInvalid("expected one or more words, got none, or a link or e-mail address")
    return [word.decode("utf-8", "replace") for word in words]


def compile_pattern(pattern: str) -> Any:  # noqa: ANN401 - re2 has no types
    """Compile one pattern. Raises PatternInvalid, without repeating it."""
    try:
        # In little memory: to be found too large, a pattern of twenty characters may take a second.
        made = re2.compile(pattern, _options(PROGRAM_MEMORY))
    except re2.error as error:
        told = error.args[0] if error.args else b""
        problem = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        # What follows the colon is the pattern's own text.
        raise PatternInvalid(
            f"expected a pattern as RE2 takes it, got one with: {problem.partition(':')[0]}"
        ) from None
    if made.programsize > PROGRAM_LIMIT:
        raise PatternInvalid(
            f"expected patterns of at most {PROGRAM_LIMIT} instructions, "
            f"got one of {made.programsize}"
        )
    return made


def _find_words(entries: Sequence[str]) -> Finder:
    single: dict[str, int] = {}
    several: dict[str, int] = {}
    for at, entry in enumerate(entries):
        words = plain_words(entry)
        (single if len(words) == 1 else several).setdefault(" ".join(words), at)
    known = single.keys()
    rows = _Parts({f" {row} ": at for row, at in several.items()}) if several else None

    def find(words: Sequence[str]) -> int | None:
        if not known.isdisjoint(words):
            return min(single[word] for word in words if word in single)
        return None if rows is None else rows.find(f" {' '.join(words)} ")

    return find


def _find_part(entries: Sequence[str]) -> Finder:
    numbers: dict[str, int] = {}
    for at, entry in enumerate(entries):
        numbers.setdefault(entry.casefold(), at)
    parts = _Parts(numbers)

    def find(text: str) -> int | None:
        return parts.find(text.casefold())

    return find


class _Parts:
    """Literal texts that may be parts of another, known by how they begin.

    What RE2 has worked out of thousands of them it forgets while it reads: it takes a second for
    what this does in some thousandths.
    """

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._sorted = sorted(numbers)
        self._longest = max(map(len, numbers))
        self._begun: dict[int, set[str]] = {}  # beginnings, by their length
        self._lowest: dict[str, int] = {}  # of a part and those that it begins with
        self._within: dict[str, str | None] = {}  # the longest part that one begins with
        # One that it begins with, further up: of hundreds, one is found in a few steps.
        self._above: dict[str | None, str | None] = {None: None}
        depths: dict[str | None, int] = {None: 0}
        part = None
        for each in self._sorted:
            while part is not None and not each.startswith(part):
                part = self._within[part]
            number = numbers[each]
            self._lowest[each] = number if part is None else min(number, self._lowest[part])
            self._within[each] = part
            depths[each] = depths[part] + 1
            above = self._above[part]
            higher = self._above[above]
            even = depths[part] - depths[above] == depths[above] - depths[higher]
            self._above[each] = higher if even else part
            self._begun.setdefault(min(len(each), _BEGINNING), set()).add(each[:_BEGINNING])
            part = each

    def find(self, text: str) -> int | None:
        """Return the lowest number of a part that *text* has."""
        places: set[int] = set()
        for size, begun in self._begun.items():
            ends = range(size, len(text) + 1)
            places.update(end - size for end in ends if text[end - size : end] in begun)
        found: set[int] = set()
        for at in places:
            rest = text[at : at + self._longest]
            # Whatever *rest* begins with, the last part not after it begins with, too: of
            # hundreds of lengths one is looked up.
            part: str | None = self._sorted[bisect_right(self._sorted, rest) - 1]
            while part is not None and not rest.startswith(part):
                above = self._above[part]
                further = above is not None and not rest.startswith(above)
                part = above if further else self._within[part]
            if part is not None:
                found.add(self._lowest[part])
        return min(found, default=None)


def _find_pattern(entries: Sequence[str]) -> Finder:
    every = [compile_pattern(entry) for entry in entries]
    total = sum(made.programsize for made in every)
    if total > PROGRAM_LIMIT:
        raise PatternInvalid(
            f"expected the patterns of a list to have at most {PROGRAM_LIMIT} instructions "
            f"together, got {total}"
        )
    # Each a share by its size, always enough for its program: else each would take it all.
    shares = [MEMORY * made.programsize // total + LEAST_MEMORY for made in every]
    every = [re2.compile(*each) for each in zip(entries, map(_options, shares), strict=True)]

    def find(text: str) -> int | None:
        return next((at for at, made in enumerate(every) if made.search(text) is not None), None)

    return find


def _find_domain(entries: Sequence[str]) -> Finder:
    numbers = {domain: at for at, domain in reversed(list(enumerate(map(plain_domain, entries))))}

    def find(host: str) -> int | None:
        while host:
            if host in numbers:
                return numbers[host]
            host = host.partition(".")[2]
        return None

    return find


def plain_domain(entry: str) -> str:
    """Return a domain as hosts are compared with it. Raises PatternInvalid."""
    plain = entry.strip().lower().removeprefix("*.").lstrip(".")
    host = host_of(plain)
    if host is None or "." not in host:
        # Such as exa*mple.org: no link has it, but it is in policies that are stored.
        host = plain.partition("/")[0].rstrip(".")
    if "." not in host:
        raise PatternInvalid("expected a domain such as example.org, got something else")
    return host


def plain_email(entry: str) -> str:
    """Return an e-mail address, or @ and a domain, as they are compared. Raises PatternInvalid."""
    name, at, domain = entry.strip().lower().removeprefix("*").rpartition("@")
    if not name:
        # `@*.example.org` and `@.example.org` are how others write everybody below a domain.
        domain = domain.removeprefix("*.").lstrip(".")
    if not at or "." not in domain or any(map(str.isspace, name)):
        raise PatternInvalid("expected an e-mail address, or @ and a domain, got something else")
    return f"{name}@{domain}"


def _find_email(entries: Sequence[str]) -> Finder:
    numbers = {email: at for at, email in reversed(list(enumerate(map(plain_email, entries))))}

    def find(email: str) -> int | None:
        email = email.strip().lower()
        if email in numbers:
            return numbers[email]
        domain = email.rpartition("@")[2]
        while domain:
            if f"@{domain}" in numbers:
                return numbers[f"@{domain}"]
            domain = domain.partition(".")[2]
        return None

    return find


_MAPPED_BITS = 96  # in front of an address of version 4 that is written as one of version 6


def plain_network(entry: str) -> Network:
    """Return a network, or that of one address. Raises PatternInvalid."""
    try:
        found = ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        raise PatternInvalid(
            "expected a network such as 192.0.2.0/24 or an address, got something else"
        ) from None
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= _MAPPED_BITS:
        mapped = found.network_address.ipv4_mapped
        if mapped is not None:  # as addresses are looked at, too
            return ipaddress.IPv4Network((mapped, found.prefixlen - _MAPPED_BITS))
    return found


def _find_network(entries: Sequence[str]) -> Finder:
    numbers: dict[tuple[int, int], dict[int, int]] = {}
    for at, network in enumerate(map(plain_network, entries)):
        kept = network.max_prefixlen - network.prefixlen
        prefixes = numbers.setdefault((network.version, kept), {})
        prefixes.setdefault(int(network.network_address) >> kept, at)

    def find(address: Address) -> int | None:
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        number = int(address)
        for (version, kept), prefixes in numbers.items():
            if version == address.version and number >> kept in prefixes:
                return prefixes[number >> kept]
        return None

    return find


_FINDERS: Mapping[Kind, Callable[[Sequence[str]], Finder]] = {
    Kind.WORDS: _find_words,
    Kind.CONTAINS: _find_part,
    Kind.PATTERNS: _find_pattern,
    Kind.DOMAINS: _find_domain,
    Kind.EMAILS: _find_email,
    Kind.NETWORKS: _find_network,
    Kind.USER_AGENTS: _find_part,
}


def _options(memory: int) -> Any:  # noqa: ANN401 - as above
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    return options
