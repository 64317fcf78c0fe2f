"""Auditors search the records and read one with its proof, over HTTP, on both engines."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import httpx2
import orjson
import pytest
from audited_site import NOTICE, AuditedSite, audited_site
from conftest import Service
from sqlalchemy import update

from consent.log.checkpoint import Verifier
from consent.proofs.receipt import verify
from consent.tables import RECORD, SUBJECT

UNKNOWN = "01a20462-7b9e-7372-817e-e6b8d98f09e5"


@pytest.fixture
def audited(service: Service) -> Iterator[AuditedSite]:
    """Speak for a site of the test's own."""
    with audited_site(service) as made:
        yield made


def ids(page: dict[str, Any]) -> list[str]:
    """Return the record ids of a page."""
    return [item["record_id"] for item in page["items"]]


def test_records_are_found_by_each_filter_and_by_several(audited: AuditedSite) -> None:
    """Newest first: by subject, pseudonym, period, purpose, decision, method, type and notice."""
    asked = audited.record("requested")
    given = audited.record("given", decisions={"ads": "given", "statistics": "refused"})
    other = audited.record("requested", device="device-2")
    audited.publish("May we?")
    again = audited.record("requested", device="device-2")
    refused = audited.record("refused", device="device-2", method="save")
    made = [item["record_id"] for item in (refused, again, other, given, asked)]
    ref = asked["event"]["subject_ref"]
    device = {"subject_kind": "device", "subject_id": "device-2"}

    def found(**query: Any) -> list[int]:  # noqa: ANN401
        return [made.index(record_id) for record_id in ids(audited.get("records", **query))]

    assert found() == [0, 1, 2, 3, 4]
    assert found(**device) == [0, 1, 2]
    assert found(subject_ref=ref) == [3, 4]
    assert found(purpose="ads") == found(purpose="statistics") == [0, 3]
    assert found(decision="given") == [3]
    assert found(decision="refused") == [0, 3]
    assert found(purpose="ads", decision="refused") == [0]
    assert found(purpose="none") == found(decision="not_asked") == []
    assert found(method="api") == [1, 2, 4]
    assert found(event_type="given") == [3]
    assert found(notice_id="main") == [0, 1, 2, 3, 4]
    assert found(notice_id="main", notice_version=2) == [0, 1]
    assert found(**device, event_type="requested", notice_id="main", notice_version=1) == [2]
    assert found(from_="2020-01-01T00:00:00Z", to="2100-01-01T00:00:00+01:00") == [0, 1, 2, 3, 4]
    assert found(from_="2100-01-01T00:00:00Z") == found(to="2020-01-01T00:00:00Z") == []


def test_a_period_begins_with_its_first_second_and_ends_before_its_last(
    audited: AuditedSite,
) -> None:
    """Records are placed by whole seconds; a fraction past one leaves that second out."""
    record = audited.record("requested")
    received = record["event"]["received_at"]
    past = received.replace("Z", ".5Z")

    assert ids(audited.get("records", from_=received)) == [record["record_id"]]
    assert ids(audited.get("records", to=past)) == [record["record_id"]]
    assert ids(audited.get("records", from_=past)) == []
    assert ids(audited.get("records", to=received)) == []
    assert ids(audited.get("records", from_="9999-12-31T23:59:59.9Z")) == []
    assert ids(audited.get("records", to="0001-01-01T00:00:00Z")) == []


def test_pages_follow_one_another(audited: AuditedSite) -> None:
    """Each `next` leads on; together they hold every record once."""
    made = [audited.record("requested", device=str(number))["record_id"] for number in range(5)]

    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    while cursor is not None:
        page = audited.get("records", limit=2, **cursor)
        found.append(ids(page))
        cursor = {"cursor": page["next"]} if page["next"] else None

    assert found == [[made[4], made[3]], [made[2], made[1]], [made[0]]]


def test_an_item_says_where_it_stands_and_opens_when_asked(audited: AuditedSite) -> None:
    """The searchable columns; with `open` the event that the visitor's receipt holds."""
    audited.record("requested")
    given = audited.record("given", decisions={"ads": "given"})

    (closed,) = audited.get("records", limit=1)["items"]
    (open_,) = audited.get("records", limit=1, open="true")["items"]

    assert closed == {
        "record_id": given["record_id"],
        "epoch": 1,
        "leaf_index": 1,
        "received_at": given["event"]["received_at"],
        "subject_ref": given["event"]["subject_ref"],
        "event_type": "given",
        "method": "accept_all",
        "decisions": [{"purpose_id": "ads", "decision": "given"}],
        "notice_id": "main",
        "notice_version": 1,
    }
    assert open_ == {**closed, "event": given["event"]}


