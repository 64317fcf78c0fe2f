"""A decision that is taken back though something was reported since: nothing of it is lost."""

from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest
from conftest import Service
from review_desk import BEN, HAM, Desk, in_days

from aboveboard.accounts import Scope


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    """Sit down at the queue of a site of this test's own, without a blind sample."""
    every = [scope.value for scope in Scope]
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=every)
    with service.client(site.key) as client:
        client.put(
            "/v1/review/settings", json={"sample_rate": 0, "blind": False}
        ).raise_for_status()
        yield Desk(client)


def report(desk: Desk, comment: dict[str, Any], reader: str) -> None:
    """Report a comment as a reader."""
    desk.client.post(
        f"/v1/comments/{comment['id']}/reports",
        json={"reporter": {"id": reader}, "reason": "insult"},
    ).raise_for_status()


def test_what_is_published_again_stands_where_readers_reported_it(desk: Desk) -> None:
    """Both reports are open once more, and readers see it: it goes before what is held."""
    comment, held = desk.send("c-1", HAM), desk.send("c-2")
    report(desk, comment, "reader-1")
    removal = desk.decided(desk.comment(comment["id"]), "reject")
    report(desk, comment, "reader-2")

    assert desk.undo(removal).json()["results"][0]["to"] == "published"

    first, second = desk.cases()
    assert (first["comment_id"], first["tier"], first["reporters"]) == (comment["id"], 3, 2)
    assert (second["comment_id"], second["tier"]) == (held["id"], 4)


def test_what_is_refused_again_stands_among_the_rest(desk: Desk) -> None:
    """A comment that was released by mistake and reported there is seen by nobody any more."""
    comment = desk.send("c-1")
    desk.decided(comment, "reject")
    mistake = desk.decide(desk.comment(comment["id"]), "approve").json()
    report(desk, comment, "reader-1")

    desk.undo(mistake).raise_for_status()

    (case,) = desk.cases()
    assert (case["tier"], case["reporters"]) == (4, 1)


def test_what_was_put_off_is_so_after_undoing(desk: Desk) -> None:
    """Decided among many while it was snoozed, and taken back: nobody sees it before its time."""
    comment = desk.send("c-1")
    until = in_days(2)
    desk.on_case(comment, "snooze", until=until).raise_for_status()
    item = {"comment_id": comment["id"], "revision": 1, "version": comment["version"]}
    many = desk.client.post(
        "/v1/decisions:bulk", json={"moderator": BEN, "action": "approve", "items": [item]}
    ).json()

    desk.undo(many, BEN).raise_for_status()

    assert desk.cases() == []
    assert [each["comment_id"] for each in desk.cases(shelf="snoozed")] == [comment["id"]]
