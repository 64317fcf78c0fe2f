"""A desk asks and writes for many comments at once: what it asks is counted, on both engines."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from counted_waits import Counting
from lone_review import lone_review
from screened_comments import putting, screened

from aboveboard.installation import Databases
from aboveboard.writer import CommandWriter
from moderation.cases.case import Moderator
from moderation.cases.transition import Action
from moderation.review.deciding import Decision
from moderation.review.reviewing import Result
from moderation.store import put
from moderation.verdict import Verdict

MOMENT = datetime(2026, 11, 28, tzinfo=UTC)
AT = "2026-11-28T00:00:00.000000Z"
ANN = Moderator("ann")


def test_many_are_decided_refused_and_taken_back_with_as_many_questions_as_few(
    databases: Databases,
) -> None:
    """Others wait for as long as it takes: 200 comments asked for one by one held them for 4 s."""
    writing = Counting(databases.moderation)
    review = lone_review(databases.moderation, lambda: MOMENT, writing=writing)
    held = [screened(f"c-{number:02}", Verdict.HOLD) for number in range(24)]
    asyncio.run(CommandWriter(databases.moderation).write(put, putting("blog", held, AT)))
    told: list[tuple[str | None, list[Result]]] = []

    def keep(decision_id: str | None, results: Any) -> tuple[int, bytes]:  # noqa: ANN401
        told.append((decision_id, results))
        return 200, b""

    waits = []
    for first, last in ((0, 4), (4, 24)):
        decisions = [
            Decision(f"c-{number:02}", Action.APPROVE, 1, number + 1)
            for number in range(first, last)
        ]
        asyncio.run(review.decide_many("blog", decisions, ANN, dry=False, render=keep))
        waits.append(writing.waits)
        decision_id, _ = told[-1]
        asyncio.run(review.undo("blog", decision_id or "", ANN, render=keep))
        waits.append(writing.waits)
        # Too late, all of them: each is told how its comment stands.
        asyncio.run(review.decide_many("blog", decisions, ANN, dry=False, render=keep))
        waits.append(writing.waits)

    done = [sum(each.decided is not None for each in results) for _, results in told]
    assert done == [4, 4, 0, 20, 20, 0]
    assert waits[:3] == waits[3:]