def test_an_opened_item_names_the_vendors_that_a_decision_is_about(audited: AuditedSite) -> None:
    """Only the event says so; of a decision about all of them there are none to name."""
    audited.record("requested")
    made = [
        {"purpose_id": "ads", "decision": "given", "vendor_ids": ["b", "a"]},
        {"purpose_id": "statistics", "decision": "given"},
    ]
    audited.decide("given", made)

    (closed,) = audited.get("records", limit=1)["items"]
    (open_,) = audited.get("records", limit=1, open="true")["items"]

    assert closed["decisions"] == [
        {"purpose_id": one["purpose_id"], "decision": "given"} for one in made
    ]
    assert open_["decisions"] == [{**made[0], "vendor_ids": ["a", "b"]}, made[1]]


def test_subjects_with_addresses_are_searched_for_in_a_body(audited: AuditedSite) -> None:
    """An e-mail address finds its records by POST, and is refused in a URL."""
    subject = {"kind": "email", "id": "ada@example.org"}
    record = audited.record("requested", subject=subject)
    audited.record("requested")

    answer = audited.client.post(
        "/v1/consent/records:search",
        json={"subject": {**subject, "id": " Ada@Example.org"}, "event_type": "requested"},
    )
    in_url = audited.refused("records", subject_kind="email", subject_id="ada@example.org")

    assert answer.status_code == 200
    assert ids(answer.json()) == [record["record_id"]]
    assert in_url == (422, "subject-kind-refused")


