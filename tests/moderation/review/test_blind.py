"""The blind sample over HTTP, on both engines: nothing tells what was approved from what was held.

Told of a case are the same members, with nothing in them that only one of both could have.
"""

from collections.abc import Iterator
from itertools import pairwise
from secrets import token_hex
from typing import Any

import pytest
from conftest import EVERY_SCOPE, Service
from review_desk import ANN, HAM, RUDE, Desk

LINKED = (
    "I disagree with the author: the council never said that in the meeting, "
    "please see the free minutes of it, page {0}: http://town-{0}.com/"
)
PAGE = "please visit my page number {} and tell me what you think"  # held for a little
OFFER = "offer {0}: watches at http://town-{0}.com/"  # held for much, or spam
VERDICTS = ("pending", "published", "approve", "hold", "submitted")
MEASURED = ("threshold", "logit", "base", "rest", "amount")


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    """Sit down at a queue into which one of twenty is drawn."""
    site = service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)
    with service.client(site.key) as client:
        client.put("/v1/review/settings", json={"sample_rate": 0.05}).raise_for_status()
        yield Desk(client)


def send(desk: Desk, text: str, count: int) -> dict[str, dict[str, Any]]:
    """Submit many comments, each of an author of its own; return them by their ids."""
    comments = [
        {
            "external_id": f"{hash(text)}-{number}",
            "text": text.format(number),
            "author": {"id": f"u-{hash(text)}-{number}"},
        }
        for number in range(count)
    ]
    answer = desk.client.post("/v1/comments:batch", json={"comments": comments})
    made = [each["comment"] for each in answer.raise_for_status().json()["results"]]
    return {each["id"]: each for each in made}


def names(told: Any, path: str = "") -> set[str]:  # noqa: ANN401 - any JSON
    """Return the names of all members, each with those above it; places of words are alike."""
    if isinstance(told, dict):
        below = (names(value, f"{path}/{name}") for name, value in told.items())
        return {f"{path}/{name}" for name in told}.union(*below)
    if isinstance(told, list):
        return set().union(*(names(each, path) for each in told))
    return set()


def said(told: Any) -> set[str]:  # noqa: ANN401 - any JSON
    """Return all names and values that are words."""
    if isinstance(told, dict):
        return set(told).union(*(said(value) for value in told.values()))
    if isinstance(told, list):
        return set().union(*(said(each) for each in told))
    return {told} if isinstance(told, str) else set()


def test_what_was_drawn_is_not_to_be_told_from_what_was_held(desk: Desk) -> None:
    """In lists, under filters, and in all that is told of one case before it is decided."""
    sent = send(desk, LINKED, 300) | send(desk, f"{RUDE} {{0}} http://a-{{0}}.com", 5)
    passed = {each for each, told in sent.items() if told["state"] == "published"}
    held = {each for each, told in sent.items() if told["state"] == "pending"}
    assert len(passed) > 200
    assert len(held) >= 5

    listed = {each["comment_id"]: each for each in desk.cases(limit=200)}
    drawn = sorted(passed & set(listed))
    told = {
        each: desk.client.get(f"/v1/cases/{each}", params={"blind": "false"}).json()
        for each in listed
    }

    assert 1 <= len(drawn) <= 45  # 15 are to be expected; less likely than one in a million
    assert len(listed) == len(drawn) + len(held)
    alike = 0
    for one in drawn:
        # Those of one kind are nearly the same: most have others beside them, as held ones have.
        alike += len(told[one].pop("group"))
        for other in held:
            told[other]["group"] = []
            assert names(listed[one]) == names(listed[other])
            assert names(told[one]) | {"/group"} == names(told[other])
        for each in (listed[one], told[one]):
            assert said(each).isdisjoint([*VERDICTS, *MEASURED])
        assert not {"state", "verdict", "labels"} & set(told[one]["comment"])
        assert told[one]["explanation"]["labels"][0]["parts"]
        assert told[one]["author"]["states"] == told[one]["domains"][0]["states"] == {}
    assert alike or len(drawn) < 4
    same = ("cause", "tier", "state", "openings", "alike", "reporters")
    assert len({tuple(each[name] for name in same) for each in listed.values()}) == 1
    assert {each["reason"] for each in listed.values()} == {
        f"{each['label']}_score" for each in listed.values()
    }


def test_the_order_does_not_sort_what_was_drawn_from_what_was_held(desk: Desk) -> None:
    """Neither by urgency nor by doubt do those of one kind all come first."""
    sent = send(desk, LINKED, 600) | send(desk, PAGE, 40) | send(desk, OFFER, 40)
    held = {each for each, told in sent.items() if told["state"] == "pending"}
    assert len(held) >= 20

    for order in ("priority", "unsure"):
        ids = [each["comment_id"] for each in desk.cases(order=order, limit=200, label="spam")]
        kinds = [each in held for each in ids]
        changes = sum(one != other for one, other in pairwise(kinds))
        assert changes > 2, order


