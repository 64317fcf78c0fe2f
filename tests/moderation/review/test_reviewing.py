"""What review does by itself, on both engines: retention, alarms, bytes that leave the files."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lone_review import lone_review
from rows_read import rows_read
from screened_comments import putting, screened
from sqlalchemy import Connection, insert, select, update

from aboveboard import moderating
from aboveboard.database import Database
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.sweeping import Sweeper
from aboveboard.writer import BATCH_LIMIT, CommandWriter
from moderation.cases import events, sampling, search
from moderation.cases.case import Moderator
from moderation.cases.sampling import Outcome
from moderation.cases.search import Query
from moderation.cases.setting import ReviewSetting
from moderation.cases.transition import Action, EventKind, Role
from moderation.errors import IdempotencyMismatch, SettingDamaged
from moderation.review import upkeep
from moderation.review.deciding import DECISION_ROWS, Decision
from moderation.review.erasing import Erased, Erasing
from moderation.review.queue import Filter, Order
from moderation.review.reviewing import EVERY_CASE, Result
from moderation.review.upkeep import Upkeep
from moderation.store import Idempotency, put
from moderation.tables import (
    CASE,
    COMMENT,
    EVENT,
    REPORT,
    REPORTER,
    REVIEW_SETTING,
    SAMPLE,
    instant,
)
from moderation.verdict import State, Verdict

BEGIN = datetime(2026, 11, 28, tzinfo=UTC)
JANE = '{"author":{"id":"jane-of-zebulon","email":"jane@zebulon.example"}}'
NEVER_SAID_BEFORE = "zyzzogeton and quixotry, says nobody but this test"


class Sized(CommandWriter):
    """Notes how many rows each command is said to write."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.sizes: list[int] = []

    async def write(self, handler: Any, command: Any, *, size: int = 1) -> Any:  # noqa: ANN401
        """Write, and note the size."""
        self.sizes.append(size)
        return await super().write(handler, command, size=size)


class Desk:
    """A site's review without a service; *moment* is the present."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.moment = BEGIN
        self.writing = Sized(databases.moderation)
        self.sweeper = Sweeper(databases.moderation, moderating.ERASED_COMMENTS, words=True)
        self.noted: list[Erased] = []
        self.erasing = Erasing(
            writing=self.writing,
            reading=databases.moderation,
            clock=lambda: self.moment,
            note=self.noted.append,
            sweep=self.sweeper.note,
        )
        self.review = lone_review(
            databases.moderation, lambda: self.moment, writing=self.writing, erasing=self.erasing
        )
        self.upkeep = Upkeep(
            writing=self.writing,
            reading=databases.moderation,
            clock=lambda: self.moment,
            erasing=self.erasing,
        )

    def store(
        self, *comments: tuple[str, str, Verdict], site: str = "blog", details: str = "{}"
    ) -> None:
        """Store comments: id, text, verdict."""
        judged = [
            screened(comment_id, verdict, text, details=details)
            for comment_id, text, verdict in comments
        ]
        command = putting(site, judged, instant(self.moment), draw=lambda _: 0.01)
        asyncio.run(self.writing.write(put, command))

    def states(self) -> dict[str, str]:
        """Return the state of every comment."""
        with self.databases.moderation.read() as connection:
            found = connection.execute(select(COMMENT.c.id, COMMENT.c.state))
            return {row.id: row.state for row in found}


def test_what_was_kept_long_enough_is_erased(databases: Databases) -> None:
    """By state and age, of the sites that say so, more than one transaction takes; then no more."""
    desk = Desk(databases)
    old = [(f"old-{number:03}", "spam", Verdict.SPAM) for number in range(150)]
    desk.store(*old, ("kept", "ham", Verdict.APPROVE))
    desk.store(("elsewhere", "spam", Verdict.SPAM), site="other")
    desk.moment += timedelta(days=20)
    desk.store(("new", "spam", Verdict.SPAM))
    asyncio.run(desk.review.put_setting("blog", ReviewSetting(keep_days={State.SPAM: 30})))

    asyncio.run(desk.upkeep.keep_to_retention())
    before = desk.states()
    desk.moment += timedelta(days=11)
    asyncio.run(desk.upkeep.keep_to_retention())

    assert State.ERASED not in before.values()
    after = desk.states()
    assert {after[name] for name, _, _ in old} == {"erased"}
    assert (after["kept"], after["new"], after["elsewhere"]) == ("published", "spam", "spam")


def test_upkeep_leaves_the_writer_to_others_in_between(databases: Databases) -> None:
    """No transaction of it is larger than one of many requests together, and each says its size."""
    desk = Desk(databases)
    held = [(f"held-{number:03}", "rude", Verdict.HOLD) for number in range(150)]
    desk.store(*((f"old-{number:03}", "spam", Verdict.SPAM) for number in range(150)), *held)
    asyncio.run(desk.review.put_setting("blog", ReviewSetting(keep_days={State.SPAM: 30})))
    desk.moment += timedelta(days=31)

    for work in (desk.upkeep.keep_to_retention, desk.upkeep.alarm):
        desk.writing.sizes.clear()
        asyncio.run(work())

        assert max(desk.writing.sizes) <= BATCH_LIMIT
        assert sum(desk.writing.sizes) == 150 * DECISION_ROWS


def test_one_site_that_fails_ends_no_other(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are kept to what they want, and the failure is told in the end."""
    desk = Desk(databases)
    for site in ("a", "b", "c"):
        desk.store((f"old-{site}", "spam", Verdict.SPAM), site=site)
        asyncio.run(desk.review.put_setting(site, ReviewSetting(keep_days={State.SPAM: 30})))
    desk.moment += timedelta(days=31)
    age = desk.erasing.age

    async def fail_for_one(site_id: str, comment_ids: Sequence[str]) -> None:
        if site_id == "a":
            raise OSError("disk full")
        await age(site_id, comment_ids)

    monkeypatch.setattr(desk.erasing, "age", fail_for_one)

    with pytest.raises(OSError, match="disk full"):
        asyncio.run(desk.upkeep.keep_to_retention())

    assert desk.states() == {"old-a": "spam", "old-b": "erased", "old-c": "erased"}


