"""Link domains: as their owners registered them, however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.text.links import (
    HOSTS_READ,
    find_domains,
    find_hosts,
    host_of,
    hosts_of,
    registered,
)


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("no links, only words. And e.g. that", ()),
        ("http://a.b.example.com/x and https://example.com", ("example.com",)),
        ("www.shop.example.co.uk", ("example.co.uk",)),
        ("me.github.io/x you.github.io/y", ("me.github.io", "you.github.io")),
        ("HTTP://EXAMPLE.COM:8080/?q=1", ("example.com",)),
        ("http://good.example@evil.example.net\\x", ("example.net",)),
        ("http://192.0.2.7/x http://[2001:db8::1]/", ("192.0.2.7", "2001:db8::1")),
        ("mail me@example.org, not a link", ()),
        ("cheap pills at pills.example.ru!", ("example.ru",)),
        ("http&#58;//exam\u200bple.com", ("example.com",)),
        ("http://b\u00fccher.example.de/", ("example.de",)),
        ("http://b\u00fccher.de/", ("xn--bcher-kva.de",)),
        ("http://", ()),
        ("http://" + "a" * 300 + ".com", ()),
        ("http://localhost/", ("localhost",)),
        ("http://3221225991/ http://0xC0.0x0.0x2.0x7", ("192.0.2.7",)),
        ("http://0300.0.0x207/ http://192.519", ("192.0.2.7",)),
        ("http://192.0.2.0x/", ("192.0.2.0",)),
    ],
)
def test_the_owners_domain_is_found(text: str, domains: tuple[str, ...]) -> None:
    """Scheme, port, path, what stands before an @ and letter case do not matter."""
    assert find_domains(text) == domains


@pytest.mark.parametrize(
    "text",
    [
        "`http://evil.com`",
        "http://evil.com~",
        "http://evil.com}",
        "http://evil.com|x",
        "http://evil.com_",
        "http://evil.com-",
        "http://evil.com-now",
        "http://evil.com&x",
        "http://evil.com$/x",
        "http://evil.com@",
        "http://evil.com:8080~",
        "http://evil.com\u3002",
        "http://evil.com\u3002/x",
        "http://evil\u3002com",
        "http://evil\uff0ecom",
        "http://evil.com\u3001",
        "http://evil.com\u300d",
        "http://evil.com\u25a0",
        "http://evil.com\u25a0.",
        "http://evil.com.\u25a0",
        "http://evil.com\u3092\u898b\u3066",
        "http://.evil.com",
        "http://x~.evil.com",
        "http://u:p@evil.com}",
        "http://\uff45\uff56\uff49\uff4c.com",
        "http://ev\u00adil.com",
        "http://%65vil.com/",
        "http://%45VIL.com/",
        "http://ev%C2%ADil.com/",
        "http://%EF%BD%85vil%E3%80%82com/",
        "http://evil.com%00",
        "http://evil.com%",
        "http://evil.com\\x",
        "http:\\\\evil.com",
        "http:/evil.com",
        "http:evil.com",
    ],
)
def test_no_character_behind_a_host_hides_it(text: str) -> None:
    """Nor one that browsers decode, leave out or take for a dot; it is one link."""
    assert find_hosts(text) == ["evil.com"]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("http://evil.com,http://a.org", ["evil.com", "a.org"]),
        (
            "http://a.org,http://b.org;https://c.org|ftp://d.org",
            ["a.org", "b.org", "c.org", "d.org"],
        ),
        ("http://a.orghttp://b.org", ["a.org", "b.org"]),
        ("http://a.org.-great http://b.org._great", ["a.org", "b.org"]),
        ("http://a.org..buy http://b.org\u2026buy", ["a.org", "b.org"]),
        ("http://a.org,b.org,c.org", ["a.org", "b.org", "c.org"]),
        ("https://web.archive.org/web/2020/http://b.org/", ["web.archive.org", "b.org"]),
        ("http://good.com~.evil.com", ["good.com", "evil.com"]),  # evil.com's, for a browser
        ("http://a.org;v=1.2", ["a.org"]),
        ("http://a.org:80/b.org,c.org", ["a.org"]),
        ("http://http://", []),
    ],
)
def test_links_without_a_space_between_are_several(text: str, hosts: list[str]) -> None:
    """Each is counted and held against lists, one in the path of another as well."""
    assert find_hosts(text) == hosts


@pytest.mark.parametrize(
    ("link", "hosts"),
    [
        ("http://[2001:db8::1]:8080/x", ["[2001:db8::1]"]),
        ("http://u:p@[::1]/", ["[::1]"]),
        ("http://192.0.2.7:80/", ["192.0.2.7"]),
        ("//evil.com/x", ["evil.com"]),
        ("\\\\evil.com", ["evil.com"]),
        ("http:evil.com", ["evil.com"]),
        ("http://ev\til.c\nom/", ["evil.com"]),
        ("evil.com/x", ["evil.com"]),
        ("http://i\u2764.ws", ["i\u2764.ws"]),
        ("http://foo_bar.evil.com", ["foo_bar.evil.com"]),
        ("http://a_\u00fc.b\u00fccher.de", ["a_\u00fc.xn--bcher-kva.de"]),
        ("http://xn--bcher-kva.de~", ["xn--bcher-kva.de"]),
        (
            "http://\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444\u25a0",
            ["xn--e1afmkfd.xn--p1ai"],
        ),
        ("http://a.\u092d\u093e\u0930\u0924\u0964", ["a.xn--h2brj9c"]),
        ("http://localhost~", ["localhost"]),
        ("http://0x7f.1", ["127.0.0.1"]),
        ("http://256.0.0.1", ["256.0.0.1"]),
        ("http://1.2.3.4.5", ["1.2.3.4.5"]),
        ("http://09.1.1.1", ["09.1.1.1"]),
        ("http://4294967296", ["4294967296"]),
        ("http://1_0.1", ["1_0.1"]),
        ("http://a.0x7", ["a.0x7"]),
        ("http://" + "9" * 99, ["9" * 99]),
    ],
)
def test_a_host_is_read_as_browsers_do(link: str, hosts: list[str]) -> None:
    """An author's address, which no text is around: also where it is left incomplete."""
    assert hosts_of(link) == hosts


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("evil.com", "evil.com"),
        ("https://*.evil.com:80/x", "evil.com"),
        ("(evil.com)", "evil.com"),
        ("bad*.evil.com", None),
        ("evil.com, a.org", None),
        ("http://", None),
    ],
)
def test_a_domain_alone_is_one_host_or_none(domain: str, host: str | None) -> None:
    """A part of it never stands for the whole: a list would hold more than was written."""
    assert host_of(domain) == host


