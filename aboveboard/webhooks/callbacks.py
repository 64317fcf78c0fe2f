"""Calls Akismet's clients back: as webhooks are delivered, to where a webhook may lead.

The key that a client knows us by is in the body, as Akismet has it; it lies sealed until then.
"""

import asyncio
from collections.abc import Callable

import orjson
import structlog

from aboveboard.clock import Clock, Random
from aboveboard.errors import AddressRefused, NotPosted, SecretUnreadable, WebhookUnusable
from aboveboard.posting import Poster
from aboveboard.targets import Targets, parse
from aboveboard.webhooks.endpoint import drawn, is_to_be_parked, retry_after
from moderation.compat.akismet.callbacks import Callbacks, Due, name

LOOK_S = 5.0  # between looks for somebody to call

log = structlog.get_logger(__name__)


class CallingBack:
    """Tells clients that verdicts were taken back, each for a day at most."""

    def __init__(
        self,
        callbacks: Callbacks,
        *,
        poster: Poster,
        targets: Targets,
        unseal: Callable[[str, str], str],
        clock: Clock,
        random: Random,
    ) -> None:
        self._callbacks = callbacks
        self._poster = poster
        self._targets = targets
        self._unseal = unseal
        self._clock = clock
        self._random = random

    async def run(self) -> None:
        """Work for ever."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the service goes on
                log.error("callbacks_failed", error=type(error).__name__)  # noqa: TRY400 - no values
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Call everybody who is to be called now."""
        await asyncio.gather(*(self._call(due) for due in await self._callbacks.take()))

    async def _call(self, due: Due) -> None:
        now = self._clock()
        try:
            told = await self._post(due)
        except (AddressRefused, WebhookUnusable, SecretUnreadable) as error:
            # It will not get better: a check names a new address, or none.
            log.warning("callback_refused", error=type(error).__name__)
            await self._callbacks.settle(due, told=False)
            return
        if told or is_to_be_parked(due.first_tried or now, now):
            await self._callbacks.settle(due, told=told)
            return
        again = retry_after(due.attempts + 1, drawn(self._random))
        await self._callbacks.settle(due, told=False, again=again)

    async def _post(self, due: Due) -> bool:
        target = parse(due.url)
        self._targets.check(target)
        key = self._unseal(name(due.site_id, due.comment_id), due.sealed)
        body = orjson.dumps({"key": key, **(due.content or {})})
        try:
            status = await self._poster.post(target, {"content-type": "application/json"}, body)
        except NotPosted:
            return False
        return 200 <= status < 300  # noqa: PLR2004

    async def close(self) -> None:
        """Let go of the connections."""
        await self._poster.close()
