"""Who may do what: every operation against every kind of key, on both engines."""

import re
import time
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import EVERY_SCOPE, Service, Site
from review_desk import in_days

from aboveboard.accounts import Scope

PUBLIC = {
    "listLogs",
    "getLogKey",
    "getCheckpoint",
    "getInclusionProof",
    "getConsistencyProof",
    "getProof",
    "getEntries",
    "getTile",
    "getGpcStatement",
}
ANN = {"id": "ann"}
COMMENT_ID = "01980000-0000-7000-8000-000000000000"
"""Of the form of an id; no comment's, no claim's, no decision's."""

BODIES: dict[str, dict[str, Any]] = {
    "submitComment": {"external_id": "c-1", "text": "Good morning."},
    "scoreText": {"text": "Good morning."},
    "submitComments": {"comments": [{"external_id": "c-2", "text": "Good morning."}]},
    "publishNotice": {
        "notice_id": "main",
        "language": "en",
        "text": "May we?",
        "controller": {"name": "Shop Ltd"},
        "purposes": [{"id": "ads", "name": "Ads", "description": "Ads", "basis": "consent"}],
    },
    "recordEvent": {
        "subject": {"kind": "device", "id": "device-1"},
        "event_type": "requested",
        "method": "api",
        "origin": "banner",
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
    },
    "queryStanding": {"subject": {"kind": "device", "id": "device-1"}, "purposes": ["ads"]},
    "serveNotice": {"notice": {"notice_id": "main", "version": 1, "language": "en"}},
    "archiveBanner": {"html": "<p>May we?</p>"},
    "putConsentSettings": {"ask_again_months": 12},
    "putPolicy": {"replaces": 0, "policy": {"links": {"hold": 5}}},
    "tryPolicy": {"policy": {"links": {"hold": 1}}},
    "searchRecords": {},
    "exportSubject": {"subject": {"kind": "device", "id": "device-1"}},
    "eraseSubject": {"subject": {"kind": "device", "id": "device-2"}},
    "restrictSubject": {
        "subject": {"kind": "device", "id": "device-3"},
        "evidence_until": "2099-01-31T00:00:00Z",
    },
    "exportAuthor": {"author": {"id": "a-1"}},
    "eraseAuthor": {"author": {"id": "nobody"}},
    "createWebhook": {"url": f"https://{'x' * 64}.example/"},
    "changeWebhook": {"enabled": True},
    "removeWebhook": {},
    "rotateWebhookSecret": {},
    "testWebhook": {},
    "redeliver": {},
    "claimNextCase": {"moderator": ANN},
    "claimCase": {"moderator": ANN},
    "renewCase": {"moderator": ANN, "claim_token": COMMENT_ID},
    "releaseCase": {"moderator": ANN, "claim_token": COMMENT_ID},
    "skipCase": {"moderator": ANN},
    "snoozeCase": {"moderator": ANN, "until": in_days(1)},
    "escalateCase": {"moderator": ANN},
    "writeNote": {"moderator": ANN, "text": "Seen."},
    "decide": {"moderator": ANN, "action": "approve", "revision": 1, "version": 1},
    "decideMany": {
        "moderator": ANN,
        "action": "approve",
        "items": [{"comment_id": COMMENT_ID, "revision": 1, "version": 1}],
    },
    "undoDecision": {"moderator": ANN},
    "reportComment": {"reporter": {"id": "reader-1"}, "reason": "insult"},
    "putReviewSettings": {},
    "putCompatSettings": {},
}

QUERIES = {
    "getStanding": {"subject_kind": "device", "subject_id": "device-1", "purpose": "ads"},
    "getInclusionProof": {"index": "0", "size": "1"},
    "getConsistencyProof": {"from": "1", "to": "1"},
    "exportRecords": {"format": "jsonl"},
}
PLACES = {
    "version": "1",
    "decision_id": COMMENT_ID,
    "epoch": "1",
    "notice_id": "main",
    "index": "0",
    "level": "0",
    "place": "000.p/1",
}


