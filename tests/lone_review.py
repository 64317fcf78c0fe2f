"""The review of a site's comments without a service around it."""

from collections.abc import Callable
from datetime import datetime
from itertools import count

from aboveboard.database import Database
from aboveboard.writer import CommandWriter
from moderation.review.erasing import Erasing
from moderation.review.reviewing import Review


def lone_review(
    moderation: Database,
    clock: Callable[[], datetime],
    *,
    writing: CommandWriter | None = None,
    ids: Callable[[], str] | None = None,
    erasing: Erasing | None = None,
) -> Review:
    """Put a review together that explains nothing, and tells nobody of erasures by itself."""
    writing = writing or CommandWriter(moderation)
    silent = Erasing(
        writing=writing, reading=moderation, clock=clock, note=_ignored, sweep=_ignored
    )
    return Review(
        writing=writing,
        reading=moderation,
        clock=clock,
        ids=ids or map("01980000-0000-7000-8000-{:012x}".format, count()).__next__,
        reporter=lambda _site, reader: reader,
        erasing=erasing or silent,
        explain=_unexplained,
    )


def _ignored(_told: object) -> None:
    """Look at nothing."""


async def _unexplained(_text: str) -> None:
    """Explain nothing."""
