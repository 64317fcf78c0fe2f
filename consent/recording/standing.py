"""May I? Where subjects stand, read at once: allowed or not, why, until when, and whether to ask.

One indexed read a subject; what nobody decided follows the law that holds where the visitor is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import bindparam, func, select

from consent import store
from consent.choices.choice import Basis, SubjectKind
from consent.choices.linking import of_one
from consent.choices.notice import Purpose
from consent.choices.projection import PurposeStanding, Standing
from consent.choices.record import instant
from consent.choices.regime import Defaults, Regime, RegimeSource, gpc_ends, runs_undecided
from consent.choices.setting import Setting
from consent.database import Looking
from consent.sealing.keyring import Keyring
from consent.tables import NOTICE, SUBJECT


class Why(StrEnum):
    """The reason of a standing."""

    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    OPTED_OUT = "opted_out"
    OBJECTED = "objected"
    REVOKED = "revoked"
    INVALIDATED = "invalidated"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    OTHER_VENDORS = "other_vendors"
    """It was given to some vendors, and not to the one that is asked for."""

    RESTRICTED = "restricted"
    """Processing is restricted for this subject."""

    NOT_ASKED = "not_asked"
    NOT_ANSWERED = "not_answered"
    SIGNAL = "signal"
    """Nobody decided, and Global Privacy Control opts out."""

    NECESSARY = "necessary"
    """It needs nobody's consent."""

    UNDECIDED = "undecided"
    """Nobody decided, and the regime lets it run until somebody does."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a purpose may be served for a subject, why, until when, by which record.

    *ask* says whether the visitor may be asked now, *ask_after* from when otherwise. *signal* says
    whether a Global Privacy Control signal was honoured here, which must be shown to the visitor
    (CCPA regulations §7025(c)(6)).
    """

    purpose: str
    allowed: bool
    why: Why
    ask: bool = False
    record_id: str | None = None
    since: str | None = None
    valid_until: str | None = None
    ask_after: str | None = None
    signal: bool = False
    regime: Regime | None = None
    """Whose defaults answer, where nobody decided."""

    vendor_ids: Sequence[str] | None = None
    """The only vendors that it was given to."""


class Visitor(NamedTuple):
    """What the caller knows of the visit itself."""

    jurisdiction: str | None = None
    source: RegimeSource = RegimeSource.DECLARED
    gpc: bool = False
    vendor: str | None = None
    """Which vendor is to be served; without one, consent to some of them is not enough."""


UNKNOWN = Visitor()
REMEMBERED = timedelta(seconds=1)
"""How long notices and settings of another process may go unnoticed; its own are known at once."""

SITES_REMEMBERED = 10_000
ANSWERS_REMEMBERED = 10_000


