"""What `aboveboard consent` makes of strings and receipts, called as a stranger calls it."""

import json
from pathlib import Path
from typing import Any

import command_line
import pytest
from command_line import Done
from conftest import Service

RECEIPTS = json.loads((Path(__file__).parents[1] / "vectors" / "log.json").read_text("utf-8"))

# From the tests of IAB Tech Lab's library for Java (github.com/InteractiveAdvertisingBureau).
TC = "COwBOpCOwBOpCLqAAAENAPCAAAAAAAAAAAAAFfwAYFfAV-BVkAGBVYFWAAA"
STATE = "DBABBg~BAAAAABA.QA"
GPP = "DBACNYA~CPSG_8APSG_8ANwAAAENAwCAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA~1YNN"
REQUESTED = {
    "subject": {"kind": "device", "id": "device-1"},
    "event_type": "requested",
    "method": "api",
    "origin": "banner",
    "notice": {"notice_id": "main", "version": 1, "language": "en"},
}


def run(environment: dict[str, str], *arguments: str | Path, given: bytes = b"") -> Done:
    """Run `aboveboard consent` to its end."""
    return command_line.run(environment, "consent", *arguments, given=given)


def test_a_tc_string_is_told_in_words(environment: dict[str, str]) -> None:
    """Each field on a line; none where nothing is consented to; ids as ranges."""
    told = run(environment, "decode", TC).stdout.decode().splitlines()

    assert told[0] == "TC string, version 2"
    rows = dict(line.strip().split("  ", 1) for line in told[1:])
    assert rows["created"].strip() == "2020-03-10T00:50:01Z"
    assert rows["purposes, consent"].strip() == "none"
    assert rows["vendors, consent"].strip() == "702-703"


def test_purposes_are_told_by_name(environment: dict[str, str]) -> None:
    """A purpose's number alone says nothing to who has not learnt the list."""
    told = run(environment, "decode", "COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA")

    assert b"  2  Use limited data to select advertising\n" in told.stdout
    assert b"  10  Develop and improve services\n" in told.stdout


def test_a_gpp_string_is_told_by_sections(environment: dict[str, str]) -> None:
    """Sections that are read by field, others as they came; also from a pipe, and as JSON."""
    told = run(environment, "decode", GPP).stdout.decode()
    piped = run(environment, "decode", "-", given=f"{GPP}\n".encode()).stdout.decode()
    as_json = json.loads(run(environment, "decode", GPP, "--json").stdout)
    state = run(environment, "decode", STATE).stdout.decode()

    assert told == piped
    assert "  section 2, tcfeuv2\n" in told
    assert "  section 6, uspv1\n    version                   1\n" in told
    assert "    sale opt out              not opted out\n" in told
    assert state == "GPP string, version 1, 1 section\n  section 8, usca\n    BAAAAABA.QA\n"
    assert [section["id"] for section in as_json["sections"]] == [2, 6]
    assert as_json["sections"][0]["content"]["cmp_id"] == 880
    assert as_json["sections"][1]["content"]["opt_out_notice"] == "given"


def test_a_section_cannot_steer_the_terminal(environment: dict[str, str]) -> None:
    """What is not read is shown with its control characters spelt out."""
    told = run(environment, "decode", f"{STATE}\x1b[2J").stdout

    assert b"\x1b" not in told
    assert b"\\x1b[2J" in told


@pytest.mark.parametrize("given", [b"", b"nothing", b"\xff\xfe", b"C" * 20_000, b"DBACNYA~CP"])
def test_no_string_is_one_line(environment: dict[str, str], given: bytes) -> None:
    """What cannot be decoded is told in one line, without what was given."""
    done = run(environment, "decode", "-", given=given)

    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("aboveboard: expected ")


def test_a_receipt_becomes_a_consent_receipt(environment: dict[str, str], tmp_path: Path) -> None:
    """The file alone says who decided what and when, in the words of DPV."""
    saved = tmp_path / "receipt.json"
    saved.write_text(json.dumps(RECEIPTS["receipts"][3]), encoding="utf-8")

    document = json.loads(run(environment, "receipt", saved, "--format", "jsonld").stdout)

    assert document["@type"] == "dpv:ConsentReceipt"
    assert document["dpv:hasIdentifier"] == RECEIPTS["receipts"][3]["record_id"]
    (record,) = document["dpv:hasRecordOfActivity"]
    assert record["dpv:hasConsentStatus"]["@type"] == ["dpv:ConsentWithdrawn"]


