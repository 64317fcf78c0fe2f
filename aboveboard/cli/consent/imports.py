"""`aboveboard consent import`: the log of another consent tool comes along."""

import asyncio
import csv
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aboveboard.cli.options import AsJson, DataDir, say, say_json

if TYPE_CHECKING:
    from consent.recording.importing import Taken
    from consent.recording.mapping import ColumnMapping, Imported, Refused

SHOWN = 20


def import_log(
    export: Annotated[Path, typer.Argument(help="The export: CSV with a header, or JSON Lines.")],
    mapping: Annotated[Path, typer.Option(help="The column mapping, a TOML file.")],
    site: Annotated[str, typer.Option(help="The site whose log takes it in.")],
    dry_run: Annotated[bool, typer.Option(help="Read everything and record nothing.")] = False,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Take in another consent tool's log as imported events; a second time adds nothing."""
    from consent.recording.mapping import read
    from consent.wire import mappings

    told = mappings.read(_toml(mapping))
    refused: list[Refused] = []
    with _rows(export, told) as rows:
        choices = read(rows, told.mapping())
        if dry_run:
            recorded, known = _look(told.mapping(), choices, refused)
        else:
            recorded, known = _take(data_dir, site, told.mapping(), choices, refused)
    if json:
        say_json(
            {
                "recorded": 0 if dry_run else recorded,
                "readable": recorded + known,
                "known": known,
                "refused": [{"row": one.number, "problem": one.problem} for one in refused],
            }
        )
    else:
        for one in refused[:SHOWN]:
            typer.echo(f"row {one.number}: {one.problem}", err=True)
        if len(refused) > SHOWN:
            typer.echo(f"… and {len(refused) - SHOWN} more", err=True)
        word = "readable" if dry_run else "recorded"
        say(f"{recorded} choices {word}, {known} there already, {len(refused)} refused")
    raise typer.Exit(1 if refused else 0)


def _look(
    mapping: "ColumnMapping",
    choices: "Iterator[Imported | Refused]",
    refused: "list[Refused]",
) -> tuple[int, int]:
    from aboveboard import clock
    from consent.recording.importing import find_problem
    from consent.recording.mapping import Refused

    readable, now = 0, clock.now()
    for choice in choices:
        if isinstance(choice, Refused):
            refused.append(choice)
        elif (problem := find_problem(mapping, choice, now)) is not None:
            refused.append(Refused(choice.number, problem))
        else:
            readable += 1
    return readable, 0


def _take(
    data_dir: Path | None,
    site: str,
    mapping: "ColumnMapping",
    choices: "Iterator[Imported | Refused]",
    refused: "list[Refused]",
) -> "Taken":
    from aboveboard import app, clock
    from aboveboard.cli.options import open_databases
    from aboveboard.randomness import Randomness
    from aboveboard.writer import CommandWriter
    from consent.recording.importing import Importing

    random = Randomness()
    with open_databases(data_dir) as (settings, databases):
        asyncio.run(app.open_accounts(settings, databases).get_site(site))
        importing = Importing(
            keyring=app.open_keyring(settings, random),
            writing=CommandWriter(databases.consent),
            clock=clock.now,
            ids=clock.uuid7(random),
        )
        return asyncio.run(importing.take(site, mapping, choices, refused.append))


def _toml(path: Path) -> dict[str, Any]:
    from consent.errors import MappingInvalid

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingInvalid(f"expected a TOML file at {path}, got: {error}") from error


@contextmanager
def _rows(path: Path, told: Any) -> Iterator[Any]:  # noqa: ANN401 - a MappingIn
    """Lend the rows of an export, each a mapping of texts."""
    from consent.errors import MappingInvalid

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if told.format == "csv":
                yield csv.DictReader(file, delimiter=told.delimiter, strict=True)
            else:
                yield map(_object, file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MappingInvalid(
            f"expected a readable {told.format} file at {path}, got: {error}"
        ) from error


def _object(line: str) -> dict[str, str]:
    import orjson

    from consent.errors import MappingInvalid

    try:
        content = orjson.loads(line)
    except ValueError as error:
        raise MappingInvalid("expected a JSON object a line, got another text") from error
    if not isinstance(content, dict):
        raise MappingInvalid("expected a JSON object a line, got another value")
    return {name: _text(cell) for name, cell in content.items()}


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if cell is None else str(cell)
