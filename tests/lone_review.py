"""The review of a site's comments without a service around it."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

from aboveboard.database import Database
from aboveboard.writer import CommandWriter
from moderation.review.erasing import Erased, Erasing
from moderation.review.reviewing import Review


def lone_review(
    moderation: Database,
    clock: Callable[[], datetime],
    *,
    writing: CommandWriter | None = None,
    ids: Callable[[], str] | None = None,
    note: Callable[[Erased], None] = lambda _done: None,
    sweep: Callable[[Any], None] = lambda _said: None,
) -> Review:
    """Put a review together that explains nothing; *note* and *sweep* hear of erasures."""
    writing = writing or CommandWriter(moderation)
    return Review(
        writing=writing,
        reading=moderation,
        clock=clock,
        ids=ids or map("01980000-0000-7000-8000-{:012x}".format, count()).__next__,
        reporter=lambda _site, reader: reader,
        erasing=Erasing(writing=writing, reading=moderation, clock=clock, note=note, sweep=sweep),
        explain=_unexplained,
    )


async def _unexplained(_text: str) -> None:
    """Explain nothing."""
