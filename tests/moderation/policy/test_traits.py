"""Traits: pseudonyms of one site and one key, and what a text is found by."""

from datetime import date
from ipaddress import ip_address

import pytest

from moderation.policy.pseudonym import Pseudonyms
from moderation.policy.traits import NOBODY, NOTHING, Author, Tracing

FRIDAY = date(2026, 11, 27)
SATURDAY = date(2026, 11, 28)
KEYS = {FRIDAY: b"f" * 32, SATURDAY: b"s" * 32}


def pseudonyms(author_key: bytes = bytes(32)) -> Pseudonyms:
    """Make pseudonyms under keys of two days."""
    return Pseudonyms(author_key=author_key, address_key=KEYS.get)


def located(address: str, *, site: str = "blog", on: date = SATURDAY) -> str | None:
    """Return the pseudonym of an address."""
    author = Author(ip=ip_address(address))
    return Tracing(pseudonyms()).locate(site, author, on=on)


def test_an_author_is_the_sites_id_or_else_the_e_mail_address() -> None:
    """However an e-mail address is written; an id and an address that read alike differ."""
    name = pseudonyms().author

    by_id = name("blog", author_id="u-1", email="a@example.org")
    by_mail = name("blog", author_id=None, email=" A@Example.org ")

    assert by_id == name("blog", author_id="u-1", email="b@example.org")
    assert by_mail == name("blog", author_id="", email="a@example.org")
    assert by_mail != by_id
    assert by_mail != name("blog", author_id="a@example.org", email=None)
    assert name("blog", author_id=None, email=" ") is None


def test_pseudonyms_stay_as_they_are() -> None:
    """They are stored: another release must make the same."""
    assert (
        pseudonyms().author("blog", author_id="u-1", email=None)
        == "27a1dfb28ac6d4dab233651d67a0ea70"
    )
    assert located("192.0.2.1") == "361d8906341f1a9cb0cc30fa7437e199"


def test_a_pseudonym_is_of_one_site_and_one_key() -> None:
    """Two sites cannot compare their authors, and another key names everybody anew."""
    here = pseudonyms().author("blog", author_id="u-1", email=None)
    there = pseudonyms().author("shop", author_id="u-1", email=None)
    anew = pseudonyms(b"k" * 32).author("blog", author_id="u-1", email=None)

    assert len({here, there, anew}) == 3
    assert all(ref is not None and len(ref) == 32 for ref in (here, there, anew))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("192.0.2.1", "::ffff:192.0.2.9", True),
        ("2001:db8:1:2::1", "2001:db8:1:ffff::9", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
    ],
)
def test_an_address_is_its_network(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    """A /24 or a /48 is what is hidden, never the address."""
    assert (located(one) == located(other)) is same


def test_an_address_is_another_on_the_next_day_and_on_another_site() -> None:
    """The same day equal, the next day different, and nothing once the key is destroyed."""
    assert located("192.0.2.1") == located("192.0.2.1")
    assert located("192.0.2.1") != located("192.0.2.1", on=FRIDAY)
    assert located("192.0.2.1") != located("192.0.2.1", site="shop")
    assert located("192.0.2.1", on=date(2026, 11, 26)) is None


def test_what_is_found_of_a_comment() -> None:
    """Author and domains always; what it is compared by where it is asked for."""
    tracing = Tracing(pseudonyms())
    text = "Buy cheap pills today at http://shop.example.com/x"

    found = tracing.find("blog", Author(id="u-1", ip=ip_address("192.0.2.1")), text)
    compared = tracing.compare(found, text)

    assert found.author_ref is not None
    assert found.domains == ("example.com",)
    assert (found.address_ref, found.fingerprint, found.signature) == (None, None, None)
    assert compared.fingerprint is not None
    assert compared.signature is not None
    assert compared[:3] == found[:3]
    assert tracing.find("blog", NOBODY, "Thanks.") == NOTHING
    assert tracing.locate("blog", NOBODY, on=SATURDAY) is None
