"""Links that a browser follows and the rules did not see; names that people read, cut in two."""

import pytest

from moderation.text.links import find_hosts


@pytest.mark.parametrize(
    "text",
    [
        "http://\u2764@evil.example/",
        "http://user:\u2764@evil.example/x",
        "http://\u2764.evil.example/",
        "http://a.\u2713.evil.example",
        '<a href="//evil.example/x">here</a>',
        '<a href="http:\\\\evil.example">here</a>',
        "<a href=https:evil.example>here</a>",
        '<a href="ht\ntp://evil.example">here</a>',
        '<a href="http://evil\n.example">here</a>',
        "[here](//evil.example/x)",
        "[url=//evil.example]here[/url]",
        "http://[2001:db8::1]/ http://evil.example",
    ],
)
def test_what_a_browser_follows_is_a_link(text: str) -> None:
    """Pictographs in a name, addresses without scheme in markup, breaks inside of them."""
    assert any(f".{host}".endswith(".evil.example") for host in find_hosts(text))


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://\u0430\u0440\u0440\u04cf\u0435.com", "xn--80ak6aa92e.com"),
        ("http://stra\u00dfe.de", "xn--strae-oqa.de"),
        ("see m\u00fcller.de now", "xn--mller-kva.de"),
        ("at \u00e9clair.fr", "xn--clair-9ra.fr"),
        ("http://[2001:db8::1]:80/", "[2001:db8::1]"),
    ],
)
def test_a_name_is_the_one_that_is_looked_up(text: str, host: str) -> None:
    """What a list names by its letters is found by them, however they look."""
    assert host in find_hosts(text)
    assert "ller.de" not in find_hosts(text)


@pytest.mark.parametrize("text", ["x = //comment.here", '<a href="/local">', "a // b.c"])
def test_what_nobody_follows_is_none(text: str) -> None:
    """Slashes in a text are no link."""
    assert find_hosts(text) == []


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ('caf\u00e9 <a href="http://evil.example/x">here</a>', ["evil.example"]),
        ("see http://a.example/?href=//b.example", ["a.example"]),
        ("caf\u00e9 http://a.example/?src=//b.example", ["a.example"]),
        ("m\u00fcller.de,k\u00fche.de", ["xn--mller-kva.de", "xn--khe-hoa.de"]),
    ],
)
def test_each_link_is_counted_once(text: str, hosts: list[str]) -> None:
    """However many readings find it; what an address asks for is no link of its own."""
    assert find_hosts(text) == hosts


@pytest.mark.parametrize("name", ["stra\u00dfe.de", "\u0430\u0445.com"])
def test_a_link_with_two_names_is_one_link(name: str) -> None:
    """Lists look for both, as people and as browsers read it; the rule that counts counts one."""
    text = f"see http://{name}/ and http://b.example"

    assert len(find_hosts(text)) == 3
    assert len(find_hosts(text, once=True)) == 2
