"""Coral's external moderation phase over HTTP, on both engines."""

import hmac
import json
from collections.abc import Iterator
from hashlib import sha256
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import EVERY_SCOPE, Service, Site
from sqlalchemy import select

from moderation.tables import COMPAT_SETTING

SECRET = "keyed-by-coral"
INSULT = "<div>You are a stupid <b>idiot</b> and everybody hates you.</div>"
KIND = "<div>Thank you, this was a lovely article &amp; a lovely garden.</div>"


@pytest.fixture
def native(service: Service, whole: Site) -> Iterator[httpx2.Client]:
    """Speak the native API for that site, which knows Coral's secret."""
    with service.client(whole.key) as opened:
        opened.put("/v1/compat/settings", json={"coral": {"secrets": [SECRET]}}).raise_for_status()
        yield opened


def posted(html: str, **changed: object) -> bytes:
    """Return what Coral posts of a comment."""
    content: dict[str, Any] = {
        "action": "NEW",
        "comment": {"body": html, "parentID": None},
        "author": {"id": "a1", "role": "COMMENTER"},
        "story": {"id": "s1", "url": "https://news.example.org/a-story"},
        "site": {"id": "c1"},
        "tenantID": "t1",
        "tenantDomain": "coral.example.org",
    }
    return json.dumps(content | changed).encode()


def post(client: httpx2.Client, site: Site, body: bytes, *secrets: str) -> httpx2.Response:
    """Post as Coral does, signed with each of *secrets*."""
    signatures = [
        f"sha256={hmac.new(secret.encode(), body, sha256).hexdigest()}" for secret in secrets
    ]
    headers = {"x-coral-signature": ",".join(signatures), "content-type": "application/json"}
    return client.post(f"/coral/{site.id}/moderation", content=body, headers=headers)


def comments(native: httpx2.Client) -> list[dict[str, Any]]:
    """Return what is stored of the site."""
    return list(native.get("/v1/comments").raise_for_status().json()["items"])


def test_what_is_held_is_withheld_flagged_and_queued(native: httpx2.Client, whole: Site) -> None:
    """Its text is kept as people read it, with its author and story."""
    answer = post(native, whole, posted(INSULT), SECRET)

    assert answer.json() == {
        "actions": [{"actionType": "FLAG", "reason": "COMMENT_DETECTED_TOXIC"}],
        "status": "SYSTEM_WITHHELD",
    }
    (comment,) = comments(native)
    assert comment["text"] == "You are a stupid idiot and everybody hates you."
    assert (comment["origin"], comment["state"]) == ("coral", "pending")
    assert comment["author"] == {"id": "a1", "role": "COMMENTER"}
    assert comment["thread"]["url"] == "https://news.example.org/a-story"
    assert len(native.get("/v1/cases", params={"origin": "coral"}).json()["items"]) == 1


def test_there_is_no_opinion_of_what_is_approved(native: httpx2.Client, whole: Site) -> None:
    """204 without a body, of an empty comment, too."""
    kind = post(native, whole, posted(KIND), SECRET)
    empty = post(native, whole, posted("<p></p>"), SECRET)

    assert (kind.status_code, kind.content) == (204, b"")
    assert "content-length" not in kind.headers
    assert empty.status_code == 204
    assert [one["text"] for one in comments(native)] == [
        "Thank you, this was a lovely article & a lovely garden."
    ]


def test_a_decision_here_holds_for_the_same_comment(native: httpx2.Client, whole: Site) -> None:
    """What a moderator approved is not withheld when it is posted again."""
    post(native, whole, posted(INSULT), SECRET)
    (comment,) = comments(native)
    claimed = native.post("/v1/cases:claim", json={"moderator": {"id": "anna"}}).raise_for_status()
    native.post(
        f"/v1/comments/{comment['id']}/decisions",
        json={
            "moderator": {"id": "anna"},
            "action": "approve",
            "revision": 1,
            "version": comment["version"],
            "claim_token": claimed.json()["case"]["claim_token"],
        },
    ).raise_for_status()

    assert post(native, whole, posted(INSULT), SECRET).status_code == 204
    native.put("/v1/compat/settings", json={"coral": {"statuses": {"approve": "APPROVED"}}})
    assert post(native, whole, posted(INSULT), SECRET).json() == {"status": "APPROVED"}


