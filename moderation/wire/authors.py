"""What a person who wrote comments asks for, and gets, as JSON."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, Field, model_validator

from moderation.review.authors import BEGINNING, From, Who, Written
from moderation.wire import cursor
from moderation.wire.comments import CommentDetailOut, detail_members
from moderation.wire.strict import ID, PAGE_LIMIT, InstantOut, Short, Wire

_PLACE = re.compile(rf"[01] [0-9TZ:.-]{{27}} {ID}", re.ASCII)


class WhoIn(Wire):
    """An author, by what comments of theirs were sent with; by both where both are known."""

    id: Short | None = None
    email: Short | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.id and not (self.email and self.email.strip()):
            raise ValueError("expected an id or an e-mail address, got neither")
        return self


class AuthorExportIn(Wire):
    """Whose comments to read, from where."""

    author: WhoIn
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 50
    cursor: Short | None = Field(None, description="the `next` of the page before")
    site: Short | None = None


class AuthorEraseIn(Wire):
    """Whose comments to erase."""

    author: WhoIn
    site: Short | None = None


class VersionOut(BaseModel):
    """One text of a comment, and who was named as its author."""

    revision: int
    received: InstantOut
    text: str
    author: dict[str, Any] | None = None


class WrittenOut(CommentDetailOut):
    """A comment as it stands, and every text that it had."""

    versions: list[VersionOut]


class AuthorExportOut(BaseModel):
    """Comments of an author, oldest first; `next` is null at the end."""

    items: list[WrittenOut]
    next: str | None


class AuthorErasedOut(BaseModel):
    """How many comments were erased."""

    erased: int


def who(given: WhoIn) -> Who:
    """Read who is meant."""
    return Who(given.id, given.email)


def start(given: AuthorExportIn) -> From:
    """Read where to go on. Raises CursorInvalid."""
    if given.cursor is None:
        return BEGINNING
    name, received, comment_id = cursor.read(given.cursor, _PLACE).split(" ")
    return From(int(name), received, comment_id)


def export(found: Sequence[Written], following: From | None) -> bytes:
    """Write a page."""
    beyond = None if following is None else cursor.write(" ".join(map(str, following)))
    return orjson.dumps({"items": [_members(each) for each in found], "next": beyond})


def written(found: Written) -> bytes:
    """Write one comment."""
    return orjson.dumps(_members(found))


def erased(number: int) -> bytes:
    """Write how many are gone."""
    return orjson.dumps({"erased": number})


def _members(found: Written) -> dict[str, Any]:
    versions = [
        {
            "revision": version.revision,
            "received": version.received,
            "text": version.text,
            "author": orjson.loads(version.details).get("author"),
        }
        for version in found.versions
    ]
    return {**detail_members(found.comment), "versions": versions}
