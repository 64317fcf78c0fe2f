"""A log that goes on in a new epoch: after a restore, or because its key is to be another.

The new epoch is a log of its own, under a key of its own. Its first entry commits to the last
checkpoint of the one before, so that nobody can leave that one out.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from consent import store
from consent.choices.choice import SITE, Actor, Method, Previous, Reason
from consent.choices.record import continuation
from consent.database import Reading, Rows, Writing
from consent.errors import CheckpointInvalid, LogNotFound, OutsideTree
from consent.log import ledger
from consent.log.checkpoint import Verifier
from consent.log.keeping import Kept
from consent.log.ledger import Head, Nodes
from consent.records.batch import Batch
from consent.sealing.keyring import Keyring


class Doubt(StrEnum):
    """Of which stored logs it is not known that they are all that was ever signed."""

    NONE = "none"
    """Nothing was restored: a log of which nothing is kept is taken as it is."""

    UNKEPT = "unkept"
    """Restored where the kept checkpoints had always been: of those that have none."""

    ALL = "all"
    """Restored elsewhere: of all, for what is kept there may itself be a copy."""


class Continue(NamedTuple):
    """Go on in a new epoch; after a restore only where the log is behind, or in *doubt*."""

    site_id: str
    reason: Reason
    record_id: str
    received: datetime
    doubt: Doubt


class Continued(NamedTuple):
    """A site's log goes on in *epoch*; *held* is how many entries of the *previous* one remain."""

    site_id: str
    epoch: int
    previous: Previous
    held: int


