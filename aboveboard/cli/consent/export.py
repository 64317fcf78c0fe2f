"""`aboveboard consent export`: the history as a file."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from aboveboard.cli.consent.selection import (
    Since,
    Subject,
    Until,
    read_period,
    read_subject,
)
from aboveboard.cli.options import (
    INTEGER_LIMIT,
    AsJson,
    DataDir,
    Site,
    counting,
    drafted,
    open_databases,
    say,
    say_json,
)
from consent.choices.choice import Decision, EventType, Method

if TYPE_CHECKING:
    from consent.records.history import Entry


class Kind(StrEnum):
    """What the file is written as."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def export(
    site: Site,
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
    kind: Annotated[
        Kind, typer.Option("--format", help="What it is written as; Parquet needs an extra.")
    ],
    since: Since = None,
    until: Until = None,
    subject: Subject = None,
    purpose: Annotated[str | None, typer.Option(help="Records that decide about it.")] = None,
    decision: Annotated[Decision | None, typer.Option(help="Records that decide so.")] = None,
    method: Annotated[Method | None, typer.Option(help="Records of this method.")] = None,
    event_type: Annotated[EventType | None, typer.Option(help="Records of this type.")] = None,
    notice: Annotated[str | None, typer.Option(help="Records of this notice id.")] = None,
    notice_version: Annotated[
        int | None,
        typer.Option(min=1, max=INTEGER_LIMIT, help="Records of this version of the notice."),
    ] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Write the records in the order of the ledger; of erased ones the entry is left.

    It holds personal data of all whose records it opens, pseudonymous but whole.
    """
    from aboveboard import installation
    from consent.records.history import START, History
    from consent.records.search import Filter

    if notice_version is not None and notice is None:
        raise typer.BadParameter("expected the notice, too", param_hint="--notice-version")
    begin, end = read_period(since, until)
    with open_databases(data_dir) as (settings, databases):
        keyring = installation.open_keyring(settings)
        wanted = Filter(
            refs=None if subject is None else keyring.refs(site, *read_subject(subject)),
            since=begin,
            until=end,
            purpose_id=purpose,
            decision=decision,
            method=method,
            event_type=event_type,
            notice_id=notice,
            notice_version=notice_version,
        )
        read = databases.consent.read
        with read() as connection:
            history = History(connection, keyring, site)
        records = erased = 0
        position, ended = START, False
        with drafted(out) as file, _written(kind, file) as write, counting("records") as told:
            while not ended:
                with read() as connection:
                    step = history.read(connection, position, wanted=wanted)
                write(step.entries)
                records += len(step.entries)
                erased += sum(entry.opened is None for entry in step.entries)
                told(records)
                position, ended = step.position, step.ended
    if json:
        say_json({"site": site, "file": str(out), "records": records, "erased": erased})
    else:
        say(f"{out}: {records:,} records, {erased:,} of them erased")


@contextmanager
def _written(kind: Kind, file: BinaryIO) -> "Iterator[Callable[[Sequence[Entry]], object]]":
    """Lend what writes entries to *file*."""
    from aboveboard.parquet import ParquetFile
    from consent.wire.exports import FILES, Format

    if kind is Kind.PARQUET:
        table = ParquetFile(file)
        yield table.write
        table.close()
        return
    lines = FILES[Format(kind)]
    file.write(lines.head)
    yield lambda entries: file.write(lines.write(entries))