class StandingRead:
    """The use case of asking."""

    def __init__(
        self, *, keyring: Keyring, looking: Looking, clock: Callable[[], datetime]
    ) -> None:
        self._keyring = keyring
        self._looking = looking
        self._clock = clock
        self._subject = looking.prepare(
            select(SUBJECT.c.standing, SUBJECT.c.restricted_until).where(
                SUBJECT.c.site_id == bindparam("site_id"),
                SUBJECT.c.subject_ref == bindparam("ref"),
            )
        )
        newest = (
            select(NOTICE.c.notice_id, func.max(NOTICE.c.version).label("version"))
            .where(NOTICE.c.site_id == bindparam("site_id"))
            .group_by(NOTICE.c.notice_id)
            .subquery()
        )
        self._notices = looking.prepare(
            select(NOTICE.c.notice_id, NOTICE.c.material_sha256, NOTICE.c.purposes)
            .join(
                newest,
                (NOTICE.c.notice_id == newest.c.notice_id) & (NOTICE.c.version == newest.c.version),
            )
            .where(NOTICE.c.site_id == bindparam("of_site"))
        )
        self._setting = looking.prepare(store.SETTING_OF_SITE)
        self._houses: dict[str, _House] = {}
        self._changes = 0

    def forget(self, site_id: str) -> None:
        """Forget what is remembered of a site: a notice or its settings have changed."""
        self._changes += 1
        self._houses.pop(site_id, None)

    async def ask(
        self,
        site_id: str,
        kind: SubjectKind,
        subject_id: str,
        purposes: Sequence[str],
        visitor: Visitor = UNKNOWN,
    ) -> list[Answer]:
        """Answer for each purpose, in order. Raises SubjectInvalid.

        Whoever is unknown was not asked.
        """
        standings, restricted = [], False
        # Under more than one of them where processes did not learn of a new key at once.
        for ref in self._keyring.refs(site_id, kind, subject_id):
            rows = await self._looking.look(self._subject, site_id=site_id, ref=ref)
            if rows:
                standings.append(Standing.from_json(rows[0][0]))
                restricted = restricted or rows[0][1] is not None
        standing = of_one(standings) if standings else Standing()
        if restricted:
            return [Answer(purpose, allowed=False, why=Why.RESTRICTED) for purpose in purposes]
        now = self._clock()
        asking = _Asking(await self._house(site_id, now), visitor, now)
        return [asking.answer(standing, purpose) for purpose in purposes]

    async def _house(self, site_id: str, now: datetime) -> "_House":
        """Return what holds for every visitor of a site, as it was at most a second ago."""
        house = self._houses.get(site_id)
        if house is None or not house.read_at <= now < house.read_at + REMEMBERED:
            changes = self._changes
            rows = await self._looking.look(self._notices, site_id=site_id, of_site=site_id)
            setting = await self._looking.look(self._setting, site_id=site_id)
            house = _House(
                now,
                store.read_setting(setting),
                {notice_id: material for notice_id, material, _ in rows},
                [store.read_purposes(text) for *_, text in rows],
                {},
            )
            if self._changes == changes:  # else this may be what held before the change
                if len(self._houses) >= SITES_REMEMBERED:
                    self._houses.clear()
                self._houses[site_id] = house
        return house


class _House(NamedTuple):
    """What holds for every visitor of a site: settings, and what the current notices are about."""

    read_at: datetime
    setting: Setting
    material: Mapping[str, str]
    """Of each notice, the digest of its substance."""

    purposes: Sequence[Sequence[Purpose]]
    """Of each notice in each language."""

    undecided: dict[tuple[str, bool, Visitor], Answer]
    """Answers about what nobody decided: the same for everybody who comes alike."""


