"""Comment in, verdict out: scored, judged, stored, answered.

An error or a text that cannot be scored holds the comment; it never publishes or rejects it.
"""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

import structlog

from moderation import store
from moderation.cases.arrivals import Screened, never
from moderation.cases.usage import Tally
from moderation.database import Reading, Writing
from moderation.errors import IdempotencyInFlight
from moderation.model.classifier import Classifier
from moderation.model.explanation import FLOOR, Why
from moderation.model.turn import LONG_TEXT, Read, Turn, aside
from moderation.policy.history import Question
from moderation.policy.judging import UNJUDGED, Policy, judge
from moderation.policy.rules import Comment
from moderation.policy.traits import NOBODY, NOTHING, Author, Tracing
from moderation.store import Detail, Encoded, Idempotency, Put, Stored
from moderation.tables import instant
from moderation.text.language import Language, script
from moderation.verdict import Origin, Verdict

T = TypeVar("T")
Answer = tuple[int, bytes]

INDEXED_TEXT = 2_000  # characters that cost a write about as much as a row

log = structlog.get_logger(__name__)


class Governing(Protocol):
    """Knows which policy holds for a site."""

    async def find(self, site_id: str) -> Policy:
        """Return the site's policy."""
        ...


class Submission(NamedTuple):
    """A comment as it came; *details* is JSON of what is kept beside the text."""

    external_id: str
    text: str
    details: str = "{}"
    thread_id: str | None = None
    parent_id: str | None = None
    honeypot_filled: bool = False
    author: Author = NOBODY
    submitted: datetime | None = None
    form_shown: datetime | None = None
    thread_published: datetime | None = None
    language: str | None = None
    origin: Origin = Origin.NATIVE


