"""What other comments of a site say about the one that comes in: asked for many at once.

Takes rows inside a transaction; never commits. What the rows have not been told of yet, the other
comments of the same transaction, is remembered and counted as well.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Executable, Table, bindparam, func, literal, select

from moderation.database import Found
from moderation.policy.judging import Judged, Policy, judge
from moderation.policy.resemblance import alike, bands
from moderation.policy.rules import AUTHOR_LOOKS_BACK, Finding, History, Limit
from moderation.policy.traits import Traits
from moderation.tables import COMMENT, COMMENT_BAND, COMMENT_DOMAIN, instant

DOMAINS_ASKED = 10  # of one comment; who links to more has other rules to fear
CANDIDATES = 50
"""Comments that may be alike, looked at for each band; more where the rule counts more."""
_LAST = "9999-12-31T23:59:59.999999Z"
_WAITED = timedelta(minutes=5)  # from judging to storing, and what clocks differ by


class Asking(Protocol):
    """What answers selects, each once its rows are wanted."""

    def ask(self, select: Executable, /, **values: Any) -> Found:  # noqa: ANN401
        """Send *select*; its rows are read by calling what this returns."""
        ...


class Question(NamedTuple):
    """A comment that cannot be judged without others: what is known, and what is to be asked.

    *address_refs* are the names that its network has had within the time that counts.
    """

    policy: Policy
    scores: Sequence[float] | None
    findings: Sequence[Finding]
    traits: Traits
    address_refs: Sequence[str]
    at: datetime

    def judge(self, history: History) -> Judged:
        """Judge, with what is known of other comments."""
        found, trusted = self.policy.rules.compare(history)
        return judge(self.policy, self.scores, [*self.findings, *found], trusted=trusted)


def _before(received: ColumnElement[str], comment: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a comment came in before another: those of one batch have one instant."""
    return (received <= bindparam("until")) & (
        (received < bindparam("until")) | (comment < bindparam("comment_id"))
    )


def _sharing(table: Table, column: str) -> Executable:
    """Return how many comments have a value in *column* since an instant, up to a number."""
    comment = table.c.id if table is COMMENT else table.c.comment_id
    found = (
        select(literal(1).label("one"))
        .where(
            table.c.site_id == bindparam("site_id"),
            table.c[column] == bindparam("value"),
            table.c.received >= bindparam("since"),
            _before(table.c.received, comment),
            comment != bindparam("comment_id"),
        )
        .limit(bindparam("enough"))
        .subquery()
    )
    return select(func.count()).select_from(found)


_BY_AUTHOR = _sharing(COMMENT, "author_ref")
_BY_ADDRESS = _sharing(COMMENT, "address_ref")
_BY_FINGERPRINT = _sharing(COMMENT, "fingerprint")
_BY_DOMAIN = _sharing(COMMENT_DOMAIN, "domain")
_STATES = (
    select(COMMENT.c.state)
    .where(
        COMMENT.c.site_id == bindparam("site_id"),
        COMMENT.c.author_ref == bindparam("value"),
        _before(COMMENT.c.received, COMMENT.c.id),
        COMMENT.c.id != bindparam("comment_id"),
    )
    .order_by(COMMENT.c.received.desc())
    .limit(AUTHOR_LOOKS_BACK)
)
_IN_BAND = (
    select(COMMENT_BAND.c.comment_id, COMMENT_BAND.c.signature)
    .where(
        COMMENT_BAND.c.site_id == bindparam("site_id"),
        COMMENT_BAND.c.band == bindparam("value"),
        COMMENT_BAND.c.received >= bindparam("since"),
        _before(COMMENT_BAND.c.received, COMMENT_BAND.c.comment_id),
        COMMENT_BAND.c.comment_id != bindparam("comment_id"),
    )
    .order_by(COMMENT_BAND.c.received.desc())
    .limit(bindparam("enough"))
)


class Asked(NamedTuple):
    """What was asked about one comment; None where no rule wants to know."""

    site_id: str
    question: Question
    states: Found | None
    by_author: Found | None
    by_address: Sequence[Found]
    by_domain: Mapping[str, Found]
    same: Found | None
    alike: Sequence[Found]


