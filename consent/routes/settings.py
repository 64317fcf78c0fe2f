"""`/v1/consent/settings`: how a site wants consent to be handled."""

from collections.abc import Callable

from consent.recording.configuring import Configuring
from consent.routes.call import PROBLEM, Answer, Call
from consent.wire import settings as wire
from consent.wire.strict import SiteIn


class SettingRoutes:
    """Reading and writing settings."""

    def __init__(self, *, configuring: Configuring) -> None:
        self._configuring = configuring

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="GET",
            path="/v1/consent/settings",
            handler=self.get,
            name="getConsentSettings",
            summary="Read how a site wants consent to be handled",
            scope="consent:read",
            query=SiteIn,
            answers={200: wire.SettingsIn},
        )
        operation(
            method="PUT",
            path="/v1/consent/settings",
            handler=self.put,
            name="putConsentSettings",
            summary="Set how a site wants consent to be handled, all of it",
            scope="consent:notice",
            body=wire.SettingsIn,
            answers={200: wire.SettingsIn},
        )

        operation(
            method="GET",
            path="/v1/consent/sites/{site}/gpc.json",
            handler=self.gpc,
            name="getGpcStatement",
            summary="Read what the site should serve as /.well-known/gpc.json on its own host",
            scope=None,
            answers={200: wire.GpcOut, 404: PROBLEM},
        )

    async def gpc(self, call: Call) -> Answer:
        """Answer 200 with the statement that Global Privacy Control is honoured, or is not."""
        return 200, await self._configuring.gpc_json(call.path["site"])

    async def get(self, call: Call) -> Answer:
        """Answer 200 with every setting."""
        asked = SiteIn.model_validate_strings(call.query())
        return 200, wire.setting(await self._configuring.get(call.site(asked.site)))

    async def put(self, call: Call) -> Answer:
        """Answer 200 with every setting as it now holds."""
        given = wire.SettingsIn.model_validate_json(call.body)
        held = await self._configuring.put(call.site(given.site), given.setting())
        return 200, wire.setting(held)
