"""Link domains: as their owners registered them, however they are written."""

import pytest

from moderation.text.links import HOSTS_READ, find_domains, registered


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("no links, only words. And e.g. that", ()),
        ("http://a.b.example.com/x and https://example.com", ("example.com",)),
        ("www.shop.example.co.uk", ("example.co.uk",)),
        ("me.github.io/x you.github.io/y", ("me.github.io", "you.github.io")),
        ("HTTP://EXAMPLE.COM:8080/?q=1", ("example.com",)),
        ("http://good.example@evil.example.net\\x", ("example.net",)),
        ("http://192.0.2.7/x http://[2001:db8::1]/", ("192.0.2.7",)),
        ("mail me@example.org, not a link", ()),
        ("cheap pills at pills.example.ru!", ("example.ru",)),
        ("http&#58;//exam\u200bple.com", ("example.com",)),
        ("http://b\u00fccher.example.de/", ("example.de",)),
        ("http://b\u00fccher.de/", ("xn--bcher-kva.de",)),
        ("http://", ()),
        ("http://" + "a" * 300 + ".com", ()),
        ("http://localhost/", ("localhost",)),
    ],
)
def test_the_owners_domain_is_found(text: str, domains: tuple[str, ...]) -> None:
    """Scheme, port, path, what stands before an @ and letter case do not matter."""
    assert find_domains(text) == domains


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
