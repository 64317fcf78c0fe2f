"""Lists: each kind of entry alone, in the forms that people write it; nothing but RE2."""

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.errors import PatternInvalid
from moderation.policy import matching
from moderation.policy.matching import PROGRAM_LIMIT, Entry, Kind, Listing, compile_pattern
from moderation.policy.traits import Author
from moderation.text.links import find_hosts
from moderation.text.normal import normalise, shown
from moderation.verdict import Verdict


@dataclass
class Looked:
    """A comment as lists look at it."""

    text: str = ""
    author: Author = field(default_factory=Author)

    @property
    def words(self) -> Sequence[str]:
        """The words in their plain form."""
        return [word.decode() for word in normalise(self.text).words]

    @property
    def shown(self) -> str:
        """The text as people see it."""
        return shown(self.text)

    @property
    def hosts(self) -> Sequence[str]:
        """The host of every link."""
        return find_hosts(self.text)


def find(kind: Kind, entries: list[str], comment: Looked) -> int | None:
    """Return the number of the entry that matches, of a list with one kind of them."""
    found = Listing("bad", Verdict.HOLD, {kind: entries}).find(comment)
    assert found is None or found.kind is kind
    return None if found is None else found.number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Buy VIAGRA!", 1),
        ("v\u200biagra", 1),
        ("viagras", None),
        ("Work, from  home.", 2),
        ("homework from home", None),
        ("stra\u00dfe", 3),
        ("STRASSE", 3),
        ("", None),
    ],
)
def test_words_are_whole_words_in_a_row(text: str, number: int | None) -> None:
    """Whatever their letter case, white space and punctuation."""
    entries = ["viagra", "Work from home", "Stra\u00dfe"]

    assert find(Kind.WORDS, entries, Looked(text)) == number


@pytest.mark.parametrize(
    "comment",
    [
        Looked("my Viagra2"),
        Looked(author=Author(name="VIAGRA shop")),
        Looked(author=Author(email="viagra@example.org")),
        Looked(author=Author(url="http://viagra.example")),
        Looked(author=Author(user_agent="viagrabot/1")),
    ],
)
def test_a_part_is_found_anywhere(comment: Looked) -> None:
    """In the text and in everything the author says of themselves, but the address."""
    assert find(Kind.CONTAINS, ["a.b", "viagra"], comment) == 2


def test_parts_are_taken_as_they_are() -> None:
    """A dot is a dot; what RE2 means by signs means nothing here."""
    assert find(Kind.CONTAINS, ["a.b"], Looked("axb")) is None
    assert find(Kind.CONTAINS, ["(x", "[a-", "\\", "*"], Looked("one * two")) == 4
    assert find(Kind.USER_AGENTS, ["bot"], Looked("bot")) is None
    assert find(Kind.USER_AGENTS, ["bot"], Looked(author=Author(user_agent="A Bot"))) == 1


def test_patterns_are_of_the_text() -> None:
    """As it was written: letter case counts unless the pattern says otherwise."""
    assert find(Kind.PATTERNS, ["x", r"b[uo0]y\s+now"], Looked("b0y  now")) == 2
    assert find(Kind.PATTERNS, ["buy"], Looked("BUY")) is None
    assert find(Kind.PATTERNS, ["(?i)buy"], Looked("BUY")) == 1


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("http://example.org/", 1),
        ("see www.deep.example.org", 1),
        ("http://notexample.org/", None),
        ("http://b\u00fccher.example.net/", 2),
        ("example.com.", None),
    ],
)
def test_a_domain_is_itself_and_what_is_below(text: str, number: int | None) -> None:
    """However the link is written, and however the entry is."""
    entries = ["*.Example.org", "xn--bcher-kva.example.net"]

    assert find(Kind.DOMAINS, entries, Looked(text)) == number


@pytest.mark.parametrize(
    ("entry", "text", "found"),
    [
        ("evil.com", "`http://evil.com`", True),
        ("evil.com", "http://good.com~.evil.com", True),
        ("evil.com", "http://good.com,http://evil.com", True),
        ("evil.com", "http://%65vil.com/", True),
        ("https://*.evil.com/", "http://evil.com\u3002/x", True),
        ("bad*.example.com", "http://www.example.com", False),
    ],
)
def test_a_domain_is_found_however_the_link_goes_on(entry: str, text: str, found: bool) -> None:  # noqa: FBT001
    """An entry with a sign in its midst matches nothing, least of all what its end names."""
    assert bool(find(Kind.DOMAINS, [entry], Looked(text))) is found
    assert bool(find(Kind.DOMAINS, [entry], Looked("", Author(url=text.strip("`"))))) is found


