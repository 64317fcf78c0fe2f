"""Sites and keys: slugs, what a key looks like, what it is stored as, whom it speaks for."""

import asyncio
import hashlib
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from aboveboard.accounts import Accounts, make_key, next_slug, parse_url, slug
from aboveboard.errors import (
    KeyNotFound,
    KeyTaken,
    KeyUnusable,
    ScopeUnknown,
    SiteExists,
    SiteNotFound,
    UrlUnusable,
)
from aboveboard.installation import Databases
from aboveboard.tables import API_KEY

BACKEND = (
    "comments:submit comments:read comments:score comments:feedback "
    "consent:notice consent:record consent:read"
)


@pytest.fixture
def accounts(databases: Databases) -> Accounts:
    """Open accounts over empty tables, at a fixed hour."""
    return Accounts(
        databases.aboveboard,
        pepper=bytes(32),
        clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


# -- slugs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("blog.example.org", "blog-example-org"),
        ("a--b_c.example", "a-b-c-example"),
        ("ab", "site-ab"),
        ("a.b", "a-b"),
        ("::1", "site-1"),
        ("xn--bcher-kva.example", "xn-bcher-kva-example"),
        ("a" * 40, "a" * 40),
        ("a" * 41, "a" * 33 + "-" + hashlib.sha256(b"a" * 41).hexdigest()[:6]),
    ],
)
def test_a_slug_is_made_from_the_host(host: str, expected: str) -> None:
    """Runs of other characters become a hyphen; short ones grow, long ones end in a digest."""
    assert slug(host) == expected


def test_two_long_hosts_do_not_share_a_slug() -> None:
    """What is cut off still tells them apart."""
    assert slug("a" * 60 + ".one.example") != slug("a" * 60 + ".two.example")


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]{1,20}){0,4}", fullmatch=True))
def test_every_host_has_a_slug_of_the_documented_form(host: str) -> None:
    """3 to 40 of a-z, 0-9 and hyphen, none at the ends; also for the second and tenth of a name."""
    made = [slug(host)]
    while len(made) < 11:
        made.append(next_slug(made[0], set(made)))

    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{1,38}[a-z0-9]", name) for name in made)
    assert len(set(made)) == 11


def test_a_taken_slug_is_numbered() -> None:
    """The second is -2, the third -3, and a full length makes room for the number."""
    assert next_slug("blog", {"blog"}) == "blog-2"
    assert next_slug("blog", {"blog", "blog-2"}) == "blog-3"
    assert next_slug("a" * 40, {"a" * 40}) == "a" * 38 + "-2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Blog.Example.org/", ("https://blog.example.org", "blog.example.org")),
        ("https://blog.example.org:443", ("https://blog.example.org", "blog.example.org")),
        ("http://localhost:8080", ("http://localhost:8080", "localhost")),
        ("https://bücher.example/shop/", ("https://xn--bcher-kva.example/shop", None)),
        ("https://BÜCHER.example", ("https://xn--bcher-kva.example", "xn--bcher-kva.example")),
        ("http://[::1]:8080/", ("http://[::1]:8080", "::1")),
        ("https://example.org.", ("https://example.org", "example.org")),
    ],
)
def test_a_url_has_one_spelling(url: str, expected: tuple[str, str | None]) -> None:
    """Lower case, A-labels, no usual port, no slash at the end."""
    address, host = parse_url(url)

    assert address == expected[0]
    assert expected[1] in {host, None}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "blog.example.org",
        "ftp://blog.example.org",
        "https://",
        "https:///path",
        "https://a b.example",
        "https://user:secret@blog.example.org",
        "https://blog.example.org/?q=1",
        "https://blog.example.org/#top",
        "https://blog.example.org:99999",
        "https://[::1",
        "https://-\u00fc-.example",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_site_address_is_refused(url: str) -> None:
    """Only http and https with a host, and nothing a site's address does not have."""
    with pytest.raises(UrlUnusable):
        parse_url(url)


# -- sites ------------------------------------------------------------------------------------


def test_a_site_is_created_once(accounts: Accounts) -> None:
    """The same address twice is an error that names the slug; sites are listed by slug."""
    first = accounts.create_site("https://blog.example.org")
    second = accounts.create_site("http://blog.example.org")

    with pytest.raises(SiteExists, match="'blog-example-org'"):
        accounts.create_site("https://BLOG.example.org:443/")

    assert (first.site.id, second.site.id) == ("blog-example-org", "blog-example-org-2")
    assert first.site.host == "blog.example.org"
    assert accounts.list_sites() == [first.site, second.site]
    assert accounts.has_sites()


def test_a_refused_site_leaves_nothing(accounts: Accounts) -> None:
    """A site whose key cannot be made is not made either."""
    with pytest.raises(KeyUnusable):
        accounts.create_site("https://blog.example.org", key="not-a-key")
    for scopes in (["comments:everything"], ["comments:read", ""], []):
        with pytest.raises(ScopeUnknown):
            accounts.create_site("https://blog.example.org", scopes=scopes)

    assert not accounts.has_sites()
    assert accounts.list_keys() == []


