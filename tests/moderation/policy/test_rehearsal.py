"""Dry runs: however many are asked for, few are under way, and each asks for little."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from screened_comments import putting, screened
from sqlalchemy import Executable, update

from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.writer import CommandWriter
from moderation.policy.judging import Policy
from moderation.policy.pseudonym import Pseudonyms
from moderation.policy.rehearsal import AT_ONCE, Rehearsal, Rehearsing
from moderation.policy.resemblance import resemblance
from moderation.policy.rules import Limit, Rules
from moderation.policy.traits import Tracing, Traits
from moderation.store import put
from moderation.tables import REVISION, instant
from moderation.verdict import LABEL_NAMES, Verdict


class Waiting:
    """Counts who reads at once."""

    def __init__(self) -> None:
        self.reading = self.most = 0

    async def query(self, _ask: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - as it is declared
        """Take some turns of the event loop."""
        self.reading += 1
        self.most = max(self.most, self.reading)
        for _ in range(10):
            await asyncio.sleep(0)
        self.reading -= 1
        return Rehearsal(0, ())


def test_dry_runs_leave_connections_to_others() -> None:
    """Each keeps one for as long as it judges."""
    waiting, policy = Waiting(), Policy("1", {})
    tracing = Tracing(Pseudonyms(author_key=bytes(32), address_key=lambda _day: bytes(32)))
    rehearsing = Rehearsing(reading=waiting, asking=Rows, tracing=tracing)

    async def work() -> int:
        since = datetime(2026, 1, 1, tzinfo=UTC)
        asked = [
            rehearsing.rehearse("site", policy, policy, since=since, limit=1)
            for _ in range(3 * AT_ONCE)
        ]
        return len(await asyncio.gather(*asked))

    assert asyncio.run(work()) == 3 * AT_ONCE
    assert waiting.most == AT_ONCE


def test_what_both_policies_ask_is_asked_once_and_together(databases: Databases) -> None:
    """Of 10,000 comments, each question for itself and twice took a minute on PostgreSQL."""
    noted: list[str] = []

    class Noting(Rows):
        """Notes when something is asked, and when an answer is wanted."""

        def ask(self, select: Executable, /, **values: Any) -> Any:  # noqa: ANN401 - the driver's own
            noted.append("asked")
            answer = super().ask(select, **values)

            def read() -> Any:  # noqa: ANN401 - the driver's own
                noted.append("read")
                return answer()

            return read

    begin, text = (
        datetime(2026, 1, 1, tzinfo=UTC),
        "the very same words, said four times over by somebody who has nothing else to say",
    )
    traits = Traits(fingerprint=resemblance(text).fingerprint)
    said = [screened(f"c-{each}", Verdict.APPROVE, text, traits=traits) for each in range(4)]
    writing = CommandWriter(databases.moderation)
    asyncio.run(writing.write(put, putting("blog", said, instant(begin))))
    harmless = orjson.dumps(dict.fromkeys(LABEL_NAMES, 0.0)).decode()
    with databases.moderation.write() as connection:
        connection.execute(update(REVISION).values(labels=harmless))
    tracing = Tracing(Pseudonyms(author_key=bytes(32), address_key=lambda _day: bytes(32)))
    rehearsing = Rehearsing(reading=databases.moderation, asking=Noting, tracing=tracing)
    present, other = (
        Policy(number, {}, Rules(same=Limit(1, 60, verdict)))
        for number, verdict in (("1", Verdict.HOLD), ("2", Verdict.SPAM))
    )

    found = asyncio.run(rehearsing.rehearse("blog", present, other, since=begin, limit=10))

    (change,) = found.changes
    # The first of them came in before there was another.
    assert (change.before, change.after, change.comments) == (Verdict.HOLD, Verdict.SPAM, 3)
    assert noted == ["asked"] * 4 + ["read"] * 4