def test_the_authors_url_is_a_link() -> None:
    """A name that leads to a blocked domain is as good as a link to it."""
    author = Author(url="https://Shop.Example.ORG/x")

    assert find(Kind.DOMAINS, ["example.org"], Looked("hello", author)) == 1


def test_of_entries_that_are_the_same_the_first_is_named() -> None:
    """However each is written."""
    author = Author(email="a@example.org", ip=ip_address("192.0.2.1"))
    looked = Looked("See https://example.org/ about spam.", author)

    for kind, entries in (
        (Kind.DOMAINS, ["example.org", "*.Example.org"]),
        (Kind.EMAILS, ["@example.org", "*@example.org"]),
        (Kind.NETWORKS, ["192.0.2.0/24", "192.0.2.7/24"]),
        (Kind.WORDS, ["spam", "SPAM"]),
        (Kind.CONTAINS, ["spam", "Spam"]),
    ):
        assert find(kind, entries, looked) == 1


@pytest.mark.parametrize(
    ("email", "number"),
    [
        ("Bad@Example.org", 1),
        ("good@example.org", None),
        ("x@spam.example", 2),
        ("x@deep.spam.example", 2),
        ("x@notspam.example", None),
    ],
)
def test_an_e_mail_address_is_itself_or_its_domain(email: str, number: int | None) -> None:
    """An entry that begins with @ is everybody there and below."""
    author = Author(email=email)

    for everybody in ("@spam.example", "*@spam.example", "*@*.spam.example", "@.Spam.example"):
        entries = ["bad@example.org", everybody]
        assert find(Kind.EMAILS, entries, Looked("", author)) == number


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("192.0.2.77", 1),
        ("192.0.3.1", None),
        ("::ffff:192.0.2.1", 1),
        ("2001:db8:5::1", 2),
        ("2001:db9::1", None),
        ("198.51.100.7", 3),
        ("198.51.100.8", None),
        ("203.0.113.9", 4),
        ("::ffff:203.0.113.9", 4),
        ("203.0.113.16", None),
    ],
)
def test_networks_hold_addresses(address: str, number: int | None) -> None:
    """Of either version; an address alone is a network of one."""
    author = Author(ip=ip_address(address))
    entries = ["192.0.2.1/24", "2001:db8::/32", "198.51.100.7", "::ffff:203.0.113.0/124"]

    assert find(Kind.NETWORKS, entries, Looked("", author)) == number


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        (Kind.WORDS, " ?! "),
        (Kind.WORDS, "http://x.com"),
        (Kind.WORDS, "a@example.org"),
        (Kind.PATTERNS, "(a"),
        (Kind.PATTERNS, r"(a)\1"),
        (Kind.PATTERNS, "a(?=b)"),
        (Kind.PATTERNS, "(?:a{1000}){1000}"),
        (Kind.PATTERNS, r"(?:\p{L}{50}){20}"),
        (Kind.DOMAINS, "localhost"),
        (Kind.DOMAINS, "com."),
        (Kind.DOMAINS, "http://localhost/a.b"),
        (Kind.DOMAINS, "exa mple"),
        (Kind.EMAILS, "nobody"),
        (Kind.EMAILS, "a b@example.org"),
        (Kind.NETWORKS, "192.0.2.0/33"),
        (Kind.NETWORKS, "example.org"),
    ],
)
def test_what_cannot_be_matched_is_refused(kind: Kind, entry: str) -> None:
    """With what was expected, and without repeating the entry."""
    with pytest.raises(PatternInvalid, match="expected") as caught:
        Listing("bad", Verdict.HOLD, {kind: [entry]})

    assert entry not in str(caught.value)


