"""Notices, choices, standing and the public log over HTTP, on both engines."""

import json
import subprocess
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import COMMAND, Service, Site

from consent.choices.record import instant, parse_instant
from consent.log import merkle
from consent.log.checkpoint import Checkpoint, Verifier
from consent.proofs import receipt

PURPOSES = [
    {"id": "ads", "name": "Ads", "description": "Ads that fit", "basis": "consent"},
    {"id": "statistics", "name": "Counting", "description": "Count visits", "basis": "consent"},
]
NOTICE = {
    "notice_id": "main",
    "language": "en",
    "text": "May we show ads that fit and count visits?",
    "controller": {"name": "Shop Ltd"},
    "purposes": PURPOSES,
}
DEVICE = {"kind": "device", "id": "device-1"}


def publish(client: httpx2.Client, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Publish the notice, with changes, and return it as stored."""
    answer = client.post("/v1/consent/notices", json={**NOTICE, **changes})
    assert answer.status_code in {200, 201}, answer.text
    made: dict[str, Any] = answer.json()
    return made


def event(kind: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return an event of one kind about one device and the purpose `ads`."""
    method, decided = {
        "requested": ("api", None),
        "given": ("accept_all", "given"),
        "refused": ("reject_all", "refused"),
        "withdrawn": ("withdraw_link", "refused"),
    }[kind]
    return {
        "subject": DEVICE,
        "event_type": kind,
        "method": method,
        "origin": "banner",
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
        "decisions": [{"purpose_id": "ads", "decision": decided}] if decided else [],
        **more,
    }


def send(client: httpx2.Client, body: dict[str, Any], key: str | None = None) -> httpx2.Response:
    """Send an event under a key, by default one of its own."""
    headers = {"idempotency-key": key or token_hex(16)}
    return client.post("/v1/consent/events", json=body, headers=headers)


def record(client: httpx2.Client, kind: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Send an event that is recorded, and return its receipt."""
    answer = send(client, event(kind, **more))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def standing(client: httpx2.Client, purpose: str = "ads", **query: str) -> dict[str, Any]:
    """Ask for the device's standing."""
    answer = client.get(
        "/v1/consent/standing",
        params={
            "subject_kind": "device",
            "subject_id": "device-1",
            "purpose": purpose,
            **query,
        },
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def verifier(client: httpx2.Client, site: Site) -> Verifier:
    """Return the verifier of the site's first log."""
    return Verifier.from_vkey(client.get(f"/v1/consent/logs/{site.id}/1/key").text.strip())


def checkpoint(client: httpx2.Client, site: Site) -> Checkpoint:
    """Return the newest checkpoint of the site's first log, its signature checked."""
    text = client.get(f"/v1/consent/logs/{site.id}/1/checkpoint").text
    return verifier(client, site).open(text)


def proof(client: httpx2.Client, site: Site, question: str) -> list[bytes]:
    """Return the hashes of an inclusion or consistency proof."""
    answer = client.get(f"/v1/consent/logs/{site.id}/1/proof/{question}")
    assert answer.status_code == 200, answer.text
    return [b64decode(item, validate=True) for item in answer.json()["hashes"]]


# -- notices ----------------------------------------------------------------------------------


def test_a_notice_is_published_once(client: httpx2.Client) -> None:
    """First 201 with version and digests, then 200 with the very same."""
    first = client.post("/v1/consent/notices", json=NOTICE)
    again = client.post("/v1/consent/notices", json=NOTICE)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content
    made = first.json()
    assert made["version"] == 1
    assert len(made["text_sha256"]) == len(made["material_sha256"]) == 64
    assert made["published"].endswith("Z")


def test_versions_follow_substance_and_wording(client: httpx2.Client) -> None:
    """A language joins; another wording or substance opens a version; going back does too."""
    first = publish(client)
    german = publish(client, language="de", text="Dürfen wir?")
    reworded = publish(client, text="May we, please?")
    changed = publish(client, text="May we, please?", purposes=PURPOSES[:1])
    back = publish(client)

    versions = [made["version"] for made in (first, german, reworded, changed, back)]
    assert versions == [1, 1, 2, 3, 4]
    assert german["material_sha256"] == first["material_sha256"] == reworded["material_sha256"]
    assert german["text_sha256"] != first["text_sha256"]
    assert changed["material_sha256"] != first["material_sha256"]
    assert back["text_sha256"] == first["text_sha256"]


def test_notices_are_read_back(client: httpx2.Client) -> None:
    """The list holds everything; one notice is its current version unless another is named."""
    publish(client)
    publish(client, language="de", text="Dürfen wir?")
    publish(client, text="May we, please?")
    publish(client, notice_id="other")

    every = client.get("/v1/consent/notices").json()["items"]
    current = client.get("/v1/consent/notices/main").json()["items"]
    first = client.get("/v1/consent/notices/main?version=1").json()["items"]
    german = client.get("/v1/consent/notices/main?version=1&language=de").json()["items"]

    assert [(item["notice_id"], item["version"], item["language"]) for item in every] == [
        ("main", 1, "de"),
        ("main", 1, "en"),
        ("main", 2, "en"),
        ("other", 1, "en"),
    ]
    assert [(item["version"], item["text"]) for item in current] == [(2, "May we, please?")]
    assert [item["language"] for item in first] == ["de", "en"]
    assert [item["text"] for item in german] == ["Dürfen wir?"]


def test_a_language_that_the_current_version_lacks_is_not_there(client: httpx2.Client) -> None:
    """An older version's language does not stand in for the current one."""
    publish(client)
    publish(client, language="de", text="Dürfen wir?")
    publish(client, text="May we, please?")

    answers = [
        client.get("/v1/consent/notices/main?language=de"),
        client.get("/v1/consent/notices/main?version=9"),
        client.get("/v1/consent/notices/none"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert {answer.json()["type"] for answer in answers} == {"/problems/notice-not-found"}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"purposes": []}, "invalid-request"),
        ({"purposes": PURPOSES[:1] * 2}, "notice-invalid"),
        ({"text": ""}, "invalid-request"),
        ({"language": "English"}, "invalid-request"),
        ({"notice_id": "Main!"}, "invalid-request"),
        ({"controller": {}}, "invalid-request"),
        ({"purposes": [{**PURPOSES[0], "basis": "because"}]}, "invalid-request"),
        ({"version": 7}, "invalid-request"),
    ],
)
def test_a_notice_that_cannot_be_published_is_refused(
    client: httpx2.Client, changes: dict[str, Any], kind: str
) -> None:
    """422 says why, and no version is opened."""
    answer = client.post("/v1/consent/notices", json={**NOTICE, **changes})

    assert answer.status_code == 422
    assert answer.json()["type"] == f"/problems/{kind}"
    assert client.get("/v1/consent/notices").json() == {"items": [], "next": None}


# -- events -----------------------------------------------------------------------------------


def test_a_choice_is_asked_for_given_and_withdrawn(client: httpx2.Client) -> None:
    """Each event is a record; standing follows."""
    publish(client)

    before = standing(client)
    asked = record(client, "requested")
    unanswered = standing(client)
    given = record(client, "given")
    allowed = standing(client)
    withdrawn = record(client, "withdrawn")
    ended = standing(client)

    assert before == {
        "purpose": "ads",
        "allowed": False,
        "why": "not_asked",
        "ask": True,
        "regime": "eu_optin",
    }
    assert unanswered == {**before, "why": "not_answered"}
    assert (allowed["allowed"], allowed["why"]) == (True, "given")
    assert (allowed["record_id"], allowed["since"]) == (
        given["record_id"],
        given["event"]["received_at"],
    )
    assert (ended["allowed"], ended["why"]) == (False, "withdrawn")
    assert ended["record_id"] == withdrawn["record_id"]
    assert [made["leaf_index"] for made in (asked, given, withdrawn)] == [0, 1, 2]


def test_an_event_says_what_the_format_says(client: httpx2.Client, site: Site) -> None:
    """Members are those of the format page: client's words, server's facts, nothing null."""
    notice = publish(client)
    banner = client.post("/v1/consent/banners", json={"html": "<p>May we?</p>"}).json()
    asked = record(client, "requested")

    made = record(
        client,
        "given",
        origin="preferences",
        jurisdiction="DE-BE",
        occurred_at=asked["event"]["received_at"],
        valid_until="2099-01-31T12:00:00.5+02:00",
        served_id=asked["record_id"],
        explicit=True,
        notice={
            "notice_id": "main",
            "version": 1,
            "language": "en",
            "layer": 2,
            "ui_sha256": banner["ui_sha256"],
        },
        context={"page": "https://shop.example/cart?mail=a@b.c#x", "layout_w": 320},
        signals={"sec_gpc": True},
    )["event"]

    assert made["schema"] == "consent-event/1"
    assert made["site_id"] == site.id
    assert made["subject_ref"].startswith("1.")
    assert len(made["subject_ref"]) == 34
    assert (made["assurance"], made["by"]) == ("session", "data_subject")
    assert made["consent_type"] == "explicitly_expressed"
    assert made["decisions"] == [{"purpose_id": "ads", "decision": "given", "basis": "consent"}]
    assert made["notice"] == {
        "notice_id": "main",
        "version": 1,
        "language": "en",
        "text_sha256": notice["text_sha256"],
        "material_sha256": notice["material_sha256"],
        "layer": 2,
        "ui_sha256": banner["ui_sha256"],
    }
    assert made["valid_until"] == "2099-01-31T10:00:00Z"
    assert made["served_id"] == asked["record_id"]
    assert made["context"] == {"page": "https://shop.example/cart", "layout_w": 320}
    assert made["signals"] == {"sec_gpc": True}
    assert "idempotency_key" not in made
    assert asked["event"]["by"] == "controller"
    assert asked["event"]["decisions"] == []
    assert "occurred_at" not in asked["event"]


def test_an_event_names_a_banner_that_can_be_shown(client: httpx2.Client) -> None:
    """The notice's, or another that is archived; without one that is not, only a no is recorded."""
    banners = [
        client.post("/v1/consent/banners", json={"html": html}).json()["ui_sha256"]
        for html in ("<p>May we?</p>", "<b>May we?</b>")
    ]
    publish(client, ui_sha256=banners[0])
    shown = {"notice_id": "main", "version": 1, "language": "en"}
    unknown = {"notice": shown | {"ui_sha256": "0" * 64}}

    asked = record(client, "requested")
    given = record(client, "given", notice=shown | {"ui_sha256": banners[1]})
    refused = send(client, event("given", **unknown))
    no = record(client, "withdrawn", **unknown)

    assert [made["event"]["notice"].get("ui_sha256") for made in (asked, given, no)] == [
        *banners,
        None,
    ]
    assert (refused.status_code, refused.json()["code"]) == (422, "banner_unknown")


def test_a_given_nobody_was_asked_for_is_refused(client: httpx2.Client) -> None:
    """409 `not_asked`, and the log does not grow."""
    publish(client)

    answer = send(client, event("given"))

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/event-refused"
    assert answer.json()["code"] == "not_asked"
    assert standing(client)["why"] == "not_asked"


def test_after_a_refusal_the_question_must_be_new(client: httpx2.Client) -> None:
    """The banner must ask again, and wait before it does; in the preferences a mind may change."""
    publish(client)
    record(client, "requested")
    record(client, "refused")

    nagged = send(client, event("given"))
    record(client, "requested")  # about the other purpose, which is open
    too_soon = send(client, event("given"))
    by_themselves = send(client, event("given", origin="preferences"))

    assert (nagged.status_code, nagged.json()["code"]) == (409, "not_asked")
    assert (too_soon.status_code, too_soon.json()["code"]) == (409, "asked_too_soon")
    assert by_themselves.status_code == 201
    assert standing(client)["why"] == "given"


def test_what_takes_consent_away_is_always_recorded(client: httpx2.Client) -> None:
    """A refusal or withdrawal needs no question, no earlier consent, and no notice to end it."""
    publish(client)

    refused = send(client, event("refused"))
    withdrawn = send(client, event("withdrawn", notice=None))
    again = send(client, event("withdrawn"))

    assert [answer.status_code for answer in (refused, withdrawn, again)] == [201, 201, 201]
    assert "notice" not in withdrawn.json()["event"]
    assert standing(client)["why"] == "withdrawn"


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"notice": {"notice_id": "main", "version": 9, "language": "en"}}, "notice"),
        ({"notice": {"notice_id": "main", "version": 1, "language": "fr"}}, "notice"),
        ({"notice": {"notice_id": "none", "version": 1, "language": "en"}}, "notice"),
        ({"occurred_at": "2020-01-01T00:00:00Z"}, "occurred_at"),
        ({"occurred_at": "2099-01-01T00:00:00Z"}, "occurred_at"),
        ({"reprompt_not_before": "2026-01-01T00:00:00Z"}, "reprompt_not_before"),
    ],
)
def test_a_no_is_recorded_without_what_is_not_believed(
    client: httpx2.Client, changes: dict[str, Any], left_out: str
) -> None:
    """A notice nobody published, a clock that is wrong: the consent ends, the receipt tells."""
    publish(client)
    record(client, "requested")
    record(client, "given")

    no = record(client, "withdrawn", **changes)

    assert left_out not in no["event"]
    assert ("notice" in no["event"]) == (left_out != "notice")
    assert standing(client)["why"] == "withdrawn"
    assert standing(client)["since"] == no["event"]["received_at"]


