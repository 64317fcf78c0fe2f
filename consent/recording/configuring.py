"""Use cases of a site's settings."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from consent import store
from consent.choices.record import instant
from consent.choices.regime import gpc_json, updated
from consent.choices.setting import Setting
from consent.database import Reading, Rows, Writing
from consent.log import ledger


class Configure(NamedTuple):
    """Set a site's settings, all of them."""

    site_id: str
    setting: Setting
    changed: str


class Configuring:
    """Reads and writes how a site wants consent to be handled."""

    def __init__(
        self,
        *,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        changed: Callable[[str], None] = lambda _site_id: None,
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._changed = changed

    async def get(self, site_id: str) -> Setting:
        """Return a site's settings, or those of a site that set none."""
        return await self._reading.query(lambda connection: store.find_setting(connection, site_id))

    async def gpc_json(self, site_id: str) -> bytes:
        """Return what a site serves as `/.well-known/gpc.json`. Raises LogNotFound."""

        def ask(connection: Connection) -> tuple[Setting, str | None]:
            ledger.list_heads(connection, site_id)  # a site that has a log is one
            return (
                store.find_setting(connection, site_id),
                store.find_setting_day(connection, site_id),
            )

        setting, day = await self._reading.query(ask)
        since = updated() if day is None else date.fromisoformat(day)
        return gpc_json(since, honoured=setting.honours_signal(on=self._clock().date()))

    async def put(self, site_id: str, setting: Setting) -> Setting:
        """Set a site's settings; they hold from the next event and question on."""
        command = Configure(site_id, setting, instant(self._clock()))
        await self._writing.write(self.carry_out, command)
        self._changed(site_id)
        return setting

    def carry_out(self, rows: Rows, commands: Sequence[Configure]) -> list[Exception | None]:
        """Carry out a batch of commands inside the writer's transaction."""
        # Each site once: PostgreSQL refuses to change a row twice in one statement.
        newest = {command.site_id: command for command in commands}
        for command in newest.values():
            store.put_setting(rows, command.site_id, command.setting, command.changed)
        return [None] * len(commands)
