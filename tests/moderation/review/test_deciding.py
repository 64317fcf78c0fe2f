"""Decisions over HTTP, on both engines: claimed, decided, refused when too late, taken back."""

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Service
from review_desk import ANN, BEN, EVA, HAM, RUDE, SPAM, Desk, in_days, report, review_desk

from moderation.cases import search


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    """Sit down at the queue of a site of this test's own, without a blind sample."""
    with review_desk(service) as made:
        yield made


def story(desk: Desk, comment: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what happened to a comment: what, from where, to where."""
    return [(each["type"], each.get("from"), each["to"]) for each in desk.events(comment)]


@pytest.mark.parametrize(
    ("action", "event", "state"),
    [
        ("approve", "approved", "published"),
        ("reject", "rejected", "rejected"),
        ("spam", "marked_spam", "spam"),
    ],
)
def test_a_held_comment_goes_where_a_moderator_sends_it(
    desk: Desk, action: str, event: str, state: str
) -> None:
    """A2-A4: an event with who, why and on what; the case is closed; the feed tells of it."""
    comment = desk.send("c-1")

    decision = desk.decided(comment, action, ground="house_rules")

    (result,) = decision["results"]
    assert (result["from"], result["to"], result["status"]) == ("pending", state, 200)
    assert desk.comment(comment["id"])["state"] == state
    assert story(desk, comment) == [("submitted", None, "pending"), (event, "pending", state)]
    assert desk.cases() == []
    feed = desk.client.get("/v1/decisions").json()
    (told,) = feed["items"]
    assert (told["type"], told["external_id"], told["actor"]) == (
        event,
        "c-1",
        {"kind": "moderator", "id": "ann"},
    )
    assert told["ground"] == "house_rules"
    assert desk.client.get("/v1/decisions", params={"after": feed["next"]}).json()["items"] == []


def test_the_state_tells_what_to_show_and_the_verdict_what_the_policy_said(desk: Desk) -> None:
    """Sent again, a held comment that was approved is published, and its verdict still a hold."""
    comment = desk.send("c-1")
    desk.decided(comment, "approve")

    again = desk.send("c-1")

    assert (again["id"], again["state"], again["verdict"]) == (comment["id"], "published", "hold")


def test_a_published_comment_is_removed_with_a_reason(desk: Desk) -> None:
    """A5; without a reason it is not, and where there is no case no claim is asked for."""
    comment = desk.send("c-1", HAM)

    without = desk.decide(comment, "reject", reason_code=None)
    removed = desk.decide(comment, "reject")

    assert without.status_code == 422
    assert removed.json()["results"][0]["to"] == "removed"


def test_restoring_brings_back_what_was_there(desk: Desk) -> None:
    """A6: a removed comment is published again, a rejected one waits again; approve publishes."""
    removed, rejected, approved = desk.send("c-1", HAM), desk.send("c-2"), desk.send("c-3")
    desk.decide(removed, "reject").raise_for_status()
    desk.decided(rejected, "reject")
    desk.decided(approved, "reject")

    states = [
        desk.decide(desk.comment(comment["id"]), action).json()["results"][0]["to"]
        for comment, action in (
            (removed, "restore"),
            (rejected, "restore"),
            (approved, "approve"),
        )
    ]

    assert states == ["published", "pending", "published"]
    assert [case["external_id"] for case in desk.cases()] == ["c-2"]
    desk.decided(desk.comment(rejected["id"]), "approve")


def test_what_is_taken_back_twice_waits_for_people(desk: Desk) -> None:
    """Undoing a mistaken release is no restriction of its own: restoring leads to the queue."""
    comment = desk.send("c-1")
    desk.decided(comment, "reject")
    mistake = desk.decide(desk.comment(comment["id"]), "approve").json()
    desk.undo(mistake).raise_for_status()
    desk.decide(desk.comment(comment["id"]), "restore").raise_for_status()

    assert desk.comment(comment["id"])["state"] == "pending"
    assert [case["external_id"] for case in desk.cases()] == ["c-1"]


def test_what_was_left_to_managers_is_so_after_undoing(desk: Desk) -> None:
    """A manager who takes a decision back leaves the case where it was escalated to."""
    comment = desk.send("c-1")
    desk.on_case(comment, "escalate").raise_for_status()
    desk.undo(desk.decided(comment, "approve", EVA), EVA).raise_for_status()

    answer = desk.on_case(comment, "claim", BEN)

    assert (answer.status_code, answer.json()["code"]) == (409, "manager_needed")
    assert desk.cases() == []


def test_what_was_left_to_managers_stays_so_until_it_is_resolved(desk: Desk) -> None:
    """A manager who has it wait again, or takes that back, leaves it where it was escalated to."""
    comment = desk.send("c-1")
    desk.decided(comment, "reject")
    edited = desk.send("c-1", f"{RUDE} Again.")
    desk.on_case(edited, "escalate").raise_for_status()

    restored = desk.decided(edited, "restore", EVA)
    waiting = desk.on_case(comment, "claim", BEN)
    desk.undo(restored, EVA).raise_for_status()
    undone = desk.on_case(comment, "claim", BEN)

    for answer in (waiting, undone):
        assert (answer.status_code, answer.json()["code"]) == (409, "manager_needed")


def test_a_text_of_any_words_is_reviewed(desk: Desk) -> None:
    """One that an index has no room for is kept, and found by its first words."""
    signs = sorted(map(chr, range(0x3300, 0x3358)), key=lambda sign: -len(search.fold(sign)))[:24]
    words = (a + b + c + d for a in signs for b in signs for c in signs for d in signs[:2])
    text = f"{RUDE} {' '.join(words)}"[:100_000]
    comment = desk.send("c-1", text)
    report = {"reporter": {"id": "r"}, "reason": "insult"}
    desk.client.post(f"/v1/comments/{comment['id']}/reports", json=report).raise_for_status()

    assert len(search.fold(text).encode()) > 1 << 20
    assert [case["external_id"] for case in desk.cases(q="everybody")] == ["c-1"]


def test_what_does_not_fit_the_state_is_refused(desk: Desk) -> None:
    """A rejected comment is no spam, a published one needs no restoring; the state is told."""
    rejected, published = desk.send("c-1"), desk.send("c-2", HAM)
    desk.decided(rejected, "reject")

    answers = [
        desk.decide(desk.comment(rejected["id"]), "spam"),
        desk.decide(published, "restore"),
    ]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert [answer.json()["code"] for answer in answers] == ["transition_forbidden"] * 2
    assert answers[0].json()["present"]["state"] == "rejected"
    assert answers[0].json()["present"]["changed_by"] == {"kind": "moderator", "id": "ann"}


def test_whoever_is_too_late_is_told_how_it_stands(desk: Desk) -> None:
    """A decision on an older version or revision is refused, with who changed it and how."""
    comment = desk.send("c-1")
    token = desk.claim(comment)
    desk.send("c-1", "you are a fucking moron and everybody hates you")
    edited = desk.comment(comment["id"])
    token = desk.claim(edited)

    late = desk.decide(comment, "approve", claim_token=token)
    desk.decide(edited, "approve", claim_token=token).raise_for_status()
    again = desk.decide(edited, "reject")

    assert late.json()["code"] == "revision_changed"
    assert late.json()["present"]["revision"] == 2
    assert again.status_code == 409
    assert again.json()["code"] == "version_changed"
    assert again.json()["present"]["state"] == "published"
    assert again.json()["present"]["changed_by"]["id"] == "ann"


def test_a_decision_is_given_again_by_its_key(desk: Desk) -> None:
    """The same key and body answer the same bytes; another body with the key is refused."""
    comment = desk.send("c-1")
    token = desk.claim(comment)

    first = desk.decide(comment, "approve", claim_token=token, key="k-1")
    again = desk.decide(comment, "approve", claim_token=token, key="k-1")
    other = desk.decide(comment, "spam", claim_token=token, key="k-1")

    assert first.status_code == 200
    assert again.content == first.content
    assert other.json()["type"] == "/problems/idempotency-mismatch"
    assert len(desk.events(comment)) == 2


def test_a_claim_keeps_others_out(desk: Desk) -> None:
    """Whoever has not claimed the case may not decide; its holder is named."""
    comment = desk.send("c-1")
    token = desk.claim(comment)

    claimed = desk.on_case(comment, "claim", BEN)
    stolen = desk.decide(comment, "approve", BEN, claim_token=token)
    without = desk.decide(comment, "approve", ANN)
    listed = desk.cases()

    assert [claimed.json()["code"], stolen.json()["code"]] == ["claimed_by_another"] * 2
    assert claimed.json()["present"]["case"]["claimed_by"] == "ann"
    assert without.json()["code"] == "claim_missing"
    assert (listed[0]["state"], listed[0]["claimed_by"]) == ("claimed", "ann")


def test_a_manager_takes_over(desk: Desk) -> None:
    """A moderator may not; after a manager has, the old token is worth nothing."""
    comment = desk.send("c-1")
    token = desk.claim(comment)

    refused = desk.on_case(comment, "claim", BEN, take_over=True)
    taken = desk.on_case(comment, "claim", EVA, take_over=True)
    late = desk.decide(comment, "approve", claim_token=token)

    assert refused.json()["code"] == "manager_needed"
    assert taken.json()["claimed_by"] == "eva"
    assert late.json()["code"] == "claimed_by_another"


def test_a_claim_is_renewed_and_given_up(desk: Desk) -> None:
    """Renewing moves its end, by the token alone; after releasing others may claim."""
    comment = desk.send("c-1")
    first = desk.on_case(comment, "claim").json()

    again = desk.on_case(comment, "claim").json()
    renewed = desk.on_case(comment, "renew", claim_token=first["claim_token"]).json()
    released = desk.on_case(comment, "release", claim_token=first["claim_token"])
    lost = desk.on_case(comment, "renew", claim_token=first["claim_token"])

    assert again["claim_token"] == first["claim_token"]
    assert renewed["claim_until"] > first["claim_until"]
    assert released.json()["state"] == "open"
    assert lost.json()["code"] == "claim_lost"
    desk.claim(comment, BEN)


def test_the_next_case_is_each_moderators_own(desk: Desk) -> None:
    """Two who ask for the next case get different ones; with none left, none."""
    sent = {desk.send(f"c-{number}")["id"] for number in range(2)}

    answers = [
        desk.client.post("/v1/cases:claim", json={"moderator": by}).json()["case"]
        for by in (ANN, BEN, EVA)
    ]

    assert {answer["comment_id"] for answer in answers[:2]} == sent
    assert answers[2] is None


def test_a_skipped_case_is_left_to_others(desk: Desk) -> None:
    """Whoever skipped it does not see it, nor is given it; others do."""
    comment = desk.send("c-1")
    token = desk.claim(comment)

    skipped = desk.on_case(comment, "skip", claim_token=token)

    assert skipped.json()["state"] == "open"
    assert desk.cases(moderator="ann") == []
    assert len(desk.cases(moderator="ben")) == 1
    assert desk.client.post("/v1/cases:claim", json={"moderator": ANN}).json() == {"case": None}
    assert desk.client.post("/v1/cases:claim", json={"moderator": BEN}).json()["case"]


def test_a_snoozed_case_is_nowhere_until_then(desk: Desk) -> None:
    """It leaves the queue for the shelf of snoozed ones, and is counted there."""
    comment = desk.send("c-1")

    desk.on_case(comment, "snooze", until=in_days(1)).raise_for_status()

    assert desk.cases() == []
    assert len(desk.cases(shelf="snoozed")) == 1
    counted = desk.client.get("/v1/cases:count").json()
    assert (counted["open"], counted["snoozed"]) == (0, 1)


def test_managers_decide_what_is_escalated(desk: Desk) -> None:
    """An escalated case leaves the queue; a moderator can neither claim nor decide it."""
    comment = desk.send("c-1")

    desk.on_case(comment, "escalate", note="looks like a threat").raise_for_status()
    claimed = desk.on_case(comment, "claim")
    decision = desk.decided(comment, "reject", EVA)

    assert claimed.json()["code"] == "manager_needed"
    assert decision["results"][0]["to"] == "rejected"
    found = desk.client.get(f"/v1/cases/{comment['id']}").json()
    assert [note["text"] for note in found["notes"]] == ["looks like a threat"]


def test_undoing_brings_back_the_state_and_the_case(desk: Desk) -> None:
    """A8: by whoever decided, once; the case is open again, the feed tells of it."""
    comment = desk.send("c-1")
    decision = desk.decided(comment, "reject")

    stranger = desk.undo(decision, BEN)
    undone = desk.undo(decision)
    again = desk.undo(decision)

    assert stranger.json()["code"] == "not_yours"
    assert undone.json()["results"][0]["to"] == "pending"
    assert again.json()["code"] == "not_newest"
    assert desk.comment(comment["id"])["state"] == "pending"
    assert len(desk.cases()) == 1
    feed = desk.client.get("/v1/decisions").json()["items"]
    assert [event["type"] for event in feed] == ["rejected", "undone"]
    assert feed[1]["undoes"] == feed[0]["seq"]


def test_a_manager_undoes_what_others_decided(desk: Desk) -> None:
    """Only the newest event: after an edit there is nothing to take back."""
    comment = desk.send("c-1")
    decision = desk.decided(comment, "reject")
    other = desk.send("c-2")
    late = desk.decided(other, "approve")
    desk.send("c-2", SPAM)

    assert desk.undo(decision, EVA).status_code == 200
    assert desk.undo(late, EVA).json()["code"] == "not_newest"
    unknown = {"id": "00000000-0000-7000-8000-000000000000"}
    assert desk.undo(unknown).json()["type"] == "/problems/decision-not-found"


def test_an_edit_of_a_rejected_comment_opens_its_case_again(desk: Desk) -> None:
    """A7: it stays rejected until somebody decides; harmless words alone do not publish it."""
    comment = desk.send("c-1")
    desk.decided(comment, "reject")

    edited = desk.send("c-1", HAM)

    assert (edited["state"], edited["revision"]) == ("rejected", 2)
    (case,) = desk.cases()
    assert (case["cause"], case["openings"], case["revision"]) == ("edited", 2, 2)
    assert desk.decided(edited, "approve")["results"][0]["to"] == "published"


def test_what_a_person_marked_as_spam_no_policy_publishes(desk: Desk) -> None:
    """A machine never overrides a person: the new text waits for one, where it was."""
    comment = desk.send("c-1")
    desk.decided(comment, "spam")

    edited = desk.send("c-1", HAM)

    assert edited["state"] == "spam"
    assert [case["comment_id"] for case in desk.cases()] == [comment["id"]]


def test_a_report_opens_the_case_of_the_text_that_is_there_now(desk: Desk) -> None:
    """An edit that needed nobody leaves the closed case: the old words bring the new to nobody."""
    comment = desk.send("c-1")
    desk.decided(comment, "approve")
    desk.send("c-1", HAM)
    desk.send("c-2")
    other = desk.send("c-3")
    report = {"reporter": {"id": "r"}, "reason": "insult"}
    desk.client.post(f"/v1/comments/{comment['id']}/reports", json=report).raise_for_status()

    by_words = [
        [case["external_id"] for case in desk.cases(q=word)] for word in ("recipe", "idiot")
    ]
    (case,) = desk.cases(q="recipe")
    decision = desk.decided(other, "reject", group=True)

    assert desk.comment(comment["id"])["state"] == "published"
    assert len(decision["results"]) == 2
    assert by_words == [["c-1"], ["c-2", "c-3"]]
    assert (case["cause"], case["revision"], case["openings"]) == ("reported", 2, 2)
    assert case["reason"] is None


def test_undoing_a_restoration_closes_the_case_that_it_opened(desk: Desk) -> None:
    """The comment is spam again, and nobody has to look at it."""
    comment = desk.send("c-1")
    desk.decided(comment, "spam")
    decision = desk.decide(desk.comment(comment["id"]), "restore").json()
    waiting = [case["external_id"] for case in desk.cases()]
    desk.claim(comment)

    desk.undo(decision).raise_for_status()

    assert waiting == ["c-1"]
    assert desk.comment(comment["id"])["state"] == "spam"
    assert desk.cases() == []


def test_undoing_a_restoration_leaves_the_case_that_others_are_at(desk: Desk) -> None:
    """Claimed by another, left to managers, reported meanwhile, or open before: it stays open."""
    claimed, escalated, reported, edited = [desk.send(f"c-{number}") for number in range(4)]
    for comment in (claimed, escalated, reported, edited):
        desk.decided(comment, "spam")
    desk.send("c-3", HAM)
    decisions = [
        desk.decide(desk.comment(comment["id"]), "restore").json()
        for comment in (claimed, escalated, reported)
    ]
    decisions.append(desk.decided(desk.comment(edited["id"]), "restore"))
    desk.claim(claimed, BEN)
    desk.on_case(escalated, "escalate", BEN).raise_for_status()
    report = {"reporter": {"id": "r"}, "reason": "insult"}
    desk.client.post(f"/v1/comments/{reported['id']}/reports", json=report).raise_for_status()

    for decision in decisions:
        desk.undo(decision).raise_for_status()

    contexts = [
        desk.client.get(f"/v1/cases/{comment['id']}").json()
        for comment in (claimed, escalated, reported, edited)
    ]
    assert [found["comment"]["state"] for found in contexts] == ["spam"] * 4
    assert [found["case"]["state"] for found in contexts] == [
        "claimed",
        "escalated",
        "open",
        "open",
    ]


def test_an_edit_drops_the_claim(desk: Desk) -> None:
    """The case goes on to the new text; the old token is worth nothing."""
    comment = desk.send("c-1")
    token = desk.claim(comment)

    edited = desk.send("c-1", RUDE + " so much")
    late = desk.decide(edited, "approve", claim_token=token)

    (case,) = desk.cases()
    assert (case["revision"], case["claimed_by"], case["openings"]) == (2, None, 1)
    assert late.json()["code"] == "claim_lost"


def test_many_are_decided_at_once_and_taken_back_at_once(desk: Desk) -> None:
    """Each has its own result; a dry run changes nothing; one undo is for all."""
    sent = [desk.send(f"c-{number}") for number in range(3)]
    items = [{"comment_id": each["id"], "revision": 1, "version": each["version"]} for each in sent]
    items[1]["version"] = 99
    body = {"moderator": ANN, "action": "spam", "items": items}

    tried = desk.client.post("/v1/decisions:bulk", json={**body, "dry_run": True}).json()
    unchanged = [desk.comment(each["id"])["state"] for each in sent]
    done = desk.client.post("/v1/decisions:bulk", json=body).json()
    undone = desk.undo(done).json()

    assert tried["id"] is None
    assert [result["status"] for result in tried["results"]] == [200, 409, 200]
    assert unchanged == ["pending"] * 3
    assert [result["status"] for result in done["results"]] == [200, 409, 200]
    assert done["results"][1]["problem"]["code"] == "version_changed"
    assert [result["to"] for result in undone["results"]] == ["pending"] * 2
    assert [desk.comment(each["id"])["state"] for each in sent] == ["pending"] * 3


def test_those_that_say_nearly_the_same_are_decided_once(desk: Desk) -> None:
    """The group of a decision: others of nearly the same words, undone with it."""
    text = "you are a fucking idiot and everybody in this whole wide town hates you since {}"
    first = desk.send("c-1", text.format("monday"))
    desk.send("c-2", text.format("monday"))
    desk.send("c-3", text.format("Tuesday"))
    other = desk.send("c-4", "shut up you stupid bitch and die in a fire")

    group = desk.client.get(f"/v1/cases/{first['id']}").json()["group"]
    decision = desk.decided(first, "reject", group=True)

    assert sorted(member["external_id"] for member in group) == ["c-2", "c-3"]
    assert [result["to"] for result in decision["results"]] == ["rejected"] * 3
    assert desk.comment(other["id"])["state"] == "pending"
    desk.undo(decision).raise_for_status()
    assert len(desk.cases()) == 4


def test_an_erased_comment_leaves_its_id_and_its_events(desk: Desk) -> None:
    """A9: text, author and notes are gone; what is sent again stays erased; nothing follows."""
    comment = desk.send("c-1", author={"name": "Jane", "id": "u-1"})
    noting = {
        "url": f"/v1/comments/{comment['id']}/notes",
        "json": {"moderator": ANN, "text": "Jane again"},
        "headers": {"idempotency-key": "note-1"},
    }
    desk.client.post(**noting).raise_for_status()

    first = desk.client.delete(f"/v1/comments/{comment['id']}")
    again = desk.client.delete(f"/v1/comments/{comment['id']}")
    left = desk.comment(comment["id"])
    context = desk.client.get(f"/v1/cases/{comment['id']}").json()
    sent = desk.client.post("/v1/comments", json={"external_id": "c-1", "text": RUDE})
    refused = [
        desk.decide({**left, "id": comment["id"]}, "approve"),
        desk.on_case(comment, "claim"),
        desk.client.post(
            f"/v1/comments/{comment['id']}/reports",
            json={"reporter": {"id": "r"}, "reason": "insult"},
        ),
        desk.client.post(**noting),
    ]

    assert [first.status_code, again.status_code] == [200, 200]
    assert (left["state"], left["text"], left["labels"]) == ("erased", "", None)
    assert "author" not in left
    assert context["notes"] == []
    assert [event["type"] for event in context["events"]] == ["submitted", "erased"]
    assert (sent.status_code, sent.json()["state"]) == (200, "erased")
    assert [answer.json()["code"] for answer in refused] == [
        "comment_erased",
        "case_closed",
        "comment_erased",
        "comment_erased",
    ]
    assert desk.cases() == []


def test_the_answers_to_whoever_sent_an_erased_comment_tell_it_no_more(desk: Desk) -> None:
    """A9: by their keys they come again without scores; others of a batch stay as they are."""
    single = {
        "url": "/v1/comments",
        "json": {"external_id": "c-1", "text": HAM},
        "headers": {"idempotency-key": "key-1"},
    }
    items = [{"external_id": f"c-{number}", "text": RUDE} for number in (2, 3)]
    batch = {
        "url": "/v1/comments:batch",
        "json": {"comments": items},
        "headers": {"idempotency-key": "key-2"},
    }
    first = desk.client.post(**single).json()
    (second, third) = desk.client.post(**batch).json()["results"]
    edited = desk.send("c-3", HAM)
    for comment in (first, second["comment"]):
        desk.client.delete(f"/v1/comments/{comment['id']}").raise_for_status()

    again = desk.client.post(**single)
    results = desk.client.post(**batch).json()["results"]

    assert (again.status_code, again.json()["state"]) == (200, "erased")
    for told in (again.json(), results[0]["comment"]):
        assert (told["state"], told["labels"], told["reasons"]) == ("erased", None, [])
    assert results[0]["comment"]["id"] == second["comment"]["id"]
    assert results[1] == third
    assert desk.comment(edited["id"])["revision"] == edited["revision"] == 2


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


@pytest.mark.parametrize(("action", "elsewhere"), [("approve", "pending"), ("spam", "spam")])
def test_a_link_that_leads_elsewhere_is_looked_at(desk: Desk, action: str, elsewhere: str) -> None:
    """Approving takes along what leads to the same place; spam, the whole wave."""
    text = "I wrote about this recipe at length here, have a look: http://{}/recipe"
    held = {"replaces": 0, "policy": {"links": {"hold": 1}}}
    desk.client.put("/v1/policy", json=held).raise_for_status()
    seen, same, other = (
        desk.send(f"c-{at}", text.format(host))
        for at, host in enumerate(("cook.example", "www.cook.example", "malware.example"))
    )

    desk.decided(seen, action, group=True)

    states = [desk.comment(each["id"])["state"] for each in (seen, same, other)]
    decided = "published" if action == "approve" else "spam"
    assert states == [decided, decided, elsewhere]
