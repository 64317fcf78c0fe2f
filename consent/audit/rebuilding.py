"""Use case: standings are made anew from the events that led to them.

A standing is a projection, there to be fast. Should one ever differ from its events, the events
are right. Subjects of whom something was erased are left alone, and whoever is linked with them:
their events no longer say it all.
"""

from collections.abc import Sequence
from typing import NamedTuple

from consent import store
from consent.audit.replay import find_unwhole, page_of_subjects, replay, with_linked
from consent.database import Rows, Writing
from consent.log import ledger
from consent.sealing.keyring import Keyring


class Rebuild(NamedTuple):
    """Rebuild a page of a site's subjects, those whose pseudonyms come after *after*."""

    site_id: str
    after: str


class Rebuilt(NamedTuple):
    """How many subjects there are, how many differed and were mended, how many are not whole."""

    subjects: int = 0
    mended: int = 0
    left: int = 0
    last: str = ""
    """The last pseudonym of the page; empty where there was none left."""


class Rebuilding:
    """Makes standings anew."""

    def __init__(self, *, keyring: Keyring, writing: Writing) -> None:
        self._keyring = keyring
        self._writing = writing

    async def rebuild(self, site_id: str) -> Rebuilt:
        """Go through all subjects of a site, a page a transaction. Raises LogNotFound."""
        total = Rebuilt()
        while True:
            done = await self._writing.write(self.carry_out, Rebuild(site_id, total.last))
            if not done.last:
                return total
            total = Rebuilt(
                total.subjects + done.subjects,
                total.mended + done.mended,
                total.left + done.left,
                done.last,
            )

    def carry_out(self, rows: Rows, commands: Sequence[Rebuild]) -> list[Rebuilt | Exception]:
        """Carry out commands one after the other."""
        return [self._page(rows, command) for command in commands]

    def _page(self, rows: Rows, command: Rebuild) -> Rebuilt:
        # The head is locked: nobody adds an event while it is decided what the events say.
        ledger.lock_head(rows, command.site_id)()
        connection = rows.connection
        subjects = page_of_subjects(connection, command.site_id, command.after)
        if not subjects:
            return Rebuilt()
        linked = with_linked(connection, command.site_id, subjects)
        unwhole = find_unwhole(linked)
        found = replay(connection, self._keyring, command.site_id, linked)
        mended = [
            (command.site_id, ref, subject.key_version, subject.wrapped, found[ref].to_json())
            for ref, subject in linked.items()
            if ref not in unwhole and ref in found and found[ref] != subject.standing
        ]
        store.put_subjects(rows, mended)
        left = sum(subject.subject_ref in unwhole for subject in subjects)
        return Rebuilt(len(subjects), len(mended), left, subjects[-1].subject_ref)