def test_a_refusal_is_recorded_whatever_else_it_names(client: httpx2.Client) -> None:
    """A purpose that this notice does not have may be one that another asked about."""
    publish(client)
    record(client, "requested")
    record(client, "given")
    ended = [{"purpose_id": name, "decision": "refused"} for name in ("ads", "profiling")]

    no = record(client, "refused", decisions=ended)

    assert [made["purpose_id"] for made in no["event"]["decisions"]] == ["ads", "profiling"]
    assert {standing(client, name)["why"] for name in ("ads", "profiling")} == {"refused"}


REFUSALS: list[tuple[str, dict[str, Any], int, str]] = [
    ("given", {"method": "api"}, 422, "method_is_no_act"),
    ("given", {"method": "scroll"}, 422, "method_is_no_act"),
    ("refused", {"method": "timeout"}, 422, "method_is_no_act"),
    ("given", {"decisions": []}, 422, "decisions_inconsistent"),
    (
        "requested",
        {"decisions": [{"purpose_id": "ads", "decision": "given"}]},
        422,
        "decisions_inconsistent",
    ),
    (
        "given",
        {"decisions": [{"purpose_id": "ads", "decision": "given"}] * 2},
        422,
        "decisions_inconsistent",
    ),
    ("given", {"event_type": "expired"}, 422, "event_type_unsupported"),
    ("given", {"event_type": "erased"}, 422, "event_type_unsupported"),
    (
        "given",
        {"notice": {"notice_id": "main", "version": 9, "language": "en"}},
        422,
        "notice_unknown",
    ),
    (
        "given",
        {"notice": {"notice_id": "main", "version": 1, "language": "fr"}},
        422,
        "notice_unknown",
    ),
    (
        "refused",
        {"notice": {"notice_id": "none", "version": 1, "language": "en"}},
        422,
        "notice_unknown",
    ),
    (
        "withdrawn",
        {
            "notice": {"notice_id": "none", "version": 1, "language": "en"},
            "method": "gpc",
            "signals": {"gpc_js": True},
            "decisions": [],
        },
        422,
        "notice_unknown",
    ),
    (
        "given",
        {"decisions": [{"purpose_id": "profiling", "decision": "given"}]},
        422,
        "purpose_not_in_notice",
    ),
    ("given", {"occurred_at": "2099-01-01T00:00:00Z"}, 422, "occurred_in_future"),
    ("given", {"occurred_at": "2020-01-01T00:00:00Z"}, 422, "occurred_too_long_ago"),
    ("given", {"served_id": "another"}, 409, "served_unknown"),
]


