"""What every model of the wire shares: strict, frozen, bounded texts, instants in UTC."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from consent.choices.choice import SubjectKind

PURPOSES_LIMIT = 64
PAGE_LIMIT = 200
ID = r"^[a-z0-9][a-z0-9._-]{0,63}$"
LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$"

# As the kingdom and the EU themselves write them; ISO 3166 gives these codes to nobody else.
_OTHER_NAMES = {"UK": "GB", "EL": "GR"}


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("expected text without U+0000")
    return value


def no_number(value: object) -> object:
    """Refuse digits alone, which pydantic takes for seconds since 1970: `to=2026` found nothing."""
    if isinstance(value, (int, float)) or (isinstance(value, str) and "-" not in value[1:]):
        raise ValueError("expected a date as year, month and day, got another text")
    return value


def _as_in_iso(code: str) -> str:
    country, dash, part = code.partition("-")
    return f"{_OTHER_NAMES.get(country, country)}{dash}{part}"


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected an instant that the calendar has in UTC") from None


Text = Annotated[str, AfterValidator(_without_nul)]
# Not strict, for behind a validator pydantic takes the texts of a body for Python's own.
Instant = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(no_number), AfterValidator(_in_utc)
]
Short = Annotated[Text, Field(min_length=1, max_length=256)]
Long = Annotated[Text, Field(min_length=1, max_length=4096)]
Id = Annotated[str, StringConstraints(pattern=ID)]
Language = Annotated[str, StringConstraints(pattern=LANGUAGE, max_length=35)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SubjectId = Annotated[Text, Field(min_length=1, max_length=1024)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
PageLimit = Annotated[int, Field(ge=1, le=PAGE_LIMIT)]
Key = Annotated[Text, Field(min_length=1, max_length=255)]
Jurisdiction = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"),
    AfterValidator(_as_in_iso),
]
Strings = Annotated[list[Short], Field(max_length=100)]
InstantOut = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Wire(BaseModel):
    """What every model that is read here is: strict, frozen, and closed to unknown members."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class SubjectIn(Wire):
    """Whom the choice is of; the id is turned into a pseudonym and never stored."""

    kind: SubjectKind
    id: SubjectId


SecGpc = Annotated[list[Annotated[Text, Field(max_length=64)]], Field(max_length=8)]
"""The values of the `Sec-GPC` headers, as they came."""


class SiteIn(Wire):
    """Which site."""

    site: Short | None = None


def present(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON has
    """Leave out the members that are None."""
    return {name: value for name, value in members.items() if value is not None}
