"""What a site sets for the APIs of others, over HTTP and on both engines."""

from collections.abc import Iterator
from secrets import token_hex

import httpx2
import pytest
from conftest import Service

from moderation.compat import setting
from moderation.compat.setting import AkismetSetting, CompatSetting


@pytest.fixture
def admin(service: Service) -> Iterator[httpx2.Client]:
    """Speak for a site of this test's own with a key that may set things."""
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=["site:admin"])
    with service.client(site.key) as client:
        yield client


def test_a_site_that_has_set_nothing_has_the_defaults(admin: httpx2.Client) -> None:
    """A hold is told as `false`, with a recheck; nothing is discarded; nothing is limited."""
    found = admin.get("/v1/compat/settings").json()

    assert found["akismet"] == {
        "hold": "false",
        "recheck_after_s": 120,
        "discard": False,
        "monthly_limit": None,
    }


def test_what_is_set_holds_at_once(admin: httpx2.Client) -> None:
    """What is left out of the next setting is as it is by default again."""
    first = admin.put(
        "/v1/compat/settings", json={"akismet": {"hold": "true", "monthly_limit": 10}}
    )
    read = admin.get("/v1/compat/settings")
    second = admin.put("/v1/compat/settings", json={"akismet": {"discard": True}})

    assert first.json() == read.json()
    assert read.json()["akismet"]["hold"] == "true"
    assert second.json()["akismet"]["monthly_limit"] is None
    assert admin.get("/v1/compat/settings").json()["akismet"]["discard"] is True


@pytest.mark.parametrize(
    "akismet",
    [{"hold": True}, {"recheck_after_s": 0}, {"monthly_limit": -1}, {"colour": "red"}],
)
def test_what_cannot_be_set_is_refused(admin: httpx2.Client, akismet: dict[str, object]) -> None:
    """With the place, and nothing changes."""
    refused = admin.put("/v1/compat/settings", json={"akismet": akismet})

    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("akismet")
    assert admin.get("/v1/compat/settings").json()["akismet"]["hold"] == "false"


def test_a_category_is_made_of_one_thing(admin: httpx2.Client) -> None:
    """Told twice, neither of the two is taken for what was meant."""
    twice = [{"category": "hate", "labels": [label]} for label in ("insult", "threat")]

    refused = admin.put("/v1/compat/settings", json={"openai": {"categories": twice}})

    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {
            "where": "openai.categories",
            "problem": "expected each category once, got one twice",
        }
    ]


def test_every_dialect_has_its_member(admin: httpx2.Client) -> None:
    """What is set is told as it was given; Coral's secrets are only counted."""
    given = {
        "perspective": {
            "store": False,
            "unsupported_attributes": "omit",
            "unknown_languages": "score",
        },
        "openai": {
            "store": False,
            "categories": [{"category": "hate", "labels": ["identity_attack"], "every": True}],
            "other": "illicit",
        },
        "coral": {
            "secrets": ["one", "two"],
            "sites": [],
            "statuses": {"approve": "APPROVED", "hold": None, "spam": "REJECTED", "reject": "NONE"},
        },
    }

    told = admin.put("/v1/compat/settings", json=given).raise_for_status().json()

    assert told.pop("coral") == {
        "secrets_known": 2,
        "sites": [],
        "statuses": given["coral"]["statuses"],
    }
    assert {name: told[name] for name in ("perspective", "openai")} == {
        name: given[name] for name in ("perspective", "openai")
    }


def test_what_is_told_can_be_sent_back(admin: httpx2.Client) -> None:
    """To change one thing and keep the others, secrets that are not told among them."""
    first = admin.put("/v1/compat/settings", json={"coral": {"secrets": ["one"]}}).json()
    told = admin.get("/v1/compat/settings").json()

    back = admin.put("/v1/compat/settings", json=told)

    assert back.status_code == 200, back.text
    assert back.json() == told == first


def test_a_setting_of_a_newer_release_is_read() -> None:
    """Members that this release does not know are passed over."""
    wanted = CompatSetting(AkismetSetting(hold=True))
    newer = setting.write(wanted).replace("{", '{"later":{"x":1},', 1)
    newer = newer.replace('"hold"', '"later":1,"hold"')

    assert setting.read(setting.write(wanted)) == wanted
    assert setting.read(newer) == wanted
