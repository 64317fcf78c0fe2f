"""What works beside the serving for as long as it lasts: nothing of it may end unnoticed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import structlog

AGAIN_S = 10

Works = Mapping[str, Callable[[], Awaitable[None]]]
"""What works for ever, by name; what has nothing to do returns."""

log = structlog.get_logger(__name__)


class Background:
    """Keeps every work going; *failures* counts, by its name, how often one had to begin anew."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._tasks: list[asyncio.Task[None]] = []
        self.failures = Counter(dict.fromkeys(works, 0))

    def start(self) -> None:
        """Start every work; called from the serving event loop."""
        self._tasks = [asyncio.create_task(self._keep(name)) for name in self._works]

    def cancel(self) -> None:
        """End every work."""
        for task in self._tasks:
            task.cancel()

    async def _keep(self, name: str) -> None:
        while True:
            try:
                await self._works[name]()
            except Exception as error:  # noqa: BLE001 - whatever it is, there is still work
                self.failures[name] += 1
                log.error("work_failed", work=name, error=type(error).__name__)  # noqa: TRY400 - no values
            else:
                return
            await asyncio.sleep(AGAIN_S)
