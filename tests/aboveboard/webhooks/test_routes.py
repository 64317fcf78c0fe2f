"""Webhooks over HTTP: made, changed, rotated, tested, seen and repeated; on both engines."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import PATIENCE_S, Service, Site
from diary import NOTICE, SHOWN
from receiver import Receiver, receiving
from review_desk import HAM, RUDE, Desk
from webhook_house import is_as_told, verify


@pytest.fixture(scope="module")
def service(
    new_url: Callable[[], str | None],
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Serve with loopback named as a target."""
    environment = {**environment, "ABOVEBOARD_WEBHOOK_TARGETS": "127.0.0.1"}
    served = Service(tmp_path_factory.mktemp("served") / "data", environment, new_url())
    served.start()
    yield served
    served.stop()


@pytest.fixture
def site(whole: Site) -> Site:
    """Create a site whose key may do everything."""
    return whole


def choose(client: httpx2.Client, device: str = "d-1") -> str:
    """Publish the notice, and have a device withdraw; return the record's id."""
    assert client.post("/v1/consent/notices", json=NOTICE).status_code in {200, 201}
    event = {
        "idempotency_key": token_hex(8),
        "subject": {"kind": "device", "id": device},
        "event_type": "withdrawn",
        "method": "withdraw_link",
        "origin": "preferences",
        "decisions": [{"purpose_id": "ads", "decision": "refused"}],
        "notice": SHOWN,
    }
    answer = client.post("/v1/consent/events", json=event)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["record_id"])


