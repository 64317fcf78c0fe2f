"""What a site's policy asks about a comment beside its scores; each rule names itself.

Pure: no clock, no database, no model. What a comment alone can answer is answered by `look`; what
takes other comments is asked for by a `Question` and answered by `compare`, from a `History`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from moderation.policy.matching import Kind, Listing
from moderation.policy.traits import NOBODY, Author
from moderation.text.links import find_hosts
from moderation.text.normal import list_words, shown
from moderation.verdict import RESTRICTED, Reason, ReasonKind, State, Verdict

AUTHOR_LOOKS_BACK = 50  # comments of the author, the newest
ADDRESS_MINUTES = 24 * 60  # an address is known by the same name for no longer


class Comment:
    """A comment as rules look at it; instants are aware."""

    def __init__(
        self,
        text: str,
        *,
        received: datetime,
        author: Author = NOBODY,
        honeypot_filled: bool = False,
        submitted: datetime | None = None,
        form_shown: datetime | None = None,
        thread_published: datetime | None = None,
        language: str | None = None,
        known: bool | None = None,
    ) -> None:
        self.text = text
        self.author = author
        self.honeypot_filled = honeypot_filled
        self.submitted = submitted or received
        self.form_shown = form_shown
        self.thread_published = thread_published
        self.language = language
        self.known = known  # the model: its language

    @cached_property
    def words(self) -> Sequence[str]:
        """The words in their plain form."""
        return [word.decode("utf-8", "replace") for word in list_words(self.text)]

    @cached_property
    def shown(self) -> str:
        """The text as people see it."""
        return shown(self.text)

    @cached_property
    def hosts(self) -> Sequence[str]:
        """The hosts that the text links to."""
        return find_hosts(self.text)

    @cached_property
    def linked(self) -> Sequence[str]:
        """One host for each link, however many a link may be read to have."""
        return self.hosts if self.text.isascii() else find_hosts(self.text, once=True)


class Finding(NamedTuple):
    """What a rule found: the verdict that it asks for, and why.

    *of_strangers* says that it is no reason to hold what a trusted author wrote.
    """

    verdict: Verdict
    reason: Reason
    of_strangers: bool = False


class Limit(NamedTuple):
    """At most *limit* alike within *minutes*; whatever is over it gets the *verdict*."""

    limit: int
    minutes: int
    verdict: Verdict = Verdict.HOLD

    def since(self, at: datetime) -> datetime:
        """Return when the time begins that counts at an instant."""
        return at - timedelta(minutes=self.minutes)


class Steps(NamedTuple):
    """From how many on a comment is held, spam or rejected; None where it never is."""

    hold: int | None = None
    spam: int | None = None
    reject: int | None = None


class Delay(NamedTuple):
    """A time, and the verdict of what lies on the wrong side of it."""

    time: timedelta
    verdict: Verdict = Verdict.HOLD


class Languages(NamedTuple):
    """The languages that are expected, as lower-case primary subtags (BCP 47)."""

    accepted: frozenset[str]
    verdict: Verdict = Verdict.HOLD


class History(NamedTuple):
    """What is known of other comments: states of the author's, newest first, and counts.

    Each count is of comments within the time of its rule; *by_domain* is that of the domain which
    has most. An author who is not known has no states.
    """

    states: Sequence[str] = ()
    by_author: int = 0
    by_address: int = 0
    by_domain: int = 0
    same: int = 0
    alike: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a policy; None or empty where a rule is not asked for."""

    hold_everything: bool = False
    honeypot: Verdict | None = Verdict.SPAM
    lists: tuple[Listing, ...] = ()
    links: Steps | None = None
    too_fast: Delay | None = None
    old_thread: Delay | None = None
    language: Languages | None = None
    language_unknown: Verdict | None = None
    first_time: Verdict | None = None
    trusted: int | None = None
    author_flood: Limit | None = None
    address_flood: Limit | None = None
    domain_flood: Limit | None = None
    same: Limit | None = None
    alike: Limit | None = None

    @property
    def knows_authors(self) -> bool:
        """Whether a rule asks what became of the author's other comments."""
        return self.first_time is not None or self.trusted is not None

    @property
    def compares(self) -> bool:
        """Whether a rule asks about other comments."""
        return self.knows_authors or any(
            (self.author_flood, self.address_flood, self.domain_flood, self.same, self.alike)
        )

    @property
    def readings(self) -> float:
        """How often a text is read, about: once, and once more for each ten patterns."""
        return 1 + sum(len(each.entries.get(Kind.PATTERNS, ())) for each in self.lists) / 10

    def look(self, comment: Comment) -> list[Finding]:
        """Return what the comment alone gives rise to."""
        return list(self._look(comment))

    def compare(self, history: History) -> tuple[list[Finding], bool]:
        """Return what other comments give rise to, and whether the author is trusted."""
        return list(self._compare(history)), self._trusts(history.states)

    def _look(self, comment: Comment) -> Iterator[Finding]:
        if self.honeypot is not None and comment.honeypot_filled:
            yield _finding(
                self.honeypot, "honeypot", "A field that people cannot see was filled in."
            )
        if self.hold_everything:
            yield _finding(Verdict.HOLD, "hold_everything", "The site holds every comment now.")
        if self.lists:
            yield from self._hold_against_lists(comment)
        if self.links is not None:
            yield from self._count_links(comment, self.links)
        if self.too_fast is not None and comment.form_shown is not None:
            yield from _time_writing(comment, comment.form_shown, self.too_fast)
        if self.old_thread is not None and comment.thread_published is not None:
            yield from _age(comment, comment.thread_published, self.old_thread)
        if self.language is not None and comment.language is not None:
            yield from _language(comment.language, self.language)
        if self.language_unknown is not None and comment.known is False:
            yield _finding(
                self.language_unknown,
                "language_unknown",
                "The model does not know the language of this comment: its scores say little.",
            )

    def _hold_against_lists(self, comment: Comment) -> Iterator[Finding]:
        if any(listing.find(comment) for listing in self._allowed()):
            return
        for listing in self.lists:
            if listing.verdict is Verdict.APPROVE:
                continue
            entry = listing.find(comment)
            if entry is not None:
                yield _finding(
                    listing.verdict,
                    "list",
                    f"Entry {entry.number} of {entry.kind} in the list {listing.name} matches.",
                )

    def _allowed(self) -> Iterator[Listing]:
        return (listing for listing in self.lists if listing.verdict is Verdict.APPROVE)

    def _count_links(self, comment: Comment, steps: Steps) -> Iterator[Finding]:
        links = sum(
            not any(listing.has_host(host) for listing in self._allowed())
            for host in comment.linked
        )
        for verdict, step in (
            (Verdict.REJECT, steps.reject),
            (Verdict.SPAM, steps.spam),
            (Verdict.HOLD, steps.hold),
        ):
            if step is not None and links >= step:
                yield _finding(
                    verdict,
                    "links",
                    f"Fewer than {step} links are expected, this comment has {links}.",
                    of_strangers=verdict is Verdict.HOLD,
                )
                return

    def _compare(self, history: History) -> Iterator[Finding]:
        if self.first_time is not None and State.PUBLISHED.value not in history.states:
            yield _finding(
                self.first_time, "first_time", "Nothing by this author has been published yet."
            )
        for limit, code, count, what in (
            (self.author_flood, "author_flood", history.by_author, "by one author"),
            (self.address_flood, "address_flood", history.by_address, "from one network"),
            (self.domain_flood, "domain_flood", history.by_domain, "that link to one domain"),
            (self.same, "duplicate", history.same, "of the same words"),
            (self.alike, "near_duplicate", history.alike, "of nearly the same words"),
        ):
            if limit is not None and count >= limit.limit:
                yield _finding(
                    limit.verdict,
                    code,
                    f"At most {limit.limit} comments {what} are expected in {limit.minutes} "
                    f"minutes, this one is over that.",
                )

    def _trusts(self, states: Sequence[str]) -> bool:
        return (
            self.trusted is not None
            and states.count(State.PUBLISHED.value) >= self.trusted
            and RESTRICTED.isdisjoint(states)
        )


