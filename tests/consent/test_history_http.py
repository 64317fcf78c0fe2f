"""A site's history over HTTP: exported as files, and followed as a feed; on both engines."""

import csv
import io
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest
from audited_site import AuditedSite, audited_site
from conftest import Service
from full_ledger import Visitors, fill
from sqlalchemy import update

from aboveboard.installation import open_keyring
from consent.choices.record import canonical, commit
from consent.log.merkle import leaf_hash, root
from consent.tables import RECORD
from consent.wire.exports import COLUMNS

EVENTS = 1_200  # more than two steps


@pytest.fixture
def audited(service: Service) -> Iterator[AuditedSite]:
    """Speak for a site of the test's own."""
    with audited_site(service) as made:
        yield made


@pytest.fixture(scope="module")
def busy(service: Service) -> Iterator[AuditedSite]:
    """Speak for a site with a history of several steps."""
    with audited_site(service, published=False) as made, service.databases() as databases:
        keyring = open_keyring(service.settings)
        fill(databases.consent, keyring, Visitors(keyring, made.id, EVENTS))
        yield made


def export(audited: AuditedSite, **query: Any) -> httpx2.Response:  # noqa: ANN401
    """Export whole."""
    names = {name.rstrip("_"): value for name, value in query.items()}
    answer = audited.client.get("/v1/consent/export", params=names)
    assert answer.status_code == 200, answer.text
    return answer