@dataclass
class Prepared:
    """A site with a comment, a notice and an event, and what is needed to ask for them."""

    site: Site
    key: str
    """Good for every scope."""

    places: dict[str, str]
    """What fills the parameters of a path."""

    operations: list[tuple[str, str, str, str | None]]
    more: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What a request has to carry beside what it always does."""


@pytest.fixture(scope="module")
def prepared(service: Service) -> Prepared:
    """Fill a site and read the operations, with their scopes, from the service's own document."""
    site = service.add_site(f"https://{token_hex(6)}.example.org")
    with service.accounts() as accounts:
        key = accounts.create_key([site.id], scopes=EVERY_SCOPE)
    with service.client(site.key) as client:
        document = client.get("/openapi.json").json()
        comment_id = client.post("/v1/comments", json=BODIES["submitComment"]).json()["id"]
        for text in ("May we?", "May we, please?"):
            client.post("/v1/consent/notices", json={**BODIES["publishNotice"], "text": text})
        banner = client.post("/v1/consent/banners", json=BODIES["archiveBanner"]).json()
        made = client.post(
            "/v1/consent/events",
            json=BODIES["recordEvent"],
            headers={"idempotency-key": "prepared"},
        )
        assert made.status_code == 201, made.text
        client.headers["authorization"] = f"Bearer {key}"
        assert client.put("/v1/policy", json=BODIES["putPolicy"]).is_success
    operations = [
        (described["operationId"], method.upper(), path, _scope(described))
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]
    with service.client(key) as client:
        webhook = client.post("/v1/webhooks", json=BODIES["createWebhook"]).json()
    places = {
        **PLACES,
        "site": site.id,
        "comment_id": comment_id,
        "record_id": made.json()["record_id"],
        "ui_sha256": banner["ui_sha256"],
        "webhook_id": webhook["id"],
    }
    return Prepared(site, key, places, operations)


def _scope(described: dict[str, Any]) -> str | None:
    found = re.search(r"scope `([a-z:]+)`", described.get("description", ""))
    return found[1] if found else None


def ask(
    client: httpx2.Client, prepared: Prepared, name: str, method: str, path: str, site: str = ""
) -> httpx2.Response:
    """Call an operation well-formed, for *site* where one is named."""
    filled = re.sub(r"{(\w+)}", lambda found: prepared.places.get(found[1], found[0]), path)
    assert "{" not in filled, f"{path}: tell this test how to fill it"
    assert method in {"GET", "DELETE"} or name in BODIES, f"{name}: tell this test what to send"
    headers = {"idempotency-key": token_hex(16)} if method == "POST" else {}
    if site:
        headers["x-site"] = site
    return client.request(
        method,
        filled,
        params=QUERIES.get(name),
        json=BODIES[name] | prepared.more.get(name, {}) if name in BODIES else None,
        headers=headers,
    )


def lay_open(client: httpx2.Client, prepared: Prepared) -> None:
    """Have a comment that is held and claimed, and a decision on another, stand ready."""
    made = []
    for _ in range(2):
        body = {"external_id": token_hex(8), "text": "you are a fucking idiot, everybody hates you"}
        made.append(client.post("/v1/comments", json=body).json()["id"])
        claimed = client.post(f"/v1/cases/{made[-1]}/claim", json={"moderator": ANN}).json()
        token = {"claim_token": claimed["claim_token"]}
        as_read = {"revision": claimed["revision"], "version": claimed["version"], **token}
        decided = BODIES["decide"] | as_read
        if len(made) == 1:
            answer = client.post(f"/v1/comments/{made[0]}/decisions", json=decided)
            prepared.places["decision_id"] = answer.json()["id"]
    prepared.places["comment_id"] = made[-1]
    prepared.more = {"renewCase": token, "releaseCase": token, "decide": as_read}


def one_a_scope(prepared: Prepared) -> list[tuple[str, str, str, str | None]]:
    """Return one operation for each scope, and one that needs none."""
    return list({operation[3]: operation for operation in prepared.operations}.values())


def test_every_operation_has_a_scope_or_is_meant_for_everybody(prepared: Prepared) -> None:
    """A new route without a scope fails here until it is named as public."""
    scopes = {name: scope for name, _, _, scope in prepared.operations}

    assert {name for name, scope in scopes.items() if scope is None} == PUBLIC
    assert {scope for scope in scopes.values() if scope} <= {scope.value for scope in Scope}
    assert len(prepared.operations) == 75


def test_its_own_key_may(service: Service, prepared: Prepared) -> None:
    """With the site's own key every operation is answered well, also where it names its site."""
    with service.client(prepared.key) as client:
        answers = {}
        for site in ("", prepared.site.id):
            for name in ("eraseSubject", "restrictSubject"):
                # Somebody to be forgotten, each time anew; who is restricted may still say no.
                event = {
                    **BODIES["recordEvent"],
                    "subject": BODIES[name]["subject"],
                    "event_type": "refused",
                    "method": "reject_all",
                    "decisions": [{"purpose_id": "ads", "decision": "refused"}],
                }
                keyed = {"idempotency-key": token_hex(16)}
                assert client.post("/v1/consent/events", json=event, headers=keyed).is_success
            for name, method, path, _ in prepared.operations:
                if "{comment_id}" in path or "{decision_id}" in path:
                    lay_open(client, prepared)
                answers[name, site] = ask(client, prepared, name, method, path, site).status_code
                if name == "removeWebhook":
                    # The others of its kind need one that is there.
                    made = client.post("/v1/webhooks", json=BODIES["createWebhook"]).json()
                    prepared.places["webhook_id"] = made["id"]

    assert set(answers.values()) <= {200, 201}, answers


