"""Everything that is held about a person, over HTTP, as JSON and as text, on both engines."""

import json
from collections.abc import Iterator
from datetime import timedelta
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from audited_site import NOTICE, AuditedSite, audited_site
from conftest import Service

from aboveboard.accounts import BACKEND_SCOPES, Scope
from consent.choices.record import instant, parse_instant
from consent.log.checkpoint import Verifier
from consent.proofs import receipt

CANARY = "canary-7f3a"


@pytest.fixture
def site(service: Service) -> Iterator[AuditedSite]:
    """Create a site of the test's own, spoken for with every scope."""
    with audited_site(service) as made:
        yield made


def export(site: AuditedSite, name: str = "device-1", **more: Any) -> httpx2.Response:  # noqa: ANN401
    """Ask for everything that is held about a device."""
    body = {"subject": {"kind": "device", "id": name}, **more}
    answer = site.client.post("/v1/consent/subjects:export", json=body)
    assert answer.status_code == 200, answer.text
    return answer


def held(site: AuditedSite, name: str = "device-1", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what is held under a device's only pseudonym."""
    (account,) = export(site, name, **more).json()["subjects"]
    assert isinstance(account, dict)
    return account


def post(site: AuditedSite, what: str, **body: Any) -> httpx2.Response:  # noqa: ANN401
    """Ask for something else about a subject."""
    answer = site.client.post(f"/v1/consent/subjects:{what}", json=body)
    assert answer.is_success, answer.text
    return answer


def test_every_record_is_told_and_proved(site: AuditedSite, service: Service) -> None:
    """In the order of the log, each with what was shown; each verifies by itself, offline."""
    asked = site.record("requested")
    given = site.record("given", context={"page": "https://shop.example/x"})
    site.record("requested", "device-2")

    account = held(site)

    vkey = httpx2.get(f"{service.url}/v1/consent/logs/{site.id}/1/key").text.strip()
    assert [item["record_id"] for item in account["records"]] == [
        asked["record_id"],
        given["record_id"],
    ]
    for item, first in zip(account["records"], (asked, given), strict=True):
        verified = receipt.verify(json.dumps(item).encode(), Verifier.from_vkey(vkey))
        assert verified.event == first["event"]
        assert (item["leaf_index"], item["salt"]) == (first["leaf_index"], first["salt"])
        assert item["notice"]["text"] == NOTICE["text"]
        assert [purpose["name"] for purpose in item["notice"]["purposes"]] == ["Ads", "Counting"]
        assert len(item["idempotency_key"]) == 32
    assert account["asked"] == [
        {"notice_id": "main", "version": 1, "record_id": asked["record_id"]}
    ]
    (ads, _statistics) = account["standing"]
    assert (ads["purpose"], ads["state"]) == ("ads", "given")
    assert ads["record_id"] == given["record_id"]
    assert account["linked"] == []


def test_what_is_remembered_or_restricted_is_told(site: AuditedSite) -> None:
    """A refusal without records, and until when evidence is kept."""
    site.record("refused")
    post(site, "erase", subject={"kind": "device", "id": "device-1"})
    kept = site.record("refused", "device-2")
    until = instant(parse_instant(kept["event"]["received_at"]) + timedelta(days=400))
    post(site, "restrict", subject={"kind": "device", "id": "device-2"}, evidence_until=until)

    remembered, restricted = held(site), held(site, "device-2")

    assert remembered["records"] == []
    assert {(at["purpose"], at["state"]) for at in remembered["standing"]} == {
        ("ads", "refused"),
        ("statistics", "refused"),
    }
    assert not any("record_id" in at for at in remembered["standing"])
    assert restricted["restricted_until"] == until
    assert [item["record_id"] for item in restricted["records"]] == [kept["record_id"]]
    text = export(site, format="text").text + export(site, "device-2", format="text").text
    assert "remembered so that you are not asked again" in text
    assert f"kept as evidence until {until}" in text


def link(site: AuditedSite, name: str) -> None:
    """Link a device with the account `a-1`."""
    body = {
        "subject": {"kind": "account", "id": "a-1"},
        "event_type": "linked",
        "method": "api",
        "origin": "account_page",
        "linked": {"kind": "device", "id": name},
        "idempotency_key": token_hex(8),
    }
    answer = site.client.post("/v1/consent/events", json=body)
    assert answer.status_code == 201, answer.text


def test_those_linked_are_named_and_added_when_asked(site: AuditedSite) -> None:
    """From a device over the account to the other device, each once, and nobody else."""
    for name in ("device-1", "device-2", "device-3"):
        site.record("requested", name)
    link(site, "device-1")
    link(site, "device-2")

    alone = held(site)
    together = export(site, include_linked=True).json()["subjects"]

    assert len(alone["linked"]) == 1
    refs = [account["subject_ref"] for account in together]
    assert refs[:2] == [alone["subject_ref"], *alone["linked"]]
    assert len(set(refs)) == len(refs) == 3
    assert sum(len(account["records"]) for account in together) == 4


def test_the_person_can_read_it(site: AuditedSite) -> None:
    """Every value of every event stands in the text, in plain words where there are some."""
    site.publish("May we?\n# Not a heading\x07")
    site.record("requested")
    given = site.record(
        "given",
        decisions={"ads": "given", "statistics": "refused"},
        context={"page": "https://shop.example/x", "layout_w": 1200},
        signals={"sec_gpc": False},
        jurisdiction="DE-BE",
        valid_until="2099-01-31T10:00:00Z",
    )

    answer = export(site, format="text")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines()
    assert f"### 2. You agreed, {given['event']['received_at']}" in lines
    assert "- Ads (ads): yes (basis consent)" in lines
    assert "- Counting (statistics): no (basis consent)" in lines
    assert "> May we?" in lines
    assert "> # Not a heading" in lines
    assert "- Valid until: 2099-01-31T10:00:00Z" in lines
    for name, value in given["event"].items():
        for text in _texts(value):
            assert text in answer.text, (name, text)


def test_what_some_vendors_were_given_is_told_as_such(site: AuditedSite) -> None:
    """In the standing as in the text: a yes to one vendor is no yes to all."""
    site.record("requested")
    body = {
        "subject": {"kind": "device", "id": "device-1"},
        "event_type": "given",
        "method": "save",
        "origin": "banner",
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
        "decisions": [{"purpose_id": "ads", "decision": "given", "vendor_ids": ["v-1"]}],
        "idempotency_key": token_hex(8),
    }
    answer = site.client.post("/v1/consent/events", json=body)
    assert answer.status_code == 201, answer.text

    (ads,) = held(site)["standing"]

    assert ads["vendors"] == ["v-1"]
    assert ", for v-1 alone (record" in export(site, format="text").text


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever JSON has
    """Yield what must be told of a value; decisions are told in other words."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name != "decision":
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif not isinstance(value, bool) and value != "given":
        yield str(value)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"subject": {"kind": "device", "id": CANARY}}, 404, "subject-not-found"),
        ({"subject": {"kind": "email", "id": CANARY}}, 422, "subject-invalid"),
        ({"subject": {"kind": "device", "id": CANARY}, "format": "pdf"}, 422, "invalid-request"),
        ({}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_exported_is_refused_without_echo(
    site: AuditedSite, body: dict[str, Any], status: int, kind: str
) -> None:
    """A problem says what was expected; it quotes nothing."""
    answer = site.client.post("/v1/consent/subjects:export", json=body)

    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == f"/problems/{kind}"
    assert CANARY not in answer.text


def test_only_auditors_read_what_is_sealed(service: Service, site: AuditedSite) -> None:
    """Whoever may erase or record may not read for that."""
    site.record("requested")
    for scopes in (BACKEND_SCOPES, [Scope.CONSENT_ERASE]):
        with service.accounts() as accounts:
            key = accounts.create_key([site.id], scopes=scopes)
        with service.client(key) as other:
            answer = other.post(
                "/v1/consent/subjects:export",
                json={"subject": {"kind": "device", "id": "device-1"}},
            )
        assert answer.status_code == 403
        assert "consent:audit" in answer.json()["detail"]
