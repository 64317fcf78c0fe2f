"""The queue over HTTP, on both engines: orders, filters, search, pages, counts, the context."""

from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest
from conftest import EVERY_SCOPE, Service
from review_desk import ANN, EVA, HAM, Desk, in_days, report, review_desk

from moderation.cases import search, setting
from moderation.cases.setting import ReviewSetting
from moderation.verdict import State

INSULT = "you are a fucking idiot and everybody hates you"
THREAT = "i will find you and kill you, you are dead"
MILD = "what a crap article, this author is an idiot"


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    """Sit down at the queue of a site of this test's own, without a blind sample."""
    with review_desk(service) as made:
        yield made


def names(cases: list[dict[str, Any]]) -> list[str]:
    """Return the external ids of cases."""
    return [case["external_id"] for case in cases]


def test_threats_come_first_then_what_readers_report(desk: Desk) -> None:
    """By tier, then by how harmful; each with its label, its reason and how often it was opened."""
    desk.send("insult", INSULT)
    threat = desk.send("threat", THREAT)
    reported = desk.send("reported", HAM)
    report(desk, reported, "reader-1")

    cases = desk.cases()

    assert names(cases) == ["threat", "reported", "insult"]
    assert [case["tier"] for case in cases] == [2, 3, 4]
    assert [case["cause"] for case in cases] == ["review", "reported", "review"]
    assert cases[0]["comment_id"] == threat["id"]
    assert cases[0]["excerpt"] == THREAT
    assert (cases[1]["reporters"], cases[1]["openings"]) == (1, 1)
    assert cases[2]["reason"].endswith("_score")


def test_pages_go_on_where_the_last_one_ended(desk: Desk) -> None:
    """In every order: each case once, none left out, also when others come in between."""
    for number in range(7):
        desk.send(f"c-{number}", f"{INSULT} {number}")
    for order in ("priority", "oldest", "newest", "unsure"):
        found, cursor = [], None
        for _ in range(4):
            query = {"order": order, "limit": 2} | ({"cursor": cursor} if cursor else {})
            page = desk.client.get("/v1/cases", params=query).json()
            found += names(page["items"])
            cursor = page["next"]
        assert cursor is None
        assert sorted(found) == [f"c-{number}" for number in range(7)], order
        if order == "oldest":
            assert found == sorted(found)
        if order == "newest":
            assert found == sorted(found, reverse=True)
    other = desk.client.get("/v1/cases", params={"order": "oldest", "limit": 1}).json()["next"]
    refused = desk.client.get("/v1/cases", params={"order": "newest", "cursor": other})
    assert refused.json()["type"] == "/problems/cursor-invalid"


def test_filters_narrow_the_queue(desk: Desk) -> None:
    """By language, label, reason, author, domain, group, age and who has claimed."""
    first = desk.send(
        "c-1", f"{INSULT} http://shop.example.ru/x", language="de", author={"id": "u-1"}
    )
    desk.send("c-2", THREAT, language="en", author={"id": "u-2"})
    desk.claim(first)
    one = {case["external_id"]: case for case in desk.cases()}["c-1"]
    two = {case["external_id"]: case for case in desk.cases()}["c-2"]

    assert names(desk.cases(language="de")) == ["c-1"]
    assert names(desk.cases(label=two["label"], reason=two["reason"])) == ["c-2"]
    assert names(desk.cases(author=one["author"])) == ["c-1"]
    assert names(desk.cases(domain="example.ru")) == ["c-1"]
    assert names(desk.cases(group=one["group"])) == ["c-1"]
    assert names(desk.cases(assignee="ann")) == ["c-1"]
    assert names(desk.cases(assignee="ben")) == []
    assert names(desk.cases(opened_after=two["opened"])) == ["c-2"]
    assert names(desk.cases(opened_before=two["opened"])) == ["c-1"]
    assert desk.client.get("/v1/cases:count", params={"language": "de"}).json()["open"] == 1


