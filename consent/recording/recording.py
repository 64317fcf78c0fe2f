"""Choice in, receipt out: checked, committed, sealed, appended, proved.

A batch of events becomes one append and one signed checkpoint a site. Whatever refuses an event
refuses that event alone.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from consent import store
from consent.choices.choice import (
    ENDING,
    GIVING,
    ON_NOTICE,
    Decision,
    EventType,
    Method,
    ShownNotice,
)
from consent.choices.claim import Believed, Choice, content
from consent.choices.linking import of_one, reach
from consent.choices.projection import Standing
from consent.choices.regime import Regime, gpc_ends
from consent.choices.served import open_token
from consent.choices.transition import (
    Question,
    Told,
    believable,
    check_asked,
    check_clock,
    check_form,
    check_may_ask,
    check_published,
    check_purposes,
    named_question,
)
from consent.database import Rows, Writing
from consent.errors import (
    BannerUnknown,
    ConsentError,
    DecisionsInconsistent,
    IdempotencyInFlight,
    IdempotencyMismatch,
    LogNotFound,
    NoticeSuperseded,
    NoticeUnknown,
    RecordErased,
    ServedInvalid,
    SubjectRestricted,
    TooManyLinks,
)
from consent.log import ledger
from consent.records.batch import Batch, Closed, Receipt
from consent.records.history import read_vault
from consent.sealing.keyring import Keyring
from consent.store import Answered, Place, Published
from consent.tables import IDEMPOTENCY

LINKS = 64
"""Ids that one subject may be linked with."""

REACH = 256
"""Ids that a link may bring together, near or far: each is read when one of them says no."""


class Record(NamedTuple):
    """Record *choice* on a site under a client's key; *refs* are the subject's pseudonyms."""

    site_id: str
    choice: Choice
    told: Told
    refs: Sequence[str]
    linked_refs: Sequence[str]
    key: str
    fingerprint: str
    record_id: str
    received: datetime


class Recording:
    """The use case of a choice that comes in."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        writing: Writing,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
    ) -> None:
        self._keyring = keyring
        self._writing = writing
        self._clock = clock
        self._ids = ids
        self._in_flight: set[tuple[str, str]] = set()
        self._notices: dict[tuple[str, Place], Published] = {}
        self._banners: set[tuple[str, str]] = set()

    async def record(self, site_id: str, choice: Choice, *, key: str, body: bytes) -> Receipt:
        """Record a choice and return its receipt after the commit.

        *key* is the client's idempotency key, *body* the request as it came. Raises EventRefused,
        SubjectInvalid, IdempotencyInFlight, IdempotencyMismatch, LogNotFound, RecordErased.
        """
        received = self._clock()
        told = choice.told(received)
        check_form(told)
        place = (site_id, key)
        if place in self._in_flight:
            raise IdempotencyInFlight(
                "expected the first request with this key to be answered, it is still in flight"
            )
        self._in_flight.add(place)
        try:
            command = Record(
                site_id,
                choice,
                told,
                self._keyring.refs(site_id, choice.subject_kind, choice.subject_id),
                self._keyring.refs(site_id, *choice.linked) if choice.linked else (),
                key,
                self._keyring.fingerprint(site_id, body),
                self._ids(),
                received,
            )
            receipt = await self._writing.write(self.carry_out, command)
        except ConsentError:
            raise
        except Exception:
            # What was read inside a transaction that failed may never have been published.
            self._notices.clear()
            self._banners.clear()
            raise
        finally:
            self._in_flight.discard(place)
        return receipt

    # -- inside the writer's transaction ------------------------------------------------------

    def carry_out(self, rows: Rows, commands: Sequence[Record]) -> list[Receipt | Exception]:
        """Carry out a batch of commands: one append and one checkpoint a site."""
        outcomes: dict[int, Receipt | Exception] = {}
        by_site: dict[str, list[Record]] = {}
        for command in commands:
            by_site.setdefault(command.site_id, []).append(command)
        # In order of the slugs, so that two processes never wait for each other's heads.
        for site_id in sorted(by_site):
            try:
                part = _Part(
                    rows, self._keyring, self._notices, self._banners, site_id, by_site[site_id]
                )
            except LogNotFound as error:
                # Nothing was ever published there: that spoils no other site's part.
                for command in by_site[site_id]:
                    outcomes[id(command)] = (
                        error if command.choice.notice_id is None else _unknown_notice()
                    )
                continue
            for command, outcome in zip(by_site[site_id], part.outcomes(), strict=True):
                outcomes[id(command)] = outcome
        return [outcomes[id(command)] for command in commands]


