"""The JSON of what readers say against comments."""

import orjson
from pydantic import BaseModel

from moderation.wire.moderators import Answer, Code
from moderation.wire.strict import InstantOut, Key, Name, Short, Wire


class ReaderIn(Wire):
    """Who reports; `id` is kept as a pseudonym only."""

    id: Name


class ReportIn(Wire):
    """What a reader says against a comment."""

    reporter: ReaderIn
    reason: Code
    site: Short | None = None
    idempotency_key: Key | None = None


class ReportedOut(BaseModel):
    """When the report came in."""

    comment_id: str
    at: InstantOut


def reported(comment_id: str, at: str) -> Answer:
    """Answer a reader's report."""
    return 201, orjson.dumps({"comment_id": comment_id, "at": at})
