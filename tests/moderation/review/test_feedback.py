"""What a site's people decided elsewhere, on both engines: a decision, however often it is told."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lone_review import lone_review
from screened_comments import putting, screened
from sqlalchemy import select

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.cases import events, usage
from moderation.cases.case import Moderator
from moderation.cases.transition import ActorKind, EventKind
from moderation.cases.usage import Counts, Tally
from moderation.errors import CommentErased, CommentNotFound, RevisionChanged, VersionChanged
from moderation.review import feedback
from moderation.review.deciding import Action, Decision
from moderation.review.feedback import HAM, SPAM, Feedback
from moderation.store import find_external, put
from moderation.tables import CASE, COMMENT, JUDGEMENT, instant
from moderation.verdict import Label, Origin, State, Verdict

BEGIN = datetime(2026, 11, 28, tzinfo=UTC)
ANNA = Moderator("akismet:anna")
TALLY = Tally("key", "2026-11", Origin.AKISMET)
IDS = (f"01980000-0000-7000-8000-{number:012}" for number in range(1_000_000))


class Desk:
    """A site's review without a service."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.moment = BEGIN
        self.writing = CommandWriter(databases.moderation)
        self.review = lone_review(databases.moderation, lambda: self.moment, ids=lambda: next(IDS))

    def store(
        self, name: str, verdict: Verdict, *, text: str = "", tally: Tally | None = TALLY
    ) -> None:
        """Store a comment of an Akismet client as it was judged; its text is its digest."""
        comment = screened(name, verdict, text, origin=Origin.AKISMET)
        command = putting("blog", [comment], instant(self.moment), tally=tally)
        asyncio.run(self.writing.write(put, command))

    def tell(self, name: str, given: Feedback, by: Moderator = ANNA, *, text: str = "") -> Any:  # noqa: ANN401
        """Tell what was decided of *text*, the one that `store` gives a comment by itself."""
        self.moment += timedelta(seconds=1)
        return asyncio.run(
            self.review.feedback("blog", name, given, by, text_sha256=text or name, tally=TALLY)
        )

    def story(self, name: str, *, whole: bool = False) -> list[tuple[EventKind, State]]:
        """Return what people did with a comment; with *whole* all that happened to it."""
        with self.databases.moderation.read() as connection:
            found = events.list_comment(connection, "blog", name)
        if whole:
            return [(each.kind, each.to_state) for each in found]
        assert all(each.actor_kind is ActorKind.MODERATOR for each in found[1:])
        return [(each.kind, each.to_state) for each in found[1:]]

    def judged(self, name: str) -> list[tuple[str, bool, str, str]]:
        """Return what the classifier will learn."""
        with self.databases.moderation.read() as connection:
            rows = connection.execute(
                select(
                    JUDGEMENT.c.label, JUDGEMENT.c.value, JUDGEMENT.c.source, JUDGEMENT.c.moderator
                )
                .where(JUDGEMENT.c.comment_id == name)
                .order_by(JUDGEMENT.c.event_seq, JUDGEMENT.c.label)
            )
            return [tuple(row) for row in rows]

    def counts(self) -> Counts:
        """Return what was counted."""
        with self.databases.moderation.read() as connection:
            found = usage.read(connection, ["blog"], month="2026-11", origin=Origin.AKISMET)
            other = usage.read(connection, ["blog"], month="2026-12", origin=Origin.AKISMET)
        assert other == []
        (one,) = found
        assert (one.site_id, one.key_id) == ("blog", "key")
        return one.counts


@pytest.mark.parametrize(
    ("verdict", "given", "kind", "target"),
    [
        (Verdict.APPROVE, SPAM, EventKind.MARKED_SPAM, State.SPAM),
        (Verdict.HOLD, SPAM, EventKind.MARKED_SPAM, State.SPAM),
        (Verdict.SPAM, SPAM, EventKind.KEPT, State.SPAM),
        (Verdict.REJECT, SPAM, EventKind.KEPT, State.REJECTED),
        (Verdict.APPROVE, HAM, EventKind.KEPT, State.PUBLISHED),
        (Verdict.HOLD, HAM, EventKind.APPROVED, State.PUBLISHED),
        (Verdict.SPAM, HAM, EventKind.RESTORED, State.PUBLISHED),
        (Verdict.REJECT, HAM, EventKind.RESTORED, State.PUBLISHED),
    ],
)
def test_feedback_is_a_decision(
    databases: Databases,
    verdict: Verdict,
    given: Feedback,
    kind: EventKind,
    target: State,
) -> None:
    """From wherever the comment stands; told twice, it has happened once and is learnt once."""
    desk = Desk(databases)
    desk.store("c", verdict)

    first = desk.tell("c", given)
    second = desk.tell("c", given, Moderator("akismet:ben"))

    assert first.to_state is second.to_state is target
    assert first.event is not None
    assert second.event is None
    assert desk.story("c") == [(kind, target)]
    learnt = desk.judged("c")
    assert {source for *_, source, _ in learnt} == {"feedback"}
    assert {by for *_, by in learnt} == {"akismet:anna"}
    labels = {label: value for label, value, *_ in learnt}
    assert labels == ({"spam": True} if given is SPAM else {"spam": False, "toxicity": False})