def test_words_find_cases(desk: Desk) -> None:
    """All words of a query, in any case and accent; quoted in order; with a star, beginnings."""
    desk.send("c-1", f"{INSULT} Käsekuchen aus Österreich")
    desk.send("c-2", f"{INSULT} cheese-cake, and more")

    found = {
        words: names(desk.cases(q=words))
        for words in (
            "KASEKUCHEN",
            "idiot österreich",
            "kuchen",
            "kase*",
            '"cake and more"',
            '"more and cake"',
            "idiot",
            "idiot nobody",
            "' OR 1=1 --",
        )
    }

    assert found.pop("idiot") in (["c-1", "c-2"], ["c-2", "c-1"])
    assert found == {
        "KASEKUCHEN": ["c-1"],
        "idiot österreich": ["c-1"],
        "kuchen": [],
        "kase*": ["c-1"],
        '"cake and more"': ["c-2"],
        '"more and cake"': [],
        "idiot nobody": [],
        "' OR 1=1 --": [],
    }
    assert len(desk.cases(q="!!! ...")) == 2


@pytest.mark.parametrize("word", ["7e1aad305256", "21e85e", "0x1e9a", "1e9", "3a"])
def test_numbers_and_letters_in_one_word_find_cases(desk: Desk, word: str) -> None:
    """As in the digest of a commit; the index has it as it is looked for, by its beginning too."""
    desk.send("c-1", f"{INSULT} {word} again")
    desk.send("c-2", f"{INSULT} 7e2")

    for asked in (word, f"{word[:3]}*", f'"{word} again"'):
        counted = desk.client.get("/v1/cases:count", params={"q": asked}).json()
        assert counted["open"] == len(desk.cases(q=asked)) == 1, asked


def test_an_edited_text_is_found_by_its_new_words(desk: Desk) -> None:
    """Not by the old ones; and an erased one by none."""
    comment = desk.send("c-1", f"{INSULT} zebra")
    desk.send("c-1", f"{INSULT} giraffe")

    found = [names(desk.cases(q=word)) for word in ("zebra", "giraffe")]
    desk.client.delete(f"/v1/comments/{comment['id']}").raise_for_status()

    assert found == [[], ["c-1"]]
    assert desk.cases(q="giraffe", shelf="resolved") == []


def test_resolved_cases_are_listed_from_the_newest(desk: Desk) -> None:
    """On a shelf of their own, where they are found by words, too."""
    for number in range(3):
        desk.decided(desk.send(f"c-{number}", f"{INSULT} {number}"), "reject")

    assert desk.cases() == []
    assert names(desk.cases(shelf="resolved")) == ["c-2", "c-1", "c-0"]
    page = desk.client.get("/v1/cases", params={"shelf": "resolved", "limit": 2}).json()
    rest = desk.client.get("/v1/cases", params={"shelf": "resolved", "cursor": page["next"]})
    assert names(rest.json()["items"]) == ["c-0"]
    assert names(desk.cases(shelf="resolved", q="idiot")) == ["c-2", "c-1", "c-0"]


def test_counts_are_true(desk: Desk) -> None:
    """Open, claimed, escalated and put aside; open ones by tier."""
    comments = [desk.send(f"c-{number}", f"{INSULT} {number}") for number in range(4)]
    desk.send("threat", THREAT)
    desk.claim(comments[0])
    desk.on_case(comments[1], "escalate").raise_for_status()
    desk.on_case(comments[2], "snooze", until=in_days(1)).raise_for_status()

    counted = desk.client.get("/v1/cases:count").json()

    assert counted == {
        "open": 3,
        "claimed": 1,
        "escalated": 1,
        "snoozed": 1,
        "tiers": {"1": 0, "2": 1, "3": 0, "4": 2},
    }
    # Of every queue: one that is named would change nothing.
    assert desk.client.get("/v1/cases:count", params={"shelf": "open"}).status_code == 422