NO_RULES = Rules()


def _time_writing(comment: Comment, shown: datetime, least: Delay) -> Iterator[Finding]:
    took = comment.submitted - shown
    if took < least.time:
        yield _finding(
            least.verdict,
            "too_fast",
            f"A comment takes at least {_seconds(least.time)} s to write, "
            f"this one took {_seconds(took)} s.",
            of_strangers=least.verdict is Verdict.HOLD,
        )


def _age(comment: Comment, published: datetime, most: Delay) -> Iterator[Finding]:
    age = comment.submitted - published
    if age > most.time:
        yield _finding(
            most.verdict,
            "old_thread",
            f"Comments are expected within {most.time.days} days, this one came after {age.days}.",
            of_strangers=most.verdict is Verdict.HOLD,
        )


def _language(told: str, languages: Languages) -> Iterator[Finding]:
    if told.lower().replace("_", "-").partition("-")[0] not in languages.accepted:
        expected = ", ".join(sorted(languages.accepted))
        yield _finding(
            languages.verdict,
            "language",
            f"Comments are expected in {expected}, this one says to be in another language.",
            of_strangers=languages.verdict is Verdict.HOLD,
        )


def _finding(verdict: Verdict, code: str, detail: str, *, of_strangers: bool = False) -> Finding:
    return Finding(verdict, Reason(ReasonKind.RULE, code, detail), of_strangers)


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.3g}"