def lines(audited: AuditedSite, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Export JSON Lines."""
    return [orjson.loads(line) for line in export(audited, **query).content.splitlines()]


def table(audited: AuditedSite, **query: Any) -> list[dict[str, str]]:  # noqa: ANN401
    """Export CSV, and read it as RFC 4180 has it."""
    text = export(audited, format="csv", **query).content.decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


# -- files ------------------------------------------------------------------------------------


def test_an_export_proves_what_it_says(busy: AuditedSite) -> None:
    """Every entry once, in order; event and salt make each leaf, the leaves make the root."""
    found = lines(busy)

    assert [(line["epoch"], line["leaf_index"]) for line in found] == [
        (1, index) for index in range(EVENTS)
    ]
    leaves = [b64decode(line["leaf"]) for line in found]
    for line, leaf in zip(found, leaves, strict=True):
        told = orjson.loads(leaf)
        assert b64decode(told["c"]) == commit(b64decode(line["salt"]), canonical(line["event"]))
        assert (told["id"], told["t"]) == (line["record_id"], line["received_at"])
    checkpoint = busy.client.get(f"/v1/consent/logs/{busy.id}/1/checkpoint").text.split("\n")
    assert root([leaf_hash(leaf) for leaf in leaves]) == b64decode(checkpoint[2])


def test_a_table_says_the_same_as_the_lines(busy: AuditedSite) -> None:
    """One row an entry, under the documented columns; every cell is what the event says."""
    answer = export(busy, format="csv")
    found, told = table(busy), lines(busy)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="consent-{busy.id}.csv"'
    )
    assert list(found[0]) == [column.name for column in COLUMNS]
    assert len(found) == len(told) == EVENTS
    for row, line in zip(found, told, strict=True):
        event = line["event"]
        made = ";".join(f"{one['purpose_id']}={one['decision']}" for one in event["decisions"])
        assert row["record_id"] == line["record_id"]
        assert (row["epoch"], row["leaf_index"]) == ("1", str(line["leaf_index"]))
        assert (row["leaf"], row["erased"]) == (line["leaf"], "false")
        assert (row["event_type"], row["decisions"]) == (event["event_type"], made)
        assert row["notice_version"] == str(event["notice"]["version"])
        assert row["text_sha256"] == event["notice"]["text_sha256"]
        assert row["page"] == event["context"]["page"]
        assert row["consent_type"] == event.get("consent_type", "")


def test_a_table_names_the_vendors_that_a_decision_is_about(audited: AuditedSite) -> None:
    """Beside the decision, so that nobody takes it for one about all; with what separates them."""
    audited.record("requested")
    audited.decide(
        "given",
        [
            {"purpose_id": "ads", "decision": "given", "vendor_ids": ["=1+1", "A;b=c,d]", "755"]},
            {"purpose_id": "statistics", "decision": "given"},
        ],
    )

    row = table(audited)[-1]

    assert row["decisions"] == "ads=given[755,%3D1%2B1,A%3Bb%3Dc%2Cd%5D];statistics=given"
    assert row["bases"] == "ads=consent;statistics=consent"


def test_a_table_says_every_signal(audited: AuditedSite) -> None:
    """Also what Google Consent Mode was told, each key of it."""
    mode = {"analytics_storage": "granted", "ad_storage": "denied"}
    audited.record("requested", signals={"sec_gpc": True, "gpc_js": False, "gcm": mode})

    row = table(audited)[-1]

    assert (row["sec_gpc"], row["gpc_js"]) == ("true", "false")
    assert row["gcm"] == "ad_storage=denied;analytics_storage=granted"


def test_an_export_takes_the_filters_of_the_search(busy: AuditedSite) -> None:
    """It holds what the search finds, oldest first."""
    for asked in (
        {"method": "gpc"},
        {"purpose": "ads", "decision": "given", "notice_id": "main"},
        {"event_type": "withdrawn", "from": "2026-05-01T00:00:00Z"},
        {"to": "2026-12-01T00:00:00Z", "notice_id": "campaign"},
        {"subject_kind": "device", "subject_id": "device-7"},
    ):
        page = busy.get("records", limit=200, **asked)
        searched = [item["record_id"] for item in page["items"]]
        while page["next"]:
            page = busy.get("records", limit=200, cursor=page["next"], **asked)
            searched += [item["record_id"] for item in page["items"]]

        assert searched, asked
        assert [line["record_id"] for line in lines(busy, **asked)] == searched[::-1]


def test_no_cell_is_a_formula(audited: AuditedSite) -> None:
    """What a spreadsheet would compute gets a quote before it; quotes and line breaks survive.

    Where a comma stands in numbers, spreadsheets split cells at semicolons.
    """
    pages = [
        "=1+1",
        "+1",
        "-1",
        "\t1",
        "\r1",
        "\uff1d1",
        'a,"b"\r\nc',
        "https://x.example/;a=1",
        "/;=1+1",
        "/\n+1;-1",
    ]
    for number, page in enumerate(pages):
        audited.record("requested", device=str(number), context={"page": page})

    found = [row["page"] for row in table(audited)]

    assert found == ["'" + page for page in pages[:6]] + pages[6:8] + ["/;'=1+1", "/\n'+1;'-1"]


def test_of_erased_records_the_entry_is_left(audited: AuditedSite) -> None:
    """Its place, its id and its commitment; a filter that it can no longer answer leaves it out."""
    audited.record("requested", device="device-0")
    erased = audited.record("requested")
    audited.record("requested", device="device-2")
    stone = audited.erase("device-1")

    found, rows = lines(audited), table(audited)
    period = {"from_": erased["event"]["received_at"], "to": "2100-01-01T00:00:00Z"}

    assert found[1] == {
        "record_id": erased["record_id"],
        "epoch": 1,
        "leaf_index": 1,
        "received_at": erased["event"]["received_at"],
        "leaf": erased["leaf"],
        "erased": True,
    }
    assert [row["erased"] for row in rows] == ["false", "true", "false", "false"]
    assert rows[3]["record_ids"] == erased["record_id"]
    assert found[3]["event"] == stone["event"]
    assert {name for name, cell in rows[1].items() if cell} == {
        "record_id",
        "epoch",
        "leaf_index",
        "received_at",
        "leaf",
        "erased",
    }
    assert erased["record_id"] in [line["record_id"] for line in lines(audited, **period)]
    asked = lines(audited, event_type="requested")
    assert [line["leaf_index"] for line in asked] == [0, 2]


def test_an_export_without_records_is_a_file_all_the_same(audited: AuditedSite) -> None:
    """No lines, or a header alone."""
    assert export(audited).content == b""
    assert export(audited, format="csv").text == ",".join(c.name for c in COLUMNS) + "\r\n"


def test_an_export_that_cannot_go_on_breaks_off(service: Service) -> None:
    """Nobody takes a part for the whole: the connection ends without the end of the answer."""
    with audited_site(service, published=False) as made, service.databases() as databases:
        keyring = open_keyring(service.settings)
        fill(databases.consent, keyring, Visitors(keyring, made.id, EVENTS))
        with databases.consent.write() as connection:
            late = (RECORD.c.site_id == made.id, RECORD.c.leaf_index == EVENTS - 1)
            connection.execute(update(RECORD).where(*late).values(sealed=b"\x01" + bytes(90)))
        came: list[bytes] = []

        with (
            made.client.stream("GET", "/v1/consent/export") as answer,
            pytest.raises(httpx2.RemoteProtocolError),
        ):
            came.extend(answer.iter_bytes())

    assert answer.status_code == 200
    assert 0 < b"".join(came).count(b"\n") < EVENTS
    assert "VaultUnreadable" in service.log.read_text()


def test_a_head_of_an_export_has_no_body(busy: AuditedSite) -> None:
    """The headers alone."""
    answer = busy.client.head("/v1/consent/export")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/jsonl"


@pytest.mark.parametrize(
    ("path", "query", "refusal"),
    [
        ("export", {"format": "xml"}, (422, "invalid-request")),
        ("export", {"limit": 5}, (422, "invalid-request")),
        ("export", {"subject_kind": "email", "subject_id": "a@b"}, (422, "subject-kind-refused")),
        ("changes", {"after": "x"}, (400, "cursor-invalid")),
        ("changes", {"limit": 201}, (422, "invalid-request")),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    audited: AuditedSite, path: str, query: dict[str, Any], refusal: tuple[int, str]
) -> None:
    """By a problem, before anything is sent."""
    assert audited.refused(path, **query) == refusal


@pytest.mark.parametrize("path", ["export", "changes"])
def test_a_site_without_a_log_has_no_history(service: Service, path: str) -> None:
    """404 until the first notice is published."""
    with audited_site(service, published=False) as made:
        assert made.refused(path) == (404, "log-not-found")


# -- the feed ---------------------------------------------------------------------------------


def follow(audited: AuditedSite, after: str | None = None, *, limit: int = 100) -> dict[str, Any]:
    """Read on in the feed."""
    cursor = {} if after is None else {"after": after}
    found: dict[str, Any] = audited.get("changes", limit=limit, **cursor)
    return found


def test_the_feed_tells_every_entry_once_in_order(busy: AuditedSite) -> None:
    """However it is cut: together the parts are the ledger, none missing, none twice."""
    places: list[tuple[int, int]] = []
    after, part = None, None
    while part is None or part["items"]:
        part = follow(busy, after, limit=180)
        places += [(item["epoch"], item["leaf_index"]) for item in part["items"]]
        after = part["next"]

    assert places == [(1, index) for index in range(EVENTS)]
    assert part["next"] == after


def test_the_feed_goes_on_where_it_was_left(audited: AuditedSite) -> None:
    """At its end it waits under the same `next`; what comes later is read after it."""
    start = follow(audited)
    audited.record("requested")
    given = audited.record("given", decisions={"ads": "given"})

    first = follow(audited, start["next"])
    nothing = follow(audited, first["next"])
    withdrawn = audited.record("withdrawn", notice=None)
    later = follow(audited, nothing["next"])

    assert start["items"] == nothing["items"] == []
    assert [item["event_type"] for item in first["items"]] == ["requested", "given"]
    assert first["items"][1] == {
        "type": "consent.changed",
        "record_id": given["record_id"],
        "epoch": 1,
        "leaf_index": 1,
        "received_at": given["event"]["received_at"],
        "event_type": "given",
        "method": "accept_all",
        "subject_ref": given["event"]["subject_ref"],
        "decisions": [{"purpose_id": "ads", "decision": "given"}],
        "notice_id": "main",
        "notice_version": 1,
    }
    (item,) = later["items"]
    assert (item["record_id"], item["leaf_index"]) == (withdrawn["record_id"], 2)
    assert "notice_id" not in item


def test_the_feed_tells_of_erasures(audited: AuditedSite) -> None:
    """The tombstone names the records; what they were is no longer told."""
    kept = audited.record("requested", device="device-0")
    gone = audited.record("requested")
    stone = audited.erase("device-1")

    first, second, third = follow(audited)["items"]

    assert first["record_id"] == kept["record_id"]
    assert second == {
        "type": "consent.changed",
        "record_id": gone["record_id"],
        "epoch": 1,
        "leaf_index": 1,
        "received_at": gone["event"]["received_at"],
        "erased": True,
    }
    assert third == {
        "type": "consent.erased",
        "record_id": stone["record_id"],
        "epoch": 1,
        "leaf_index": 2,
        "received_at": stone["event"]["received_at"],
        "event_type": "erased",
        "method": "api",
        "record_ids": [gone["record_id"]],
    }


def test_the_feed_tells_of_restrictions(audited: AuditedSite) -> None:
    """As a change that names the records; the records themselves are still told."""
    kept = audited.record("requested")
    subject = {"kind": "device", "id": "device-1"}
    answer = audited.client.post(
        "/v1/consent/subjects:restrict",
        json={"subject": subject, "evidence_until": "2099-01-01T00:00:00Z"},
    )
    assert answer.status_code == 201, answer.text

    first, second = follow(audited)["items"]

    assert (first["record_id"], "erased" in first) == (kept["record_id"], False)
    assert (second["type"], second["event_type"]) == ("consent.changed", "restricted")
    assert second["record_ids"] == [kept["record_id"]]
    assert "subject_ref" not in second
    (line, _) = lines(audited)
    assert line["restricted_until"] == "2099-01-01T00:00:00Z"