def test_a_served_notice_completes_its_receipt(new_service: Service, tmp_path: Path) -> None:
    """With the notice as the service gives it, the controller is told; with another, nothing is."""
    new_service.start()
    site = new_service.add_site("https://shop.example")
    files = {name: tmp_path / f"{name}.json" for name in ("receipt", "notice", "other", "record")}
    notice = {
        "notice_id": "main",
        "language": "en",
        "text": "May we count visits?",
        "controller": {"name": "Shop Ltd", "contact": "dpo@shop.example"},
        "purposes": [
            {
                "id": "statistics",
                "name": "Counting",
                "description": "Count visits",
                "basis": "consent",
                "recipients": ["Count Ltd"],
                "trackers": [{"name": "_c", "duration": "P13M"}],
            }
        ],
        "withdrawal_uri": "https://shop.example/consent",
    }
    with new_service.client(site.key) as client:
        published = client.post("/v1/consent/notices", json=notice)
        other = client.post("/v1/consent/notices", json={**notice, "notice_id": "other"})
        receipt = client.post(
            "/v1/consent/events",
            json=REQUESTED,
            headers={"idempotency-key": "0123456789abcdef"},
        )
    for name, answer in (("receipt", receipt), ("notice", published), ("other", other)):
        assert answer.status_code == 201, answer.text
        files[name].write_bytes(answer.content)
    saved = {**receipt.json(), "notice": published.json()}  # as a record's address gives it
    files["record"].write_text(json.dumps(saved), encoding="utf-8")

    done = run(new_service.environment, "receipt", files["receipt"], "--notice", files["notice"])
    refused = run(new_service.environment, "receipt", files["receipt"], "--notice", files["other"])

    assert run(new_service.environment, "receipt", files["record"]).stdout == done.stdout
    (record,) = json.loads(done.stdout)["dpv:hasRecordOfActivity"]
    assert record["dpv:hasConsentStatus"]["@type"] == ["dpv:ConsentRequested"]
    assert record["dpv:hasDataController"]["dpv:hasName"] == "Shop Ltd"
    assert record["dpv:hasProcess"][0]["dpv:hasRecipient"][0]["dpv:hasName"] == "Count Ltd"
    assert refused.returncode == 1
    assert refused.stderr.startswith(b"aboveboard: text_sha256 of the notice: expected ")


def test_a_notice_is_found_among_the_items_of_an_answer(
    new_service: Service, tmp_path: Path
) -> None:
    """What the service answers is taken as it is; where the notice is not in it, that is said."""
    new_service.start()
    site = new_service.add_site("https://shop.example")
    files = {name: tmp_path / f"{name}.json" for name in ("receipt", "all", "newest", "none")}
    notice: dict[str, Any] = {
        "notice_id": "main",
        "language": "en",
        "text": "May we count visits?",
        "controller": {"name": "Shop Ltd"},
        "purposes": [
            {"id": "statistics", "name": "Counting", "description": "Counts.", "basis": "consent"}
        ],
    }
    with new_service.client(site.key) as client:
        client.post("/v1/consent/notices", json={**notice, "language": "de", "text": "Zählen?"})
        client.post("/v1/consent/notices", json=notice)
        receipt = client.post(
            "/v1/consent/events",
            json=REQUESTED,
            headers={"idempotency-key": "0123456789abcdef"},
        )
        files["all"].write_bytes(client.get("/v1/consent/notices/main").content)
        newer = {**notice, "controller": {"name": "Other Ltd"}}
        client.post("/v1/consent/notices", json=newer)
        files["newest"].write_bytes(client.get("/v1/consent/notices/main").content)
    files["receipt"].write_bytes(receipt.content)
    files["none"].write_text('{"items": []}')

    done, newest, none = (
        run(new_service.environment, "receipt", files["receipt"], "--notice", files[name])
        for name in ("all", "newest", "none")
    )

    (record,) = json.loads(done.stdout)["dpv:hasRecordOfActivity"]
    assert record["dpv:hasDataController"]["dpv:hasName"] == "Shop Ltd"
    (process,) = record["dpv:hasProcess"]
    assert process["dpv:hasPurpose"]["dct:title"] == {"@language": "en", "@value": "Counting"}
    for refused, got in ((newest, "main 2 en"), (none, "none")):
        assert refused.returncode == 1
        assert refused.stderr.decode() == (
            "aboveboard: expected the notice main 1 en of the event, "
            f"got {got}; GET it with ?version=1\n"
        )


@pytest.mark.parametrize(
    "wrong",
    [
        ["no.json"],
        ["notice.json"],
        ["erased.json"],
        ["receipt.json", "--notice", "no.json"],
        ["receipt.json", "--notice", "receipt.json"],
    ],
    ids=" ".join,
)
def test_what_is_no_receipt_or_notice_is_one_line(
    environment: dict[str, str], tmp_path: Path, wrong: list[str]
) -> None:
    """Files that are missing, of another kind, or of an event without a subject."""
    saved = {
        "receipt": RECEIPTS["receipts"][1],
        "erased": RECEIPTS["receipts"][4],
        "notice": {"notice_id": "main"},
    }
    for name, content in saved.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")

    done = run(
        environment,
        "receipt",
        *(tmp_path / each if each.endswith(".json") else each for each in wrong),
    )

    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("aboveboard: ")
    assert "expected" in line