class Continuing:
    """The use cases of a new epoch."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
    ) -> None:
        self._keyring = keyring
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._ids = ids

    async def check(self, doubt: Doubt = Doubt.NONE) -> list[Continued]:
        """Begin a new epoch of every log that is behind what its key last signed, or in *doubt*.

        Of all others the newest checkpoint is kept. Raises CheckpointInvalid where a kept one, or
        a log's own, was not signed by its log's key.
        """
        kept, heads = await self._compare()
        for known in heads.values():
            self._verify_own(known)
        continued = []
        for site_id in sorted({*kept, *heads}):
            head, before = heads.get(site_id), kept.get(site_id)
            behind = before is not None and not await self._reading.query(_holding(head, before))
            if behind or (head is not None and _doubted(doubt, head, before)):
                made = await self._go_on(site_id, Reason.RESTORED, doubt)
                continued += [made] if made else []
            else:
                self._keep(head)
        return continued

    async def verify(self) -> None:
        """Hold what each log signed last against its key, as `check` does; change nothing.

        Raises CheckpointInvalid, and what a key that cannot be had raises.
        """
        _, heads = await self._compare()
        for head in heads.values():
            self._verify_own(head)

    async def knows_all(self) -> bool:
        """Keep the newest checkpoint of every log, and say whether none had signed more than that.

        False where a stored log is behind what is kept: then nobody knows how far it had come.
        """
        kept, heads = await self._compare()
        for site_id in sorted({*kept, *heads}):
            head, before = heads.get(site_id), kept.get(site_id)
            if before is not None and not await self._reading.query(_holding(head, before)):
                return False
            self._keep(head)
        return True

    async def rotate(self, site_id: str) -> Continued:
        """Begin a new epoch of a site's log under a new key. Raises LogBehind, LogNotFound."""
        made = await self._go_on(site_id, Reason.ROTATED)
        assert made is not None  # noqa: S101 - only after a restore there may be nothing to do
        return made

    async def _compare(self) -> tuple[dict[str, Kept | None], dict[str, Head]]:
        """Return what is kept, and the newest heads, by site."""
        keeping = self._keyring.keeping
        # First what is kept: a log that another process writes may grow meanwhile, never shrink.
        kept = {site_id: keeping.newest(site_id) for site_id in keeping.sites()}
        # Ascending, so that the newest epoch is the one that stays.
        heads = await self._reading.query(ledger.all_heads)
        return kept, {head.site_id: head for head in heads}

    def _keep(self, head: Head | None) -> None:
        if head is not None and head.frontier.size:
            self._keyring.keeping.keep(self._kept(head))

    async def _go_on(
        self, site_id: str, reason: Reason, doubt: Doubt = Doubt.NONE
    ) -> Continued | None:
        command = Continue(site_id, reason, self._ids(), self._clock(), doubt)
        return await self._writing.write(self.carry_out, command)

    # -- inside the writer's transaction ------------------------------------------------------

    def carry_out(
        self, rows: Rows, commands: Sequence[Continue]
    ) -> list[Continued | Exception | None]:
        """Carry out a batch of commands."""
        return [self._continue(rows, command) for command in commands]

    def _continue(self, rows: Rows, command: Continue) -> Continued | None:
        # A log that is wholly gone has no head that could be locked.
        rows.lock([command.site_id])
        head = _find_head(rows, command.site_id)
        previous = self._previous(rows, command, head)
        if previous is None:
            return None
        keeping = self._keyring.keeping
        epoch = 1 + max([*keeping.epochs(command.site_id), *([head.epoch] if head else [])])
        ledger.open_epoch(rows, command.site_id, epoch, previous.origin, self._keyring.first_signer)
        batch = Batch(rows, self._keyring, command.site_id)
        subjects = store.ask_subjects(rows, command.site_id, [SITE])
        batch.begin()
        batch.know(subjects())
        batch.enter(
            continuation(
                record_id=command.record_id,
                site_id=command.site_id,
                previous=previous,
                method=Method.ADMIN if command.reason is Reason.ROTATED else Method.JOB,
                by=Actor.SYSTEM,
                received_at=command.received,
            ),
        )
        batch.close()
        held = head.frontier.size if head and head.epoch == previous.epoch else 0
        return Continued(command.site_id, epoch, previous, held)

    def _previous(self, rows: Rows, command: Continue, head: Head | None) -> Previous | None:
        """Return what is to be continued, or None where nothing is missing after all."""
        kept = self._keyring.keeping.newest(command.site_id)
        if command.reason is Reason.ROTATED:
            if head is None:
                raise LogNotFound("expected a site that has a log, got another")
            if kept is not None:
                kept.check_reached(head.epoch, head.frontier.size, head.root)
            kept = self._kept(head)
        elif kept is not None and not _holds(rows.connection, head, kept):
            self._verify(kept)
        elif head is not None and _doubted(command.doubt, head, kept):
            kept = self._kept(head)
        else:
            return None
        return Previous(
            kept.epoch,
            kept.origin,
            self._verifier(kept).vkey,
            kept.size,
            kept.root,
            kept.checkpoint,
            command.reason,
        )

    def _verify(self, kept: Kept) -> None:
        try:
            self._verifier(kept).open(kept.checkpoint)
        except CheckpointInvalid as error:
            raise CheckpointInvalid(
                f"{kept.origin}: expected the checkpoint kept outside the database to be signed by "
                f"the log's key, got another ({error}); move it away to go on without it"
            ) from error

    def _verify_own(self, head: Head) -> None:
        if not head.frontier.size:
            return
        try:
            self._verifier(head).open(self._kept(head).checkpoint)
        except CheckpointInvalid as error:
            raise CheckpointInvalid(
                f"{head.origin}: expected the log's newest checkpoint to be signed by its key in "
                f"the data directory, got another ({error}); put the key back from where keys are "
                "kept"
            ) from error

    def _kept(self, head: Head) -> Kept:
        return Kept(
            head.site_id,
            head.epoch,
            head.origin,
            head.frontier.size,
            head.root,
            self._keyring.checkpoint(head),
        )

    def _verifier(self, log: Kept | Head) -> Verifier:
        return self._keyring.verifier(log.site_id, log.epoch, log.origin)


def _doubted(doubt: Doubt, head: Head, kept: Kept | None) -> bool:
    if doubt is Doubt.UNKEPT:
        return kept is None and head.frontier.size > 0
    return doubt is Doubt.ALL


def _find_head(rows: Rows, site_id: str) -> Head | None:
    try:
        return ledger.lock_head(rows, site_id)()
    except LogNotFound:
        return None


def _holding(head: Head | None, kept: Kept) -> Callable[[Connection], bool]:
    return lambda connection: _holds(connection, head, kept)


def _holds(connection: Connection, head: Head | None, kept: Kept) -> bool:
    """Whether the stored log is the kept one or has grown from it."""
    if head is None or head.epoch != kept.epoch:
        return head is not None and head.epoch > kept.epoch
    if head.frontier.size == kept.size:
        return head.root == kept.root
    try:
        return Nodes(connection, head).root(kept.size) == kept.root
    except OutsideTree:
        return False