class Screening:
    """The use cases of a comment that comes in."""

    def __init__(
        self,
        *,
        classifier: Classifier,
        governing: Governing,
        tracing: Tracing,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        encode: Callable[[Screened], Encoded],
        draw: Callable[[str], float] = never,
    ) -> None:
        self.failures = Counter({"scoring": 0, "judging": 0})
        """How many texts were held because a step of theirs failed, by the step."""
        self._turn = Turn(classifier, self.failures)
        self._governing = governing
        self._tracing = tracing
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._ids = ids
        self._encode = encode
        self._draw = draw
        self._in_flight: set[tuple[str, str, str]] = set()

    def use(self, classifier: Classifier) -> None:
        """Score with *classifier* from now on; what is being scored is not disturbed."""
        self._turn = Turn(classifier, self.failures)

    async def score(self, site_id: str, submission: Submission) -> Screened:
        """Score and judge a text without storing anything, and without asking about others."""
        policy = await self._governing.find(site_id)
        turn = self._turn
        read = await turn.read(submission.text)
        (screened,) = await self._judge(turn, policy, [(submission, read)], None)
        return screened

    async def read(self, text: str) -> Read:
        """Score a text, and do no more; `take` takes what was read."""
        return await self._turn.read(text)

    async def read_many(self, texts: Sequence[str]) -> list[Read]:
        """Score texts as one batch, and do no more."""
        return await self._turn.read_many(texts)

    async def explain(self, text: str, *, floor: float = FLOOR) -> Why | None:
        """Return what moved the scores of *text* from *floor* on; None where nothing can say.

        It is the present model that says so. In a thread where the text is long.
        """
        explain = self._turn.classifier.explain
        if explain is None:
            return None
        try:
            if len(text) > LONG_TEXT:
                return await aside(lambda: explain(text, floor=floor))
            return explain(text, floor=floor)
        except Exception as error:  # noqa: BLE001 - the score stands without it
            log.error("explaining_failed", error=type(error).__name__)  # noqa: TRY400 - it may quote
            return None

    async def submit(
        self,
        site_id: str,
        submission: Submission,
        *,
        idempotency: Idempotency | None,
        render: Callable[[Sequence[Stored]], Answer],
    ) -> Answer:
        """Screen one comment and store it; answers after the commit.

        Raises IdempotencyInFlight and IdempotencyMismatch.
        """
        return await self._once(
            site_id,
            idempotency,
            lambda: self._submit_one(site_id, submission, idempotency, render),
        )

    async def take(
        self,
        site_id: str,
        submission: Submission,
        *,
        tally: Tally | None = None,
        read: Read | None = None,
        once: bool = False,
    ) -> Stored:
        """Screen one comment and store it, counted by *tally*; return it after the commit.

        *read* is what the text scored, where that is known already. With *once* a text that the
        comment has had before does not take the place of the present one.
        """
        stored = await self._submit_one(site_id, submission, None, list, tally, read, once=once)
        return stored[0]

    async def take_many(
        self, site_id: str, submissions: Sequence[Submission], reads: Sequence[Read]
    ) -> list[Stored]:
        """Store comments that scored *reads* in one durable commit; return them in order."""
        return await self._submit_all(site_id, submissions, None, list, reads)

    async def submit_many(
        self,
        site_id: str,
        submissions: Sequence[Submission],
        *,
        idempotency: Idempotency | None,
        render: Callable[[Sequence[Stored]], Answer],
    ) -> Answer:
        """Screen comments as one batch and store them in one durable commit."""
        return await self._once(
            site_id,
            idempotency,
            lambda: self._submit_all(site_id, submissions, idempotency, render),
        )

    async def get(self, site_id: str, comment_id: str) -> Detail:
        """Return a comment. Raises CommentNotFound."""
        return await self._reading.query(
            lambda connection: store.get_detail(connection, site_id, comment_id)
        )

    async def find(self, site_id: str, external_id: str) -> Detail | None:
        """Return a comment by the site's own id for it, or None."""
        return await self._reading.query(
            lambda connection: store.find_external(connection, site_id, external_id)
        )

    async def list_comments(
        self,
        site_id: str,
        *,
        state: str | None,
        external_id: str | None,
        after: str | None,
        limit: int,
    ) -> tuple[list[Detail], str | None]:
        """Return comments oldest first, and the id after which the next page begins."""
        found = await self._reading.query(
            lambda connection: store.list_details(
                connection,
                site_id,
                state=state,
                external_id=external_id,
                after=after,
                limit=limit + 1,
            )
        )
        page = found[:limit]
        return page, page[-1].stored.id if len(found) > limit else None

    async def forget_keys(self) -> None:
        """Delete idempotency keys that are older than a day, some at a time."""
        before = store.expired_before(instant(self._clock()))
        while not await self._writing.write(store.forget_keys, before, size=store.KEYS_AT_ONCE):
            pass

    # -- parts --------------------------------------------------------------------------------

    async def _once(
        self,
        site_id: str,
        idempotency: Idempotency | None,
        answer: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        if idempotency is None:
            return await answer()
        place = (site_id, idempotency.route, idempotency.key)
        if place in self._in_flight:
            raise IdempotencyInFlight(
                "expected the first request with this key to be answered, it is still in flight"
            )
        self._in_flight.add(place)
        try:
            return await answer()
        finally:
            self._in_flight.discard(place)

    async def _submit_one(
        self,
        site_id: str,
        submission: Submission,
        idempotency: Idempotency | None,
        render: Callable[[Sequence[Stored]], T],
        tally: Tally | None = None,
        read: Read | None = None,
        *,
        once: bool = False,
    ) -> T:
        policy = await self._governing.find(site_id)
        turn = self._turn  # that of the policy: what swaps them does so at once
        if read is None or read.classifier is not turn.classifier:
            read = await turn.read(submission.text)
        screened = await self._judge(turn, policy, [(submission, read)], site_id)
        return await self._store(site_id, screened, idempotency, render, tally, once=once)

    async def _submit_all(
        self,
        site_id: str,
        submissions: Sequence[Submission],
        idempotency: Idempotency | None,
        render: Callable[[Sequence[Stored]], T],
        reads: Sequence[Read] = (),
    ) -> T:
        policy = await self._governing.find(site_id)
        turn = self._turn
        if not reads or reads[0].classifier is not turn.classifier:
            reads = await turn.read_many([item.text for item in submissions])
        scored = list(zip(submissions, reads, strict=True))
        screened = await self._judge(turn, policy, scored, site_id)
        return await self._store(site_id, screened, idempotency, render)

    async def _store(
        self,
        site_id: str,
        screened: Sequence[Screened],
        idempotency: Idempotency | None,
        render: Callable[[Sequence[Stored]], T],
        tally: Tally | None = None,
        *,
        once: bool = False,
    ) -> T:
        command = Put(
            site_id,
            screened,
            [self._ids() for _ in screened],
            instant(self._clock()),
            render,
            self._encode,
            idempotency,
            self._draw,
            tally,
            once,
        )
        # A long text is much of an index: no batch is to keep others waiting for long.
        size = len(screened) + sum(len(one.text) for one in screened) // INDEXED_TEXT
        return await self._writing.write(store.put, command, size=size)

    async def _judge(
        self,
        turn: Turn,
        policy: Policy,
        scored: Sequence[tuple[Submission, Read]],
        site_id: str | None,
    ) -> list[Screened]:
        """Judge submissions, in a thread when they are long together, or patterns are many.

        What is stored for a site has its traits, and what other comments are asked.
        """
        now, model = self._clock(), turn.classifier.name

        def work() -> list[Screened]:
            return [self._judged(model, policy, item, read, site_id, now) for item, read in scored]

        if sum(len(item.text) for item, _ in scored) * policy.rules.readings > LONG_TEXT:
            return await aside(work)
        return work()

    def _judged(
        self,
        model: str,
        policy: Policy,
        submission: Submission,
        read: Read,
        site_id: str | None,
        now: datetime,
    ) -> Screened:
        traits, question = NOTHING, None
        scores = read.scores
        known = read.told
        try:
            findings = policy.rules.look(_looked(submission, now, known))
            judged = judge(policy, scores, findings)
            if site_id is not None:
                traits = self._tracing.find(site_id, submission.author, submission.text)
                rules = policy.rules
                if rules.compares or judged.verdict is not Verdict.APPROVE:
                    # What is not published a person may look at, with those like it beside it.
                    traits = self._tracing.compare(traits, submission.text)
                if rules.compares:
                    refs = self._networks(policy, submission, site_id, now)
                    traits = traits._replace(address_ref=refs[0] if refs else None)
                    question = Question(policy, scores, findings, traits, refs, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, the comment is held
            # No traceback: it may quote the text.
            log.error("judging_failed", error=type(error).__name__)  # noqa: TRY400
            self.failures["judging"] += 1
            judged, question = UNJUDGED, None
        return Screened(
            submission.external_id,
            submission.text,
            hashlib.sha256(submission.text.encode()).hexdigest(),
            submission.details,
            submission.thread_id,
            submission.parent_id,
            judged.verdict,
            None if scores is None else tuple(scores),
            judged.reasons,
            model,
            policy.version,
            traits,
            question,
            submission.origin,
            None if scores is None else Language(script(submission.text), known),
        )

    def _networks(
        self, policy: Policy, submission: Submission, site_id: str, now: datetime
    ) -> list[str]:
        """Return today's name of the network, then yesterday's where that counts as well."""
        limit = policy.rules.address_flood
        if limit is None:
            return []
        today, first = now.date(), limit.since(now).date()
        name = self._tracing.locate(site_id, submission.author, on=today)
        if name is None:
            return []
        earlier = None
        if first < today:
            earlier = self._tracing.locate(site_id, submission.author, on=first)
        return [name] if earlier is None else [name, earlier]


def _looked(submission: Submission, now: datetime, known: bool | None) -> Comment:  # noqa: FBT001
    return Comment(
        submission.text,
        received=now,
        author=submission.author,
        honeypot_filled=submission.honeypot_filled,
        submitted=submission.submitted,
        form_shown=submission.form_shown,
        thread_published=submission.thread_published,
        language=submission.language,
        known=known,
    )