def test_of_the_open_ones_the_claimed_are_counted(desk: Desk) -> None:
    """What a manager holds of the escalated, and what is held though put aside, is none of them."""
    comments = [desk.send(f"c-{number}", f"{INSULT} {number}") for number in range(3)]
    desk.on_case(comments[0], "escalate").raise_for_status()
    desk.on_case(comments[1], "snooze", until=in_days(1)).raise_for_status()
    for comment in comments:
        desk.claim(comment, EVA)

    counted = desk.client.get("/v1/cases:count").json()

    assert (counted["open"], counted["claimed"]) == (1, 1)


@pytest.mark.parametrize("by", [ANN, EVA])
def test_nothing_is_snoozed_for_good(desk: Desk, by: dict[str, str]) -> None:
    """Ninety days are taken, more are refused with the limit, and so is what is past."""
    comment = desk.send("c-1", INSULT)

    refused = [
        desk.on_case(comment, "snooze", by, until=until)
        for until in ("9999-12-31T00:00:00Z", in_days(90.01), in_days(-0.01))
    ]
    open_still = names(desk.cases())
    taken = desk.on_case(comment, "snooze", by, until=in_days(89.99))

    assert [answer.status_code for answer in refused] == [422, 422, 422]
    assert "expected an instant to come" in refused[2].json()["detail"]
    assert refused[0].json()["errors"] == [
        {
            "where": "until",
            "problem": "expected an instant at most 90 days from now, got a later one",
        }
    ]
    assert open_still == ["c-1"]
    assert taken.status_code == 200
    assert desk.cases() == []


def test_a_report_counts_by_how_often_its_reader_was_right(desk: Desk) -> None:
    """Whoever was upheld moves a comment further than whoever was not; undo takes that back."""
    good, bad = desk.send("good", HAM), desk.send("bad", HAM + " Twice.")
    report(desk, bad, "right")
    report(desk, good, "wrong")
    decision = desk.decided(bad, "reject")
    desk.decided(good, "approve")
    by_wrong = desk.send("by-wrong", HAM + " Thrice.")
    by_right = desk.send("by-right", HAM + " Four times.")
    report(desk, by_wrong, "wrong")
    report(desk, by_right, "right")

    ordered = names(desk.cases())
    weights = {
        comment["external_id"]: desk.client.get(f"/v1/cases/{comment['id']}").json()["reports"]
        for comment in (by_wrong, by_right, bad)
    }
    desk.undo(decision).raise_for_status()
    report(desk, by_right, "right")
    taken_back = desk.client.get(f"/v1/cases/{by_right['id']}").json()["reports"]

    assert ordered == ["by-right", "by-wrong"]
    assert [round(weights[name][0]["weight"], 6) for name in ("by-wrong", "by-right")] == [
        0.333333,
        0.666667,
    ]
    assert weights["bad"][0]["upheld"] is True
    assert [round(each["weight"], 6) for each in taken_back] == [0.5]


def test_a_new_report_opens_a_decided_case_again(desk: Desk) -> None:
    """The count of its openings is kept; a reader's second report replaces the first."""
    comment = desk.send("c-1", HAM)
    report(desk, comment, "reader-1")
    report(desk, comment, "reader-1", "spam")
    before = desk.cases()
    desk.decided(comment, "approve")

    report(desk, comment, "reader-2")

    assert [case["reporters"] for case in before] == [1]
    (case,) = desk.cases()
    assert (case["openings"], case["reporters"]) == (2, 1)


