"""`/v1/webhooks`: where a site is told of what happens."""

from collections.abc import Callable
from datetime import timedelta

from aboveboard.accounts import Scope
from aboveboard.operations import Answer, Call
from aboveboard.problems import MEDIA_TYPE
from aboveboard.webhooks import wire
from aboveboard.webhooks.managing import Webhooks

PROBLEM = MEDIA_TYPE.decode()
ONE = "/v1/webhooks/{webhook_id}"


class WebhookRoutes:
    """Handlers of `/v1/webhooks` and what is below it."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        self._declare_webhooks(operation)
        self._declare_deliveries(operation)

    def _declare_webhooks(self, operation: Callable[..., None]) -> None:
        operation(
            method="POST",
            path="/v1/webhooks",
            handler=self.create,
            name="createWebhook",
            summary="Make a webhook; its secret is shown this once",
            scope=Scope.SITE_ADMIN,
            body=wire.WebhookIn,
            answers={201: wire.WebhookMadeOut},
        )
        operation(
            method="GET",
            path="/v1/webhooks",
            handler=self.list_all,
            name="listWebhooks",
            summary="List the webhooks of a site",
            scope=Scope.SITE_ADMIN,
            query=wire.WebhooksIn,
            answers={200: wire.WebhooksOut},
        )
        operation(
            method="GET",
            path=ONE,
            handler=self.get,
            name="getWebhook",
            summary="Read a webhook",
            scope=Scope.SITE_ADMIN,
            query=wire.WebhooksIn,
            answers={200: wire.WebhookOut, 404: PROBLEM},
        )
        operation(
            method="PATCH",
            path=ONE,
            handler=self.change,
            name="changeWebhook",
            summary="Change a webhook's address or events, disable or enable it",
            scope=Scope.SITE_ADMIN,
            body=wire.WebhookChangeIn,
            answers={200: wire.WebhookOut, 404: PROBLEM},
        )
        operation(
            method="DELETE",
            path=ONE,
            handler=self.remove,
            name="removeWebhook",
            summary="Remove a webhook and its deliveries",
            scope=Scope.SITE_ADMIN,
            query=wire.WebhooksIn,
            answers={200: wire.WebhookOut, 404: PROBLEM},
        )
        operation(
            method="POST",
            path=f"{ONE}/secrets",
            handler=self.rotate,
            name="rotateWebhookSecret",
            summary="Give a webhook another secret, shown this once; for a while both sign",
            scope=Scope.SITE_ADMIN,
            body=wire.SecretIn,
            answers={201: wire.WebhookMadeOut, 404: PROBLEM},
        )

    def _declare_deliveries(self, operation: Callable[..., None]) -> None:
        operation(
            method="POST",
            path=f"{ONE}/tests",
            handler=self.test,
            name="testWebhook",
            summary="Send a message that says nothing, and tell what came of it",
            scope=Scope.SITE_ADMIN,
            body=wire.TestIn,
            answers={200: wire.TestOut, 404: PROBLEM},
        )
        operation(
            method="GET",
            path=f"{ONE}/deliveries",
            handler=self.list_deliveries,
            name="listWebhookDeliveries",
            summary="List what a webhook was told, or is to be told",
            scope=Scope.SITE_ADMIN,
            query=wire.DeliveriesIn,
            answers={200: wire.DeliveriesOut, 404: PROBLEM},
        )
        operation(
            method="POST",
            path=f"{ONE}/deliveries:redeliver",
            handler=self.redeliver,
            name="redeliver",
            summary="Have deliveries tried anew: those named, or all that are parked",
            scope=Scope.SITE_ADMIN,
            body=wire.RedeliverIn,
            answers={200: wire.RedeliveredOut, 404: PROBLEM},
        )

    async def create(self, call: Call) -> Answer:
        """Answer 201 with the webhook and its secret."""
        asked = wire.WebhookIn.model_validate_json(call.body)
        made = await self._webhooks.create(call.site(asked.site), asked.url, asked.events)
        return 201, wire.encode(wire.made(made))

    async def list_all(self, call: Call) -> Answer:
        """Answer 200 with the webhooks of a site."""
        asked = wire.WebhooksIn.model_validate_strings(call.query())
        found = await self._webhooks.list_all(call.site(asked.site))
        return 200, wire.encode(wire.webhooks(found))

    async def get(self, call: Call) -> Answer:
        """Answer 200 with a webhook."""
        asked = wire.WebhooksIn.model_validate_strings(call.query())
        found = await self._webhooks.get(call.site(asked.site), call.path["webhook_id"])
        return 200, wire.encode(wire.webhook(found))

    async def change(self, call: Call) -> Answer:
        """Answer 200 with the webhook as it now is."""
        asked = wire.WebhookChangeIn.model_validate_json(call.body)
        changed = await self._webhooks.change(
            call.site(asked.site),
            call.path["webhook_id"],
            url=asked.url,
            events=asked.events,
            enabled=asked.enabled,
        )
        return 200, wire.encode(wire.webhook(changed))

    async def remove(self, call: Call) -> Answer:
        """Answer 200 with the webhook as it was last."""
        asked = wire.WebhooksIn.model_validate_strings(call.query())
        removed = await self._webhooks.remove(call.site(asked.site), call.path["webhook_id"])
        return 200, wire.encode(wire.webhook(removed))

    async def rotate(self, call: Call) -> Answer:
        """Answer 201 with the webhook and its new secret."""
        asked = wire.SecretIn.model_validate_json(call.body)
        made = await self._webhooks.rotate(
            call.site(asked.site), call.path["webhook_id"], timedelta(hours=asked.overlap_hours)
        )
        return 201, wire.encode(wire.made(made))

    async def test(self, call: Call) -> Answer:
        """Answer 200 with what came of a test."""
        asked = wire.TestIn.model_validate_json(call.body)
        tried = await self._webhooks.test(call.site(asked.site), call.path["webhook_id"])
        return 200, wire.encode(wire.tested(tried))

    async def list_deliveries(self, call: Call) -> Answer:
        """Answer 200 with a page of deliveries."""
        asked = wire.DeliveriesIn.model_validate_strings(call.query())
        page = await self._webhooks.list_deliveries(
            call.site(asked.site),
            call.path["webhook_id"],
            state=asked.state,
            before=wire.before(asked.cursor),
            limit=asked.limit,
        )
        return 200, wire.encode(wire.deliveries(page))

    async def redeliver(self, call: Call) -> Answer:
        """Answer 200 with how many are tried anew."""
        asked = wire.RedeliverIn.model_validate_json(call.body)
        number = await self._webhooks.redeliver(
            call.site(asked.site), call.path["webhook_id"], asked.ids
        )
        return 200, wire.encode({"redelivered": number})
