"""`/v1/policy`: what a site wants done with comments."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from moderation.errors import PolicyNotFound
from moderation.policy.configuring import Configuring, Policies
from moderation.policy.rehearsal import Rehearsing
from moderation.routes.call import PROBLEM, Answer, Call
from moderation.wire import document
from moderation.wire import policies as wire
from moderation.wire.strict import SiteIn


class PolicyRoutes:
    """Reading, replacing and trying policies."""

    def __init__(
        self,
        *,
        configuring: Configuring,
        policies: Policies,
        rehearsing: Rehearsing,
        clock: Callable[[], datetime],
    ) -> None:
        self._configuring = configuring
        self._policies = policies
        self._rehearsing = rehearsing
        self._clock = clock

    def declare(self, operation: Callable[..., None], *, policy_bytes: int) -> None:
        """Hand every operation to the catalogue."""
        operation(
            method="GET",
            path="/v1/policy",
            handler=self.get,
            name="getPolicy",
            summary="Read the policy that a site's comments are judged by",
            scope="site:admin",
            query=SiteIn,
            answers={200: wire.PresentOut},
        )
        operation(
            method="PUT",
            path="/v1/policy",
            handler=self.put,
            name="putPolicy",
            summary="Replace the policy; it holds from the next comment on",
            scope="site:admin",
            body=wire.PolicyPutIn,
            answers={200: wire.PolicyOut, 409: PROBLEM},
            limit=policy_bytes,
        )
        operation(
            method="GET",
            path="/v1/policy/versions",
            handler=self.list_versions,
            name="listPolicyVersions",
            summary="List every version that a site's policy has had, newest first",
            scope="site:admin",
            query=wire.VersionsIn,
            answers={200: wire.VersionsOut},
        )
        operation(
            method="GET",
            path="/v1/policy/versions/{version}",
            handler=self.get_version,
            name="getPolicyVersion",
            summary="Read one version",
            scope="site:admin",
            query=SiteIn,
            answers={200: wire.PolicyOut, 404: PROBLEM},
        )
        operation(
            method="POST",
            path="/v1/policy:dry-run",
            handler=self.dry_run,
            name="tryPolicy",
            summary="Judge past comments by another policy, changing nothing",
            scope="site:admin",
            body=wire.DryRunIn,
            answers={200: wire.DryRunOut},
            limit=policy_bytes,
        )

    async def get(self, call: Call) -> Answer:
        """Answer 200 with the present policy."""
        asked = SiteIn.model_validate_strings(call.query())
        version = await self._configuring.get(call.site(asked.site))
        given = await asyncio.to_thread(document.read_stored, version.content)
        return 200, wire.present(version, given.over(self._policies.default.bands))

    async def put(self, call: Call) -> Answer:
        """Answer 200 with the new version, 409 where another came in between."""
        # In a thread: every entry is read, and of patterns there may be thousands to compile.
        given = await asyncio.to_thread(wire.PolicyPutIn.model_validate_json, call.body)
        made = await self._configuring.put(
            call.site(given.site), given.policy.to_json(), replaces=given.replaces
        )
        return 200, wire.one(made)

    async def list_versions(self, call: Call) -> Answer:
        """Answer 200 with a page."""
        asked = wire.VersionsIn.model_validate_strings(call.query())
        found, following = await self._configuring.list_versions(
            call.site(asked.site), before=asked.before, limit=asked.limit
        )
        return 200, wire.page(found, following)

    async def get_version(self, call: Call) -> Answer:
        """Answer 200 with a version, 404 where there is none of that number."""
        asked = SiteIn.model_validate_strings(call.query())
        told = call.path["version"]
        if not (told.isascii() and told.isdigit() and len(told) < 10):  # noqa: PLR2004
            raise PolicyNotFound("expected the number of a version, got something else")
        return 200, wire.one(await self._configuring.get(call.site(asked.site), int(told)))

    async def dry_run(self, call: Call) -> Answer:
        """Answer 200 with what would change."""
        given = await asyncio.to_thread(wire.DryRunIn.model_validate_json, call.body)
        site_id = call.site(given.site)
        found = await self._rehearsing.rehearse(
            site_id,
            await self._policies.find(site_id),
            await asyncio.to_thread(given.policy.policy, "", self._policies.default.bands),
            since=self._clock() - timedelta(days=given.days),
            limit=given.limit,
        )
        return 200, wire.dry_run(found)
