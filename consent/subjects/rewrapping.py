"""Rotating the key-encryption key: every subject's data key is wrapped anew, records stay sealed.

Beside a running service: a few rows at a time, each time under the lock that events take too.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

from consent.database import Reading, Rows, Writing
from consent.errors import VaultUnreadable
from consent.log import ledger
from consent.records import holdings
from consent.sealing.keyring import Keyring

PAGE = 500
"""Keys that are wrapped anew in one transaction."""


class Rewrap(NamedTuple):
    """Wrap the next keys of a site, those of pseudonyms after that one."""

    site_id: str
    after: str


class Rewrapped(NamedTuple):
    """How many keys were wrapped anew, and the last pseudonym where there may be more."""

    keys: int
    last: str | None
    failure: VaultUnreadable | None
    """Of the first key that did not open."""


class Rewrapping:
    """The use case of rotation; the newest key-encryption key is there already."""

    def __init__(self, *, keyring: Keyring, writing: Writing, reading: Reading) -> None:
        self._keyring = keyring
        self._writing = writing
        self._reading = reading

    async def rewrap(self) -> AsyncGenerator[int, None]:
        """Wrap every key of every site anew; yield how many after each transaction.

        What is wrapped under the newest version already is left alone, so that a rotation which
        was interrupted goes on. Raises VaultUnreadable, in the end: one that does not open stays as
        it is and costs no other its turn.
        """
        failure: VaultUnreadable | None = None
        heads = await self._reading.query(ledger.all_heads)
        for site_id in sorted({head.site_id for head in heads}):
            after: str | None = ""
            while after is not None:
                command = Rewrap(site_id, after)
                done = await self._writing.write(self.carry_out, command)
                after, failure = done.last, failure or done.failure
                yield done.keys
        if failure is not None:
            raise failure

    def carry_out(self, rows: Rows, commands: Sequence[Rewrap]) -> list[Rewrapped]:
        """Carry out commands inside a transaction, in order of the sites."""
        outcomes = {command: self._rewrap(rows, command) for command in sorted(set(commands))}
        return [outcomes[command] for command in commands]

    def _rewrap(self, rows: Rows, command: Rewrap) -> Rewrapped:
        site_id = command.site_id
        # Whoever records reads a key under this lock and may write it back.
        ledger.lock_head(rows, site_id)()
        wrapping = self._keyring.wrapping(site_id)
        found = holdings.find_wrapped(
            rows,
            site_id,
            before=wrapping.version,
            after=command.after,
            limit=PAGE,
        )
        anew: list[tuple[str, int, bytes]] = []
        failure: VaultUnreadable | None = None
        for ref, version, wrapped in found:
            try:
                key = self._keyring.unwrap(site_id, ref, version, wrapped)
            except VaultUnreadable as error:
                failure = failure or error
            else:
                again = wrapping.wrap(ref, key, self._keyring.random)
                anew.append((ref, wrapping.version, again))
        holdings.put_wrapped(rows, site_id, anew)
        return Rewrapped(len(anew), found[-1][0] if len(found) == PAGE else None, failure)