class Histories:
    """The histories of the comments of one transaction.

    *live* where they come in now: then whatever is stored was there before them. Judged sooner
    than stored, they would else let a burst of others pass by. What is said to have come later
    still was stored by a clock that was ahead: it counts for its author, and against no limit.
    """

    def __init__(self, rows: Asking, *, live: bool = False) -> None:
        self._rows = rows
        self._live = live
        self._states: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self._sharing: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._signatures: dict[str, dict[str, str]] = defaultdict(dict)

    def ask(self, site_id: str, comment_id: str, question: Question) -> Asked:
        """Send what the rules ask about a comment, whose own rows do not count."""
        rules, traits = question.policy.rules, question.traits
        until = instant(question.at + _WAITED if self._live else question.at)

        def count(
            select: Executable, value: str | None, limit: Limit | None, least: int = 0
        ) -> Found | None:
            if value is None or limit is None:
                return None
            return self._rows.ask(
                select,
                site_id=site_id,
                comment_id=comment_id,
                value=value,
                since=instant(limit.since(question.at)),
                until=until,
                enough=max(limit.limit, least),
            )

        def among(
            select: Executable, values: Iterable[str], limit: Limit | None, least: int = 0
        ) -> list[Found]:
            found = (count(select, value, limit, least) for value in values)
            return [each for each in found if each is not None]

        domains = traits.domains[:DOMAINS_ASKED]
        near = bands(traits.signature) if traits.signature is not None else ()
        states = None
        if rules.knows_authors and traits.author_ref is not None:
            states = self._rows.ask(
                _STATES,
                site_id=site_id,
                comment_id=comment_id,
                value=traits.author_ref,
                until=_LAST if self._live else until,
            )
        return Asked(
            site_id,
            question,
            states,
            count(_BY_AUTHOR, traits.author_ref, rules.author_flood),
            among(_BY_ADDRESS, question.address_refs, rules.address_flood),
            dict(zip(domains, among(_BY_DOMAIN, domains, rules.domain_flood), strict=False)),
            count(_BY_FINGERPRINT, traits.fingerprint, rules.same),
            among(_IN_BAND, near, rules.alike, CANDIDATES),
        )

    def read(self, asked: Asked, comment_id: str) -> History:
        """Return the history of a comment: what was asked, and what was noted until now."""
        traits = asked.question.traits

        def sharing(trait: str, value: str | None) -> int:
            beside = self._sharing.get((asked.site_id, trait, value or ""), frozenset[str]())
            return len(beside - {comment_id})

        states: list[str] = []
        if asked.states is not None:
            beside = self._states.get((asked.site_id, traits.author_ref or ""), {})
            states = [state for noted, state in beside.items() if noted != comment_id]
            states += [state for (state,) in asked.states()]
        by_domain = [
            _count(found) + sharing("domain", domain) for domain, found in asked.by_domain.items()
        ]
        return History(
            states[:AUTHOR_LOOKS_BACK],
            _count(asked.by_author) + sharing("author", traits.author_ref),
            sum(map(_count, asked.by_address)) + sharing("address", traits.address_ref),
            max(by_domain, default=0),
            _count(asked.same) + sharing("words", traits.fingerprint),
            self._count_alike(asked, comment_id),
        )

    def note(self, site_id: str, comment_id: str, traits: Traits, state: str) -> None:
        """Remember a comment that the rows have not been told of yet."""
        if traits.author_ref is not None:
            self._states[site_id, traits.author_ref][comment_id] = state
        for trait, value in (
            ("author", traits.author_ref),
            ("address", traits.address_ref),
            ("words", traits.fingerprint),
            *(("domain", domain) for domain in traits.domains),
        ):
            if value is not None:
                self._sharing[site_id, trait, value].add(comment_id)
        if traits.signature is not None:
            self._signatures[site_id][comment_id] = traits.signature

    def note_edit(
        self, site_id: str, comment_id: str, traits: Traits, fingerprint: str | None
    ) -> None:
        """Remember what a comment says from now on; its row, if it has one, has *fingerprint*."""
        if traits.fingerprint not in {None, fingerprint}:
            self._sharing[site_id, "words", traits.fingerprint or ""].add(comment_id)
        if traits.signature is not None:
            self._signatures[site_id][comment_id] = traits.signature

    def _count_alike(self, asked: Asked, comment_id: str) -> int:
        own = asked.question.traits.signature
        if own is None or not asked.alike:
            return 0
        others: dict[str, str] = {}
        for found in asked.alike:
            others |= {other: signature for other, signature in found()}  # noqa: C416 - rows
        others |= self._signatures.get(asked.site_id, {})
        others.pop(comment_id, None)
        return sum(alike(own, signature) for signature in others.values())


def _count(found: Found | None) -> int:
    return 0 if found is None else int(found()[0][0])
