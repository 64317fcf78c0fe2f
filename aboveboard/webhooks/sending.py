"""One try: sign what a message says now, post it, say what came of it."""

from datetime import datetime

from aboveboard.clock import Clock
from aboveboard.errors import AddressRefused, NotPosted
from aboveboard.posting import Poster, Why
from aboveboard.tables import instant
from aboveboard.targets import Targets, parse
from aboveboard.webhooks.endpoint import Tried, Webhook
from aboveboard.webhooks.message import Message, body, headers
from aboveboard.webhooks.sealing import Sealing


class Sender:
    """Posts messages to webhooks."""

    def __init__(self, *, poster: Poster, targets: Targets, sealing: Sealing, clock: Clock) -> None:
        self._poster = poster
        self._targets = targets
        self._sealing = sealing
        self._clock = clock

    async def send(self, webhook: Webhook, name: str, message: Message) -> Tried:
        """Try once. Raises SecretUnreadable."""
        now = self._clock()
        content = body(message)
        signed = headers(name, now, content, self._secrets(webhook, now))
        target = parse(webhook.url)
        try:
            # Once more: what the operator has named may be other than when it was made.
            self._targets.check(target)
            status = await self._poster.post(target, signed, content)
        except AddressRefused:
            return Tried(Why.ADDRESS_REFUSED)
        except NotPosted as error:
            return Tried(error.why)
        return Tried(str(status), status)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._poster.close()

    def _secrets(self, webhook: Webhook, now: datetime) -> list[str]:
        sealed = [webhook.secret]
        if webhook.older_secret is not None and (webhook.older_until or "") > instant(now):
            sealed.append(webhook.older_secret)
        return [self._sealing.open(webhook.id, one) for one in sealed]
