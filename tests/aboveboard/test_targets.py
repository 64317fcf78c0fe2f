"""Where may be posted to: every way to write an address of the inside is refused."""

from ipaddress import ip_address

import pytest
from inside_addresses import INSIDE, SPELLINGS

from aboveboard.errors import AddressRefused, WebhookUnusable
from aboveboard.targets import Targets, is_inside, numeric, parse

OUTSIDE = [
    "1.1.1.1",
    "93.184.215.14",
    "::ffff:1.1.1.1",
    "2606:4700:4700::1111",
    "64:ff9b::1.1.1.1",
    "172.32.0.1",
    "100.128.0.1",
    "169.253.255.255",
]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_the_inside_is_one(address: str) -> None:
    """Loopback, private, shared, link-local, reserved; wrapped into IPv6 or not."""
    assert is_inside(ip_address(address))
    with pytest.raises(AddressRefused):
        Targets().check_address("somewhere.example", ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_outside_is_one(address: str) -> None:
    """Whatever is public, wrapped into IPv6 or not."""
    assert not is_inside(ip_address(address))
    Targets().check_address("somewhere.example", ip_address(address))


@pytest.mark.parametrize("host", SPELLINGS)
def test_every_spelling_is_understood(host: str) -> None:
    """Decimal, octal, hexadecimal, short, full width, dotted otherwise: all of this machine."""
    with pytest.raises(AddressRefused):
        Targets().check(parse(f"https://{host}/hook"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///hook",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "hooks.example/hook",
        "https://user@hooks.example/",
        "https://user:secret@hooks.example/",
        "https://@hooks.example/",
        "https://hooks.example/#part",
        "https://hooks.example:0/",
        "https://hooks.example:65536/",
        "https://hooks.example:x/",
        "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example%00.test/",
        "https://127.0.0.1%2f@hooks.example/",
        "https://hooks exam.ple/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://hooks.example/\u00e4",
        "https://hooks.example/" + "a" * 2048,
        "https://a..b..\u200d/",
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    """Before anybody could read it otherwise than this service does; it is not quoted."""
    with pytest.raises(WebhookUnusable) as refused:
        parse(url)

    assert "passwd" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_url_has_one_spelling() -> None:
    """Host in A-labels and lower case, the scheme's own port left out, path and query kept."""
    spelt = {
        "https://Hooks.Example": "https://hooks.example/",
        "https://hooks.example:443/a?b=c": "https://hooks.example/a?b=c",
        "https://hooks.example:8443": "https://hooks.example:8443/",
        "https://b\u00fccher.example/": "https://xn--bcher-kva.example/",
        "https://hooks.example./": "https://hooks.example/",
        "http://[2606:4700::1]:80/x": "http://[2606:4700::1]/x",
    }

    assert {url: parse(url).url for url in spelt} == spelt


def test_plain_http_leads_nowhere() -> None:
    """Not even to the outside: anybody on the way could read along."""
    with pytest.raises(AddressRefused, match="expected an https URL"):
        Targets().check(parse("http://hooks.example/"))


def test_the_operator_may_name_targets_of_the_inside() -> None:
    """A name, an address, a network; by http, too; and nothing beside them."""
    targets = Targets(["hooks.internal", "127.0.0.1", "10.0.5.0/24", "fd00::/8"])

    for url in (
        "http://hooks.internal/",
        "http://127.0.0.1:9000/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "https://10.0.5.7/",
        "http://[fd00::1]/",
    ):
        targets.check(parse(url))
    targets.check_address("hooks.internal", ip_address("192.168.1.1"))
    targets.check_address("hooks.example", ip_address("10.0.5.7"))
    for url in ("http://hooks.example/", "https://127.0.0.2/", "https://10.0.6.1/"):
        with pytest.raises(AddressRefused):
            targets.check(parse(url))
    with pytest.raises(AddressRefused):
        targets.check_address("hooks.example", ip_address("192.168.1.1"))


@pytest.mark.parametrize("named", ["127.1", "10.0.5.7/24", "https://hooks.example", "a b", "-", ""])
def test_what_names_no_target_is_refused(named: str) -> None:
    """A spelling that could be read otherwise, a URL, a network with host bits."""
    with pytest.raises(ValueError, match="expected a host name"):
        Targets([named])


def test_a_name_is_no_number() -> None:
    """Nobody is asked about it."""
    assert numeric("hooks.example") is None
    assert numeric("127.1") == ip_address("127.0.0.1")
