"""Comment in, verdict out: scored, judged, stored, answered.

An error or a text that cannot be scored holds the comment; it never publishes or rejects it.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import structlog
from sqlalchemy import Connection

from moderation import store
from moderation.errors import CommentNotFound, IdempotencyInFlight
from moderation.policy import UNSCORED, UNTRACED, Facts, Judged, Policy, judge
from moderation.store import Detail, Put, Screened, Stored
from moderation.traits import NOBODY, Author, Tracing
from moderation.verdict import Verdict

T = TypeVar("T")
Answer = tuple[int, bytes]

KEYS_LIVE = timedelta(hours=24)
LONG_TEXT = 4_000  # characters, all texts of a turn together: more is scored in a thread
PROBABILITY_DIGITS = 6

log = structlog.get_logger(__name__)


class Scoring(Protocol):
    """Scores texts: probabilities of shape (texts, labels)."""

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return a row a text, a column a label."""
        ...


class Writing(Protocol):
    """Carries out commands durably, many requests' at once."""

    async def write(self, handler: Any, command: Any, *, size: int = 1) -> Any:  # noqa: ANN401 - the handler's own
        """Return what *handler* answered to *command* of *size* rows, once it is durable."""
        ...


class Reading(Protocol):
    """Runs a question on a connection that only reads."""

    async def query(self, ask: Callable[[Connection], T]) -> T:
        """Return what *ask* answers."""
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


class Idempotency(NamedTuple):
    """The key a client gave its request, and a digest of the request's body."""

    route: str
    key: str
    fingerprint: str


class Turn:
    """Scores what arrives in one turn of the event loop as one batch in the next.

    Nobody waits for others: the batch is what is there. Much text goes to a thread, so that one
    long comment delays only itself.
    """

    def __init__(self, scorer: Scoring) -> None:
        self._scorer = scorer
        self._texts: list[str] = []
        self._futures: list[asyncio.Future[list[float] | None]] = []

    async def score(self, text: str) -> list[float] | None:
        """Return the rounded probabilities of *text*, or None if it cannot be scored."""
        if len(text) > LONG_TEXT:
            return (await self.score_many([text]))[0]
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[float] | None] = loop.create_future()
        if not self._texts:
            loop.call_soon(self._flush)
        self._texts.append(text)
        self._futures.append(future)
        return await future

    async def score_many(self, texts: Sequence[str]) -> list[list[float] | None]:
        """Score *texts* as one batch, in a thread when they are long together."""
        if sum(map(len, texts)) > LONG_TEXT:
            return await asyncio.to_thread(self._score, texts)
        return self._score(texts)

    def _flush(self) -> None:
        texts, futures = self._texts, self._futures
        self._texts, self._futures = [], []
        for future, scores in zip(futures, self._score(texts), strict=True):
            if not future.done():
                future.set_result(scores)

    def _score(self, texts: Sequence[str]) -> list[list[float] | None]:
        try:
            return self._scored(texts)
        except Exception as error:  # noqa: BLE001 - whatever it is, the comments are held
            # No traceback: it may quote the text.
            log.error(  # noqa: TRY400
                "scoring_failed", error=type(error).__name__, texts=len(texts)
            )
        if len(texts) == 1:
            return [None]
        # One text may have spoiled the batch: the others need not be held with it.
        return [self._score([text])[0] for text in texts]

    def _scored(self, texts: Sequence[str]) -> list[list[float] | None]:
        scores = np.round(self._scorer.score(texts), PROBABILITY_DIGITS)
        if scores.shape[0] != len(texts) or not np.isfinite(scores).all():
            raise ArithmeticError(f"expected {len(texts)} finite rows, got {scores.shape}")
        rows: list[list[float] | None] = scores.tolist()
        return rows