def test_the_case_is_closed_whoever_holds_it(databases: Databases) -> None:
    """The site's people have decided; a moderator in the middle of it is told how things stand."""
    desk = Desk(databases)
    desk.store("c", Verdict.HOLD)
    ann = Moderator("ann")
    held = []
    asyncio.run(
        desk.review.claim(
            "blog",
            "c",
            ann,
            take_over=False,
            render=lambda of: (held.append(of), (200, b""))[1],  # type: ignore[func-returns-value]
        )
    )

    desk.tell("c", SPAM)

    with databases.moderation.read() as connection:
        assert connection.execute(select(CASE.c.state)).scalar_one() == "resolved"
    late = Decision("c", Action.APPROVE, 1, held[0].version, held[0].case.claim_token)
    with pytest.raises(VersionChanged):
        asyncio.run(
            desk.review.decide("blog", late, ann, group=False, render=lambda *_: (200, b""))
        )


def test_another_word_on_another_label_is_learnt(databases: Databases) -> None:
    """Of what stands already only the news is kept; a label's last word counts."""
    desk = Desk(databases)
    desk.store("c", Verdict.APPROVE)
    toxic = feedback.of_labels({Label.TOXICITY: True})

    for given in (toxic, toxic, feedback.of_labels({Label.INSULT: True}), SPAM):
        desk.tell("c", given)

    assert desk.story("c") == [
        (EventKind.REMOVED, State.REMOVED),
        (EventKind.KEPT, State.REMOVED),
    ]
    assert [(label, value) for label, value, *_ in desk.judged("c")] == [
        ("toxicity", True),
        ("insult", True),
    ]


def test_labels_come_to_an_action() -> None:
    """Nothing true approves, spam alone is spam, anything else is refused with its label."""
    assert feedback.of_labels({Label.SPAM: False}).action is Action.APPROVE
    assert feedback.of_labels({Label.SPAM: True, Label.INSULT: False}).action is Action.SPAM
    rude = feedback.of_labels({Label.SPAM: True, Label.INSULT: True})
    assert (rude.action, rude.reason_code) == (Action.REJECT, "spam")


def test_usage_is_counted_with_what_it_counts(databases: Databases) -> None:
    """Calls by what they were answered, corrections once; native comments are not counted."""
    desk = Desk(databases)
    for name, verdict in (("a", Verdict.APPROVE), ("b", Verdict.SPAM), ("c", Verdict.HOLD)):
        desk.store(name, verdict)
    desk.store("a", Verdict.APPROVE)
    desk.store("native", Verdict.SPAM, tally=None)

    before = desk.counts()
    for name, given in (("a", SPAM), ("a", SPAM), ("b", HAM), ("c", SPAM)):
        desk.tell(name, given)

    assert before == Counts(calls=4, spam=1, ham=3)
    assert desk.counts() == Counts(calls=4, spam=1, ham=3, missed_spam=1, false_positives=1)
    with databases.moderation.read() as connection:
        assert usage.count_calls(connection, ["blog"], month="2026-11", origin=Origin.AKISMET) == 4
        assert usage.count_calls(connection, ["blog"], month="2026-11", origin=Origin.CORAL) == 0


def test_where_a_comment_came_from_is_kept(databases: Databases) -> None:
    """Whatever comes next of it, and by whom."""
    desk = Desk(databases)
    desk.store("c", Verdict.APPROVE)

    with databases.moderation.read() as connection:
        found = find_external(connection, "blog", "c")
        assert find_external(connection, "blog", "d") is None
        assert connection.execute(select(COMMENT.c.origin)).scalar_one() == "akismet"
    assert found is not None
    assert found.stored.origin == "akismet"


@pytest.mark.parametrize("given", [HAM, SPAM])
def test_a_judgement_of_one_text_decides_no_other(databases: Databases, given: Feedback) -> None:
    """Of a text that the comment has no more nothing is decided, learnt, counted or closed."""
    desk = Desk(databases)
    desk.store("c", Verdict.APPROVE, text="kind")
    desk.store("c", Verdict.HOLD, text="a threat")
    before = desk.counts()

    with pytest.raises(RevisionChanged, match="a threat"):
        desk.tell("c", given, text="kind")

    assert desk.story("c", whole=True)[-1] == (EventKind.EDITED, State.PENDING)
    assert desk.judged("c") == []
    assert desk.counts() == before
    with databases.moderation.read() as connection:
        assert connection.execute(select(CASE.c.state)).scalar_one() == "open"
    assert desk.tell("c", given, text="a threat").event.revision == 2


def test_nothing_is_decided_on_what_is_not_there(databases: Databases) -> None:
    """Neither on a comment that nobody has sent nor on one that was erased."""
    desk = Desk(databases)
    desk.store("c", Verdict.APPROVE)
    asyncio.run(desk.review.erase("blog", "c"))

    for text in ("another", "c"):
        with pytest.raises(CommentErased):
            desk.tell("c", SPAM, text=text)
    with pytest.raises(CommentNotFound):
        desk.tell("d", SPAM)