@pytest.mark.parametrize("html", [INSULT, KIND])
def test_what_was_erased_is_judged_when_it_comes_again(
    native: httpx2.Client, whole: Site, html: str
) -> None:
    """As it was the first time, for nobody can decide on it any more; nothing of it is kept."""
    first = post(native, whole, posted(html), SECRET)
    (comment,) = comments(native)
    native.delete(f"/v1/comments/{comment['id']}").raise_for_status()

    again = post(native, whole, posted(html), SECRET)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    (left,) = comments(native)
    assert (left["id"], left["state"], left["revision"]) == (comment["id"], "erased", 1)
    assert not left["text"]


def test_half_a_pair_gets_no_comment_past_us(native: httpx2.Client, whole: Site) -> None:
    """The signature is of the bytes as they came."""
    body = posted(INSULT.replace("You", "You \ud83d"))
    assert rb"\ud83d" in body

    assert post(native, whole, body, SECRET).json()["status"] == "SYSTEM_WITHHELD"
    (comment,) = comments(native)
    assert comment["text"] == "You \ufffd are a stupid idiot and everybody hates you."


def test_secrets_rotate(native: httpx2.Client, whole: Site) -> None:
    """Old and new are good together; the old one is not once it is taken out."""
    native.put("/v1/compat/settings", json={"coral": {"secrets": ["new", SECRET]}})
    during = [post(native, whole, posted(KIND), *keys) for keys in (("new",), (SECRET,))]
    native.put("/v1/compat/settings", json={"coral": {"secrets": ["new"]}})
    kept = native.put("/v1/compat/settings", json={"coral": {"statuses": {"hold": "PREMOD"}}})

    assert [one.status_code for one in during] == [204, 204]
    assert kept.json()["coral"]["secrets_known"] == 1
    assert post(native, whole, posted(KIND), SECRET, "new").status_code == 204
    assert post(native, whole, posted(KIND), SECRET).status_code == 401
    assert post(native, whole, posted(INSULT), "new").json()["status"] == "PREMOD"


def test_what_is_not_signed_is_let_in_nowhere(
    service: Service, native: httpx2.Client, whole: Site
) -> None:
    """An unknown site is told the same as a wrong signature."""
    unsigned = post(native, whole, posted(KIND))
    nowhere = post(native, Site("no-such-site", "", ""), posted(KIND), SECRET)
    unset = service.add_site(f"https://{token_hex(6)}.example.org")

    assert unsigned.status_code == nowhere.status_code == 401
    assert post(native, unset, posted(KIND), SECRET).status_code == 401
    assert comments(native) == []


def test_a_secret_is_neither_told_nor_stored_as_it_is(
    service: Service, native: httpx2.Client, whole: Site
) -> None:
    """Whoever has the database alone can sign nothing."""
    told = native.get("/v1/compat/settings").text
    with service.databases() as databases, databases.moderation.read() as connection:
        stored = connection.execute(
            select(COMPAT_SETTING.c.setting).where(COMPAT_SETTING.c.site_id == whole.id)
        ).scalar_one()

    assert '"secrets_known":1' in told
    assert SECRET not in told + stored


def test_sites_of_corals_are_sites_of_ours(service: Service, native: httpx2.Client) -> None:
    """One tenant of Coral's has many sites; a key maps only to those it is good for."""
    with service.accounts() as accounts:
        first, second = (
            accounts.create_site(f"https://{token_hex(6)}.example.org").site for _ in range(2)
        )
        key = accounts.create_key([first.id, second.id], scopes=EVERY_SCOPE)
    stranger = native.put(
        "/v1/compat/settings",
        json={"coral": {"secrets": [SECRET], "sites": [{"coral_id": "c1", "site": second.id}]}},
    )
    site = Site(first.id, first.url, key)
    with service.client(key) as both:
        both.put(
            "/v1/compat/settings",
            json={
                "site": first.id,
                "coral": {"secrets": [SECRET], "sites": [{"coral_id": "c1", "site": second.id}]},
            },
        ).raise_for_status()
        post(both, site, posted(INSULT), SECRET)
        post(both, site, posted(KIND, site={"id": "c2"}), SECRET)
        found = [
            both.get("/v1/comments", params={"site": one.id}).json()["items"]
            for one in (first, second)
        ]

    assert stranger.status_code == 404
    assert [[one["state"] for one in items] for items in found] == [["published"], ["pending"]]


@pytest.mark.parametrize("body", [b"", b"[]", posted(KIND, action="DELETE"), b'{"action":"NEW"}'])
def test_what_is_not_corals_is_refused(native: httpx2.Client, whole: Site, body: bytes) -> None:
    """Signed or not; Coral goes on without an opinion."""
    answer = post(native, whole, body, SECRET)

    assert answer.status_code == 400
    assert "error" in answer.json()