class Screening:
    """The use cases of a comment that comes in."""

    def __init__(
        self,
        *,
        scorer: Scoring,
        model: str,
        policy: Policy,
        tracing: Tracing,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        encode: Callable[[Screened], tuple[str, str]],
    ) -> None:
        self._turn = Turn(scorer)
        self._model = model
        self._policy = policy
        self._tracing = tracing
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._ids = ids
        self._encode = encode
        self._in_flight: set[tuple[str, str, str]] = set()

    async def score(self, submission: Submission) -> Screened:
        """Score and judge a text without storing anything."""
        return self._screened(submission, await self._turn.score(submission.text))

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
        found = await self._reading.query(
            lambda connection: store.find_detail(connection, site_id, comment_id)
        )
        if found is None:
            raise CommentNotFound("expected the id of a comment of this site, got another")
        return found

    async def list_comments(
        self, site_id: str, *, state: str | None, after: str | None, limit: int
    ) -> tuple[list[Detail], str | None]:
        """Return comments oldest first, and the id after which the next page begins."""
        found = await self._reading.query(
            lambda connection: store.list_details(
                connection, site_id, state=state, after=after, limit=limit + 1
            )
        )
        page = found[:limit]
        return page, page[-1].stored.id if len(found) > limit else None

    async def forget_keys(self) -> None:
        """Delete idempotency keys that are older than a day."""
        await self._writing.write(store.forget_keys, self._expired_before())

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
        render: Callable[[Sequence[Stored]], Answer],
    ) -> Answer:
        scores = await self._turn.score(submission.text)
        screened = await self._trace(site_id, [submission], [scores])
        return await self._store(site_id, screened, idempotency, render)

    async def _submit_all(
        self,
        site_id: str,
        submissions: Sequence[Submission],
        idempotency: Idempotency | None,
        render: Callable[[Sequence[Stored]], Answer],
    ) -> Answer:
        rows = await self._turn.score_many([item.text for item in submissions])
        screened = await self._trace(site_id, submissions, rows)
        return await self._store(site_id, screened, idempotency, render)

    async def _store(
        self,
        site_id: str,
        screened: Sequence[Screened],
        idempotency: Idempotency | None,
        render: Callable[[Sequence[Stored]], Answer],
    ) -> Answer:
        command = Put(
            site_id,
            screened,
            [self._ids() for _ in screened],
            _instant(self._clock()),
            render,
            self._encode,
            *(
                (
                    idempotency.route,
                    idempotency.key,
                    idempotency.fingerprint,
                    self._expired_before(),
                )
                if idempotency
                else ()
            ),
        )
        answer: Answer = await self._writing.write(store.put, command, size=len(screened))
        return answer

    async def _trace(
        self,
        site_id: str,
        submissions: Sequence[Submission],
        rows: Sequence[list[float] | None],
    ) -> list[Screened]:
        """Judge *submissions* and find their traits, in a thread when they are long together."""

        def work() -> list[Screened]:
            return [
                self._traced(site_id, self._screened(submission, scores), submission.author)
                for submission, scores in zip(submissions, rows, strict=True)
            ]

        if sum(len(item.text) for item in submissions) > LONG_TEXT:
            return await asyncio.to_thread(work)
        return work()

    def _traced(self, site_id: str, screened: Screened, author: Author) -> Screened:
        try:
            traits = self._tracing.find(site_id, author, screened.text)
            if screened.verdict is not Verdict.APPROVE:
                # A person will look at it, and wants those like it beside it.
                traits = self._tracing.compare(traits, screened.text)
        except Exception as error:  # noqa: BLE001 - whatever it is, the comment is held
            log.error("tracing_failed", error=type(error).__name__)  # noqa: TRY400 - it may quote
            verdict, reasons = UNTRACED
            return screened._replace(verdict=verdict, reasons=reasons)
        return screened._replace(traits=traits)

    def _screened(self, submission: Submission, scores: list[float] | None) -> Screened:
        judged: Judged = (
            UNSCORED
            if scores is None
            else judge(self._policy, scores, Facts(submission.honeypot_filled))
        )
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
            self._model,
            self._policy.version,
        )

    def _expired_before(self) -> str:
        return _instant(self._clock() - KEYS_LIVE)


def _instant(moment: datetime) -> str:
    # Several times as fast as strftime, and called for every comment.
    return moment.isoformat(timespec="microseconds")[:26] + "Z"
