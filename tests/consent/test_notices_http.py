"""Notices whole, over HTTP on both engines: trackers, archived banners, what changed."""

from hashlib import sha256
from typing import Any

import httpx2
import rfc8785

NOTICE: dict[str, Any] = {
    "notice_id": "main",
    "language": "en",
    "text": "May we show ads that fit?",
    "controller": {"name": "Shop Ltd", "contact": "dpo@shop.example"},
    "withdrawal_uri": "https://shop.example/choices",
    "purposes": [
        {
            "id": "ads",
            "name": "Ads",
            "description": "Ads that fit",
            "basis": "consent",
            "data_categories": ["pages"],
            "recipients": ["Ad Ltd"],
            "retention": "P13M",
            "trackers": [{"name": "_ad", "provider": "Ad Ltd", "duration": "P13M"}],
            "advertising": True,
        }
    ],
}
BANNER = {"html": "<p>May we show ads that fit?</p>", "css": "p{}", "config": '{"mode":"opt-in"}'}


def publish(client: httpx2.Client, **changes: Any) -> httpx2.Response:  # noqa: ANN401
    """Publish the notice with changes."""
    return client.post("/v1/consent/notices", json={**NOTICE, **changes})


def test_notices_are_listed_in_pages(client: httpx2.Client) -> None:
    """Each once and in order, however they are cut; another cursor is refused."""
    publish(client, notice_id="second")
    publish(client, language="de", text="Dürfen wir?")
    for number in range(11):
        publish(client, text=f"May we show {number} ads?")
    found, pages, cursor = [], 0, ""
    while cursor is not None:
        answer = client.get(f"/v1/consent/notices?limit=3{cursor and f'&cursor={cursor}'}").json()
        found += [
            (item["notice_id"], item["version"], item["language"]) for item in answer["items"]
        ]
        pages, cursor = pages + 1, answer["next"]

    assert found == [
        ("main", 1, "de"),
        *(("main", version, "en") for version in range(1, 12)),
        ("second", 1, "en"),
    ]
    assert pages == 5
    for query in ("limit=201", "limit=0"):
        assert client.get(f"/v1/consent/notices?{query}").status_code == 422
    # "main 99999999999 en": no version has so many digits.
    for cursor in ("zzz", "bWFpbiA5OTk5OTk5OTk5OSBlbg"):
        assert client.get(f"/v1/consent/notices?cursor={cursor}").status_code == 400


def test_everything_said_of_a_notice_comes_back(client: httpx2.Client) -> None:
    """Trackers, retention, recipients and where to withdraw are stored as they were told."""
    publish(client)

    (stored,) = client.get("/v1/consent/notices/main").json()["items"]

    assert {name: stored[name] for name in NOTICE if name != "purposes"} == {
        name: NOTICE[name] for name in NOTICE if name != "purposes"
    } | {"controller": {"id": None, "address": None} | NOTICE["controller"]}
    (purpose,) = stored["purposes"]
    assert {name: purpose[name] for name in NOTICE["purposes"][0]} == NOTICE["purposes"][0]


def test_a_banner_is_archived_once_by_content(client: httpx2.Client) -> None:
    """Its digest is of its canonical JSON, by anyone; the bytes come back as hashed."""
    first = client.post("/v1/consent/banners", json=BANNER)
    again = client.post("/v1/consent/banners", json=dict(reversed(BANNER.items())))
    digest = first.json()["ui_sha256"]
    archived = client.get(f"/v1/consent/banners/{digest}")

    assert (first.status_code, again.status_code) == (201, 201)
    assert digest == sha256(rfc8785.dumps(BANNER)).hexdigest()
    assert again.json() == first.json()
    assert sha256(archived.content).hexdigest() == digest
    assert archived.json() == BANNER


def test_an_unknown_banner_is_told(client: httpx2.Client) -> None:
    """A notice cannot name a banner that nobody archived, and nobody can read one."""
    refused = publish(client, ui_sha256="0" * 64)
    missing = client.get(f"/v1/consent/banners/{'0' * 64}")

    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/notice-invalid")
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/banner-not-found")


def test_advertising_is_nothing_strictly_necessary(client: httpx2.Client) -> None:
    """Neither a signal nor a refusal would end it; the problem says which purpose it is."""
    (purpose,) = NOTICE["purposes"]
    login = {**purpose, "id": "login", "basis": "strictly_necessary", "advertising": False}
    refused = publish(client, purposes=[purpose, {**login, "advertising": True}])
    published = publish(client, purposes=[purpose, login])

    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-request")
    assert refused.json()["errors"][0]["where"] == "purposes.1"
    assert "strictly_necessary" in refused.json()["detail"]
    assert published.status_code == 201


def test_another_banner_is_another_version_and_asks_nobody_again(client: httpx2.Client) -> None:
    """The same words in another banner: a new version with the same substance."""
    publish(client)
    digest = client.post("/v1/consent/banners", json=BANNER).json()["ui_sha256"]
    second = publish(client, ui_sha256=digest)
    same = publish(client, ui_sha256=digest)
    silent = publish(client)
    found = client.get("/v1/consent/notices/main/changes").json()

    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert (same.status_code, silent.status_code) == (200, 200)
    assert silent.json()["ui_sha256"] == digest
    assert found["changes"] == [{"where": "ui_sha256", "asks_again": False, "after": digest}]
    assert found["asks_again"] is False


def test_languages_join_a_version_by_the_same_substance(client: httpx2.Client) -> None:
    """A new version has the language that made it; a translated category is another substance."""
    german = {"language": "de", "text": "Dürfen wir Werbung zeigen?"}
    (purpose,) = NOTICE["purposes"]
    publish(client)
    joined = publish(client, **german)
    reworded = publish(client, text="May we show better ads?")
    missing = client.get("/v1/consent/notices/main", params={"language": "de"})
    again = publish(client, **german)
    translated = publish(client, **german, purposes=[{**purpose, "data_categories": ["Seiten"]}])

    assert (joined.status_code, joined.json()["version"]) == (201, 1)
    assert (reworded.json()["version"], missing.status_code) == (2, 404)
    assert (again.status_code, again.json()["version"]) == (201, 2)
    assert translated.json()["version"] == 3
    assert translated.json()["material_sha256"] != again.json()["material_sha256"]


def test_what_changed_between_versions(client: httpx2.Client) -> None:
    """By default the newest against the one before; any two that share a language."""
    (purpose,) = NOTICE["purposes"]
    publish(client)
    publish(client, text="May we show better ads?")
    publish(client, purposes=[{**purpose, "recipients": ["Ad Ltd", "More Ads Ltd"]}])

    newest = client.get("/v1/consent/notices/main/changes").json()
    wording = client.get("/v1/consent/notices/main/changes", params={"from": 1, "to": 2}).json()
    none = client.get("/v1/consent/notices/main/changes", params={"language": "de"})

    assert (newest["from"], newest["to"], newest["asks_again"]) == (2, 3, True)
    assert {change["where"]: change["asks_again"] for change in newest["changes"]} == {
        "purposes.ads.recipients": True,
        "text": False,
    }
    assert [change["where"] for change in wording["changes"]] == ["text"]
    assert wording["changes"][0]["before"] == NOTICE["text"]
    assert wording["asks_again"] is False
    assert none.status_code == 404
