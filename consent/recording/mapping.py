"""How the columns of another consent tool's export become choices.

Pure. A mapping says where in a row the subject, the time and the decisions stand, and which words
mean yes and no. Whatever it does not say is not guessed.

A *wide* export has a row for each choice and a column for each purpose; a *long* one has a row for
each purpose, and rows with the same subject and time belong to one choice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple

import orjson

from consent.choices.choice import Decision, SubjectKind
from consent.errors import ImportRefused, MappingInvalid

Row = Mapping[str, str]

YES = frozenset({"yes", "true", "1", "accepted", "given", "granted", "allow", "allowed"})
NO = frozenset({"no", "false", "0", "rejected", "refused", "denied", "deny", "withdrawn"})
"""Words that mean yes and no where the mapping names none, whatever their case."""

SINCE_1970 = {"unix": 1, "unix_ms": 1_000}
"""Formats of a time that is counted since 1970, and how many make a second."""


@dataclass(frozen=True, slots=True)
class Column:
    """Where a purpose's decision stands, and which words mean what."""

    name: str
    given: frozenset[str] = YES
    refused: frozenset[str] = NO

    def decide(self, word: str) -> Decision:
        """Read a cell; an empty one was not asked. Raises ImportRefused."""
        said = word.strip().lower()
        if said in self.given:
            return Decision.GIVEN
        if said in self.refused:
            return Decision.REFUSED
        if not said:
            return Decision.NOT_ASKED
        raise ImportRefused(
            f"column {self.name}: expected one of {', '.join(sorted(self.given | self.refused))}, "
            "got another word"
        )


@dataclass(frozen=True, slots=True)
class Long:
    """Where a long export says which purpose a row decides, and how."""

    purpose: str
    decision: Column
    purposes: Mapping[str, str]
    """What the export calls a purpose, to our id."""


@dataclass(frozen=True, slots=True)
class ShownIn:
    """Which published notice the choices were made on."""

    notice_id: str
    version: int
    language: str


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """A column mapping."""

    subject: str
    kind: SubjectKind
    time: str
    time_format: str | None = None
    purposes: Mapping[str, Column] = field(default_factory=dict)
    long: Long | None = None
    notice: ShownIn | None = None
    jurisdiction: str | None = None
    evidence: bool = False
    """Whether the export is evidence of an act: only then does an imported yes count."""

    def ids(self) -> frozenset[str]:
        """Return the ids of all purposes that the mapping knows."""
        return frozenset(self.purposes if self.long is None else self.long.purposes.values())


class Imported(NamedTuple):
    """A choice that another tool recorded; *number* is its first row's place in the export."""

    number: int
    digest: str
    """SHA-256 of the rows as they were read, in lower-case hex: evidence, and nothing else."""

    subject: str
    occurred: datetime
    decisions: tuple[tuple[str, Decision], ...]


class Refused(NamedTuple):
    """A row that could not be read, and why."""

    number: int
    problem: str


def read(rows: Iterable[Row], mapping: ColumnMapping) -> Iterator[Imported | Refused]:
    """Read every choice of an export, in its order; rows count from 1.

    Raises MappingInvalid where the export lacks a column that the mapping names.
    """
    numbered = enumerate(rows, 1)
    if mapping.long is None:
        yield from (_choice([one], mapping) for one in numbered)
        return
    for _, group in groupby(numbered, key=lambda one: _same(one[1], mapping)):
        yield _choice(list(group), mapping)


def _same(row: Row, mapping: ColumnMapping) -> tuple[str, str]:
    return _cell(row, mapping.subject), _cell(row, mapping.time)


def _choice(rows: Sequence[tuple[int, Row]], mapping: ColumnMapping) -> Imported | Refused:
    number, first = rows[0]
    try:
        if any(None in row for _, row in rows):
            raise ImportRefused("expected as many cells as the header has, got more")  # noqa: TRY301
        occurred = _instant(_cell(first, mapping.time), mapping.time_format)
        decided = (
            _wide(first, mapping.purposes)
            if mapping.long is None
            else _long([row for _, row in rows], mapping.long)
        )
        if not _cell(first, mapping.subject):
            raise ImportRefused(f"column {mapping.subject}: expected an id, got an empty cell")  # noqa: TRY301
    except ImportRefused as error:
        return Refused(number, str(error))
    digest = sha256(b"".join(orjson.dumps(dict(row)) + b"\n" for _, row in rows)).hexdigest()
    return Imported(number, digest, _cell(first, mapping.subject), occurred, decided)


def _wide(row: Row, purposes: Mapping[str, Column]) -> tuple[tuple[str, Decision], ...]:
    return tuple(
        (purpose, column.decide(_cell(row, column.name))) for purpose, column in purposes.items()
    )


def _long(rows: Sequence[Row], told: Long) -> tuple[tuple[str, Decision], ...]:
    decided: dict[str, Decision] = {}
    for row in rows:
        name = _cell(row, told.purpose)
        purpose = told.purposes.get(name)
        if purpose is None:
            continue
        decision = told.decision.decide(_cell(row, told.decision.name))
        # Several of their services may serve one purpose of ours: it is given when all are.
        if decided.get(purpose, Decision.GIVEN) is Decision.GIVEN or decision is Decision.REFUSED:
            decided[purpose] = decision
    return tuple(decided.items())


def _cell(row: Row, column: str) -> str:
    if column not in row:
        # Not by name: without a header, the first person's row stands for one.
        raise MappingInvalid(f"expected a column {column!r} in the export, got {len(row)} others")
    return (row[column] or "").strip()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _instant(text: str, form: str | None) -> datetime:
    if form is None and text.replace(".", "").isdecimal():
        # Of some thirteen digits Python reads a day of another century.
        raise ImportRefused("expected a time as ISO 8601 or a time_format, got digits alone")
    in_a_second = SINCE_1970.get(form or "")
    try:
        if in_a_second is not None:
            return _EPOCH + timedelta(seconds=float(text) / in_a_second)
        read = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)  # noqa: DTZ007 - set below
    except ValueError:
        expected = "ISO 8601" if form is None else form
        raise ImportRefused(f"expected a time as {expected}, got another form") from None
    except OverflowError:
        raise ImportRefused(f"expected a time as {form}, got one beyond the calendar") from None
    try:
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except OverflowError:
        raise ImportRefused("expected a time that the calendar has in UTC, got another") from None