@pytest.mark.parametrize(("kind", "changes", "status", "code"), REFUSALS)
def test_a_refused_event_says_why_and_leaves_no_trace(
    client: httpx2.Client, site: Site, kind: str, changes: dict[str, Any], status: int, code: str
) -> None:
    """The problem carries the stable code; the log and the standing stay as they were."""
    publish(client)
    record(client, "requested")

    answer = send(client, {**event(kind), **changes}, key="k-1")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert checkpoint(client, site).size == 1
    assert standing(client)["why"] == "not_answered"
    # The key of a refused event is free: nothing was answered with it.
    assert send(client, event("given"), key="k-1").status_code == 201


def test_a_superseded_notice_takes_no_new_consent(client: httpx2.Client) -> None:
    """What differs in substance must be asked anew; endings of the old are still recorded."""
    publish(client)
    record(client, "requested")
    record(client, "given")
    publish(client, purposes=PURPOSES[:1])

    asked = send(client, event("requested"))
    given = send(client, event("given"))
    superseded = standing(client)
    refused = send(client, event("refused"))

    assert [(answer.status_code, answer.json()["code"]) for answer in (asked, given)] == [
        (409, "notice_superseded"),
        (409, "notice_superseded"),
    ]
    assert (superseded["allowed"], superseded["why"]) == (False, "superseded")
    assert refused.status_code == 201


