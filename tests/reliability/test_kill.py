"""Killed by SIGKILL under load, again and again: whatever was acknowledged is there.

The clients keep their own diary of what they were told; nothing of the service is believed.
"""

import json
import random
import signal

import httpx2
from conftest import Service, Site
from diary import Diary, Told, publish, replay, writing
from stored_rows import check_comments, check_grown, check_log, rows

from consent.log.checkpoint import Checkpoint, Verifier, parse_proof
from consent.proofs.receipt import verify

KILLS = {"sqlite": 8, "postgresql": 4}
"""How often each engine's service is killed; `make soak` may raise it."""

AFTER = (1, 100)  # acknowledged requests


def test_nothing_acknowledged_is_lost_by_a_kill(new_service: Service, engine: str) -> None:
    """After every kill the service comes back with all acknowledged rows and one whole log."""
    new_service.start()
    site = new_service.add_site("https://killed.example.org")
    with new_service.client(site.key) as client:
        publish(client)
    moments = random.Random(2_026)  # noqa: S311 - the moments of the kills, the same in each run
    diary = Diary()
    seen: list[Checkpoint] = []

    for number in range(KILLS[engine]):
        if number:
            new_service.start()
        with new_service.client(site.key) as client:
            seen.append(_checkpoint(client, site))
        with writing(new_service, site, diary, name=f"r{number}"):
            diary.await_told(moments.randint(*AFTER))
            new_service.stop(signal.SIGKILL)
    new_service.start()

    assert not diary.refused, diary.refused[:3]
    assert diary.lost, "no kill ever cut a request off"
    assert min(len(diary.of(path)) for path in ("/v1/comments", "/v1/consent/events")) > 10
    with new_service.client(site.key) as client:
        _check_comments(client, new_service, site, diary)
        _check_events(client, new_service, site, diary, seen)
        for told in diary.told:
            replay(client, told)
        check_comments(new_service, site)
        check_log(client, new_service, site)
        # However often it died, nothing was behind: the first epoch is the only one.
        (log,) = client.get(f"/v1/consent/logs/{site.id}").json()["items"]
        assert log["epoch"] == 1


def _checkpoint(client: httpx2.Client, site: Site) -> Checkpoint:
    log = f"/v1/consent/logs/{site.id}/1"
    verifier = Verifier.from_vkey(client.get(f"{log}/key").text)
    return verifier.open(client.get(f"{log}/checkpoint").text)


def _check_comments(client: httpx2.Client, service: Service, site: Site, diary: Diary) -> None:
    """Check that acknowledged revisions are there, and others wholly or not at all."""
    check_comments(service, site)
    listed = _list(client)
    stored = {
        (external, number): (comment_id, text)
        for external, comment_id, number, text in rows(
            service,
            "moderation",
            "SELECT c.external_id, c.id, r.revision, r.text FROM comment c JOIN revision r "
            "ON r.site_id = c.site_id AND r.comment_id = c.id WHERE c.site_id = ?",
            site.id,
        )
    }
    for told in diary.of("/v1/comments") + diary.of("/v1/comments:batch"):
        for sent, got in _pairs(told):
            place = got["external_id"], got["revision"]
            assert stored[place] == (got["id"], sent["text"]), told
            assert listed[got["external_id"]]["id"] == got["id"]
            assert listed[got["external_id"]]["revision"] >= got["revision"]
    keys = {
        key
        for (key,) in rows(
            service, "moderation", "SELECT key FROM idempotency WHERE site_id = ?", site.id
        )
    }
    texts = {text for _, text in stored.values()}
    for asked in diary.asked:
        if asked.path.startswith("/v1/comments"):
            body = json.loads(asked.body)
            there = [item["text"] in texts for item in body.get("comments", [body])]
            assert all(there) if asked.key in keys else not any(there), asked


def _pairs(told: Told) -> list[tuple[dict[str, object], dict[str, object]]]:
    body, answer = json.loads(told.body), json.loads(told.answer)
    if "comments" not in body:
        return [(body, answer)]
    assert len(body["comments"]) == len(answer["results"])
    return [
        (sent, got["comment"])
        for sent, got in zip(body["comments"], answer["results"], strict=True)
    ]


def _list(client: httpx2.Client) -> dict[str, dict[str, object]]:
    """Read every comment page by page; none may come twice."""
    found: dict[str, dict[str, object]] = {}
    cursor: str | None = None
    while True:
        params = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/comments", params=params).json()
        for item in page["items"]:
            assert item["external_id"] not in found
            found[item["external_id"]] = item
        cursor = page["next"]
        if cursor is None:
            return found


def _check_events(
    client: httpx2.Client, service: Service, site: Site, diary: Diary, seen: list[Checkpoint]
) -> None:
    """Check that acknowledged events stand where their receipts say, in a log that only grew."""
    checkpoint = check_log(client, service, site)
    verifier = Verifier.from_vkey(client.get(f"/v1/consent/logs/{site.id}/1/key").text)
    placed = dict(
        rows(
            service,
            "consent",
            "SELECT leaf_index, record_id FROM record WHERE site_id = ?",
            site.id,
        )
    )
    signed: dict[int, Checkpoint] = {}
    for told in diary.of("/v1/consent/events"):
        verified = verify(told.answer, verifier)
        assert placed[verified.index] == verified.record_id
        proven = verifier.open(parse_proof(json.loads(told.answer)["proof"]).checkpoint)
        assert signed.setdefault(proven.size, proven).root == proven.root, "two histories"
    # The last one that a client was shown, those of each start, and some in between.
    newest = max(signed)
    some = [signed[size] for size in sorted(signed)[:: max(1, len(signed) // 20)]]
    check_grown(client, site, [*seen, *some, signed[newest]], checkpoint)