def test_a_key_of_several_sites_sees_one_queue(service: Service) -> None:
    """Each case says whose it is; naming a site leaves the others out; to claim needs one."""
    made = [service.add_site(f"https://{token_hex(6)}.example.org") for _ in range(2)]
    with service.accounts() as accounts:
        key = accounts.create_key([site.id for site in made], scopes=EVERY_SCOPE)
    with service.client(key) as client:
        for number in range(6):
            client.post(
                "/v1/comments",
                json={
                    "external_id": f"c-{number}",
                    "text": f"{INSULT} {number}",
                    "site": made[number % 2].id,
                },
            ).raise_for_status()
        first = client.get("/v1/cases", params={"order": "oldest", "limit": 4}).json()
        rest = client.get("/v1/cases", params={"order": "oldest", "cursor": first["next"]}).json()
        one = client.get("/v1/cases", params={"order": "oldest", "site": made[1].id}).json()
        counted = client.get("/v1/cases:count").json()
        unclear = client.post("/v1/cases:claim", json={"moderator": ANN})

    both = [*first["items"], *rest["items"]]
    assert names(both) == [f"c-{number}" for number in range(6)]
    assert [each["site"] for each in both] == [site.id for site in made] * 3
    assert names(one["items"]) == ["c-1", "c-3", "c-5"]
    assert (counted["open"], counted["claimed"]) == (6, 0)
    assert unclear.json()["type"] == "/problems/site-unclear"


def test_sites_with_other_aims_have_one_order(service: Service) -> None:
    """An hour is an hour: not all of the one site comes before all of the other."""
    made = [
        service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)
        for _ in range(2)
    ]
    with service.accounts() as accounts:
        key = accounts.create_key([site.id for site in made], scopes=EVERY_SCOPE)
    with service.client(key) as client:
        for site, wait_hours in zip(made, (23, 24), strict=True):
            client.put(
                "/v1/review/settings",
                json={"sample_rate": 0, "wait_hours": wait_hours, "site": site.id},
            ).raise_for_status()
        for site, text in zip(made, (INSULT, "you fool"), strict=True):
            client.post(
                "/v1/comments", json={"external_id": text, "text": text, "site": site.id}
            ).raise_for_status()
        listed = client.get("/v1/cases").json()["items"]

    assert names(listed) == [INSULT, "you fool"]


def test_one_call_tells_what_a_decision_needs(desk: Desk) -> None:
    """Parent, author's and domain's history, revisions with their changes, events, scores."""
    author = {"id": "u-1", "name": "Jane"}
    desk.send("parent", HAM)
    desk.send("old", HAM + " Again.", author=author)
    rejected = desk.send("older", f"{INSULT} http://shop.example.ru", author=author)
    desk.decided(rejected, "reject")
    desk.send("c-1", INSULT, author=author, parent_id="parent", thread={"id": "t", "title": "T"})
    comment = desk.send(
        "c-1",
        "you are a fucking moron and everybody hates you http://shop.example.ru",
        author=author,
    )

    found = desk.client.get(f"/v1/cases/{comment['id']}").json()

    assert found["comment"]["text"].endswith("shop.example.ru")
    assert found["comment"]["reasons"]
    assert found["parent"]["excerpt"] == HAM
    assert found["author"]["states"] == {"published": 1, "rejected": 1}
    assert found["author"]["open"] == 0
    assert [each["external_id"] for each in found["author_recent"]] == ["older", "old"]
    (domain,) = found["domains"]
    assert (domain["name"], domain["states"]) == ("example.ru", {"rejected": 1})
    assert [event["type"] for event in found["events"]] == ["submitted", "edited"]
    newest, first = found["revisions"]
    assert (newest["revision"], first["changes"]) == (2, None)
    assert newest["changes"][:3] == [
        {"kind": "=", "text": "you are a fucking "},
        {"kind": "-", "text": "idiot "},
        {"kind": "+", "text": "moron "},
    ]


def test_a_case_shows_what_was_said_before_in_its_thread(desk: Desk) -> None:
    """The newest ten by their arrival; nothing later, nothing erased, nothing of other threads."""
    thread = {"id": "t-1"}
    desk.send("elsewhere", HAM, thread={"id": "t-2"})
    desk.send("nowhere", HAM + " Alone.")
    for number in range(12):
        desk.send(f"before-{number}", f"{HAM} Number {number}.", thread=thread)
    gone = desk.send("gone", HAM + " Gone.", thread=thread)
    desk.client.delete(f"/v1/comments/{gone['id']}").raise_for_status()
    comment = desk.send("c-1", INSULT, thread=thread)
    desk.send("after", HAM + " Later.", thread=thread)
    desk.send("before-0", HAM + " Edited after all.", thread=thread)
    alone = desk.send("alone", INSULT + " too")

    found = desk.client.get(f"/v1/cases/{comment['id']}").json()
    without = desk.client.get(f"/v1/cases/{alone['id']}").json()

    assert [each["external_id"] for each in found["thread"]] == [
        f"before-{number}" for number in range(11, 1, -1)
    ]
    assert {each["state"] for each in found["thread"]} == {"published"}
    assert without["thread"] == []


