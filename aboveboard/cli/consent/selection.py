"""How commands are told which records they are about."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from consent.choices.choice import SubjectKind

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]

Since = Annotated[
    datetime | None,
    typer.Option("--from", formats=FORMATS, help="Open records received from then on, in UTC."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--to", formats=FORMATS, help="Open records received before then, in UTC."),
]
Subject = Annotated[
    str | None,
    typer.Option(
        metavar="KIND:ID", help="Open records of this subject, such as device:d-1, alone."
    ),
]


def read_period(since: datetime | None, until: datetime | None) -> tuple[str | None, str | None]:
    """Write the moments of a command line, which are in UTC, as they are stored."""
    if since is not None and until is not None and since > until:
        raise typer.BadParameter(
            "expected a period that begins before it ends, got --from after --to",
            param_hint="--to",
        )
    return _read_instant(since), _read_instant(until)


def _read_instant(moment: datetime | None) -> str | None:
    from consent.choices.record import instant

    return None if moment is None else instant(moment.replace(tzinfo=UTC))


def read_subject(text: str) -> "tuple[SubjectKind, str]":
    """Read KIND:ID; what was given is never repeated."""
    from consent.choices.choice import SubjectKind

    kind, colon, subject_id = text.partition(":")
    if not colon or kind not in set(SubjectKind):
        kinds = ", ".join(SubjectKind)
        raise typer.BadParameter(f"expected KIND:ID with one of {kinds}", param_hint="--subject")
    return SubjectKind(kind), subject_id
