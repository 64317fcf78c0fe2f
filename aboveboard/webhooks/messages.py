"""What is posted to webhooks, as models: for the OpenAPI document and whoever reads by it."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field

from aboveboard.webhooks.wire import InstantOut
from consent.wire.changes import Change, EntryOut
from moderation.cases.transition import ActorKind, EventKind
from moderation.verdict import State


class ConsentTold(EntryOut):
    """An entry of a site's ledger."""

    site: str


class ConsentMessage(BaseModel):
    """What may be done with a visitor has changed, or records were erased."""

    type: Change
    timestamp: InstantOut
    data: ConsentTold


class CommentTold(BaseModel):
    """An event of a comment; `version` is its `seq`."""

    site: str
    comment_id: str
    external_id: str | None = None
    revision: int
    version: int
    event_type: EventKind
    from_state: State | None = Field(None, alias="from")
    to_state: State = Field(alias="to")
    reason_code: str | None = None
    ground: str | None = None
    decision_id: str | None = None
    undoes: int | None = Field(None, description="the version of the decision that is taken back")
    erased_by: ActorKind | None = None


class CommentMessage(BaseModel):
    """A comment waits for people, or people made something of it."""

    type: Literal["comment.held", "comment.decided", "comment.decision_reverted", "comment.erased"]
    timestamp: InstantOut
    data: CommentTold


class TestTold(BaseModel):
    """Whose webhook is tested."""

    __test__ = False  # no test, whatever its name says to pytest

    site: str


class TestMessage(BaseModel):
    """Whether posts arrive; sent when somebody asks for a test."""

    __test__ = False  # no test, whatever its name says to pytest

    type: Literal["webhook.test"]
    timestamp: InstantOut
    data: TestTold


MESSAGES: Mapping[str, type[BaseModel]] = {
    "consent.changed": ConsentMessage,
    "consent.erased": ConsentMessage,
    "comment.held": CommentMessage,
    "comment.decided": CommentMessage,
    "comment.decision_reverted": CommentMessage,
    "comment.erased": CommentMessage,
    "webhook.test": TestMessage,
}
"""The body of each event's post."""
