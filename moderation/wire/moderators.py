"""Who decides: what every request of a moderator carries."""

from typing import Annotated

from pydantic import AfterValidator, Field

from moderation.cases.case import Moderator
from moderation.cases.transition import Role
from moderation.wire.strict import ID, Key, Name, Short, Wire, storable

Answer = tuple[int, bytes]
NOTE_LIMIT = 4_000  # characters

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
# Not of Name: its own limit would go on holding.
NoteText = Annotated[str, Field(min_length=1, max_length=NOTE_LIMIT), AfterValidator(storable)]
Token = Annotated[str, Field(pattern=f"^{ID}$")]


class ModeratorIn(Wire):
    """Who decides: `id` is the site's own name for the person, for whom the API key speaks."""

    id: Name
    role: Role = Role.MODERATOR


class ModeratedIn(Wire):
    """What every request of a moderator carries."""

    moderator: ModeratorIn
    site: Short | None = None
    idempotency_key: Key | None = None


def moderator(given: ModeratorIn) -> Moderator:
    """Read who is asking."""
    return Moderator(given.id, given.role)
