"""Use cases of a site's policy: which one holds, the one that takes its place, the earlier ones."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from moderation.database import Looking, Reading, Writing
from moderation.errors import PolicyInvalid
from moderation.policy import versions
from moderation.policy.judging import Policy
from moderation.policy.rules import Rules
from moderation.policy.versions import Replace, Version
from moderation.tables import instant

REMEMBERED = timedelta(seconds=1)
"""How long the policy of another process may go unnoticed; its own is known at once."""

SITES_REMEMBERED = 1_000

log = structlog.get_logger(__name__)


Compiling = Callable[[str, str], Policy]
"""Compiles a policy from its version and its JSON. Raises PolicyInvalid."""


class _Remembered(NamedTuple):
    read: datetime
    version: int
    policy: Policy


class Policies:
    """Which policy holds for a site, as it was at most a second ago."""

    def __init__(
        self,
        *,
        default: Policy,
        compiling: Compiling,
        looking: Looking,
        clock: Callable[[], datetime],
    ) -> None:
        self.default = default
        self._compiling = compiling
        self._looking = looking
        self._clock = clock
        self._newest = looking.prepare(versions.NEWEST)
        self._content = looking.prepare(versions.CONTENT)
        self._remembered: dict[str, _Remembered] = {}
        self._under_way: dict[tuple[str, int], asyncio.Task[Policy]] = {}
        self._changes = 0

    async def find(self, site_id: str) -> Policy:
        """Return the site's policy, or the default one."""
        now = self._clock()
        known = self._remembered.get(site_id)
        if known is not None and known.read <= now < known.read + REMEMBERED:
            return known.policy
        changes = self._changes
        version = (await self._looking.look(self._newest, site_id=site_id))[0][0] or 0
        known = self._remembered.get(site_id)
        if known is None or known.version != version:
            policy = await self._compiled_once(site_id, version) if version else self.default
        else:
            policy = known.policy
        if len(self._remembered) >= SITES_REMEMBERED:
            self._remembered.clear()
        # Where it was changed meanwhile, this is not believed the next time.
        read = now if self._changes == changes else now - REMEMBERED
        self._remembered[site_id] = _Remembered(read, version, policy)
        return policy

    def use(self, default: Policy) -> None:
        """Judge by another classifier's thresholds from now on, those of *default*."""
        self.default = default
        self._remembered.clear()

    def forget(self, site_id: str) -> None:
        """Forget what is remembered of a site: its policy has changed."""
        self._changes += 1
        known = self._remembered.get(site_id)
        if known is not None:
            self._remembered[site_id] = known._replace(read=known.read - REMEMBERED)

    async def _compiled_once(self, site_id: str, version: int) -> Policy:
        """Compile a version once, however many comments arrive meanwhile: lists may be long."""
        place = (site_id, version)
        compiling = self._under_way.get(place)
        if compiling is None:
            compiling = asyncio.create_task(self._compiled(site_id, version))
            self._under_way[place] = compiling
            compiling.add_done_callback(lambda _: self._under_way.pop(place))
        # Shielded: a client that leaves takes the policy from no other.
        return await asyncio.shield(compiling)

    async def _compiled(self, site_id: str, version: int) -> Policy:
        rows = await self._looking.look(self._content, site_id=site_id, version=version)
        content = Version(*rows[0]).content
        while True:
            default = self.default
            try:
                policy = await asyncio.to_thread(self._compiling, str(version), content)
            except PolicyInvalid:
                # Written by another release. What it would have held may not be published now.
                log.error("policy_unusable", version=version)  # noqa: TRY400 - it may quote entries
                policy = Policy(str(version), default.bands, Rules(hold_everything=True))
            if self.default is default:  # else it may have been compiled for another classifier
                return policy


class Configuring:
    """Reads and writes what a site wants done with comments."""

    def __init__(
        self,
        *,
        compiling: Compiling,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        changed: Callable[[str], None] = lambda _site_id: None,
    ) -> None:
        self._compiling = compiling
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._changed = changed

    async def get(self, site_id: str, version: int | None = None) -> Version:
        """Return the present version of a site's policy, or an earlier one.

        Raises PolicyNotFound.
        """
        return await self._reading.query(
            lambda connection: versions.find(connection, site_id, version)
        )

    async def list_versions(
        self, site_id: str, *, before: int | None, limit: int
    ) -> tuple[list[Version], int | None]:
        """Return versions, the newest first, and the number before which the next page begins."""
        found = await self._reading.query(
            lambda connection: versions.list_versions(
                connection, site_id, before=before, limit=limit + 1
            )
        )
        page = found[:limit]
        return page, page[-1].version if len(found) > limit else None

    async def put(self, site_id: str, content: str, *, replaces: int) -> Version:
        """Put a policy in the place of the present one; it holds from the next comment on.

        Raises PolicyInvalid, and PolicyConflict where *replaces* is not the present version.
        """
        await asyncio.to_thread(self._compiling, "", content)
        command = Replace(site_id, content, replaces, instant(self._clock()))
        made = await self._writing.write(versions.replace, command)
        self._changed(site_id)
        return made