@pytest.mark.parametrize(
    "unit",
    [
        *("http://", "a,", "a.b,", "http://a,", "http://a.b,", "http://a@", "http://@", "%41", "@"),
        *("http://\u3042\u3002", "\u3042.a,", "%CC%81", "e\u0301", "-.", "_", ".", "http:/", "\\"),
    ],
)
def test_hostile_texts_are_read_through(unit: str) -> None:
    """A hundred thousand characters without a space have at most as many hosts as they can."""
    text = ("http://" + unit * 100_000)[:100_000]

    assert len(find_hosts(text)) <= 2 * text.count(unit) + 1


@given(
    st.text(st.sampled_from([*"`~!$%&'()*+,;=|{}^", *"\u3001\u300d\u3002\u25a0\u2026"]), max_size=9)
)
def test_whatever_no_host_has_ends_one(end: str) -> None:
    """Any row of such characters behind a host leaves it what it is."""
    assert find_hosts(f"see http://shop.evil.com{end} now") == ["shop.evil.com"]


def test_only_so_many_hosts_are_read() -> None:
    """A text of links alone costs no more than a hundred look-ups."""
    text = " ".join(f"http://a{at}.com" for at in range(5_000))

    assert len(find_domains(text)) == HOSTS_READ


@pytest.mark.parametrize(
    ("host", "domain"),
    [("com", "com"), ("github.io", "github.io"), ("x.ck", "x.ck"), ("\ud83d\ude00.com", None)],
)
def test_a_host_without_an_owner_is_itself(host: str, domain: str | None) -> None:
    """A mere suffix, and what is no host at all, stays as it is."""
    assert registered(host) == (domain or host)