class _Asking:
    """One question to one site by one visitor."""

    def __init__(self, house: _House, visitor: Visitor, now: datetime) -> None:
        self._house = house
        self._setting = house.setting
        self._visitor = visitor
        self._day = now.date()
        self._now = instant(now)

    def answer(self, standing: Standing, purpose: str) -> Answer:
        at = standing.purposes.get(purpose)
        if at is None:
            alike = (purpose, bool(standing.asked), self._visitor)
            answer = self._house.undecided.get(alike)
            if answer is None:
                answer = self._undecided(purpose, asked=alike[1])
                if len(self._house.undecided) < ANSWERS_REMEMBERED:
                    self._house.undecided[alike] = answer
            return answer
        if at.ended:
            return self._ended(purpose, at)
        why = Why.GIVEN
        if at.lapsed(self._now):
            why = Why.EXPIRED
        elif self._superseded(at):
            why = Why.SUPERSEDED
        if self._signalled(purpose) and (
            why is not Why.GIVEN or (not at.signal and self._law()[1].signal_opts_out)
        ):
            # Only a yes that still stands outlives the signal, and where the law makes that an
            # opt-out only one that was said in its sight.
            return Answer(purpose, allowed=False, why=Why.SIGNAL, signal=True)
        ask = why is not Why.GIVEN
        if at.vendors is not None and not ask and self._visitor.vendor not in at.vendors:
            # Two ids of one person may name different vendors: then none is left that both named.
            why, ask = Why.OTHER_VENDORS, at.nobody
        if why is not Why.GIVEN and self._bases(purpose) == {Basis.STRICTLY_NECESSARY}:
            # Accepted along with the rest; it needed nobody's consent and needs none now.
            return Answer(purpose, allowed=True, why=Why.NECESSARY)
        return Answer(
            purpose,
            why is Why.GIVEN,
            why,
            ask,
            at.record_id,
            at.occurred_at,
            at.valid_until,
            vendor_ids=at.vendors,
        )

    def _superseded(self, at: PurposeStanding) -> bool:
        """Whether the notice that was in view is no longer current in substance."""
        return self._house.material.get(at.notice_id or "") != at.material_sha256

    def _ended(self, purpose: str, at: PurposeStanding) -> Answer:
        if self._bases(purpose) == {Basis.STRICTLY_NECESSARY}:
            # Refused along with the rest, by a button that names every purpose.
            return Answer(purpose, allowed=True, why=Why.NECESSARY)
        after = self._setting.patience(at)
        other = not at.lasting and at.notice_id is not None and self._superseded(at)
        ask = not at.final and (other or self._now >= after)
        return Answer(
            purpose,
            allowed=False,
            why=Why(at.state),
            ask=ask,
            record_id=at.record_id or None,
            since=at.occurred_at,
            ask_after=None if ask or at.final else after,
            signal=at.signal or self._signalled(purpose),
        )

    def _undecided(self, purpose: str, *, asked: bool) -> Answer:
        regime, given = self._law()
        bases = self._bases(purpose)
        if bases == {Basis.STRICTLY_NECESSARY}:
            return Answer(purpose, allowed=True, why=Why.NECESSARY)
        runs = bool(bases) and all(runs_undecided(basis, given) for basis in bases)
        signal = self._signalled(purpose)
        why = Why.NOT_ANSWERED if asked else Why.NOT_ASKED
        if signal:
            why = Why.SIGNAL
        elif runs:
            why = Why.UNDECIDED
        return Answer(
            purpose,
            allowed=runs and not signal,
            why=why,
            ask=not runs and not signal,
            signal=signal,
            regime=regime,
        )

    def _bases(self, purpose: str) -> set[Basis]:
        every = self._house.purposes
        return {each.basis for notice in every for each in notice if each.id == purpose}

    def _signalled(self, purpose: str) -> bool:
        """Whether a signal is there that ends *purpose*, by the marks of any notice with it."""
        if not self._visitor.gpc:
            return False
        policy, (_, given) = self._setting.gpc, self._law()
        return any(purpose in gpc_ends(notice, given, policy) for notice in self._house.purposes)

    def _law(self) -> tuple[Regime, Defaults]:
        resolved = self._setting.resolve(
            self._visitor.jurisdiction, on=self._day, source=self._visitor.source
        )
        return resolved.regime, self._setting.defaults(resolved.regime, on=self._day)


def together(answers: Iterable[Sequence[Answer]]) -> list[Answer]:
    """Answer for a visitor who is known by several ids: purpose by purpose, the no wins.

    A decision counts before what nobody decided, be it the law or a signal that answers for them.
    """
    return [max(each, key=_careful) for each in zip(*answers, strict=True)]


_OPEN = frozenset({Why.NOT_ASKED, Why.NOT_ANSWERED, Why.UNDECIDED})


def _decided(answer: Answer) -> bool:
    """Whether somebody decided; a signal over a yes of theirs is no answer for nobody.

    Only what nobody decided names the regime that decides.
    """
    by_law = answer.why is Why.SIGNAL and answer.regime is not None
    return answer.why not in _OPEN and not by_law


def _careful(answer: Answer) -> tuple[bool, bool, bool, str]:
    """Say how careful an answer is: the no that is left in peace the longest is the most."""
    never = "~"  # after every instant
    return (
        _decided(answer),
        not answer.allowed,
        not answer.ask,
        answer.ask_after or never,
    )
