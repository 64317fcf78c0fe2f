"""A person's rights over HTTP: erasing and restricting, on both engines."""

import json
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from audited_site import AuditedSite, audited_site
from conftest import Service
from stored_rows import rows

from aboveboard.accounts import BACKEND_SCOPES
from consent.choices.record import instant, parse_instant
from consent.log import merkle
from consent.log.checkpoint import Checkpoint, Verifier
from consent.proofs import receipt

CANARY = "canary-7f3a"


@pytest.fixture
def site(service: Service) -> Iterator[AuditedSite]:
    """Create a site of the test's own, spoken for with every scope."""
    with audited_site(service) as made:
        yield made


def post(site: AuditedSite, what: str, **body: Any) -> httpx2.Response:  # noqa: ANN401
    """Ask for something about a subject."""
    return site.client.post(f"/v1/consent/subjects:{what}", json=body)


def done(answer: httpx2.Response) -> dict[str, Any]:
    """Return what was answered to what was done."""
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def device(name: str = "device-1") -> dict[str, str]:
    """Name a device."""
    return {"kind": "device", "id": name}


def standing(site: AuditedSite, name: str = "device-1") -> dict[str, Any]:
    """Ask whether ads may be shown."""
    found: dict[str, Any] = site.get(
        "standing", subject_kind="device", subject_id=name, purpose="ads"
    )
    return found


class Log:
    """The public log of a site, as anybody sees it."""

    def __init__(self, site: AuditedSite) -> None:
        self._url = f"{site.service.url}/v1/consent/logs/{site.id}/1"
        self.verifier = Verifier.from_vkey(self._text("key").strip())

    def _text(self, path: str) -> str:
        answer = httpx2.get(f"{self._url}/{path}")
        assert answer.status_code == 200, answer.text
        return answer.text

    def _hashes(self, path: str) -> list[bytes]:
        return [b64decode(item) for item in json.loads(self._text(f"proof/{path}"))["hashes"]]

    def head(self) -> Checkpoint:
        """Return the newest checkpoint, its signature checked."""
        return self.verifier.open(self._text("checkpoint"))

    def check(self, receipts: list[dict[str, Any]], before: Checkpoint) -> None:
        """Check that receipts verify, that each leaf is in, and that the log only grew."""
        head = self.head()
        for held in receipts:
            receipt.verify(json.dumps(held).encode(), self.verifier)
            at = held["leaf_index"]
            merkle.verify_inclusion(
                index=at,
                size=head.size,
                leaf=merkle.leaf_hash(b64decode(held["leaf"])),
                proof=self._hashes(f"inclusion?index={at}&size={head.size}"),
                root=head.root,
            )
        merkle.verify_consistency(
            old_size=before.size,
            old_root=before.root,
            new_size=head.size,
            new_root=head.root,
            proof=self._hashes(f"consistency?from={before.size}&to={head.size}"),
        )


# -- erasing ----------------------------------------------------------------------------------


def test_a_subject_is_erased_and_every_proof_still_holds(site: AuditedSite) -> None:
    """Receipts of before verify, leaves are in the tree, the log only grew; nothing opens."""
    log = Log(site)
    held = [site.record("requested"), site.record("given")]
    held += [site.record("requested", "device-2"), site.record("given", "device-2")]
    before = log.head()

    erased = done(post(site, "erase", subject=device()))

    ids = [item["record_id"] for item in held[:2]]
    assert sorted(erased["erased"]) == sorted(ids)
    assert erased["remembered"] == []
    assert erased["event"]["record_ids"] == sorted(ids)
    assert "subject_ref" not in erased["event"]
    log.check([*held, erased], before)
    assert {site.refused(f"records/{name}") for name in ids} == {(410, "record-erased")}
    assert standing(site)["why"] == "not_asked"
    assert standing(site, "device-2")["allowed"]


def test_what_was_erased_is_answered_gone(site: AuditedSite) -> None:
    """The same request with its key answers 410 and the record's id, never the record."""
    body = {
        "subject": device(),
        "event_type": "refused",
        "method": "reject_all",
        "origin": "banner",
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
        "decisions": [{"purpose_id": "ads", "decision": "refused"}],
    }
    headers = {"idempotency-key": "key-1"}
    first = site.client.post("/v1/consent/events", json=body, headers=headers)
    done(post(site, "erase", subject=device()))

    again = site.client.post("/v1/consent/events", json=body, headers=headers)

    assert first.status_code == 201
    assert again.status_code == 410
    assert again.json()["type"] == "/problems/record-erased"
    assert again.json()["record_id"] == first.json()["record_id"]


def test_a_refusal_outlives_its_records(site: AuditedSite) -> None:
    """It is still answered, names no record, and a fresh yes of the same person ends it."""
    site.record("refused")
    erased = done(post(site, "erase", subject=device()))
    remembered = standing(site)
    site.record("requested", origin="preferences")
    given = site.record("given", origin="preferences")

    assert erased["remembered"] == ["ads", "statistics"]
    assert (remembered["allowed"], remembered["why"]) == (False, "refused")
    assert "record_id" not in remembered
    assert standing(site)["record_id"] == given["record_id"]


