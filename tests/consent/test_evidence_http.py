"""Evidence bundles over HTTP: streamed, for auditors alone, and verified as they came."""

import io
from typing import Any

import httpx2
from conftest import Service, Site
from full_bodies import notice

from consent.log.checkpoint import Verifier
from consent.proofs import evidence


def withdrawal(number: int) -> dict[str, Any]:
    """Return a withdrawal by a device of that number."""
    return {
        "subject": {"kind": "device", "id": f"device-{number}"},
        "event_type": "withdrawn",
        "method": "withdraw_link",
        "origin": "preferences",
        "decisions": [{"purpose_id": "ads", "decision": "refused"}],
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
        "idempotency_key": f"key-{number}",
    }


def fill(client: httpx2.Client, site: Site, events: int) -> list[dict[str, Any]]:
    """Publish a notice and record withdrawals of different devices."""
    client.post("/v1/consent/notices", json=notice(site.id))
    answers = [client.post("/v1/consent/events", json=withdrawal(at)) for at in range(events)]
    return [answer.json() for answer in answers]


def auditor(service: Service, site: Site) -> httpx2.Client:
    """Speak with a key that is good for auditing alone."""
    with service.accounts() as accounts:
        return service.client(accounts.create_key([site.id], scopes=["consent:audit"]))


def test_a_bundle_is_served_and_verifies(
    service: Service, client: httpx2.Client, site: Site
) -> None:
    """As a zip file to keep; with the key of the public log; records as asked for."""
    receipts = fill(client, site, 3)
    key = Verifier.from_vkey(client.get(f"/v1/consent/logs/{site.id}/1/key").text)

    with auditor(service, site) as asking:
        whole = asking.get("/v1/consent/evidence")
        one = asking.get(
            "/v1/consent/evidence",
            params={"subject_kind": "device", "subject_id": "device-1", "epoch": "1"},
        )
        head = asking.head("/v1/consent/evidence")
    verified = evidence.verify(io.BytesIO(whole.content), keys=[key])
    selected = evidence.verify(io.BytesIO(one.content), keys=[key])

    assert whole.status_code == one.status_code == head.status_code == 200
    assert whole.headers["content-type"] == "application/zip"
    disposition = f'attachment; filename="evidence-{site.id}.zip"'
    assert whole.headers["content-disposition"] == disposition
    assert verified.sealed
    assert (verified.logs[0].entries, verified.logs[0].opened) == (3, 3)
    assert (selected.logs[0].entries, selected.logs[0].opened) == (3, 1)
    ref = receipts[1]["event"]["subject_ref"]
    assert selected.manifest.selection == {"refs": [ref], "epoch": 1}


def test_a_bundle_is_for_auditors(service: Service, client: httpx2.Client, site: Site) -> None:
    """A backend's key is not good for it; e-mail addresses stay out of URLs; what is not there."""
    fill(client, site, 1)
    backend = client.get("/v1/consent/evidence")
    with auditor(service, site) as asking:
        mail = asking.get(
            "/v1/consent/evidence",
            params={"subject_kind": "email", "subject_id": "canary@example.org"},
        )
        epoch = asking.get("/v1/consent/evidence", params={"epoch": "2"})
    empty = service.add_site(f"https://empty-{site.id}.example", scopes=["consent:audit"])
    with service.client(empty.key) as asking:
        nothing = asking.get("/v1/consent/evidence")

    assert backend.status_code == 403
    assert mail.status_code == 422
    assert "canary" not in mail.text
    assert (epoch.status_code, nothing.status_code) == (404, 404)
    assert nothing.json()["type"] == "/problems/log-not-found"