def test_the_body_takes_what_the_query_takes(audited: AuditedSite) -> None:
    """Filters, paging and opening are the same in both."""
    for device in ("1", "2", "3"):
        audited.record("requested", device=device)
    asked = {"from": "2020-01-01T00:00:00Z", "method": "api", "notice_id": "main", "limit": 2}

    by_query = audited.get("records", **asked, open="true")
    by_body = audited.client.post("/v1/consent/records:search", json={**asked, "open": True})

    assert by_body.json() == by_query
    assert by_query["next"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"from_": "yesterday"},
        {"from_": "2026-01-01T00:00:00"},
        {"to": "2026"},
        {"to": "-1.5"},
        {"decision": "perhaps"},
        {"method": "telepathy"},
        {"event_type": "dreamt"},
        {"purpose": "No Purpose"},
        {"notice_version": 1},
        {"from_": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"subject_kind": "device"},
        {"subject_id": "device-1"},
        {"subject_kind": "device", "subject_id": "1", "subject_ref": "1." + "0" * 32},
        {"subject_ref": "ada@example.org"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_refused(
    audited: AuditedSite, query: dict[str, Any]
) -> None:
    """422 says where."""
    assert audited.refused("records", **query) == (422, "invalid-request")


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", urlsafe_b64encode(b"no id").decode()])
def test_a_cursor_of_somebody_else_is_refused(audited: AuditedSite, cursor: str) -> None:
    """Only the `next` of an earlier page is one."""
    assert audited.refused("records", cursor=cursor) == (400, "cursor-invalid")


# -- one record -------------------------------------------------------------------------------


def test_one_record_is_a_receipt_again(audited: AuditedSite) -> None:
    """Event, salt, leaf and index as the visitor got them, proved in the log as it stands now."""
    audited.record("requested")
    given = audited.record("given")
    audited.record("requested", device="device-2")
    key = audited.client.get(f"/v1/consent/logs/{audited.id}/1/key").text

    answer = audited.client.get(f"/v1/consent/records/{given['record_id']}")

    assert answer.status_code == 200
    verified = verify(answer.content, Verifier.from_vkey(key.strip()))
    assert (verified.index, verified.size) == (1, 3)
    found = answer.json()
    for member in ("record_id", "event", "salt", "leaf", "leaf_index"):
        assert found[member] == given[member], member
    assert found["epoch"] == 1
    shown = found["notice"]
    assert (shown["notice_id"], shown["version"], shown["language"]) == ("main", 1, "en")
    assert shown["text"] == NOTICE["text"]
    assert [purpose["id"] for purpose in shown["purposes"]] == ["ads", "statistics"]
    assert shown["text_sha256"] == given["event"]["notice"]["text_sha256"]


def test_the_notice_is_the_one_that_was_shown(audited: AuditedSite) -> None:
    """In its version and language, whatever was published since."""
    audited.publish("Dürfen wir?", language="de")
    shown = {"notice_id": "main", "version": 1, "language": "de"}
    record = audited.record("requested", notice=shown)
    audited.publish("May we, please?")

    notice = audited.get(f"records/{record['record_id']}")["notice"]

    assert notice["text"] == "Dürfen wir?"


def test_an_event_without_a_notice_has_none(audited: AuditedSite) -> None:
    """A withdrawal may name none."""
    audited.record("requested")
    audited.record("given")
    withdrawn = audited.record("withdrawn", notice=None)

    found = audited.get(f"records/{withdrawn['record_id']}")
    (listed,) = audited.get("records", event_type="withdrawn")["items"]

    assert "notice" not in found
    assert not {"notice_id", "notice_version"} & set(listed)


def test_what_is_erased_is_gone_and_what_never_was_is_not_there(audited: AuditedSite) -> None:
    """410 names the record whose place in the log remains; 404 knows nothing."""
    before = audited.record("requested", device="device-0")
    erased = [audited.record("requested")["record_id"], audited.record("given")["record_id"]]
    audited.record("requested", device="device-2")
    stone = audited.erase("device-1")

    for record_id in erased:
        answer = audited.client.get(f"/v1/consent/records/{record_id}")
        assert answer.status_code == 410
        assert answer.json()["type"] == "/problems/record-erased"
        assert answer.json()["record_id"] == record_id
    assert stone["erased"] == erased
    for record_id in (UNKNOWN, before["record_id"][:-1], "x" * 2000, "é"):
        assert audited.refused(f"records/{record_id}") == (404, "record-not-found")
    assert len(ids(audited.get("records"))) == 3
    found = audited.get(f"records/{stone['record_id']}")
    assert (found["event"]["record_ids"], found.get("notice")) == (erased, None)


def test_a_record_without_its_key_is_erased(audited: AuditedSite) -> None:
    """Where only the key is gone, the event is as well."""
    record = audited.record("requested")
    with audited.service.consent() as consent, consent.write() as connection:
        connection.execute(
            update(SUBJECT).where(SUBJECT.c.site_id == audited.id).values(wrapped=b"")
        )

    (listed,) = audited.get("records", open="true")["items"]

    assert "event" not in listed
    assert audited.refused(f"records/{record['record_id']}") == (410, "record-erased")


def test_a_restricted_record_says_so(audited: AuditedSite) -> None:
    """Whoever reads it is told until when its processing is restricted."""
    record = audited.record("requested")
    with audited.service.consent() as consent, consent.write() as connection:
        connection.execute(
            update(SUBJECT)
            .where(SUBJECT.c.site_id == audited.id)
            .values(restricted_until="2099-01-01T00:00:00Z")
        )

    (listed,) = audited.get("records", open="true")["items"]
    found = audited.get(f"records/{record['record_id']}")

    assert listed["restricted_until"] == found["restricted_until"] == "2099-01-01T00:00:00Z"


def test_an_altered_record_is_no_answer(audited: AuditedSite) -> None:
    """What does not open as it was sealed is a fault, told without a word of it."""
    record = audited.record("requested")
    with audited.service.consent() as consent, consent.write() as connection:
        connection.execute(
            update(RECORD).where(RECORD.c.site_id == audited.id).values(sealed=b"\x01" + bytes(90))
        )

    assert audited.refused(f"records/{record['record_id']}") == (500, "internal")
    assert ids(audited.get("records")) == [record["record_id"]]


# -- who may ----------------------------------------------------------------------------------

ADDRESSES = ["records", f"records/{UNKNOWN}", "export", "changes", "statistics"]


@pytest.mark.parametrize("path", ADDRESSES)
def test_only_an_auditor_may_ask(service: Service, client: httpx2.Client, path: str) -> None:
    """A backend's key has not the scope; no key is nobody."""
    backend = client.get(f"/v1/consent/{path}")
    with service.client() as nobody:
        anonymous = nobody.get(f"/v1/consent/{path}")

    assert (backend.status_code, anonymous.status_code) == (403, 401)


def test_another_sites_records_are_not_there(service: Service, audited: AuditedSite) -> None:
    """Neither listed nor read."""
    record = audited.record("requested")

    with audited_site(service) as other:
        assert ids(other.get("records")) == []
        assert ids(other.get("records", subject_ref=record["event"]["subject_ref"])) == []
        path = f"records/{record['record_id']}"
        assert other.refused(path) == (404, "record-not-found")
        for address in ADDRESSES:
            assert other.refused(address, site=audited.id) == (404, "site-not-found")


def test_a_site_without_a_log_has_no_records(service: Service) -> None:
    """An empty page, and nothing to read."""
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=["consent:audit"])
    with service.client(site.key) as client:
        page = client.get("/v1/consent/records")
        record = client.get(f"/v1/consent/records/{UNKNOWN}")

    assert orjson.loads(page.content) == {"items": [], "next": None}
    assert (record.status_code, record.json()["type"]) == (404, "/problems/record-not-found")