@pytest.mark.parametrize("stored", ["{", "[]"])
def test_a_damaged_setting_costs_no_other_site_its_own(databases: Databases, stored: str) -> None:
    """It says nothing any more of how long to keep; the others are kept to what they want."""
    desk = Desk(databases)
    for site in ("a", "b"):
        desk.store((f"old-{site}", "spam", Verdict.SPAM), site=site)
        asyncio.run(desk.review.put_setting(site, ReviewSetting(keep_days={State.SPAM: 30})))
    with databases.moderation.write() as connection:
        connection.execute(
            update(REVIEW_SETTING).where(REVIEW_SETTING.c.site_id == "a").values(setting=stored)
        )
    desk.moment += timedelta(days=31)

    with pytest.raises(SettingDamaged):
        asyncio.run(desk.upkeep.keep_to_retention())

    assert desk.states() == {"old-a": "spam", "old-b": "erased"}


def test_no_comment_waits_for_a_damaged_setting(databases: Databases) -> None:
    """Comments come in and are told of as nothing was set, until it is set anew; to ask is told."""
    desk = Desk(databases)
    asyncio.run(desk.review.put_setting("blog", ReviewSetting(alarm_hours=1.0)))
    with databases.moderation.write() as connection:
        connection.execute(update(REVIEW_SETTING).values(setting="{"))

    desk.store(("waits", "rude", Verdict.HOLD))
    desk.moment += timedelta(hours=73)
    asyncio.run(desk.upkeep.alarm())
    shown, _ = asyncio.run(desk.review.read("blog", "waits"))
    with pytest.raises(SettingDamaged):
        asyncio.run(desk.review.get_setting("blog"))
    asyncio.run(desk.review.put_setting("blog", ReviewSetting(wait_hours=1.0)))

    assert desk.states() == {"waits": "pending"}
    assert [event.kind for event in shown.events] == [EventKind.SUBMITTED, EventKind.EXPIRED]
    assert asyncio.run(desk.review.get_setting("blog")).wait_hours == 1.0


