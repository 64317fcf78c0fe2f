"""`aboveboard consent import`: the log of another consent tool comes along."""

import asyncio
import csv
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from aboveboard.cli.options import AsJson, DataDir, open_site, say, say_json

if TYPE_CHECKING:
    from aboveboard.database import Database
    from consent.recording.importing import Taken
    from consent.recording.mapping import ColumnMapping, Imported, Refused

SHOWN = 20
BOM = b"\xef\xbb\xbf"

_Numbered: TypeAlias = "tuple[int, Mapping[str, str]] | Refused"
"""A row with its number in the export, or why it is none."""


def import_log(
    export: Annotated[Path, typer.Argument(help="The export: CSV with a header, or JSON Lines.")],
    mapping: Annotated[Path, typer.Option(help="The column mapping, a TOML file.")],
    site: Annotated[str, typer.Option(help="The site whose log takes it in.")],
    dry_run: Annotated[
        bool, typer.Option(help="Check everything that is checked otherwise, record nothing.")
    ] = False,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Take in another consent tool's log as imported events; a second time adds nothing.

    Nobody who was erased after a choice comes back with it.
    """
    from consent.wire import mappings

    told = mappings.read(_toml(mapping))
    refused: list[Refused] = []
    with _rows(export, told) as rows:
        choices = _read(rows, told.mapping())
        recorded, known, erased = _take(
            data_dir, site, told.mapping(), choices, refused, dry_run=dry_run
        )
    refused.sort()
    if json:
        say_json(
            {
                "recorded": 0 if dry_run else recorded,
                "readable": recorded + known + erased,
                "known": known,
                "erased": erased,
                "refused": [{"row": one.number, "problem": one.problem} for one in refused],
            }
        )
    else:
        for one in refused[:SHOWN]:
            typer.echo(f"row {one.number}: {one.problem}", err=True)
        if len(refused) > SHOWN:
            typer.echo(f"… and {len(refused) - SHOWN} more", err=True)
        word = "would be recorded" if dry_run else "recorded"
        say(
            f"{recorded} choices {word}, {known} there already, "
            f"{erased} of people erased since, {len(refused)} refused"
        )
    raise typer.Exit(1 if refused else 0)


def _take(
    data_dir: Path | None,
    site: str,
    mapping: "ColumnMapping",
    choices: "Iterator[Imported | Refused]",
    refused: "list[Refused]",
    *,
    dry_run: bool,
) -> "Taken":
    from aboveboard import clock, installation
    from aboveboard.erasures import Erasures
    from aboveboard.randomness import Randomness
    from aboveboard.writer import CommandWriter
    from consent.recording.importing import Importing

    with open_site(site, data_dir, as_is=dry_run) as (settings, databases):
        importing = Importing(
            keyring=installation.open_keyring(settings),
            writing=(_UndoingWriter if dry_run else CommandWriter)(databases.consent),
            clock=clock.now,
            ids=clock.uuid7(Randomness()),
            erasures=Erasures(settings.data_dir).read,
        )
        return asyncio.run(importing.take(site, mapping, choices, refused.append))


class _Undone(Exception):
    """A command was carried out, and its transaction is rolled back."""


class _UndoingWriter:
    """Carries out commands as a `CommandWriter` does, and takes each of them back."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    async def write(self, handler: Any, command: Any, *, size: int = 1) -> Any:  # noqa: ANN401, ARG002
        """Return what *handler* answers to *command*, or raise it."""
        from aboveboard.rows import Rows

        with suppress(_Undone), self._database.write() as connection:
            # What would follow the commit, such as keeping a checkpoint, is dropped.
            with Rows(connection, []) as rows:
                (answer,) = handler(rows, [command])
            raise _Undone
        if isinstance(answer, Exception):
            raise answer
        return answer


def _toml(path: Path) -> dict[str, Any]:
    from consent.errors import MappingInvalid

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingInvalid(f"expected a TOML file at {path}, got: {error}") from error
    except RecursionError:
        raise MappingInvalid(f"expected a TOML file at {path}, got one nested too deep") from None


@contextmanager
def _rows(path: Path, told: Any) -> "Iterator[Iterator[_Numbered]]":  # noqa: ANN401 - a MappingIn
    """Lend the rows of an export."""
    from consent.errors import MappingInvalid

    try:
        if told.format == "jsonl":
            with path.open("rb") as lines:
                yield _objects(lines, told.mapping())
            return
        with path.open(encoding="utf-8-sig", newline="") as file:
            # A cell beyond Python's limit would be cut in two, its rest read as rows.
            csv.field_size_limit(sys.maxsize)
            cells = csv.DictReader(file, delimiter=told.delimiter, strict=True)
            # A bad header is no bad row: the next would stand for it.
            _check_header(cells.fieldnames or [], _columns(told.mapping()))
            yield _cells(cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MappingInvalid(
            f"expected a readable {told.format} file at {path}, got: {error}"
        ) from error


def _check_header(names: Sequence[str], columns: set[str]) -> None:
    """Check that a header has the mapping's columns, and every column once.

    Raises MappingInvalid. Columns without a name may be several: a mapping cannot mean them.
    """
    from consent.errors import MappingInvalid

    if not names:
        raise MappingInvalid("expected a header in the first line of the export, got an empty one")
    if missing := columns - set(names):
        raise MappingInvalid(
            f"expected a column {min(missing)!r} in the export, got {len(names)} others"
        )
    # By name only from here on: what has the mapping's columns is a header, and nobody's row.
    if twice := sorted(name for name, times in Counter(names).items() if name and times > 1):
        raise MappingInvalid(
            f"expected every column once in the header of the export, got again: "
            f"{', '.join(map(repr, twice))}"
        )


def _cells(reader: "csv.DictReader[str]") -> Iterator[_Numbered]:
    from consent.recording.mapping import Refused

    number = 0
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Refused(number, f"expected a row of CSV, got: {error}")
        else:
            yield number, row


def _objects(lines: Iterable[bytes], mapping: "ColumnMapping") -> Iterator[_Numbered]:
    from consent.recording.mapping import Refused

    columns = _columns(mapping)
    for number, line in enumerate(lines, 1):
        text = line.removeprefix(BOM) if number == 1 else line
        if text.strip():
            row = _object(text, columns)
            yield Refused(number, row) if isinstance(row, str) else (number, row)


def _object(line: bytes, columns: set[str]) -> dict[str, str] | str:
    """Read a line of JSON, or say why it is no row."""
    import orjson

    from consent.choices.record import each_once
    from consent.errors import MemberRepeated

    try:
        content = orjson.loads(line)
        # Of a member that is there again orjson takes the last, and says nothing.
        json.loads(line, object_pairs_hook=each_once)
        if not isinstance(content, dict):
            return "expected a JSON object, got another value"
        row = {name: _text(cell) for name, cell in content.items()}
    except MemberRepeated:
        return "expected every member once, got one again"
    except (ValueError, RecursionError):
        return "expected a JSON object, got another text"
    missing = columns - row.keys()
    return f"expected a member {min(missing)!r}, got {len(row)} others" if missing else row


def _columns(mapping: "ColumnMapping") -> set[str]:
    """Return the columns that every row has to have."""
    long = mapping.long
    told = [each.name for each in mapping.purposes.values()]
    if long is not None:
        told = [long.purpose, long.decision.name]
    return {mapping.subject, mapping.time, *told}


def _read(rows: Iterable[_Numbered], mapping: "ColumnMapping") -> "Iterator[Imported | Refused]":
    """Read the choices of *rows*, each under the number of its first row in the export."""
    from consent.recording.mapping import Imported, Refused, read

    numbers: list[int] = []
    unread: list[Refused] = []
    broken = -1  # how many rows came before the newest that is none

    def readable() -> Iterator[Mapping[str, str]]:
        nonlocal broken
        for row in rows:
            if isinstance(row, Refused):
                unread.append(row)
                broken = len(numbers)
            else:
                numbers.append(row[0])
                yield row[1]

    for choice in read(readable(), mapping):
        number = numbers[choice.number - 1]
        if mapping.long and isinstance(choice, Imported) and broken >= choice.number - 1:
            # The row beside it may have been a no of this very choice.
            yield Refused(
                number, "expected all rows of a choice, got one beside a row that is none"
            )
        else:
            yield choice._replace(number=number)
    yield from unread


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if cell is None else str(cell)