def test_a_case_says_which_words_moved_which_score(desk: Desk) -> None:
    """Labels from 0.1 on with words, their places and amounts, by the model that scored."""
    text = f"Ünï 🙂 {INSULT}"
    comment = desk.send("c-1", text)

    why = desk.client.get(f"/v1/cases/{comment['id']}").json()["explanation"]

    assert (why["model"], why["scored"]) == (comment["model"], True)
    labels = {each["label"]: each for each in why["labels"]}
    assert min(each["score"] for each in labels.values()) >= 0.1
    for label, each in labels.items():
        assert abs(each["score"] - comment["labels"][label]) < 0.001
        told = sum(part["amount"] for part in each["parts"])
        assert abs(each["base"] + told + each["rest"] - each["logit"]) < 1e-6
    words = {part["name"]: part for part in labels["insult"]["parts"]}
    (place,) = words["idiot"]["places"]
    assert text[place["start"] : place["end"]] == "idiot"
    assert place["start_utf16"] == place["start"] + 1


def test_a_decided_report_no_longer_counts(desk: Desk) -> None:
    """Neither when an edit opens the case again nor with a new report; undo counts it again."""
    comment = desk.send("c-1", HAM)
    report(desk, comment, "reader-1")
    report(desk, comment, "reader-2")
    before = desk.cases()
    decision = desk.decided(comment, "reject")
    resolved = desk.cases(shelf="resolved")
    desk.undo(decision).raise_for_status()
    undone = desk.cases()
    desk.decided(desk.comment(comment["id"]), "reject")
    desk.send("c-1", f"{HAM} Honestly.")
    edited = desk.cases()

    assert [case["reporters"] for case in (*before, *resolved, *undone, *edited)] == [2, 0, 2, 0]
    assert before[0]["tier"] == undone[0]["tier"] == 3
    assert edited[0]["tier"] == 4


def test_an_unknown_label_is_not_told_back(desk: Desk) -> None:
    """What a client sent is never in an answer, not even a name."""
    comment = desk.send("c-1", INSULT)
    token = desk.claim(comment)

    refused = desk.decide(comment, "approve", claim_token=token, labels={"jane@example.org": True})
    taken = desk.decide(comment, "approve", claim_token=token, labels={"insult": False})

    assert refused.status_code == 422
    assert "jane" not in refused.text
    assert taken.status_code == 200


def test_what_was_erased_is_not_explained(desk: Desk) -> None:
    """There is no text any more."""
    comment = desk.send("c-1", INSULT)
    desk.client.delete(f"/v1/comments/{comment['id']}").raise_for_status()

    assert desk.client.get(f"/v1/cases/{comment['id']}").json()["explanation"] is None


def test_reports_of_what_was_erased_are_gone(desk: Desk) -> None:
    """They are not counted by its case, either."""
    comment = desk.send("c-1", HAM)
    report(desk, comment, "reader-1")
    desk.client.delete(f"/v1/comments/{comment['id']}").raise_for_status()

    assert [case["reporters"] for case in desk.cases(shelf="resolved")] == [0]