def test_a_reworded_notice_asks_nobody_again(client: httpx2.Client) -> None:
    """The wording may change: what was given stands, and the old version may still be answered."""
    publish(client)
    record(client, "requested")
    record(client, "given")

    publish(client, text="May we, please?")

    assert standing(client)["why"] == "given"
    assert send(client, event("given")).status_code == 201


def test_events_before_any_notice_are_refused(client: httpx2.Client) -> None:
    """A site that never published has no notice to answer and no log to write to."""
    asked = send(client, event("requested"))
    withdrawn = send(client, event("withdrawn", notice=None))

    assert (asked.status_code, asked.json()["code"]) == (422, "notice_unknown")
    assert (withdrawn.status_code, withdrawn.json()["type"]) == (404, "/problems/log-not-found")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"notice": None}, ""),
        ({"subject": {"kind": "device", "id": ""}}, "subject.id"),
        ({"subject": {"kind": "cookie", "id": "x"}}, "subject.kind"),
        ({"event_type": "accepted"}, "event_type"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "1796052000"}, "occurred_at"),
        ({"valid_until": "9999-12-31T23:59:59-14:00"}, "valid_until"),
        ({"assurance": "authenticated"}, ""),
        ({"jurisdiction": "Germany"}, "jurisdiction"),
        ({"notice": {"notice_id": "main", "version": True, "language": "en"}}, "notice.version"),
    ],
)
def test_an_event_of_another_shape_is_refused(
    client: httpx2.Client, changes: dict[str, Any], where: str
) -> None:
    """422 names the member; a strange one is never named back."""
    publish(client)

    answer = send(client, {**event("requested"), **changes})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == where
    assert "assurance" not in answer.text


