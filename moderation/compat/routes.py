"""The HTTP side of a site's setting for other dialects."""

from collections.abc import Callable, Sequence

from moderation.compat import wire
from moderation.compat.configuring import Configuring
from moderation.routes.call import Answer, Call
from moderation.wire.strict import SiteIn

ADMIN = "site:admin"


class CompatRoutes:
    """Handlers of `/v1/compat/settings`."""

    def __init__(self, configuring: Configuring, *, seal: Callable[[str, str], str]) -> None:
        self._configuring = configuring
        self._seal = seal

    def declare(self, operation: Callable[..., None]) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="GET",
            path="/v1/compat/settings",
            handler=self.get_setting,
            name="getCompatSettings",
            summary="Read how clients of other APIs are answered",
            scope=ADMIN,
            query=SiteIn,
            answers={200: wire.CompatSettingOut},
        )
        operation(
            method="PUT",
            path="/v1/compat/settings",
            handler=self.put_setting,
            name="putCompatSettings",
            summary="Say how clients of other APIs are to be answered, all of it",
            scope=ADMIN,
            body=wire.CompatSettingIn,
            answers={200: wire.CompatSettingOut},
        )

    async def get_setting(self, call: Call) -> Answer:
        """Answer 200 with what is set."""
        asked = SiteIn.model_validate_strings(call.query())
        return 200, wire.setting_out(await self._configuring.find(call.site(asked.site)))

    async def put_setting(self, call: Call) -> Answer:
        """Answer 200 with what is set now; comments go to no site that the key is not good for."""
        given = wire.CompatSettingIn.model_validate_json(call.body)
        site_id = call.site(given.site)
        for mapped in given.coral.sites:
            call.site(mapped.site)
        secrets = given.coral.secrets
        sealed: Sequence[str]
        if secrets is None:
            sealed = (await self._configuring.find(site_id)).coral.secrets
        else:
            sealed = [self._seal(site_id, secret) for secret in secrets]
        wanted = wire.setting(given, secrets=sealed)
        await self._configuring.put(site_id, wanted)
        return 200, wire.setting_out(wanted)