def test_settings_are_kept(desk: Desk) -> None:
    """What is left out is as by default; a share over 5 % is refused."""
    body = {"sample_rate": 0.02, "wait_hours": 12, "keep_days": {"spam": 30}, "blind": False}

    put = desk.client.put("/v1/review/settings", json=body)
    refused = desk.client.put("/v1/review/settings", json={"sample_rate": 0.5})

    assert put.json() == desk.client.get("/v1/review/settings").json()
    assert put.json()["keep_days"]["spam"] == 30
    assert put.json()["alarm_hours"] == 72.0
    assert put.json()["blind"] is False
    assert refused.status_code == 422


def test_another_aim_mixes_no_places(desk: Desk) -> None:
    """What waited before `wait_hours` was changed, and what comes after, stand in one order."""
    settings = {"sample_rate": 0, "blind": False}
    for number, wait_hours in enumerate((48, 12, 24)):
        desk.send(f"c-{number}", "shut up")
        desk.client.put(
            "/v1/review/settings", json={**settings, "wait_hours": wait_hours}
        ).raise_for_status()
    desk.send("c-3", "shut up")
    desk.send("worse", INSULT)

    assert names(desk.cases()) == ["worse", "c-0", "c-1", "c-2", "c-3"]


def test_what_is_taken_back_stands_by_the_present_aim(desk: Desk) -> None:
    """A case that was resolved while `wait_hours` was changed is as old as it was before."""
    older, _ = desk.send("older", "shut up"), desk.send("newer", "shut up now")
    decision = desk.decided(older, "approve")
    settings = {"sample_rate": 0, "blind": False, "wait_hours": 48}
    desk.client.put("/v1/review/settings", json=settings).raise_for_status()

    desk.undo(decision).raise_for_status()

    assert names(desk.cases()) == ["older", "newer"]


def test_what_is_held_never_ages_out(desk: Desk) -> None:
    """Days for pending comments are refused, with why; null may be put back as it was read."""
    read = desk.client.get("/v1/review/settings").json()

    refused = desk.client.put("/v1/review/settings", json={"keep_days": {"pending": 1}})
    put_back = desk.client.put("/v1/review/settings", json=read)

    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {
            "where": "keep_days.pending",
            "problem": "expected null, got something else: "
            "held comments wait for a person, whatever their age",
        }
    ]
    assert put_back.status_code == 200
    assert put_back.json() == read


def test_a_stored_setting_that_lets_held_comments_age_is_read_without_that() -> None:
    """As earlier releases stored it; what it says of other states holds."""
    stored = '{"sample_rate": 0.02, "keep_days": {"pending": 1, "spam": 30}}'

    found = setting.read(stored)

    assert found == ReviewSetting(sample_rate=0.02, keep_days={State.SPAM: 30})
    assert setting.read(setting.write(found)) == found


def test_the_feed_goes_on_where_it_ended(desk: Desk) -> None:
    """Every event after a place, once, in order; a foreign cursor is refused."""
    for number in range(5):
        desk.decided(desk.send(f"c-{number}", f"{INSULT} {number}"), "approve")
    found, after = [], None
    for _ in range(4):
        query = {"limit": 2} | ({"after": after} if after else {})
        step = desk.client.get("/v1/decisions", params=query).json()
        found += [event["external_id"] for event in step["items"]]
        after = step["next"]

    assert found == [f"c-{number}" for number in range(5)]
    assert desk.client.get("/v1/decisions", params={"after": "x"}).status_code == 400


def test_notes_are_kept_with_a_decision(desk: Desk) -> None:
    """A note of a decision is told by the event, and read with the rest."""
    comment = desk.send("c-1", INSULT)

    desk.decided(comment, "reject", ANN, note="third time this week")

    found = desk.client.get(f"/v1/cases/{comment['id']}").json()
    (note,) = found["notes"]
    assert (note["text"], note["moderator"]) == ("third time this week", "ann")
    assert found["events"][-1]["note_id"] == note["id"]


def test_folding_is_linear_and_plain() -> None:
    """Words of letters and digits, without case and accents, however the text is composed."""
    assert search.fold("Ünïcode—STRASSE straße_x ½") == "unicode strasse strasse x 1 2"
    assert len(search.fold("\u0301" * 100_000)) == 0
