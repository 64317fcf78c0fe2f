"""What every model of the wire shares: strict, frozen, bounded texts, instants in UTC."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyAddress,
)

ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # as they are made here
PAGE_LIMIT = 200
TEXT_LIMIT = 100_000  # characters of a comment, in whichever dialect


def storable(value: str) -> str:
    """Return *value*, which each engine can store: no U+0000, no lone surrogate.

    A query's bytes that are not UTF-8 come as surrogates. Raises ValueError.
    """
    if "\0" in value:
        raise ValueError("expected text without U+0000 or half of a surrogate pair")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("expected text in UTF-8, got other bytes") from None
    return value


_SURROGATE = re.compile(
    # An odd number of backslashes, or else it is text; with its low half it is a pair.
    rb"(\\(?<!\\\\)(?:\\\\)*+u)[dD](?:[89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?"
    rb"|[c-fC-F][0-9a-fA-F]{2})"
)


def paired(body: bytes, *, alone: bytes = b"fffd") -> bytes:
    r"""Return JSON with each surrogate escape that stands alone replaced by that of *alone*.

    JavaScript cuts a text between the halves of a pair and sends what is left, and what reads JSON
    refuses the whole body for it. Linear in *body*.

    >>> paired(rb'"\ud83d\ude00 \ud83d"')
    b'"\\ud83d\\ude00 \\ufffd"'
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    return _SURROGATE.sub(lambda each: each[0] if each[2] is not None else each[1] + alone, body)


Text = Annotated[str, AfterValidator(storable)]
Short = Annotated[Text, Field(max_length=256)]
Name = Annotated[Text, Field(min_length=1, max_length=256)]
Long = Annotated[Text, Field(max_length=2048)]
Key = Annotated[Text, Field(min_length=1, max_length=255)]


def _without_nul(value: object) -> object:
    return value.replace("\0", "") if isinstance(value, str) else value


Stripped = Annotated[str, BeforeValidator(_without_nul)]
"""A text by another API's rules, which refuse no U+0000: it goes, for no engine stores it alike."""


def _text_alone(value: object) -> object:
    # pydantic would make an address of a number, too.
    if not isinstance(value, str):
        raise ValueError("expected an address as text")  # noqa: TRY004 - pydantic's own refusal
    return value


def _no_number(value: object) -> object:
    # pydantic takes digits alone for seconds since 1970.
    if isinstance(value, (int, float)) or (isinstance(value, str) and "-" not in value[1:]):
        raise ValueError("expected a date as year, month and day, got another text")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected an instant that the calendar has in UTC") from None


Address = Annotated[IPvAnyAddress, BeforeValidator(_text_alone)]
# Not strict, for behind a validator pydantic takes the texts of a body for Python's own.
Instant = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_no_number), AfterValidator(_in_utc)
]
InstantOut = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Probability = Annotated[float, Field(ge=0, le=1)]


class Wire(BaseModel):
    """What every model of this package is: strict, frozen, and closed to unknown members."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class SiteIn(Wire):
    """Of which site."""

    site: Short | None = None