class _Part:
    """One site's part of a transaction: what it has read, and the batch that it fills."""

    def __init__(
        self,
        rows: Rows,
        keyring: Keyring,
        notices: dict[tuple[str, Place], Published],
        banners: set[tuple[str, str]],
        site_id: str,
        commands: Sequence[Record],
    ) -> None:
        self._rows = rows
        self._keyring = keyring
        self._notices = notices
        self._banners = banners
        self._site_id = site_id
        self._commands = commands
        self._batch = Batch(rows, keyring, site_id)
        answers = store.ask_answers(rows, site_id, [command.key for command in commands])
        subjects = store.ask_subjects(
            rows,
            site_id,
            [ref for command in commands for ref in (*command.refs, *command.linked_refs)],
        )
        setting = store.ask_setting(rows, site_id)
        versions = store.ask_versions(
            rows,
            site_id,
            {command.choice.notice_id for command in commands if command.choice.notice_id},
        )
        self._batch.begin()
        self._answers, self._versions, self._setting = answers(), versions(), setting()
        self._batch.know(subjects())
        self._batch.know_links()

    def outcomes(self) -> list[Receipt | Exception]:
        """Check, append and answer every command, in order."""
        seen: set[str] = set()
        entered: list[Record] = []
        first: list[Receipt | Exception | None] = []
        for command in self._commands:
            if command.key in seen:
                first.append(IdempotencyInFlight("expected one request at a time with this key"))
                continue
            seen.add(command.key)
            try:
                answered = self._answers.get(command.key)
                if answered is None:
                    self._enter(command)
                    entered.append(command)
                    first.append(None)
                else:
                    first.append(self._replay(command, answered))
            except Exception as error:  # noqa: BLE001 - it belongs to this command alone
                first.append(error)
        closed = self._batch.close()
        self._remember(entered, closed)
        receipts = iter(closed.receipts)
        return [next(receipts) if item is None else item for item in first]

    def _enter(self, command: Record) -> None:
        told = believable(command.told)
        check_clock(told)
        choice = command.choice._replace(
            occurred_at=told.occurred, reprompt_not_before=told.reprompt_not_before
        )
        ref = self._known(command.refs)
        known = [at for each in command.refs if (at := self._batch.standing(each))]
        standing = of_one(known) if known else Standing()
        # A link hands consent over: neither end may be kept as evidence alone.
        ends = [*command.refs, *command.linked_refs]
        restricted = any(self._batch.restricted(end) for end in ends)
        if restricted and told.event_type not in ENDING:
            raise SubjectRestricted(
                f"expected an event that takes consent away, got {told.event_type.value}"
            )
        notice = self._shown(choice)
        served_at = None if choice.served is None else self._served_at(command, notice)
        bases = {} if notice is None else notice.bases()
        resolved = self._setting.resolve(
            choice.jurisdiction, on=command.received.date(), source=choice.jurisdiction_source
        )
        decisions = choice.decisions
        if choice.method is Method.GPC and told.event_type in ENDING and not decisions:
            decisions = self._signalled(command, notice, resolved.regime)
        question = None
        if notice is not None:
            check_purposes(told, bases)
            check_published(told, notice.published)
            question = Question(
                notice.notice.notice_id,
                notice.version,
                notice.material_sha256,
                bases,
                served_at,
            )
            check_may_ask(standing, told, question, self._setting.patience)
            check_asked(standing, told, question, self._setting.patience)
        giving = told.event_type in GIVING
        # It lasts from the act on: an event that comes late is valid no longer for that.
        acted = min(told.occurred or command.received, command.received)
        believed = Believed(
            command.record_id,
            self._site_id,
            ref,
            command.received,
            resolved,
            decisions,
            bases,
            None if notice is None else self._as_shown(notice, choice),
            named_question(standing, told, question, choice.served_id),
            served_at,
            self._setting.validity(acted) if giving else None,
            self._linked_ref(command, ref),
        )
        self._batch.enter(content(choice, believed))

    def _known(self, refs: Sequence[str]) -> str:
        """Return the pseudonym under which a subject is known, or the newest.

        Of several the one that is linked, for a no has to reach whoever is behind it.
        """
        known = {ref: at for ref in refs if (at := self._batch.standing(ref))}
        return next((ref for ref, at in known.items() if at.links), next(iter(known), refs[0]))

    def _linked_ref(self, command: Record, ref: str) -> str | None:
        if command.told.event_type is not EventType.LINKED:
            return None
        if not command.linked_refs or self._known(command.linked_refs) == ref:
            raise DecisionsInconsistent("expected another subject to link with, got none")
        other = self._known(command.linked_refs)
        standings = [self._batch.standing(end) or Standing() for end in (ref, other)]
        if all(end in at.links for end, at in zip((other, ref), standings, strict=True)):
            return other
        if any(len(at.links) >= LINKS for at in standings):
            raise TooManyLinks(f"expected at most {LINKS} links of a subject, got one more")
        known = self._batch.standing
        if len({ref, other, *reach(known, ref), *reach(known, other)}) > REACH:
            raise TooManyLinks(f"expected at most {REACH} ids linked, near or far, got more")
        return other

    def _served_at(self, command: Record, notice: Published | None) -> datetime | None:
        """Return when the token was issued; a no is recorded without a token that is not good."""
        try:
            return self._issued(command, notice)
        except ServedInvalid:
            if command.told.event_type in ENDING:
                return None
            raise

    def _issued(self, command: Record, notice: Published | None) -> datetime:
        token = command.choice.served or ""
        served = open_token(self._keyring.served_key(self._site_id), token, now=command.received)
        shown = notice and (notice.notice.notice_id, notice.version, notice.notice.language)
        if served[:3] != shown:
            raise ServedInvalid(
                "expected a token of the notice, version and language answered, got another's"
            )
        return served.at

    def _signalled(
        self, command: Record, notice: Published | None, regime: Regime
    ) -> tuple[tuple[str, Decision], ...]:
        """Return what a Global Privacy Control signal decides about the notice's purposes."""
        setting = self._setting
        ended = (
            ()
            if notice is None
            else gpc_ends(
                notice.notice.purposes,
                setting.defaults(regime, on=command.received.date()),
                setting.gpc,
            )
        )
        if not ended:
            raise DecisionsInconsistent(
                "expected decisions, or a notice with purposes that the signal ends, got neither"
            )
        return tuple((purpose, Decision.REFUSED) for purpose in sorted(ended))

    def _shown(self, choice: Choice) -> Published | None:
        """Return the notice shown; a no that needs none is recorded without one that is unknown."""
        if choice.notice_id is None or choice.notice_version is None or choice.language is None:
            return None
        current = self._versions.get(choice.notice_id)
        notice = self._published(choice.notice_id, choice.notice_version, choice.language)
        if current is None or notice is None:
            if choice.event_type in ENDING - ON_NOTICE and choice.decisions:
                return None
            raise _unknown_notice()
        asking = choice.event_type is EventType.REQUESTED or choice.event_type in GIVING
        if asking and notice.material_sha256 != current[1]:
            raise NoticeSuperseded(
                f"expected version {current[0]} of the notice, got version {notice.version}, "
                "which differs in substance"
            )
        return notice

    def _published(self, notice_id: str, version: int, language: str) -> Published | None:
        # What was published never changes: once read, it is remembered.
        place = (notice_id, version, language)
        if (self._site_id, place) not in self._notices:
            found = store.find_notice(self._rows.connection, self._site_id, place)
            if found is None:
                return None
            self._notices[self._site_id, place] = found
        return self._notices[self._site_id, place]

    def _as_shown(self, published: Published, choice: Choice) -> ShownNotice:
        return ShownNotice(
            published.notice.notice_id,
            published.version,
            published.notice.language,
            published.text_sha256,
            published.material_sha256,
            choice.layer,
            self._banner(published, choice),
            choice.variant,
        )

    def _banner(self, published: Published, choice: Choice) -> str | None:
        """Return the banner shown; a no is recorded without one that is not archived."""
        if choice.ui_sha256 is None:
            return published.notice.ui_sha256
        place = (self._site_id, choice.ui_sha256)
        if place not in self._banners:
            if not store.has_banner(self._rows.connection, *place):
                if choice.event_type in ENDING:
                    return None
                raise BannerUnknown("expected the digest of an archived banner, got another")
            self._banners.add(place)
        return choice.ui_sha256

    def _remember(self, entered: Sequence[Record], closed: Closed) -> None:
        """Keep what it takes to answer the same request again."""
        self._rows.insert(
            IDEMPOTENCY,
            [
                (
                    self._site_id,
                    command.key,
                    command.fingerprint,
                    command.record_id,
                    closed.tree_size,
                    closed.signature,
                )
                for command in entered
            ],
        )

    def _replay(self, command: Record, answered: Answered) -> Receipt:
        if answered.fingerprint and answered.fingerprint != command.fingerprint:
            raise IdempotencyMismatch(
                "expected the body that first came with this key, got another"
            )
        connection, record_id = self._rows.connection, answered.record_id
        kept = read_vault(connection, self._keyring, self._site_id, [record_id]).get(record_id)
        if kept is None or not answered.fingerprint:
            raise RecordErased(record_id)
        opened, index = kept.open(), kept.record.leaf_index
        head = ledger.read_head(connection, self._site_id, kept.record.epoch)
        nodes = ledger.Nodes(connection, head)
        verifier = self._keyring.verifier(head.site_id, head.epoch, head.origin)
        entry = ledger.read_leaf(connection, head, index)
        checkpoint = verifier.render(
            answered.tree_size, nodes.root(answered.tree_size), answered.signature
        )
        path = nodes.inclusion(index, answered.tree_size)
        return Receipt.proved(record_id, opened, entry, index, path, checkpoint)


def _unknown_notice() -> NoticeUnknown:
    return NoticeUnknown(
        "expected a notice, version and language that this site has published, got another"
    )