def test_erasing_twice_does_no_harm(site: AuditedSite) -> None:
    """Of whom a refusal is remembered, nothing more goes until told so; then nobody is known."""
    site.record("refused")
    done(post(site, "erase", subject=device()))

    again = post(site, "erase", subject=device())
    forgotten = post(site, "erase", subject=device(), keep_refusals=False)
    unknown = post(site, "erase", subject=device())

    assert (again.status_code, again.json()) == (
        200,
        {"erased": [], "remembered": ["ads", "statistics"]},
    )
    assert (forgotten.status_code, forgotten.json()) == (200, {"erased": [], "remembered": []})
    assert unknown.status_code == 404


def test_single_records_are_erased(site: AuditedSite) -> None:
    """Those that there are; where there is none, 404."""
    asked, given = site.record("requested"), site.record("given")

    erased = done(post(site, "erase", record_ids=[asked["record_id"], "unknown"]))
    unknown = post(site, "erase", record_ids=[asked["record_id"]])

    assert erased["erased"] == [asked["record_id"]]
    assert site.get(f"records/{given['record_id']}")["record_id"] == given["record_id"]
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/record-not-found")


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"subject": device(CANARY)}, 404, "subject-not-found"),
        ({"subject": {"kind": "email", "id": CANARY}}, 422, "subject-invalid"),
        ({"record_ids": [CANARY]}, 404, "record-not-found"),
        ({"subject": None}, 422, "invalid-request"),
        ({"record_ids": []}, 422, "invalid-request"),
        ({"subject": device(CANARY), "keep_refusals": "no"}, 422, "invalid-request"),
        ({"subject": device(CANARY), CANARY: True}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_erased_is_refused_without_echo(
    site: AuditedSite, body: dict[str, Any], status: int, kind: str
) -> None:
    """A problem says what was expected; it quotes nothing."""
    answer = post(site, "erase", **body)

    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == f"/problems/{kind}"
    assert CANARY not in answer.text


def test_a_site_backend_may_not_erase(service: Service, site: AuditedSite) -> None:
    """Erasing and restricting need a scope that its key does not have."""
    with service.accounts() as accounts:
        key = accounts.create_key([site.id], scopes=BACKEND_SCOPES)
    site.record("refused")
    with service.client(key) as backend:
        answers = [
            backend.post(f"/v1/consent/subjects:{what}", json={"subject": device()})
            for what in ("erase", "restrict")
        ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert all("consent:erase" in answer.json()["detail"] for answer in answers)


def test_other_sites_are_not_reached(service: Service, site: AuditedSite) -> None:
    """The same device, and even a record's id, mean nothing to another site."""
    given = site.record("requested")
    with audited_site(service) as other:
        theirs = other.record("refused")

        assert post(other, "erase", record_ids=[given["record_id"]]).status_code == 404
        done(post(site, "erase", subject=device()))

        assert other.get(f"records/{theirs['record_id']}")["record_id"] == theirs["record_id"]
        assert standing(other)["why"] == "refused"


def test_erasing_while_others_choose_loses_nothing(site: AuditedSite) -> None:
    """Every event is in the log and every erased one is gone, whoever came first."""
    log = Log(site)
    site.record("requested", "device-0")
    before = log.head()

    def choose(number: int) -> dict[str, Any]:
        return site.record("refused", f"device-{number % 4}")

    def erase(number: int) -> list[str]:
        answer = post(site, "erase", subject=device(f"device-{number % 4}"), keep_refusals=False)
        assert answer.status_code in {200, 201, 404}, answer.text
        return list(answer.json().get("erased", []))

    with ThreadPoolExecutor(8) as pool:
        choosing = [pool.submit(choose, number) for number in range(40)]
        erasing = [pool.submit(erase, number) for number in range(20)]
        held = [future.result() for future in choosing]
        erased = [name for future in erasing for name in future.result()]

    log.check(held, before)
    stored = rows(
        site.service,
        "consent",
        "SELECT record_id FROM record WHERE site_id = ? AND subject_ref <> 'site'",
        site.id,
    )
    left = {name for (name,) in stored}
    assert len(erased) == len(set(erased))
    assert left.isdisjoint(erased)
    assert {item["record_id"] for item in held} <= left | set(erased)


def test_no_byte_of_the_erased_is_left(new_service: Service) -> None:
    """No sealed run, no key, no pseudonym, in any file or table; but outside, what a restore needs.

    What others were told stays what it was.
    """
    new_service.start()
    with audited_site(new_service) as site:
        names = [f"{CANARY}-{number}" for number in range(30)]
        for name in names:
            site.record("requested", name)
            site.record("given", name, context={"page": f"https://shop.example/{CANARY}"})
        sealed = rows(new_service, "consent", "SELECT subject_ref, sealed FROM record")
        keys = rows(new_service, "consent", "SELECT subject_ref, wrapped FROM subject")
        gone = names[::3]
        before = _refs(new_service)
        for name in gone:
            done(post(site, "erase", subject=device(name)))
        refs = before - _refs(new_service)
        assert len(refs) == len(gone)

        held = [standing(site, name) for name in names if name not in gone]
        content = _content(new_service)

    assert all(answer["allowed"] for answer in held)
    traces = [ref.encode() for ref in refs]
    for ref, secret in [*sealed, *keys]:
        if ref in refs:
            runs = range(0, len(secret) - 16, 8)
            traces += [bytes(secret)[at : at + 16] for at in runs]
    assert len(traces) > 1000
    # The search itself finds what is there.
    assert any(bytes(wrapped) in content for ref, wrapped in keys if ref not in refs)
    assert [trace for trace in traces if trace in content] == []
    assert CANARY.encode() not in content
    outside = [
        json.loads(line)
        for line in (new_service.data_dir / "erasures.jsonl").read_text().splitlines()
    ]
    assert {subject["ref"] for line in outside for subject in line["subjects"]} == refs
    assert CANARY not in json.dumps(outside)
    assert "failed" not in new_service.log.read_text()


def _refs(service: Service) -> set[str]:
    return {ref for (ref,) in rows(service, "consent", "SELECT subject_ref FROM subject")}


def _content(service: Service) -> bytes:
    """Return every byte of every file but the erasures, or every value of every row."""
    url = service.database_url
    if url is None:
        files = [path for path in service.data_dir.rglob("*") if path.is_file()]
        assert {"consent.sqlite3", "consent.sqlite3-wal"} <= {path.name for path in files}
        return (
            b"".join(path.read_bytes() for path in files if path.name != "erasures.jsonl")
            + service.log.read_bytes()
        )
    parts = []
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'consent'"
        ).fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM consent."{table}"'.encode()):  # noqa: S608 - its own
                parts += [
                    value if isinstance(value, bytes) else str(value).encode() for value in row
                ]
    return b"\n".join(parts) + service.log.read_bytes()


# -- restricting ------------------------------------------------------------------------------


def test_restricted_means_kept_and_not_used(site: AuditedSite) -> None:
    """Nothing is allowed, what takes away is taken in and nothing else; the proof is kept."""
    log = Log(site)
    given = site.record("requested"), site.record("given")
    before = log.head()
    until = instant(parse_instant(given[1]["event"]["received_at"]) + timedelta(days=400))

    restricted = done(post(site, "restrict", subject=device(), evidence_until=until))
    answer = standing(site)
    said = {
        "subject": device(),
        "origin": "preferences",
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
    }
    yes = {
        "event_type": "given",
        "method": "save",
        "decisions": [{"purpose_id": "ads", "decision": "given"}],
        "served_id": given[0]["record_id"],
    }
    refused = [
        site.client.post(
            "/v1/consent/events",
            headers={"idempotency-key": more["event_type"]},
            json={**said, **more},
        )
        for more in ({"event_type": "requested", "method": "api"}, yes)
    ]
    withdrawn = site.record("withdrawn")

    ids = sorted(item["record_id"] for item in given)
    assert restricted["event"]["event_type"] == "restricted"
    assert restricted["event"]["record_ids"] == restricted["restricted"] == ids
    assert restricted["evidence_until"] == until
    assert (answer["allowed"], answer["why"]) == (False, "restricted")
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (409, "subject_restricted")
    assert site.get(f"records/{given[1]['record_id']}")["restricted_until"] == until
    log.check([*given, restricted, withdrawn], before)


def test_who_is_known_by_a_link_alone_is_restricted(site: AuditedSite) -> None:
    """An account that took its device's consent over has said nothing itself."""
    site.record("requested")
    given = site.record("given")
    account = {"kind": "account", "id": "account-1"}
    told = {
        "subject": device(),
        "event_type": "linked",
        "method": "api",
        "origin": "banner",
        "linked": account,
    }
    link = done(
        site.client.post("/v1/consent/events", json=told, headers={"idempotency-key": "link"})
    )
    until = instant(parse_instant(given["event"]["received_at"]) + timedelta(days=400))

    def why(kind: str, subject_id: str) -> str:
        asked = {"subject": {"kind": kind, "id": subject_id}, "purposes": ["ads"]}
        (one,) = site.client.post("/v1/consent/standing:query", json=asked).json()["items"]
        return str(one["why"])

    before = why("account", "account-1")
    restricted = done(post(site, "restrict", subject=account, evidence_until=until))

    assert before == "given"
    assert restricted["restricted"] == [link["record_id"]]
    assert why("account", "account-1") == "restricted"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"evidence_until": "2099-01-01T00:00:00Z"}, 404, "subject-not-found"),
        ({"evidence_until": "2020-01-01T00:00:00Z"}, 422, "restriction-invalid"),
        ({"evidence_until": "soon"}, 422, "invalid-request"),
        ({}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_restricted_is_refused(
    site: AuditedSite, body: dict[str, Any], status: int, kind: str
) -> None:
    """Nobody unknown, and no day that has passed."""
    answer = post(site, "restrict", subject=device(CANARY), **body)

    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == f"/problems/{kind}"
    assert CANARY not in answer.text
