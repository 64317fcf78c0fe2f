"""What every request of a moderator carries, in bounds."""

import pytest
from pydantic import TypeAdapter, ValidationError

from moderation.wire.contexts import NoteIn
from moderation.wire.moderators import NOTE_LIMIT, NoteText


def test_a_note_is_as_long_as_is_said() -> None:
    """The limit that the schema tells is the one that holds."""
    adapter: TypeAdapter[str] = TypeAdapter(NoteText)
    longest = "é" * NOTE_LIMIT

    given = NoteIn.model_validate({"moderator": {"id": "ann"}, "text": longest})

    assert given.text == longest
    assert adapter.json_schema() == {"type": "string", "minLength": 1, "maxLength": NOTE_LIMIT}


@pytest.mark.parametrize("text", ["", "x" * (NOTE_LIMIT + 1), "a\0b", "\ud83d"])
def test_what_is_no_note_is_refused(text: str) -> None:
    """Nothing at all, too much, and what no engine stores."""
    with pytest.raises(ValidationError):
        NoteIn.model_validate({"moderator": {"id": "ann"}, "text": text})