def test_patterns_are_bounded_together() -> None:
    """Each may be small enough, and all of a list too large."""
    pattern = r"a[ab]{900}c"
    size = compile_pattern(pattern).programsize

    with pytest.raises(PatternInvalid, match="together"):
        Listing("bad", Verdict.HOLD, {Kind.PATTERNS: [pattern] * (PROGRAM_LIMIT // size + 1)})


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is told in other units")
def test_patterns_share_the_memory_of_a_list() -> None:
    """What RE2 remembers of a text is bounded for all of them, not for each."""
    random = Random(1)  # noqa: S311 - no secret
    looked = Looked("".join(random.choices("ab", k=50_000)))
    patterns = [rf"[ab]*a[ab]{{20}}c{at}" for at in range(100)]

    before = getrusage(RUSAGE_SELF).ru_maxrss
    assert find(Kind.PATTERNS, patterns, looked) is None
    grown = (getrusage(RUSAGE_SELF).ru_maxrss - before) << 10
    assert grown < 3 * matching.MEMORY, grown  # it was 15 times as much


@pytest.mark.parametrize("pattern", ["(a+)+$", "(x+x+)+y", "(?:a?){400}a{400}b", "a[ab]{400}c"])
@pytest.mark.parametrize("text", ["a" * 100_000, "ab" * 50_000, "x" * 100_000])
def test_no_text_holds_a_pattern_up(pattern: str, text: str) -> None:
    """What stops a backtracking matcher for longer than the universe lasts is read through."""
    assert find(Kind.PATTERNS, [pattern, "never"], Looked(text)) in {None, 1}


def test_nothing_of_an_operator_reaches_pythons_own_patterns() -> None:
    """The file that compiles entries does not import `re`."""
    source = Path(matching.__file__).read_text(encoding="utf-8")
    imported = {
        name.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import)
        for name in node.names
    }

    assert "re2" in imported
    assert "re" not in imported


def test_the_first_entry_by_kind_is_told() -> None:
    """A list of several kinds names the one that matched."""
    listing = Listing("bad", Verdict.SPAM, {Kind.WORDS: ["x", "pills"], Kind.CONTAINS: ["pill"]})

    assert listing.find(Looked("cheap pills")) == Entry(Kind.WORDS, 2)
    assert listing.find(Looked("a pillow")) == Entry(Kind.CONTAINS, 1)
    assert Listing("none", Verdict.SPAM, {}).find(Looked("cheap pills")) is None


@given(st.text(max_size=300), st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5))
def test_a_part_is_found_where_python_finds_it(text: str, entries: list[str]) -> None:
    """RE2's alternation finds exactly the texts that hold one of the entries, in ASCII."""
    plain = [entry for entry in entries if entry.isascii() and "\0" not in entry]
    if not plain or not text.isascii():
        return

    held = any(entry.lower() in text.lower() for entry in plain)

    assert (find(Kind.CONTAINS, plain, Looked(text)) is not None) is held


@pytest.mark.parametrize("kind", [Kind.CONTAINS, Kind.WORDS])
@pytest.mark.parametrize("number", [0, 1, 99_999])
def test_any_entry_of_a_long_list_is_found(kind: Kind, number: int) -> None:
    """As many as a policy may have: wherever it stands, and however long the text."""
    entries = [f"so {at} of them" for at in range(100_000)]
    text = f"{'here is much to read, ' * 4_000} and so {number} of them"

    assert find(kind, entries, Looked(text)) == number + 1
    assert find(kind, entries, Looked(text.replace("so ", "such "))) is None


@given(
    st.text("aAb\u0130\u00df\ufb01\u0307", max_size=12),
    st.lists(st.text("aAb\u0130\u00df\ufb01", min_size=1, max_size=7), min_size=1, max_size=8),
)
def test_the_first_part_is_told_whatever_others_begin_alike(text: str, entries: list[str]) -> None:
    """As if each were looked for by itself."""
    held = [at for at, entry in enumerate(entries, 1) if entry.casefold() in text.casefold()]

    assert find(Kind.CONTAINS, entries, Looked(text)) == min(held, default=None)


def test_of_parts_within_parts_the_longest_is_found() -> None:
    """Whatever its length; it is the first in the list."""
    entries = [f"a{'b' * size}" for size in reversed(range(250))]

    found = [find(Kind.CONTAINS, entries, Looked(f"a{'b' * size}c")) for size in range(250)]

    assert found == list(range(250, 0, -1))


def test_parts_within_parts_are_not_looked_at_one_by_one() -> None:
    """Of hundreds few are held against each place of a text, whose every letter begins them all."""
    entries = ["aaaa" + "!" * size for size in range(1, 252)]
    listing = Listing("l", Verdict.SPAM, {Kind.CONTAINS: entries})
    held = 0

    def count(_frame: FrameType, event: str, called: Any) -> None:  # noqa: ANN401 - whatever is called
        nonlocal held
        held += event == "c_call" and called.__name__ == "startswith"

    sys.setprofile(count)
    try:
        found = listing.find(Looked("a" * 1_000))
    finally:
        sys.setprofile(None)

    assert found is None
    assert 0 < held < 32 * 1_000
