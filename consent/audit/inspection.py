"""Whether the database still holds what was written: a site's logs, records and standings.

Reads one snapshot and changes nothing, so that it can run beside the service. Raises LedgerDamaged
for the first thing that is wrong, with the entry where there is one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256

import orjson
from sqlalchemy import Connection, bindparam, select

from consent import store
from consent.audit.accord import Accord, Digests, Shown
from consent.audit.replay import (
    Stored,
    each_subject,
    find_unwhole,
    replay,
    with_linked,
)
from consent.audit.trunk import Trunk, endings
from consent.choices.choice import SITE, Decision, EventType
from consent.choices.projection import Standing
from consent.errors import (
    CheckpointInvalid,
    FrontierInvalid,
    LedgerDamaged,
    LogNotFound,
    NoticeInvalid,
    VaultUnreadable,
)
from consent.log import ledger
from consent.log.checkpoint import Checkpoint, read_claim
from consent.log.ledger import Head
from consent.records.history import read_vault
from consent.records.membership import among, members
from consent.sealing.keyring import Keyring
from consent.tables import BANNER, LOG, RECORD

PAGE = 500
PLAIN = Standing()


@dataclass(slots=True)
class Inspected:
    """What was found to be in order."""

    site_id: str
    logs: int = 0
    entries: int = 0
    records: int = 0
    erased: int = 0
    lost: int = 0
    """Entries that a log's key has signed and that were lost before the next log took over."""

    checkpoints: int = 0
    """Checkpoints from elsewhere that the logs continue."""

    notices: int = 0
    banners: int = 0
    replayed: int = 0
    """Subjects who stand where their events say."""

    unwhole: int = 0
    """Subjects some of whose records, or of whom they are linked with, were erased."""


def inspect(
    connection: Connection,
    keyring: Keyring,
    site_id: str,
    *,
    older: Sequence[str] = (),
    told: Callable[[int], None] = lambda _: None,
) -> Inspected:
    """Inspect everything that consent holds of a site.

    *older* are checkpoints of its logs that were kept elsewhere, *told* takes how many entries
    were gone through.
    """
    return _Inspection(connection, keyring, site_id, told).inspect(older)


