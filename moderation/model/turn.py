"""Texts to scores, as they arrive: what one turn of the event loop brings is scored as one batch.

A text that cannot be scored spoils no other: it has no scores, and whoever asked holds it.
"""

import asyncio
import contextvars
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Final, NamedTuple, TypeVar

import numpy as np
import structlog

from moderation.model.classifier import Classifier
from moderation.text.language import is_foreign

T = TypeVar("T")

LONG_TEXT = 4_000  # characters, of all texts of a call: more is scored in a thread
TURN_TEXT = 16_000  # characters that one turn of the event loop scores; more wait for the next
PROBABILITY_DIGITS = 6

log = structlog.get_logger(__name__)

_ASIDE: Final = ThreadPoolExecutor(2, thread_name_prefix="screening")
# Threads of its own: long texts wait for each other, and readiness and reads for none of them.


async def aside(work: Callable[[], T]) -> T:
    """Do in a thread what would keep the event loop from others."""
    run = contextvars.copy_context().run
    return await asyncio.get_running_loop().run_in_executor(_ASIDE, run, work)


class Read(NamedTuple):
    """What a text scored; *scores* are rounded, None where it could not be scored.

    *told* is whether the classifier knows the language of the text, None where it cannot tell.
    """

    classifier: Classifier
    scores: list[float] | None = None
    told: bool | None = None

    @property
    def known(self) -> bool:
        """Whether the language is known; in doubt it counts as known."""
        return self.told is not False


class Turn:
    """Scores what arrives in one turn of the event loop as one batch in the next.

    Nobody waits for others: the batch is what is there. A long text goes to a thread, so that it
    delays only itself; so does whatever a classifier that is not quick is given. Of many that are
    not short, each turn scores some.
    """

    def __init__(self, classifier: Classifier, failures: Counter[str]) -> None:
        self.classifier = classifier
        self._failures = failures
        self._limit = LONG_TEXT if classifier.quick else -1
        self._texts: list[str] = []
        self._futures: list[asyncio.Future[Read]] = []

    async def read(self, text: str) -> Read:
        """Score *text*."""
        if len(text) > self._limit:
            return (await self.read_many([text]))[0]
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Read] = loop.create_future()
        if not self._texts:
            loop.call_soon(self._flush)
        self._texts.append(text)
        self._futures.append(future)
        return await future

    async def read_many(self, texts: Sequence[str]) -> list[Read]:
        """Score *texts* as one batch, in a thread when they are long together."""
        if sum(map(len, texts)) > self._limit:
            return await aside(lambda: self._read(texts))
        return self._read(texts)

    def _flush(self) -> None:
        count = max(1, bisect_right(list(accumulate(map(len, self._texts))), TURN_TEXT))
        texts, self._texts = self._texts[:count], self._texts[count:]
        futures, self._futures = self._futures[:count], self._futures[count:]
        if self._texts:
            asyncio.get_running_loop().call_soon(self._flush)
        for future, found in zip(futures, self._read(texts), strict=True):
            if not future.done():
                future.set_result(found)

    def _read(self, texts: Sequence[str]) -> list[Read]:
        try:
            return self._scored(texts)
        except Exception as error:  # noqa: BLE001 - whatever it is, the comments are held
            # No traceback: it may quote the text.
            log.error(  # noqa: TRY400
                "scoring_failed", error=type(error).__name__, texts=len(texts)
            )
        if len(texts) == 1:
            self._failures["scoring"] += 1
            return [Read(self.classifier)]
        # One text may have spoiled the batch: the others need not be held with it.
        return [self._read([text])[0] for text in texts]

    def _scored(self, texts: Sequence[str]) -> list[Read]:
        classifier = self.classifier
        told: Sequence[bool | None] = [None] * len(texts)
        if classifier.read is None:
            found = classifier.scorer.score(texts)
        else:
            batch = classifier.read(texts)
            found = batch.probabilities
            told = [
                known and not is_foreign(text, classifier.language)
                for text, known in zip(texts, batch.known.tolist(), strict=True)
            ]
        scores = np.round(found, PROBABILITY_DIGITS)
        if scores.shape[0] != len(texts) or not np.isfinite(scores).all():
            raise ArithmeticError(f"expected {len(texts)} finite rows, got {scores.shape}")
        return [
            Read(classifier, row, known) for row, known in zip(scores.tolist(), told, strict=True)
        ]
