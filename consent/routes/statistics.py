"""`/v1/consent/statistics`: counts of many, never anybody."""

from collections.abc import Callable

from consent.audit.statistics import Asked, Counting
from consent.routes.call import Answer, Call
from consent.wire import statistics as wire


class StatisticsRoutes:
    """Counting what was shown and answered."""

    def __init__(self, *, counting: Counting) -> None:
        self._counting = counting

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="GET",
            path="/v1/consent/statistics",
            handler=self.count,
            name="getStatistics",
            summary="Count how often notices were shown, and how they were answered",
            scope="consent:audit",
            query=wire.StatisticsIn,
            answers={200: wire.StatisticsOut},
        )

    async def count(self, call: Call) -> Answer:
        """Answer 200 with the counts."""
        asked = wire.StatisticsIn.model_validate_strings(call.query())
        counted = await self._counting.count(
            call.site(asked.site), Asked(asked.from_, asked.to, asked.notice_id, asked.by)
        )
        return 200, wire.statistics(counted)