def test_without_a_key_nobody_may(service: Service, prepared: Prepared) -> None:
    """No key, another scheme, an empty or a wrong one is 401; what is public is answered."""
    for header in (None, "Basic abc", "Bearer", "Bearer ab" + "a" * 60):
        with service.client() as client:
            if header is not None:
                client.headers["authorization"] = header
            # One wrong key a scope is few enough for the limit to leave alone.
            guessed = header is not None and header.startswith("Bearer ab")
            for name, method, path, scope in (
                one_a_scope(prepared) if guessed else prepared.operations
            ):
                answer = ask(client, prepared, name, method, path)
                if scope is None:
                    assert answer.status_code == 200, name
                else:
                    assert answer.status_code == 401, name
                    assert answer.json()["type"] == "/problems/unauthenticated"
                    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_without_the_scope_may_not(service: Service, prepared: Prepared) -> None:
    """A key with every scope but the one that is needed is told which one it lacks."""
    needed = {scope for _, _, _, scope in prepared.operations if scope}
    with service.accounts() as accounts:
        keys = {
            scope: accounts.create_key(
                [prepared.site.id], scopes=[other.value for other in Scope if other != scope]
            )
            for scope in needed
        }

    for name, method, path, scope in prepared.operations:
        if scope:
            with service.client(keys[scope]) as client:
                answer = ask(client, prepared, name, method, path)
            assert answer.status_code == 403, name
            assert answer.json()["type"] == "/problems/scope-missing"
            assert scope in answer.json()["detail"]


def test_another_sites_objects_are_not_there(service: Service, prepared: Prepared) -> None:
    """By a key of another site: by id 404, by naming the site 404, lists and standings empty."""
    other = service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)

    with service.client(other.key) as client:
        named = {
            name: ask(client, prepared, name, method, path, prepared.site.id)
            for name, method, path, scope in prepared.operations
            if scope
        }
        by_id = {
            name: ask(client, prepared, name, method, path)
            for name, method, path, _ in prepared.operations
            if name in {"getPolicyVersion", "getNotice", "compareNotices", "getBanner", "getRecord"}
            or any(part in path for part in ("{comment_id}", "{decision_id}", "{webhook_id}"))
        }
        comments = client.get("/v1/comments").json()
        cases = client.get("/v1/cases").json()
        decisions = client.get("/v1/decisions").json()["items"]
        notices = client.get("/v1/consent/notices").json()
        webhooks = client.get("/v1/webhooks").json()
        standing = client.get("/v1/consent/standing", params=QUERIES["getStanding"]).json()
        event = client.post(
            "/v1/consent/events",
            json=BODIES["recordEvent"],
            headers={"idempotency-key": "prepared"},
        )

    assert {name: answer.status_code for name, answer in named.items()} == dict.fromkeys(named, 404)
    assert {answer.json()["type"] for answer in named.values()} == {"/problems/site-not-found"}
    assert {name: answer.status_code for name, answer in by_id.items()} == dict.fromkeys(by_id, 404)
    assert comments == cases == notices == {"items": [], "next": None}
    assert decisions == []
    assert webhooks == {"items": []}
    assert standing["why"] == "not_asked"
    assert event.json()["code"] == "notice_unknown"


def test_a_revoked_key_may_not(service: Service, prepared: Prepared) -> None:
    """A key that was in use ends within about a second of its revocation."""
    with service.accounts() as accounts:
        key = accounts.create_key([prepared.site.id], scopes=EVERY_SCOPE)
        with service.client(key) as client:
            before = client.get("/v1/comments").status_code
            accounts.revoke_key(key[2:10])
            until = time.monotonic() + 30
            while client.get("/v1/comments").status_code != 401:
                assert time.monotonic() < until, "the key still opens the door"
            after = {
                name: ask(client, prepared, name, method, path).status_code
                for name, method, path, scope in one_a_scope(prepared)
                if scope
            }

    assert before == 200
    assert after == dict.fromkeys(after, 401)


def test_guessing_is_slowed_down(new_service: Service) -> None:
    """After 30 wrong keys in a minute 429; legacy keys wait with it, ordinary ones do not."""
    new_service.start()
    ordinary = new_service.add_site("https://one.example")
    legacy = new_service.add_site("https://two.example", key="0123456789ab")

    with new_service.client() as client:
        before = client.get("/v1/comments", headers={"authorization": f"Bearer {legacy.key}"})
        answers = [
            client.get("/v1/comments", headers={"authorization": f"Bearer {guess:012x}"})
            for guess in range(32)
        ]
        slowed = client.get("/v1/comments", headers={"authorization": f"Bearer {legacy.key}"})
        served = client.get("/v1/comments", headers={"authorization": f"Bearer {ordinary.key}"})

    assert before.status_code == 200
    assert [answer.status_code for answer in answers] == [401] * 30 + [429] * 2
    assert answers[-1].json()["type"] == "/problems/too-many-failures"
    assert answers[-1].headers["retry-after"] == "60"
    assert slowed.status_code == 429
    assert served.status_code == 200