def test_a_key_is_good_for_a_day(databases: Databases) -> None:
    """Until then it gets its first answer, and no other body; after that it is a new one."""
    desk = Desk(databases)
    desk.store(("fine", "ham", Verdict.APPROVE))

    def report(reason: str) -> bytes:
        sent = desk.review.report(
            "blog",
            "fine",
            reader="jane",
            reason=reason,
            render=lambda at: (201, at.encode()),
            idempotency=Idempotency("reports", "key-1", reason),
        )
        return asyncio.run(sent)[1]

    first = report("insult")
    desk.moment += timedelta(hours=24)
    assert report("insult") == first
    with pytest.raises(IdempotencyMismatch):
        report("spam")
    desk.moment += timedelta(seconds=1)

    assert report("spam") != first
    with databases.moderation.read() as connection:
        assert connection.execute(select(REPORT.c.reason)).scalars().all() == ["spam"]


def test_only_what_was_approved_or_held_is_drawn(databases: Databases) -> None:
    """What was hidden or refused says nothing of what is missed, and nobody has to look at it."""
    desk = Desk(databases)
    desk.store(*((verdict.value, verdict.value, verdict) for verdict in Verdict))

    with databases.moderation.read() as connection:
        drawn = connection.execute(select(SAMPLE.c.comment_id, SAMPLE.c.held)).all()
        cases = connection.execute(select(CASE.c.comment_id)).scalars().all()
    assert {tuple(row) for row in drawn} == {("approve", False), ("hold", True)}
    assert set(cases) == {"approve", "hold"}


def test_what_waits_too_long_is_told_of_once_and_stays(databases: Databases) -> None:
    """A10: an event of the system, no change of state, no second one for the same wait."""
    desk = Desk(databases)
    desk.store(("held", "rude", Verdict.HOLD), ("fine", "ham", Verdict.APPROVE))
    asyncio.run(desk.upkeep.alarm())
    desk.moment += timedelta(hours=73)

    asyncio.run(desk.upkeep.alarm())
    asyncio.run(desk.upkeep.alarm())

    with databases.moderation.read() as connection:
        story = events.list_comment(connection, "blog", "held")
    assert [(event.kind, event.to_state) for event in story] == [
        (EventKind.SUBMITTED, State.PENDING),
        (EventKind.EXPIRED, State.PENDING),
    ]
    assert desk.states() == {"held": "pending", "fine": "published"}