class _Inspection:
    def __init__(
        self,
        connection: Connection,
        keyring: Keyring,
        site_id: str,
        told: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._keyring = keyring
        self._site_id = site_id
        self._told = told
        self._found = Inspected(site_id)

    def inspect(self, older: Sequence[str]) -> Inspected:
        heads = self._heads()
        kept = self._sort(older, heads)
        banners = self._banners()
        accord = Accord(
            self._connection,
            self._keyring,
            self._site_id,
            notices=self._notices(banners),
            banners=banners,
            erased=self._erased(),
        )
        ends = endings(self._connection, self._keyring, heads)
        for head in heads:
            trunk = Trunk(self._connection, self._keyring, head, kept[head.origin])
            self._found.lost += trunk.end(ends.get(head.origin))
            for first, leaves in trunk.pages():
                trunk.check(first, leaves, accord)
                self._told(self._found.entries + first + len(leaves))
            trunk.check_head()
            self._found.entries += head.frontier.size
            self._found.checkpoints += len(kept[head.origin])
        accord.check_nothing_else()
        self._subjects()
        self._found.logs = len(heads)
        self._found.records, self._found.erased = accord.opened, accord.gone
        return self._found

    def _heads(self) -> list[Head]:
        try:
            with _damaged("head", "expected heads that can be read"):
                heads = ledger.list_heads(self._connection, self._site_id)
        except LogNotFound:
            return []
        except FrontierInvalid as error:
            raise LedgerDamaged("head", f"expected the edge of a tree: {error}") from error
        rows = self._connection.execute(_SIZES, {"site_id": self._site_id})
        sizes = {row.epoch: row.size for row in rows}
        for head in heads:
            if sizes[head.epoch] != head.frontier.size:
                finding = f"expected size {head.frontier.size}, got {sizes[head.epoch]}"
                raise LedgerDamaged("head", finding, epoch=head.epoch)
        return heads

    def _sort(self, older: Sequence[str], heads: Sequence[Head]) -> dict[str, list[Checkpoint]]:
        """Sort checkpoints by their log, each signed by its key."""
        logs = {head.origin: head for head in heads}
        kept: dict[str, list[Checkpoint]] = {origin: [] for origin in logs}
        for text in older:
            origin = "the checkpoint"
            try:
                origin = read_claim(text).origin
                head = logs.get(origin)
                if head is None:
                    raise LedgerDamaged("truncated", f"expected the log {origin}, it is gone")
                verifier = self._keyring.verifier(head.site_id, head.epoch, head.origin)
                kept[origin].append(verifier.open(text))
            except CheckpointInvalid as error:
                raise LedgerDamaged("signature", f"{origin}: {error}") from error
        return kept

    def _notices(self, banners: Collection[str]) -> dict[Shown, Digests]:
        found: dict[Shown, Digests] = {}
        with _damaged("notice", "expected notices that can be read"):
            notices = store.list_notices(self._connection, self._site_id)
        for item in notices:
            place = (item.notice.notice_id, item.version, item.notice.language)
            told = (item.text_sha256, item.material_sha256)
            made = (item.notice.text_sha256(), item.notice.material_sha256())
            if told != made:
                raise LedgerDamaged("notice", f"{place}: expected the digests {made}, got {told}")
            if item.notice.ui_sha256 not in {None, *banners}:
                raise LedgerDamaged("banner", f"{place}: expected its archived banner, it is gone")
            found[place] = told
        self._found.notices = len(found)
        return found

    def _banners(self) -> Collection[str]:
        digests = self._connection.scalars(_BANNERS, {"site_id": self._site_id}).all()
        for ui_sha256 in digests:
            with _damaged("banner", f"expected {ui_sha256} as it can be read"):
                banner = store.find_banner(self._connection, self._site_id, ui_sha256)
            made = "" if banner is None else sha256(banner.content).hexdigest()
            if made != ui_sha256:
                raise LedgerDamaged("banner", f"expected content of {ui_sha256}, got {made}")
        self._found.banners = len(digests)
        return digests

    def _erased(self) -> set[str]:
        """Return the records that tombstones name; those that do not open are told of later."""
        erased: set[str] = set()
        ids = store.list_ids(self._connection, self._site_id, EventType.ERASED)
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            with suppress(TypeError, VaultUnreadable):
                vault = read_vault(self._connection, self._keyring, self._site_id, page)
                for kept in vault.values():
                    event = orjson.loads(kept.open().event)
                    if event["event_type"] == EventType.ERASED:
                        erased.update(event["record_ids"])
        return erased

    # -- subjects -----------------------------------------------------------------------------

    def _subjects(self) -> None:
        with _damaged("subject", "expected standings that can be read"):
            for page in each_subject(self._connection, self._site_id):
                self._standings(page)

    def _standings(self, page: Sequence[Stored]) -> None:
        for subject in page:
            if subject.wrapped:
                with _damaged("subject", f"{subject.subject_ref}: expected a key that opens"):
                    self._keyring.unwrap(
                        self._site_id, subject.subject_ref, subject.key_version, subject.wrapped
                    )
        known = with_linked(self._connection, self._site_id, page)
        unwhole = find_unwhole(known)
        refs = known.keys() - unwhole
        standings = replay(self._connection, self._keyring, self._site_id, refs - {SITE})
        given = self._given(known[ref].standing for ref in unwhole)
        for subject in page:
            if subject.subject_ref in unwhole:
                self._found.unwhole += 1
                self._check_yeses(subject, given, unwhole)
                continue
            if subject.standing != standings.get(subject.subject_ref, PLAIN):
                finding = (
                    "expected the standing that the events lead to, got another; where it is of "
                    "an earlier release, aboveboard consent rebuild makes it anew"
                )
                raise LedgerDamaged("standing", f"{subject.subject_ref}: {finding}")
            self._found.replayed += subject.subject_ref != SITE

    def _given(self, standings: Iterable[Standing]) -> dict[tuple[str, str], str]:
        """Return who gave what in the records that yeses rest on, by record and purpose."""
        yeses = {
            at.record_id
            for standing in standings
            for at in standing.purposes.values()
            if not at.ended
        }
        asked = {"site_id": self._site_id, "record_ids": members(yeses)}
        return {
            (record_id, purpose): ref
            for record_id, ref, decisions in self._connection.execute(_DECISIONS, asked)
            for purpose, decision in orjson.loads(decisions).items()
            if decision == Decision.GIVEN
        }

    def _check_yeses(
        self, subject: Stored, given: Mapping[tuple[str, str], str], unwhole: Collection[str]
    ) -> None:
        """Check of who cannot be replayed that every yes has its record: it goes with that one."""
        for purpose, at in subject.standing.purposes.items():
            if not at.ended and given.get((at.record_id, purpose)) not in unwhole:
                finding = f"expected a record of the consent to {purpose}, got none"
                raise LedgerDamaged("standing", f"{subject.subject_ref}: {finding}")


@contextmanager
def _damaged(check: str, expected: str) -> Iterator[None]:
    """Tell what cannot be read as damage: rows that somebody wrote to hold anything."""
    try:
        yield
    except (
        AttributeError,
        LookupError,
        NoticeInvalid,
        TypeError,
        ValueError,
        VaultUnreadable,
    ) as error:
        raise LedgerDamaged(check, f"{expected}, got: {type(error).__name__}: {error}") from error


_SIZES = select(LOG.c.epoch, LOG.c.size).where(LOG.c.site_id == bindparam("site_id"))
_BANNERS = select(BANNER.c.ui_sha256).where(BANNER.c.site_id == bindparam("site_id"))
_DECISIONS = select(RECORD.c.record_id, RECORD.c.subject_ref, RECORD.c.decisions).where(
    RECORD.c.site_id == bindparam("site_id"), among(RECORD.c.record_id, "record_ids")
)