def test_a_subject_that_is_not_of_its_kind_is_refused(client: httpx2.Client) -> None:
    """An address without an at sign and a number that is not E.164 are told so, unechoed."""
    publish(client)

    answers = [
        send(client, event("requested", subject={"kind": kind, "id": wrong}))
        for kind, wrong in (("email", "canary.example.org"), ("phone", "030-1234567"))
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert {answer.json()["type"] for answer in answers} == {"/problems/subject-invalid"}
    assert all("canary" not in answer.text and "1234567" not in answer.text for answer in answers)


# -- idempotency ------------------------------------------------------------------------------


def test_a_key_is_compulsory_and_one(client: httpx2.Client) -> None:
    """None is 400, two that differ are 400, the same twice or in the body is well."""
    publish(client)
    body = event("requested")

    without = client.post("/v1/consent/events", json=body)
    two = send(client, {**body, "idempotency_key": "k-1"}, key="k-2")
    in_body = client.post("/v1/consent/events", json={**body, "idempotency_key": "k-3"})
    same = send(client, {**body, "idempotency_key": "k-3"}, key="k-3")

    assert [answer.status_code for answer in (without, two, in_body, same)] == [400, 400, 201, 201]
    assert without.json()["type"] == "/problems/idempotency-key-missing"
    assert two.json()["type"] == "/problems/idempotency-key-invalid"
    assert same.content == in_body.content


def test_another_body_under_a_key_is_refused(client: httpx2.Client, site: Site) -> None:
    """422, even when that body would be refused for another reason, and nothing is appended."""
    publish(client)
    send(client, event("requested"), key="k-1")

    answers = [
        send(client, event("refused"), key="k-1"),
        send(client, event("requested", occurred_at="2020-01-01T00:00:00Z"), key="k-1"),
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert {answer.json()["type"] for answer in answers} == {"/problems/idempotency-mismatch"}
    assert checkpoint(client, site).size == 1


def test_a_receipt_is_given_again_byte_for_byte(new_service: Service) -> None:
    """After more appends, a new notice and a restart, the same key answers the same bytes."""
    new_service.start()
    site = new_service.add_site("https://shop.example")
    with new_service.client(site.key) as client:
        publish(client)
        first = [send(client, event("requested"), key="k-1"), send(client, event("given"), "k-2")]
        for number in range(5):
            record(client, "requested", subject={"kind": "external", "id": f"x-{number}"})
        record(client, "withdrawn")
        publish(client, purposes=PURPOSES[:1])
        meanwhile = [
            send(client, event("requested"), key="k-1"),
            send(client, event("given"), "k-2"),
        ]
        head = client.get(f"/v1/consent/logs/{site.id}/1/checkpoint").text

    new_service.stop()
    new_service.start()

    with new_service.client(site.key) as client:
        after = [send(client, event("requested"), key="k-1"), send(client, event("given"), "k-2")]
        assert client.get(f"/v1/consent/logs/{site.id}/1/checkpoint").text == head
        assert standing(client)["why"] == "withdrawn"
    assert [answer.status_code for answer in first + meanwhile + after] == [201] * 6
    assert [answer.content for answer in meanwhile] == [answer.content for answer in first]
    assert [answer.content for answer in after] == [answer.content for answer in first]


def test_a_hundred_at_once_with_one_key_append_one_entry(client: httpx2.Client, site: Site) -> None:
    """Each is answered with the one receipt, or told that it is still being made."""
    publish(client)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: send(client, event("requested"), "k-1"), range(100)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert checkpoint(client, site).size == 1


# -- receipts ---------------------------------------------------------------------------------


def test_receipts_verify_offline(client: httpx2.Client, site: Site, tmp_path: Path) -> None:
    """With the log's key alone, by the package and by the command; touched ones do not."""
    publish(client)
    answers = [send(client, event("requested")), send(client, event("given"))]
    trusted = verifier(client, site)
    saved, touched = tmp_path / "receipt.json", tmp_path / "touched.json"
    saved.write_bytes(answers[1].content)
    touched.write_bytes(answers[1].content.replace(b'"given"', b'"refused"', 1))

    verified = [receipt.verify(answer.content, trusted) for answer in answers]
    good = _verify(saved, trusted.vkey, "--json")
    bad = _verify(touched, trusted.vkey)

    assert [found.index for found in verified] == [0, 1]
    assert verified[1].origin == f"{site.url.removeprefix('https://')}/aboveboard/{site.id}/1"
    assert json.loads(good.stdout)["event"] == answers[1].json()["event"]
    assert json.loads(good.stdout)["valid"] is True
    assert bad.returncode == 1
    assert bad.stderr.startswith("NOT VALID")


def _verify(path: Path, vkey: str, *more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603
        [*COMMAND, "consent", "verify", str(path), "--key", vkey, *more],
        capture_output=True,
        text=True,
        check=False,
    )


# -- standing ---------------------------------------------------------------------------------


def test_each_purpose_stands_for_itself(client: httpx2.Client) -> None:
    """One event may give one purpose and refuse another; both kinds of question agree."""
    publish(client)
    record(client, "requested")
    record(
        client,
        "given",
        method="save",
        decisions=[
            {"purpose_id": "ads", "decision": "refused"},
            {"purpose_id": "statistics", "decision": "given"},
        ],
    )

    answer = client.post(
        "/v1/consent/standing:query",
        json={"subject": DEVICE, "purposes": ["statistics", "ads", "profiling"]},
    )

    found = answer.json()["items"]
    assert [(item["purpose"], item["allowed"], item["why"]) for item in found] == [
        ("statistics", True, "given"),
        ("ads", False, "refused"),
        ("profiling", False, "not_answered"),
    ]
    assert found[:2] == [standing(client, "statistics"), standing(client, "ads")]


def test_consent_tells_when_it_ends(client: httpx2.Client) -> None:
    """An end that lies ahead is told; one in the past is no consent, and is not recorded."""
    publish(client)
    record(client, "requested")
    past = send(client, event("given", valid_until="2026-01-01T00:00:00Z"))
    record(client, "given", valid_until="2099-01-01T00:00:00Z")
    given = standing(client)

    assert (past.status_code, past.json()["code"]) == (422, "validity_inconsistent")
    assert (given["allowed"], given["valid_until"]) == (True, "2099-01-01T00:00:00Z")


def test_late_events_take_consent_away_but_do_not_bring_it_back(client: httpx2.Client) -> None:
    """A queued `given` from before the refusal is recorded only; a late withdrawal counts."""
    publish(client)
    asked = record(client, "requested")
    received = parse_instant(asked["event"]["received_at"])
    minutes_ago = [instant(received - timedelta(minutes=minutes)) for minutes in range(5)]
    preferences = {"origin": "preferences"}

    record(client, "refused", occurred_at=minutes_ago[2])
    late_given = record(client, "given", occurred_at=minutes_ago[3], **preferences)
    after_late_given = standing(client)
    record(client, "given", occurred_at=minutes_ago[1], **preferences)
    after_given = standing(client)
    record(client, "withdrawn", occurred_at=minutes_ago[4])
    after_late_withdrawal = standing(client)
    record(client, "given", occurred_at=minutes_ago[3], **preferences)
    in_the_end = standing(client)

    assert late_given["leaf_index"] == 2
    assert after_late_given["why"] == "refused"
    assert (after_given["why"], after_given["since"]) == ("given", minutes_ago[1])
    assert (after_late_withdrawal["why"], after_late_withdrawal["since"]) == (
        "withdrawn",
        minutes_ago[4],
    )
    # It is later than that withdrawal, but earlier than the refusal two minutes ago.
    assert in_the_end == after_late_withdrawal


def test_addresses_are_one_subject_however_they_are_written(client: httpx2.Client) -> None:
    """An e-mail address is trimmed and lower-cased; other kinds are compared byte by byte."""
    publish(client)
    subject = {"kind": "email", "id": "  Ada@Example.ORG "}
    asked = record(client, "requested", subject=subject)
    given = record(client, "given", subject={"kind": "email", "id": "ada@example.org"})
    record(client, "requested", subject={"kind": "external", "id": "Ada"})

    answers = [
        client.post("/v1/consent/standing:query", json={"subject": who, "purposes": ["ads"]})
        for who in (
            {"kind": "email", "id": "ADA@example.org"},
            {"kind": "external", "id": "ada@example.org"},
            {"kind": "external", "id": "ada"},
        )
    ]

    assert asked["event"]["subject_ref"] == given["event"]["subject_ref"]
    assert [answer.json()["items"][0]["why"] for answer in answers] == [
        "given",
        "not_asked",
        "not_asked",
    ]


@pytest.mark.parametrize("kind", ["email", "phone", "account"])
def test_only_ids_fit_for_an_access_log_are_taken_in_a_url(
    client: httpx2.Client, kind: str
) -> None:
    """For e-mail, phone and account the question goes into a body."""
    answer = client.get(
        "/v1/consent/standing",
        params={"subject_kind": kind, "subject_id": "canary@example.org", "purpose": "ads"},
    )

    assert answer.status_code == 422
    assert answer.json()["code"] == "subject_kind_refused"
    assert "canary" not in answer.text


def test_another_site_knows_nothing_of_the_subject(service: Service, client: httpx2.Client) -> None:
    """The same device elsewhere is another pseudonym, and was never asked."""
    other = service.add_site(f"https://{token_hex(6)}.example.org")
    publish(client)
    asked = record(client, "requested")

    with service.client(other.key) as elsewhere:
        answer = standing(elsewhere)
        notices = elsewhere.get("/v1/consent/notices").json()["items"]
        publish(elsewhere)
        there = record(elsewhere, "requested")

    assert answer["why"] == "not_asked"
    assert notices == []
    assert there["event"]["subject_ref"] != asked["event"]["subject_ref"]
    assert there["leaf_index"] == 0


def test_nothing_that_names_a_person_is_in_the_files(new_service: Service) -> None:
    """Subject ids and a page's query are in no database file, no log of it, and no output."""
    new_service.start()
    site = new_service.add_site("https://shop.example")
    with new_service.client(site.key) as client:
        publish(client)
        for kind in ("requested", "given", "withdrawn"):
            for subject in (
                {"kind": "email", "id": "Canary.Mail@Example.org"},
                {"kind": "device", "id": "canary-device-7d1f"},
            ):
                record(
                    client,
                    kind,
                    subject=subject,
                    context={"page": "https://shop.example/canary-path?canary-query#canary-hash"},
                )
        send(client, event("given", subject={"kind": "email", "id": "canary.never"}))

    if new_service.database_url:
        found = _dump(new_service.database_url)
    else:
        files = list(new_service.data_dir.glob("*.sqlite3*"))
        assert {"consent.sqlite3", "consent.sqlite3-wal"} <= {path.name for path in files}
        found = b"".join(path.read_bytes() for path in files)
    found += new_service.log.read_bytes()

    assert b"withdraw_link" in found
    assert b"canary" not in found.lower()


def _dump(url: str) -> bytes:
    """Return every value of every table of the three schemas as text."""
    import psycopg

    parts = []
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables "
            "WHERE schemaname IN ('aboveboard', 'moderation', 'consent')"
        ).fetchall()
        for schema, table in tables:
            for row in connection.execute(f'SELECT * FROM "{schema}"."{table}"'):  # type: ignore[arg-type]  # noqa: S608
                parts += [
                    value if isinstance(value, bytes) else str(value).encode() for value in row
                ]
    return b"\n".join(parts)


# -- the public log ---------------------------------------------------------------------------


def test_anyone_may_read_and_check_the_log(
    service: Service, client: httpx2.Client, site: Site
) -> None:
    """Without a key: epochs, verifier key, checkpoint, inclusion of each leaf, consistency."""
    publish(client)
    made = [record(client, "requested", subject={"kind": "device", "id": str(n)}) for n in range(9)]

    with service.client() as anyone:
        (epoch,) = anyone.get(f"/v1/consent/logs/{site.id}").json()["items"]
        head = checkpoint(anyone, site)
        for at, receipt_ in enumerate(made):
            merkle.verify_inclusion(
                index=at,
                size=9,
                leaf=merkle.leaf_hash(b64decode(receipt_["leaf"])),
                proof=proof(anyone, site, f"inclusion?index={at}&size=9"),
                root=head.root,
            )
        for size in range(1, 10):
            old = merkle.root([merkle.leaf_hash(b64decode(item["leaf"])) for item in made[:size]])
            merkle.verify_consistency(
                old_size=size,
                new_size=9,
                old_root=old,
                new_root=head.root,
                proof=proof(anyone, site, f"consistency?from={size}&to=9"),
            )
        vkey = verifier(anyone, site).vkey
        cors = anyone.get(f"/v1/consent/logs/{site.id}/1/checkpoint").headers

    host = site.url.removeprefix("https://")
    assert epoch == {
        "epoch": 1,
        "origin": f"{host}/aboveboard/{site.id}/1",
        "key": vkey,
        "size": 9,
    }
    assert head.size == 9
    assert cors["access-control-allow-origin"] == "*"
    assert cors["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("nowhere", 404, "log-not-found"),
        ("nowhere/1/key", 404, "log-not-found"),
        ("SITE/2/checkpoint", 404, "log-not-found"),
        ("SITE/0/checkpoint", 404, "log-not-found"),
        ("SITE/one/key", 404, "log-not-found"),
        ("SITE/99999999999/key", 404, "log-not-found"),
        ("SITE/1/proof/inclusion?index=1&size=1", 404, "outside-tree"),
        ("SITE/1/proof/inclusion?index=0&size=2", 404, "outside-tree"),
        ("SITE/1/proof/inclusion?index=0", 422, "invalid-request"),
        ("SITE/1/proof/inclusion?index=-1&size=1", 422, "invalid-request"),
        ("SITE/1/proof/consistency?from=0&to=1", 422, "invalid-request"),
        ("SITE/1/proof/consistency?from=1&to=2", 404, "outside-tree"),
        ("SITE/1/proof/consistency?from=2&to=1", 404, "outside-tree"),
    ],
)
def test_what_the_log_does_not_have_is_not_there(
    client: httpx2.Client, site: Site, path: str, status: int, kind: str
) -> None:
    """Strange sites, epochs, leaves and sizes are told so."""
    publish(client)
    record(client, "requested")

    answer = client.get(f"/v1/consent/logs/{path.replace('SITE', site.id)}")

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")


