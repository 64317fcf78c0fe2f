"""What is done every hour beside the serving: nobody waits for it, and none of it ends the rest."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import structlog

from aboveboard.clock import Clock
from consent.log.keeping import Keeping

HOUSEKEEPING_S = 3600
JUMP = timedelta(days=1)

Chores = Mapping[str, Callable[[], Awaitable[object]]]
"""What is done every hour, by name."""

log = structlog.get_logger(__name__)


class Housekeeping:
    """Does every chore, time and again; *outcomes* counts by chore and what came of it.

    Where *clock* went ahead by `JUMP` more than *elapsed* did, a round is left out: what it erases
    for its age does not come back when somebody sets the clock right.
    """

    def __init__(
        self,
        keeping: Keeping,
        chores: Chores,
        *,
        clock: Clock,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keeping = keeping
        self._chores = chores
        self._clock = clock
        self._elapsed = elapsed
        self.outcomes = Counter({(name, how): 0 for name in chores for how in ("done", "failed")})

    async def run(self) -> None:
        """Do everything now and every hour, for ever."""
        before = self._begun()
        while True:
            await sync(self._keeping)
            now = self._begun()
            if now - before > JUMP:
                log.warning("clock_jumped")
            else:
                for name, work in self._chores.items():
                    self.outcomes[name, await _chore(name, work)] += 1
            before = now
            await asyncio.sleep(HOUSEKEEPING_S)

    def _begun(self) -> datetime:
        """Return when the time that has elapsed began, by the clock: the same until that is set."""
        return self._clock() - timedelta(seconds=self._elapsed())


async def sync(keeping: Keeping) -> None:
    """Have the kept checkpoints outlast a power cut, too: their commits do not wait for that."""
    try:
        await asyncio.to_thread(keeping.sync)
    except OSError as error:
        log.error("checkpoints_not_synced", error=type(error).__name__)  # noqa: TRY400 - no traces


async def _chore(name: str, work: Callable[[], Awaitable[object]]) -> str:
    """Do what nobody waits for: should it fail, it is told, and tried again in an hour."""
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other chores are due
        log.error("chore_failed", chore=name, error=type(error).__name__)  # noqa: TRY400 - no values
        return "failed"
    return "done"
