"""Tests of moderation.text.addresses."""

import pytest

from moderation.text.addresses import link_words, replace_links


@pytest.mark.parametrize(
    ("link", "facts"),
    [
        (b"http://pills.example.ru", {b"URL_tld_ru"}),
        (b"https://example.museum/x", {b"URL_tld_other"}),
        (b"http://bit.ly/2x", {b"URL_tld_ly", b"URL_shortener"}),
        (b"http://192.0.2.7:8080/x", {b"URL_ip"}),
        (b"http://user:pw@192.0.2.7/", {b"URL_ip"}),
        (b"https://en.wikipedia.org/wiki/x?y=1", {b"URL_tld_org", b"URL_known", b"URL_query"}),
        (b"www.youtube.com", {b"URL_tld_com", b"URL_known"}),
        (b"http://xn--pple-43d.com", {b"URL_tld_com", b"URL_punycode"}),
        (b"http://", {b"URL_tld_other"}),
    ],
)
def test_a_link_tells_what_kind_it_is(link: bytes, facts: set[bytes]) -> None:
    """Ending, shortener, bare address, known place, other script and query are words."""
    first, *others = link_words(link)

    assert first == b"URL"
    assert set(others) == facts


def test_the_path_of_a_link_is_no_word() -> None:
    """What a link is made of adds nothing to a score but the facts."""
    replaced, count = replace_links(b"see http://a.example.com/fuck now")

    assert count == 1
    assert replaced.split() == [b"see", b"URL", b"URL_tld_com", b"now"]