def test_a_long_queue_is_looked_through_once_for_what_waits(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told of by parts, and not looked for anew after each."""
    monkeypatch.setattr(upkeep, "TOLD", 2)
    desk = Desk(databases)
    desk.store(*((f"held-{number}", "rude", Verdict.HOLD) for number in range(7)))
    desk.moment += timedelta(hours=73)
    looks: list[int] = []
    look = upkeep._waiting

    def counted(connection: Connection, *, site_id: str, before: str) -> list[str]:
        found = look(connection, site_id=site_id, before=before)
        looks.append(len(found))
        return found

    monkeypatch.setattr(upkeep, "_waiting", counted)

    asyncio.run(desk.upkeep.alarm())

    assert looks == [7]
    with databases.moderation.read() as connection:
        assert connection.scalars(select(CASE.c.alarmed)).all() == [True] * 7


def test_the_bytes_of_an_erased_comment_leave_the_files(databases: Databases) -> None:
    """SQLite's file, its write-ahead log and the full-text index hold no word of it."""
    desk = Desk(databases)
    filler = [(f"c-{number:03}", f"rude words {number}", Verdict.HOLD) for number in range(80)]
    long = " ".join(f"quixotic-{number}" for number in range(2_000))
    desk.store(*filler[:40])
    desk.store(("gone", f"{NEVER_SAID_BEFORE} {long}", Verdict.HOLD), details=JANE)
    desk.store(*filler[40:])
    asyncio.run(
        desk.review.note(
            "blog",
            "gone",
            Moderator("ann"),
            "a note nobody else would write: xylophagous",
            render=lambda *_: (201, b""),
        )
    )
    path = databases.moderation.sqlite_path
    said = ("zyzzogeton", "quixotry", "quixotic", "xylophagous", "zebulon")
    words = [word.encode() for word in said]
    there = path is None or any(word in _bytes(path) for word in words)

    asyncio.run(desk.review.erase("blog", "gone"))
    asyncio.run(desk.erasing.tidy())
    asyncio.run(desk.sweeper.finish(desk.writing))

    assert there
    assert desk.states()["gone"] == "erased"
    if path is not None:
        assert not any(word in _bytes(path) for word in words)


def test_tidying_that_failed_is_done_the_next_time(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was erased may still be in the index; once all is tidy there is nothing to do."""
    desk = Desk(databases)
    asked: list[int] = []
    answers: list[bool | Exception] = [True, OSError("disk full"), True, False]

    async def write(_handler: object, pages: int) -> bool:
        asked.append(pages)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(desk.writing, "write", write)

    with pytest.raises(OSError, match="disk full"):
        asyncio.run(desk.erasing.tidy())
    asyncio.run(desk.erasing.tidy())
    asyncio.run(desk.erasing.tidy())

    first, more = asked[:2]
    assert asked == [first, more, first, more]
    assert first < 0


def _bytes(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


def test_what_is_decided_at_once_is_told_by_its_rows(databases: Databases) -> None:
    """A group of 30 and its undo are as many times the rows of one decision to the writer."""
    desk = Desk(databases)
    desk.store(*((f"c-{number:02}", NEVER_SAID_BEFORE, Verdict.HOLD) for number in range(30)))
    by, decided = Moderator("ann"), []

    def render(decision_id: str | None, done: Sequence[Result]) -> tuple[int, bytes]:
        decided.append((decision_id, [each.decided is not None for each in done]))
        return 200, b""

    async def work() -> None:
        await desk.review.claim("blog", "c-05", by, take_over=False, render=token.append)
        decision = Decision("c-05", Action.SPAM, 1, 6, token[0].case.claim_token)
        await desk.review.decide("blog", decision, by, group=True, render=render)
        await desk.review.undo("blog", decided[0][0] or "", by, render=render)

    token: list[Any] = []
    asyncio.run(work())

    assert [done for _, done in decided] == [[True] * 30] * 2
    _, claim, group, undo = desk.writing.sizes
    assert group == undo == 30 * claim


def test_who_waits_for_what_is_rare_keeps_nobody_waiting(databases: Databases) -> None:
    """Where there is none nothing is written; where there may be, not on the event loop."""
    desk = Desk(databases)
    desk.store(("c-1", "quixotry", Verdict.HOLD))
    found: list[Any] = []

    def ask(label: str | None) -> list[int]:
        desk.writing.sizes.clear()
        wanted = Filter(label=label, seen_by="ann", free=True)
        asyncio.run(
            desk.review.claim_next(
                "blog",
                Moderator("ann"),
                wanted,
                Order.OLDEST,
                render=lambda held: (200, found.append(held) or b""),
            )
        )
        return desk.writing.sizes

    (case,) = asyncio.run(
        desk.review.list_cases(["blog"], Filter(), Order.OLDEST, after=None, limit=9)
    )[0]
    assert ask("threat") == []
    assert ask(case.case.label) == [EVERY_CASE]
    assert ask(None) == [DECISION_ROWS]
    assert [held is None for held in found] == [True, False, False]


def test_a_case_that_opens_again_is_indexed_by_what_is_said_now(
    databases: Databases,
) -> None:
    """Its old words, which an edit left there as it needed nobody, find it no more."""
    desk = Desk(databases)
    desk.store(("c-1", "quixotry", Verdict.HOLD))
    by = Moderator("ann")
    token: list[Any] = []

    async def approve() -> None:
        await desk.review.claim("blog", "c-1", by, take_over=False, render=token.append)
        decision = Decision("c-1", Action.APPROVE, 1, 1, token[0].case.claim_token)
        await desk.review.decide("blog", decision, by, group=False, render=lambda *_: (200, b""))

    asyncio.run(approve())
    desk.store(("c-1", "zyzzogeton", Verdict.APPROVE))
    asyncio.run(
        desk.review.report("blog", "c-1", reader="r", reason="insult", render=lambda _: (202, b""))
    )

    with databases.moderation.read() as connection:
        found = [
            connection.scalars(search.found("blog", Query([([word], False)]))).all()
            for word in ("quixotry", "zyzzogeton")
        ]
    assert found == [[], ["c-1"]]


def test_the_sample_is_told_by_whole_days(databases: Databases) -> None:
    """Nobody sees a decision counted while they decide; an undone one counts no more."""
    desk = Desk(databases)
    desk.store(
        *((f"held-{number}", "rude", Verdict.HOLD) for number in range(3)),
        *((f"passed-{number}", "ham", Verdict.APPROVE) for number in range(4)),
    )
    ann, decisions = Moderator("ann"), []

    def outcome() -> tuple[Outcome, datetime]:
        return asyncio.run(desk.review.statistics("blog", since=None))

    def decide(comment_id: str, version: int, action: Action) -> None:
        async def work() -> None:
            held: list[Any] = []
            await desk.review.claim("blog", comment_id, ann, take_over=False, render=held.append)
            decision = Decision(
                comment_id, action, 1, version, held[0].case.claim_token, reason_code="insult"
            )
            await desk.review.decide(
                "blog", decision, ann, group=False, render=lambda *of: decisions.append(of)
            )

        asyncio.run(work())

    drawn_today, _ = outcome()
    desk.moment += timedelta(days=1)
    decide("held-0", 1, Action.REJECT)
    decide("held-1", 2, Action.APPROVE)
    decide("passed-0", 4, Action.REJECT)
    decide("passed-1", 5, Action.APPROVE)
    decided_today, until = outcome()
    desk.moment += timedelta(days=1)
    found, _ = outcome()
    asyncio.run(desk.review.undo("blog", decisions[2][0], ann, render=lambda *_: (200, b"")))
    undone, _ = outcome()

    assert (drawn_today.drawn, decided_today.drawn, decided_today.undecided) == (0, 7, 7)
    assert until == BEGIN + timedelta(days=1)
    assert (found.drawn, found.undecided) == (7, 3)
    assert [(share.right, share.all) for share in found[2:]] == [(1, 2), (1, 2), (1, 2)]
    assert [(share.right, share.all) for share in undone[2:]] == [(1, 2), (1, 1), (0, 1)]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_the_sample_is_told_without_a_look_at_every_event(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only at those by which something was decided of it."""
    desk = Desk(databases)
    with databases.moderation.write() as connection:
        connection.execute(
            insert(EVENT),
            [
                {
                    "site_id": "blog",
                    "seq": number,
                    "at": "2026",
                    "comment_id": "c",
                    "revision": 1,
                    "kind": "kept",
                    "actor_kind": "moderator",
                    "to_state": "published",
                }
                for number in range(10_000)
            ],
        )
        connection.execute(
            insert(SAMPLE),
            [
                {
                    "site_id": "blog",
                    "comment_id": f"c-{number}",
                    "revision": 1,
                    "held": True,
                    "at": "2026",
                    "violating": True if number < 10 else None,
                    "event_seq": 900 * number if number < 10 else None,
                }
                for number in range(2_000)
            ],
        )
        connection.exec_driver_sql("ANALYZE")
    read: list[int] = []

    async def count(database: Database, ask: Callable[[Connection], Outcome]) -> Outcome:
        with database.read() as connection:
            read.append(rows_read(connection, ask))
            return ask(connection)

    monkeypatch.setattr(Database, "query", count)
    desk.moment = BEGIN + timedelta(days=900)
    outcome, _ = asyncio.run(desk.review.statistics("blog", since=None))

    assert (outcome.drawn, outcome.undecided, outcome.precision.right) == (2_000, 1_990, 10)
    assert sum(read) < 10_000


def test_of_the_sample_the_last_word_counts(databases: Databases) -> None:
    """What is decided otherwise later is a mistake no more; taken back, the first word counts."""
    desk = Desk(databases)
    desk.store(("passed", "ham", Verdict.APPROVE))
    ann, eva = Moderator("ann"), Moderator("eva", Role.MANAGER)
    held: list[Any] = []
    decisions: list[Any] = []

    async def work() -> None:
        await desk.review.claim("blog", "passed", ann, take_over=False, render=held.append)
        for by, action, version, token in (
            (ann, Action.REJECT, 1, held[0].case.claim_token),
            (eva, Action.APPROVE, 2, None),
        ):
            decision = Decision("passed", action, 1, version, token, reason_code="insult")
            await desk.review.decide(
                "blog", decision, by, group=False, render=lambda *of: decisions.append(of)
            )

    def mistakes() -> tuple[int, int]:
        outcome, _ = asyncio.run(desk.review.statistics("blog", since=None))
        return outcome.false_approvals.right, outcome.false_approvals.all

    asyncio.run(work())
    desk.moment += timedelta(days=1)
    corrected = mistakes()
    asyncio.run(desk.review.undo("blog", decisions[1][0], eva, render=lambda *_: (200, b"")))

    assert (corrected, mistakes()) == ((0, 1), (1, 1))


def test_a_comment_is_drawn_by_a_number_that_nobody_foresees() -> None:
    """The same comment always the same; over many comments as often as the rate says."""
    draw = sampling.draw(lambda body: f"{hash(body) & (1 << 64) - 1:016x}")
    numbers = [draw(f"comment-{number}") for number in range(2_000)]

    assert all(0 <= number < 1 for number in numbers)
    assert draw("comment-1") == numbers[1]
    assert 700 < sum(number < 0.5 for number in numbers) < 1_300


def test_intervals_are_wilsons() -> None:
    """Against published values: 0 of 10, 10 of 10, and 81 of 263 (Newcombe 1998)."""
    none, every, some = sampling.share(0, 10), sampling.share(10, 10), sampling.share(81, 263)

    assert (none.low, round(none.high or 0, 4)) == (0.0, 0.2775)
    assert (round(every.low or 0, 4), round(every.high or 0, 4)) == (0.7225, 1.0)
    assert (round(some.low or 0, 4), round(some.high or 0, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize("undone", [False, True])
def test_reports_are_settled_together(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, *, undone: bool
) -> None:
    """A decision asks the database as often whether one reader has reported or many have."""
    desk = Desk(databases)
    desk.store(("c-1", "quixotry", Verdict.HOLD), ("c-2", "zyzzogeton", Verdict.HOLD))
    by = Moderator("ann")
    asked: dict[str, int] = {}

    async def reported(comment_id: str, readers: int) -> None:
        for number in range(readers):
            await desk.review.report(
                "blog",
                comment_id,
                reader=f"{comment_id}-{number}",
                reason="insult",
                render=lambda _: (202, b""),
            )

    async def reject(comment_id: str, version: int) -> None:
        token: list[Any] = []
        await desk.review.claim("blog", comment_id, by, take_over=False, render=token.append)
        decision = Decision(
            comment_id, Action.REJECT, 1, version, token[0].case.claim_token, "insult"
        )
        made: list[str] = []
        await desk.review.decide(
            "blog",
            decision,
            by,
            group=False,
            render=lambda *told: (200, made.append(told[0]) or b""),
        )
        if undone:
            await desk.review.undo("blog", made[0], by, render=lambda *_: (200, b""))

    run = Rows._run

    def counted(rows: Rows, sql: str, values: Any) -> Any:  # noqa: ANN401 - the driver's own
        asked[comment_id] = asked.get(comment_id, 0) + 1
        return run(rows, sql, values)

    for version, (comment_id, readers) in enumerate((("c-1", 1), ("c-2", 12)), start=1):
        asyncio.run(reported(comment_id, readers))
        with monkeypatch.context() as patched:
            patched.setattr(Rows, "_run", counted)
            asyncio.run(reject(comment_id, version))

    assert asked["c-2"] == asked["c-1"]
    with databases.moderation.read() as connection:
        counted = set(connection.execute(select(REPORTER.c.upheld, REPORTER.c.dismissed)).all())
    assert counted == {(0 if undone else 1, 0)}
