"""A column mapping as it stands in its file; strict like everything that comes in."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from consent.choices.choice import SubjectKind
from consent.errors import MappingInvalid
from consent.recording.mapping import NO, YES, Column, ColumnMapping, Long, ShownIn
from consent.wire.strict import (
    PURPOSES_LIMIT,
    Id,
    Jurisdiction,
    Language,
    Short,
    Strings,
    Version,
    Wire,
)


class ColumnIn(Wire):
    """Where a decision stands, and which words mean what; those of everyday by default."""

    column: Short
    given: Strings = Field([])
    refused: Strings = Field([])

    @model_validator(mode="after")
    def _no_word_means_both(self) -> Self:
        told = self.decided()
        if told.given & told.refused:
            raise ValueError("expected every word to mean either yes or no, got one for both")
        return self

    def decided(self) -> Column:
        """Return what it says."""
        return Column(
            self.column,
            frozenset(word.lower() for word in self.given) or YES,
            frozenset(word.lower() for word in self.refused) or NO,
        )


class PurposeColumnIn(ColumnIn):
    """Where the decision about one of our purposes stands."""

    id: Id


class TheirPurposeIn(Wire):
    """What the export calls a purpose, and our id for it."""

    name: Short
    id: Id


class LongIn(Wire):
    """Where a long export names the purpose of a row, and our ids for its purposes."""

    purpose: Short
    decision: ColumnIn
    purposes: Annotated[list[TheirPurposeIn], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        if len({theirs.name for theirs in self.purposes}) < len(self.purposes):
            raise ValueError("expected each name once, got one twice")
        return self

    def long(self) -> Long:
        """Return what it says."""
        ours = {theirs.name: theirs.id for theirs in self.purposes}
        return Long(self.purpose, self.decision.decided(), ours)


class NoticeIn(Wire):
    """On which notice the choices were made."""

    notice_id: Id
    version: Version
    language: Language


class MappingIn(Wire):
    """A column mapping: `purposes` for a wide export, `long` for a long one."""

    format: Literal["csv", "jsonl"] = "csv"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    subject: Short
    kind: Annotated[SubjectKind, Field(strict=False)] = SubjectKind.DEVICE
    time: Short
    time_format: Short | None = None
    purposes: (
        Annotated[list[PurposeColumnIn], Field(min_length=1, max_length=PURPOSES_LIMIT)] | None
    ) = None
    long: LongIn | None = None
    notice: NoticeIn | None = None
    jurisdiction: Jurisdiction | None = None
    evidence: bool = False

    @model_validator(mode="after")
    def _wide_or_long(self) -> Self:
        if (self.purposes is None) == (self.long is None):
            raise ValueError("expected either `purposes` or `long`")
        told = self.purposes or []
        if len({purpose.id for purpose in told}) < len(told):
            raise ValueError("expected each purpose once, got one twice")
        return self

    def mapping(self) -> ColumnMapping:
        """Return what it says."""
        return ColumnMapping(
            self.subject,
            self.kind,
            self.time,
            self.time_format,
            {told.id: told.decided() for told in self.purposes or ()},
            None if self.long is None else self.long.long(),
            None if self.notice is None else ShownIn(**self.notice.model_dump()),
            self.jurisdiction,
            self.evidence,
        )


def read(content: dict[str, object]) -> MappingIn:
    """Read a mapping. Raises MappingInvalid with the first place that does not fit."""
    try:
        return MappingIn.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MappingInvalid(f"mapping: {where}: {first['msg'].lower()}") from None