def test_a_published_notice_opens_an_empty_signed_log(client: httpx2.Client, site: Site) -> None:
    """Before the first event the checkpoint is of size 0; before the first notice there is none."""
    before = client.get(f"/v1/consent/logs/{site.id}")
    publish(client)

    head = checkpoint(client, site)

    assert before.status_code == 404
    assert (head.size, head.root) == (0, merkle.EMPTY_ROOT)


def test_many_at_once_make_one_dense_history(client: httpx2.Client, site: Site) -> None:
    """16 clients with 50 events each: every index once, every receipt in the final tree."""
    publish(client)
    trusted = verifier(client, site)

    def work(worker: int) -> list[dict[str, Any]]:
        subject = {"kind": "device", "id": f"device-{worker}"}
        kinds = ["requested", "given", "withdrawn", "requested", "refused"] * 10
        return [record(client, kind, subject=subject, origin="preferences") for kind in kinds]

    with ThreadPoolExecutor(16) as pool:
        made = [item for items in pool.map(work, range(16)) for item in items]

    assert sorted(item["leaf_index"] for item in made) == list(range(800))
    assert len({item["record_id"] for item in made}) == 800
    made.sort(key=lambda item: int(item["leaf_index"]))
    hashes = [merkle.leaf_hash(b64decode(item["leaf"])) for item in made]
    head = checkpoint(client, site)
    assert (head.size, head.root) == (800, merkle.root(hashes))
    roots: dict[int, bytes] = {}
    for item in made:
        verified = receipt.verify(json.dumps(item).encode(), trusted)
        at = item["proof"].index("\n\n") + 2
        roots.setdefault(verified.size, trusted.open(item["proof"][at:]).root)
    assert roots == {size: merkle.root(hashes[:size]) for size in roots}