def test_a_site_is_found_by_its_slug_alone(accounts: Accounts) -> None:
    """Another slug is no site."""
    made = accounts.create_site("https://blog.example.org").site

    assert asyncio.run(accounts.get_site("blog-example-org")) == made
    with pytest.raises(SiteNotFound):
        asyncio.run(accounts.get_site("other"))


# -- keys -------------------------------------------------------------------------------------


def test_a_key_fits_a_dns_label() -> None:
    """`ab`, 8 characters of id, 52 of secret: 62 of a-z and 0-9, never the same."""
    key_id, key = make_key()

    assert re.fullmatch(r"ab[a-z0-9]{60}", key)
    assert key[2:10] == key_id
    assert make_key()[1] != key


def test_a_key_is_stored_as_its_digest(accounts: Accounts, databases: Databases) -> None:
    """An ordinary key as SHA-256; the key itself is nowhere."""
    made = accounts.create_site("https://blog.example.org")

    with databases.aboveboard.read() as connection:
        (row,) = connection.execute(select(API_KEY)).all()

    assert row.digest == hashlib.sha256(made.key.encode()).hexdigest()
    assert not row.legacy
    assert row.created == "2026-01-02T03:04:05.000000Z"
    assert made.key[10:] not in repr(row)


def test_a_legacy_key_is_kept_as_asked(accounts: Accounts, databases: Databases) -> None:
    """12 hexadecimal characters are taken, marked, and stored under the pepper."""
    made = accounts.create_site("https://blog.example.org", key="0123456789ab")
    caller = asyncio.run(accounts.find_caller("0123456789ab"))

    (listed,) = accounts.list_keys()
    with databases.aboveboard.read() as connection:
        (digest,) = connection.execute(select(API_KEY.c.digest)).scalars().all()

    assert made.key == "0123456789ab"
    assert listed.legacy
    assert caller is not None
    assert caller.sites == ("blog-example-org",)
    assert digest.startswith("legacy:")
    assert hashlib.sha256(b"0123456789ab").hexdigest() not in digest


@pytest.mark.parametrize(
    "key", ["0123456789aB", "0123456789a", "0123456789abc", "", "ab" + "a" * 60]
)
def test_no_other_key_may_be_chosen(accounts: Accounts, key: str) -> None:
    """An ordinary key is made, never given; the refusal does not repeat it."""
    with pytest.raises(KeyUnusable) as caught:
        accounts.create_site("https://blog.example.org", key=key)

    assert not key or key not in str(caught.value)


def test_a_key_belongs_to_one_holder(accounts: Accounts) -> None:
    """A legacy key that exists cannot be given to another site."""
    accounts.create_site("https://one.example", key="0123456789ab")

    with pytest.raises(KeyTaken):
        accounts.create_site("https://two.example", key="0123456789ab")
    with pytest.raises(KeyTaken):
        accounts.create_key(["one-example"], key="0123456789ab")


def test_a_backend_gets_its_scopes(accounts: Accounts) -> None:
    """By default all that a site backend needs, and no more; narrowed where asked."""
    accounts.create_site("https://one.example")
    accounts.create_key(["one-example"], scopes=["comments:read", "comments:read"])

    by_scopes = {" ".join(listed.scopes) for listed in accounts.list_keys()}

    assert by_scopes == {BACKEND, "comments:read"}


def test_a_key_may_be_good_for_several_sites(accounts: Accounts) -> None:
    """It speaks for each of them, once; an unknown site is refused."""
    accounts.create_site("https://one.example")
    accounts.create_site("https://two.example")

    key = accounts.create_key(["two-example", "one-example", "two-example"])

    caller = asyncio.run(accounts.find_caller(key))
    assert caller is not None
    assert caller.sites == ("one-example", "two-example")
    with pytest.raises(SiteNotFound):
        accounts.create_key(["one-example", "three-example"])


def test_a_revoked_key_is_nobodys(accounts: Accounts) -> None:
    """It ends once, stays in the list, and cannot be revoked again."""
    key = accounts.create_site("https://one.example").key
    (listed,) = accounts.list_keys()

    accounts.revoke_key(listed.id)

    assert asyncio.run(accounts.find_caller(key)) is None
    assert accounts.list_keys()[0].revoked == "2026-01-02T03:04:05.000000Z"
    for key_id in (listed.id, "unknown"):
        with pytest.raises(KeyNotFound):
            accounts.revoke_key(key_id)


@pytest.mark.parametrize("key", ["", "ab", "ab" + "a" * 60, "0" * 12, "ä" * 62, "AB" + "A" * 60])
def test_an_unknown_key_is_nobodys(accounts: Accounts, key: str) -> None:
    """Whatever was sent, the answer is None."""
    accounts.create_site("https://one.example")

    assert asyncio.run(accounts.find_caller(key)) is None
