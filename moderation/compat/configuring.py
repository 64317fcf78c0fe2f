"""Use cases of a site's setting for other dialects: read for every call, written by an operator."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, select

from moderation.compat import setting
from moderation.compat.setting import CompatSetting
from moderation.database import Looking, Rows, Writing
from moderation.tables import COMPAT_SETTING, instant

REMEMBERED = timedelta(seconds=1)
"""How long a change by another process may go unnoticed; this one's own is known at once."""

SITES_REMEMBERED = 1_000


class Put(NamedTuple):
    """Have a site want *stored*, a setting as JSON."""

    site_id: str
    stored: str
    changed: str


class Configuring:
    """Knows what holds for a site, as it was at most a second ago, and changes it."""

    def __init__(
        self, *, writing: Writing, looking: Looking, clock: Callable[[], datetime]
    ) -> None:
        self._writing = writing
        self._looking = looking
        self._clock = clock
        self._of_site = looking.prepare(
            select(COMPAT_SETTING.c.setting).where(COMPAT_SETTING.c.site_id == bindparam("site_id"))
        )
        self._remembered: dict[str, tuple[datetime, CompatSetting]] = {}
        self._changes = 0

    async def find(self, site_id: str) -> CompatSetting:
        """Return what the site has set, or the default."""
        now = self._clock()
        known = self._remembered.get(site_id)
        if known is not None and known[0] <= now < known[0] + REMEMBERED:
            return known[1]
        changes = self._changes
        rows = await self._looking.look(self._of_site, site_id=site_id)
        found = setting.read(rows[0][0] if rows else None)
        if self._changes == changes:  # else this may be what held before the change
            if len(self._remembered) >= SITES_REMEMBERED:
                self._remembered.clear()
            self._remembered[site_id] = (now, found)
        return found

    async def put(self, site_id: str, wanted: CompatSetting) -> None:
        """Have clients of a site be answered like that from the next call on."""
        command = Put(site_id, setting.write(wanted), instant(self._clock()))
        await self._writing.write(_put, command)
        self._changes += 1
        self._remembered.pop(site_id, None)


def _put(rows: Rows, commands: Sequence[Put]) -> list[None]:
    rows.lock(sorted({command.site_id for command in commands}))
    for command in commands:
        rows.insert(
            COMPAT_SETTING,
            [tuple(command)],
            tail=" ON CONFLICT (site_id) DO UPDATE SET setting = excluded.setting,"
            " changed = excluded.changed",
        )
    return [None] * len(commands)