def make(client: httpx2.Client, url: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a webhook."""
    answer = client.post("/v1/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def until(ask: Callable[[], bool]) -> None:
    """Wait until something is so."""
    late = time.monotonic() + PATIENCE_S
    while not ask():
        assert time.monotonic() < late, "it never came"


def test_a_withdrawal_reaches_the_site(client: httpx2.Client, service: Service) -> None:
    """From the commit to the site's own backend, signed; and it is listed as delivered."""
    with receiving() as receiver:
        made = make(client, f"{receiver.url}/hook")
        record_id = choose(client, "canary-device")
        post = receiver.posts.get(timeout=PATIENCE_S)
        told = verify(post, made["secret"])
        address = f"/v1/webhooks/{made['id']}/deliveries"
        until(lambda: bool(client.get(address, params={"state": "delivered"}).json()["items"]))
        (delivery,) = client.get(address).json()["items"]
        metrics = client.get("/metrics").text

    assert (told["type"], told["data"]["record_id"]) == ("consent.changed", record_id)
    assert is_as_told(post)
    assert "canary" not in post.body
    assert (delivery["id"], delivery["attempts"], delivery["outcome"]) == (post.id, 1, "204")
    assert delivery["event"] == "consent.changed"
    assert 'aboveboard_webhook_tries_total{outcome="delivered"}' in metrics
    assert made["id"] not in metrics
    written = service.log.read_text()
    assert made["secret"] not in written
    assert "canary" not in written


def test_what_becomes_of_a_comment_reaches_the_site(
    client: httpx2.Client, service: Service
) -> None:
    """Held, decided, taken back, erased: each once, in ids and states; who wrote what, never."""
    desk = Desk(client)
    with receiving() as receiver:
        made = make(client, f"{receiver.url}/hook")
        desk.send("fine", HAM, author={"name": "Canary"})
        comment = desk.send("rude", RUDE, author={"name": "Canary"})
        decision = desk.decided(comment, "approve")
        assert desk.undo(decision).is_success
        assert client.delete(f"/v1/comments/{comment['id']}").is_success
        posts = [receiver.posts.get(timeout=PATIENCE_S) for _ in range(4)]
        told = {post.content["type"]: verify(post, made["secret"])["data"] for post in posts}

    held, decided, reverted, erased = (
        told[f"comment.{word}"] for word in ("held", "decided", "decision_reverted", "erased")
    )
    assert held["comment_id"] == comment["id"]
    assert (held["external_id"], held["event_type"], held["to"]) == ("rude", "submitted", "pending")
    assert (decided["from"], decided["to"]) == ("pending", "published")
    assert decided["decision_id"] == decision["id"]
    assert (reverted["undoes"], reverted["to"]) == (decided["version"], "pending")
    assert (erased["version"], erased["to"]) == (reverted["version"] + 1, "erased")
    assert all(map(is_as_told, posts))
    every = "".join(post.body for post in posts) + service.log.read_text()
    assert RUDE not in every
    assert "Canary" not in every
    assert receiver.posts.empty()


@pytest.mark.parametrize(("action", "state"), [("reject", "rejected"), ("spam", "spam")])
def test_a_new_text_of_what_was_refused_is_told_as_held(
    client: httpx2.Client, action: str, state: str
) -> None:
    """It waits for a person, though the comment stays where it is meanwhile."""
    desk = Desk(client)
    with receiving() as receiver:
        make(client, f"{receiver.url}/hook", events=["comment.held"])
        comment = desk.send("rude")
        desk.decided(comment, action)
        desk.send("rude", HAM)
        posts = [receiver.posts.get(timeout=PATIENCE_S) for _ in range(2)]
        told = {post.content["data"]["revision"]: post.content["data"] for post in posts}

    assert (told[1]["event_type"], told[1]["to"]) == ("submitted", "pending")
    assert (told[2]["event_type"], told[2]["from"], told[2]["to"]) == ("edited", state, state)
    assert [case["comment_id"] for case in desk.cases()] == [comment["id"]]
    assert receiver.posts.empty()


def test_a_new_text_that_waits_for_nobody_is_not_told(client: httpx2.Client) -> None:
    """Spam that only a policy calls so is judged anew, and nobody looks at it."""
    desk = Desk(client)
    with receiving() as receiver:
        make(client, f"{receiver.url}/hook", events=["comment.held"])
        desk.send("spam", honeypot="filled in")
        spam = desk.send("spam", HAM, honeypot="filled in")
        desk.send("rude")
        told = receiver.posts.get(timeout=PATIENCE_S).content["data"]

    assert (spam["state"], spam["revision"]) == ("spam", 2)
    assert told["external_id"] == "rude"


def test_a_webhook_is_seen_without_its_secret(client: httpx2.Client, site: Site) -> None:
    """The secret is in the answer that made it, and in no other."""
    made = make(client, "https://hooks.example.org/a", events=["consent.erased"])
    shown = {name: value for name, value in made.items() if name != "secret"}

    assert made["secret"].startswith("whsec_")
    assert shown == {
        "id": made["id"],
        "site": site.id,
        "url": "https://hooks.example.org/a",
        "events": ["consent.erased"],
        "created": made["created"],
        "disabled": None,
        "failures": 0,
        "held_until": None,
        "older_secret_until": None,
    }
    assert client.get("/v1/webhooks").json() == {"items": [shown]}
    assert client.get(f"/v1/webhooks/{made['id']}").json() == shown


def test_a_secret_lies_in_no_file(client: httpx2.Client, service: Service) -> None:
    """Sealed, under a key that is not in the database; on PostgreSQL the folder has none at all."""
    made = make(client, "https://hooks.example.org/a")
    rotated = client.post(f"/v1/webhooks/{made['id']}/secrets", json={}).json()

    for secret in (made["secret"], rotated["secret"]):
        for path in Path(service.data_dir).rglob("*"):
            if path.is_file():
                assert secret.removeprefix("whsec_").encode() not in path.read_bytes(), path


EVERYTHING = [
    "consent.changed",
    "consent.erased",
    "comment.held",
    "comment.decided",
    "comment.decision_reverted",
    "comment.erased",
]


def test_without_events_it_is_told_of_all(client: httpx2.Client) -> None:
    """Every event that there is."""
    made = make(client, "https://hooks.example.org/a")

    assert made["events"] == EVERYTHING


def test_it_is_changed_in_parts(client: httpx2.Client) -> None:
    """What is left out stays; it is disabled and enabled by hand."""
    address = f"/v1/webhooks/{make(client, 'https://hooks.example.org/a')['id']}"
    other = client.patch(address, json={"url": "https://hooks.example.org/b"}).json()
    fewer = client.patch(address, json={"events": ["consent.erased"]}).json()
    disabled = client.patch(address, json={"enabled": False}).json()
    enabled = client.patch(address, json={"enabled": True}).json()

    assert (other["url"], other["events"]) == (
        "https://hooks.example.org/b",
        EVERYTHING,
    )
    assert (fewer["url"], fewer["events"]) == (other["url"], ["consent.erased"])
    assert (disabled["disabled"], enabled["disabled"]) == ("by_hand", None)
    assert client.get(address).json() == enabled == fewer


def test_a_removed_one_is_told_of_nothing(client: httpx2.Client) -> None:
    """It goes with its deliveries, and its id names nothing any more."""
    with receiving() as receiver, receiving() as other:
        made = make(client, receiver.url)
        make(client, other.url)
        choose(client)
        receiver.posts.get(timeout=PATIENCE_S)
        other.posts.get(timeout=PATIENCE_S)
        address = f"/v1/webhooks/{made['id']}"
        assert client.delete(address).status_code == 200
        choose(client, "d-2")
        other.posts.get(timeout=PATIENCE_S)
        assert receiver.taken() == []

    for answer in (
        client.get(address),
        client.delete(address),
        client.patch(address, json={}),
        client.get(f"{address}/deliveries"),
        client.post(f"{address}/secrets", json={}),
        client.post(f"{address}/tests", json={}),
        client.post(f"{address}/deliveries:redeliver", json={}),
    ):
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/webhook-not-found"


def test_a_test_is_sent_at_once(client: httpx2.Client, site: Site) -> None:
    """With a signature, and saying nothing; what came of it is told."""
    with receiving() as receiver:
        made = make(client, receiver.url)
        address = f"/v1/webhooks/{made['id']}/tests"
        well = client.post(address, json={}).json()
        post = receiver.posts.get(timeout=PATIENCE_S)
        told = verify(post, made["secret"])
        receiver.status = 500
        badly = client.post(address, json={}).json()
    nobody = client.post(address, json={}).json()

    assert (told["type"], told["data"]) == ("webhook.test", {"site": site.id})
    assert is_as_told(post)
    assert well == {"delivered": True, "status": 204, "outcome": "204"}
    assert badly == {"delivered": False, "status": 500, "outcome": "500"}
    assert nobody == {"delivered": False, "status": None, "outcome": "unreachable"}
    assert client.get(f"/v1/webhooks/{made['id']}/deliveries").json()["items"] == []


def test_a_secret_is_rotated(client: httpx2.Client) -> None:
    """Without overlap the old one ends at once."""
    with receiving() as receiver:
        made = make(client, receiver.url)
        address = f"/v1/webhooks/{made['id']}"
        both = client.post(f"{address}/secrets", json={}).json()
        client.post(f"{address}/tests", json={})
        post = receiver.posts.get(timeout=PATIENCE_S)
        assert verify(post, made["secret"]) == verify(post, both["secret"])
        only = client.post(f"{address}/secrets", json={"overlap_hours": 0}).json()
        client.post(f"{address}/tests", json={})
        post = receiver.posts.get(timeout=PATIENCE_S)

    assert verify(post, only["secret"])
    assert len(post.headers["webhook-signature"].split()) == 1
    assert both["older_secret_until"] > both["created"]


def test_deliveries_are_paged_and_repeated(client: httpx2.Client) -> None:
    """The last queued first, each once; those that are named are sent again."""
    with receiving() as receiver:
        made = make(client, receiver.url)
        for number in range(5):
            choose(client, f"d-{number}")
        told = {receiver.posts.get(timeout=PATIENCE_S).id for _ in range(5)}
        address = f"/v1/webhooks/{made['id']}/deliveries"
        until(lambda: len(client.get(address, params={"state": "delivered"}).json()["items"]) == 5)
        pages: list[dict[str, Any]] = []
        cursor: str | None = None
        while cursor is not None or not pages:
            query = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
            pages.append(client.get(address, params=query).json())
            cursor = pages[-1]["next"]
        again = client.post(f"{address}:redeliver", json={"ids": sorted(told)[:2]}).json()
        repeated = {receiver.posts.get(timeout=PATIENCE_S).id for _ in range(2)}
        unknown = client.post(f"{address}:redeliver", json={"ids": [min(told), "msg_x"]})

    items = [item for page in pages for item in page["items"]]
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert {item["id"] for item in items} == told
    assert [item["queued"] for item in items] == sorted(
        (item["queued"] for item in items), reverse=True
    )
    assert again == {"redelivered": 2}
    assert repeated == set(sorted(told)[:2])
    assert unknown.json()["type"] == "/problems/delivery-not-found"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"url": "ftp://hooks.example.org/"}, "webhook-unusable"),
        ({"url": "https://user:secret@hooks.example.org/"}, "webhook-unusable"),
        ({"url": "http://hooks.example.org/"}, "address-refused"),
        ({"url": "https://10.0.0.1/"}, "address-refused"),
        ({"url": "https://hooks.example.org/", "events": ["comment.unknown"]}, "webhook-unusable"),
        ({"url": "https://hooks.example.org/", "events": []}, "invalid-request"),
        ({"url": "https://hooks.example.org/", "secret": "mine"}, "invalid-request"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused(
    client: httpx2.Client, body: dict[str, Any], problem: str
) -> None:
    """With its own problem, which quotes nothing; when it is made, and when it is changed."""
    made = make(client, "https://hooks.example.org/a")
    created = client.post("/v1/webhooks", json=body)
    changed = client.patch(f"/v1/webhooks/{made['id']}", json=body)

    for answer in (created, changed):
        assert answer.status_code == 422, answer.text
        assert answer.json()["type"] == f"/problems/{problem}"
        assert "user:secret" not in answer.text


def test_a_site_has_so_many_and_no_more(client: httpx2.Client) -> None:
    """The seventeenth is refused; another site has its own."""
    for number in range(16):
        make(client, f"https://hooks.example.org/{number}")
    refused = client.post("/v1/webhooks", json={"url": "https://hooks.example.org/16"})

    assert refused.status_code == 422
    assert refused.json()["type"] == "/problems/webhook-unusable"
    assert "at most 16" in refused.json()["detail"]


def test_a_receiver_that_is_gone_is_told_of(client: httpx2.Client) -> None:
    """A 410 disables the webhook; enabled again, it gets what it has not taken."""
    with receiving(Receiver(status=410)) as receiver:
        made = make(client, receiver.url)
        record_id = choose(client)
        receiver.posts.get(timeout=PATIENCE_S)
        address = f"/v1/webhooks/{made['id']}"
        until(lambda: client.get(address).json()["disabled"] == "gone")
        receiver.status = 204
        client.patch(address, json={"enabled": True})
        # It is tried again when it is due.
        post = receiver.posts.get(timeout=PATIENCE_S)

    assert post.content["data"]["record_id"] == record_id