def test_a_try_does_not_tell_where_a_comment_stands(desk: Desk) -> None:
    """A dry run says that it could be decided; what was decided is told in full."""
    comment = desk.send("c-1", RUDE)
    body: dict[str, Any] = {
        "moderator": ANN,
        "action": "reject",
        "reason_code": "insult",
        "items": [{"comment_id": comment["id"], "revision": 1, "version": comment["version"]}],
    }

    tried = desk.client.post("/v1/decisions:bulk", json=body | {"dry_run": True}).json()
    done = desk.client.post("/v1/decisions:bulk", json=body).json()
    after = desk.client.get(f"/v1/cases/{comment['id']}").json()

    assert tried["results"] == [{"comment_id": comment["id"], "status": 200}]
    assert done["results"][0]["to"] == "rejected"
    assert after["blind"] is False
    assert after["comment"]["labels"] == comment["labels"]
    assert [each["type"] for each in after["events"]] == ["submitted", "rejected"]


def test_a_refusal_does_not_tell_where_a_comment_stands(desk: Desk) -> None:
    """Whoever comes with another version or without a claim is told what changed, not to what."""
    comment = desk.send("c-1", RUDE)

    refused = [
        desk.decide(comment, "approve"),
        desk.decide(comment | {"version": 1_000}, "approve", claim_token=desk.claim(comment)),
    ]
    desk.decided(comment, "reject")
    late = desk.decide(comment, "approve")

    for answer in refused:
        assert answer.status_code == 409
        present = answer.json()["present"]
        assert (present["version"], present["change"]) == (comment["version"], "submitted")
        assert not {"state", "changed_by"} & set(present)
    assert late.json()["present"]["state"] == "rejected"
    assert late.json()["present"]["changed_by"]["id"] == "ann"


def test_what_a_person_has_decided_is_blind_no_more(desk: Desk) -> None:
    """Whoever decides again sees what was decided before, and why; not once that is undone."""
    comment = desk.send("c-1", RUDE)
    decision = desk.decided(comment, "reject")
    desk.send("c-1", f"{RUDE} Honestly.")

    again = desk.client.get(f"/v1/cases/{comment['id']}").json()
    other = desk.send("c-2", RUDE)
    desk.undo(desk.decided(other, "reject")).raise_for_status()
    undone = desk.client.get(f"/v1/cases/{other['id']}").json()

    assert (again["case"]["state"], again["blind"]) == ("open", False)
    assert again["events"][1]["decision_id"] == decision["id"]
    assert undone["blind"] is True


def test_what_is_open_is_told_nothing_of_beside_other_comments(desk: Desk) -> None:
    """Whoever reads a later comment of thread and author sees no state; once decided they do."""
    desk.client.put("/v1/review/settings", json={"sample_rate": 0}).raise_for_status()
    of_both = {"author": {"id": "u-1"}, "thread": {"id": "t-1"}}
    waiting = desk.send("waiting", RUDE, **of_both)
    later = desk.send("later", HAM, parent_id="waiting", **of_both)

    def told() -> list[str | None]:
        found = desk.client.get(f"/v1/cases/{later['id']}").json()
        assert found["blind"] is False
        beside = (found["parent"], *found["thread"], *found["author_recent"])
        assert [each["external_id"] for each in beside] == ["waiting"] * 3
        return [each["state"] for each in beside]

    open_ = told()
    desk.client.put("/v1/review/settings", json={"blind": False}).raise_for_status()
    frank = told()
    desk.client.put("/v1/review/settings", json={"blind": True}).raise_for_status()
    desk.decided(waiting, "reject")

    assert later["state"] == "published"
    assert (open_, frank, told()) == ([None] * 3, ["pending"] * 3, ["rejected"] * 3)


def test_rules_are_told_blind(desk: Desk) -> None:
    """What a rule found is a fact of the text, and what it found is said."""
    desk.client.put(
        "/v1/policy", json={"replaces": 0, "policy": {"links": {"hold": 1}}}
    ).raise_for_status()
    comment = desk.send("c-1", f"{HAM} http://shop.example.ru")

    found = desk.client.get(f"/v1/cases/{comment['id']}").json()

    reason = found["comment"]["reasons"][0]
    assert (reason["kind"], reason["code"], reason["detail"]) == (
        "rule",
        "links",
        comment["reasons"][0]["detail"],
    )


def test_a_site_may_tell_everything(desk: Desk) -> None:
    """Without `blind` in its settings; who asks blind is still swayed by nothing."""
    desk.client.put("/v1/review/settings", json={"blind": False}).raise_for_status()
    comment = desk.send("c-1", RUDE)

    every = desk.client.get(f"/v1/cases/{comment['id']}").json()
    blind = desk.client.get(f"/v1/cases/{comment['id']}", params={"blind": "true"}).json()

    assert (every["blind"], blind["blind"]) == (False, True)
    assert every["comment"]["reasons"] == comment["reasons"]
    assert every["explanation"]["labels"][0]["score"] >= 0.1
    assert not {"state", "verdict", "labels"} & set(blind["comment"])
    assert blind["events"] == []
