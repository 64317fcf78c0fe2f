"""Dry runs: however many are asked for, few are under way."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moderation.policy.judging import Policy
from moderation.policy.pseudonym import Pseudonyms
from moderation.policy.rehearsal import AT_ONCE, Rehearsal, Rehearsing
from moderation.policy.traits import Tracing


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
    rehearsing = Rehearsing(reading=waiting, tracing=tracing)

    async def work() -> int:
        since = datetime(2026, 1, 1, tzinfo=UTC)
        asked = [
            rehearsing.rehearse("site", policy, policy, since=since, limit=1)
            for _ in range(3 * AT_ONCE)
        ]
        return len(await asyncio.gather(*asked))

    assert asyncio.run(work()) == 3 * AT_ONCE
    assert waiting.most == AT_ONCE
