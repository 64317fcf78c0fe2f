"""Two processes over one PostgreSQL, moderators at both: no case twice, no claim lost."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import EVERY_SCOPE, Service
from review_desk import RUDE, Desk
from stored_rows import rows

CASES = 240
MODERATORS = 6
PATIENCE_S = 240


@pytest.fixture
def pair(
    environment: dict[str, str], new_database: Callable[[], str], tmp_path: Path
) -> Iterator[tuple[Service, Service]]:
    """Serve one data directory and one PostgreSQL database by two processes."""
    url = new_database()
    first, second = (Service(tmp_path / "data", environment, url) for _ in range(2))
    second.log = Path(f"{first.log}.2")
    first.start()
    second.start()
    yield first, second
    first.stop()
    second.stop()


def moderate(desk: Desk, name: str, done: threading.Event) -> list[dict[str, Any]]:
    """Claim and decide until nothing is left; now and then take a decision back, or skip."""
    random = Random(name)  # noqa: S311 - chance, no secret
    decided: list[dict[str, Any]] = []
    by = {"id": name}
    while not done.is_set():
        claimed = desk.client.post("/v1/cases:claim", json={"moderator": by})
        assert claimed.status_code == 200, claimed.text
        case = claimed.json()["case"]
        if case is None:
            return decided
        comment = {**case, "id": case["comment_id"]}
        if random.random() < 0.1:
            token = case["claim_token"]
            assert desk.on_case(comment, "skip", by, claim_token=token).status_code == 200
            continue
        action = random.choice(["approve", "reject", "spam"])
        answer = desk.decide(comment, action, by, claim_token=case["claim_token"])
        assert answer.status_code == 200, f"a claim was lost: {answer.text}"
        decision = answer.json()
        if random.random() < 0.1:
            assert desk.undo(decision, by).status_code == 200
            continue
        decided.append({"comment_id": comment["id"], "to": decision["results"][0]["to"]})
    return decided


def test_no_case_is_decided_twice_and_no_claim_is_lost(pair: tuple[Service, Service]) -> None:
    """Six moderators at two processes: every case is decided once, by somebody; all get some."""
    site = pair[0].add_site("https://hammer.example.org", scopes=EVERY_SCOPE)
    with pair[0].client(site.key) as client:
        client.put("/v1/review/settings", json={"sample_rate": 0}).raise_for_status()
        comments = [
            {"external_id": f"c-{number:03}", "text": f"{RUDE} {number}"} for number in range(CASES)
        ]
        client.post("/v1/comments:batch", json={"comments": comments}).raise_for_status()
    done = threading.Event()

    def sit(number: int) -> list[dict[str, Any]]:
        with pair[number % 2].client(site.key) as client:
            return moderate(Desk(client), f"moderator-{number}", done)

    with ThreadPoolExecutor(MODERATORS) as pool:
        work = [pool.submit(sit, number) for number in range(MODERATORS)]
        try:
            by_moderator = [each.result(PATIENCE_S) for each in work]
        finally:
            done.set()

    decided = [each for found in by_moderator for each in found]
    with pair[1].client(site.key) as client:
        left = client.get("/v1/cases:count").json()["open"]
    # What everybody has skipped waits for the day after.
    assert len({each["comment_id"] for each in decided}) == len(decided) == CASES - left
    assert all(found for found in by_moderator), "somebody got nothing to do"
    states = dict(
        rows(pair[0], "moderation", "SELECT id, state FROM comment WHERE site_id = ?", site.id)
    )
    assert {each["comment_id"]: each["to"] for each in decided}.items() <= states.items()
    seqs = rows(
        pair[0], "moderation", "SELECT seq FROM event WHERE site_id = ? ORDER BY seq", site.id
    )
    assert [seq for (seq,) in seqs] == list(range(1, len(seqs) + 1))
    standing = rows(
        pair[0],
        "moderation",
        "SELECT comment_id FROM event WHERE site_id = ? AND decision_id IS NOT NULL "
        "AND seq NOT IN (SELECT undoes FROM event WHERE site_id = ? AND undoes IS NOT NULL)",
        site.id,
        site.id,
    )
    assert len(standing) == len({comment for (comment,) in standing}) == len(decided)


def test_nothing_old_starves_while_new_cases_come_in(pair: tuple[Service, Service]) -> None:
    """Within its tier the oldest is decided first once newer ones could only tie with it."""
    site = pair[0].add_site("https://starving.example.org", scopes=EVERY_SCOPE)
    with pair[0].client(site.key) as client, pair[1].client(site.key) as other:
        client.put("/v1/review/settings", json={"sample_rate": 0}).raise_for_status()
        desk, second = Desk(client), Desk(other)
        old = [desk.send(f"old-{number}", RUDE)["id"] for number in range(4)]
        found = []
        for number in range(4):
            desk.send(f"new-{number}", RUDE)
            for at, by in ((desk, "ann"), (second, "ben")):
                case = at.client.post("/v1/cases:claim", json={"moderator": {"id": by}}).json()
                comment = {**case["case"], "id": case["case"]["comment_id"]}
                token = comment["claim_token"]
                at.decide(comment, "spam", {"id": by}, claim_token=token).raise_for_status()
                found.append(comment["id"])

    assert found[:4] == old
