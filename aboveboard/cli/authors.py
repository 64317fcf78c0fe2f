"""`aboveboard author`: what whoever wrote comments may ask for, answered beside the service."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer

from aboveboard.cli.options import AsJson, DataDir, Site, open_site, read_line, say

app = typer.Typer(help="Read or erase what an author wrote.", no_args_is_help=True)

PAGE = 100


class By(StrEnum):
    """What an author is named by."""

    ID = "id"
    EMAIL = "email"


Named = Annotated[By, typer.Argument(help="What the author is named by.")]
Name = Annotated[
    str,
    typer.Argument(help="That name; - reads it from standard input, where no shell remembers it."),
]


@app.command()
def export(
    by: Named, name: Name, site: Site, data_dir: DataDir = None, json: AsJson = False
) -> None:
    """Print every comment of an author with all its texts; as JSON, a comment a line."""
    from moderation.review.authors import BEGINNING, From
    from moderation.wire import authors as wire

    who = _who(by, name)
    with _opened(site, data_dir) as (authors, _):
        following: From | None = BEGINNING
        while following is not None:
            found, following = asyncio.run(authors.read(site, who, after=following, limit=PAGE))
            for each in found:
                say(wire.written(each).decode() if json else _told(each))


@app.command()
def erase(
    by: Named, name: Name, site: Site, data_dir: DataDir = None, json: AsJson = False
) -> None:
    """Erase every comment of an author: texts, scores, and who it was."""
    from moderation.wire import authors as wire

    who = _who(by, name)
    with _opened(site, data_dir) as (authors, tidy):
        erased = asyncio.run(authors.erase(site, who))
        if erased:
            asyncio.run(tidy())
    say(wire.erased(erased).decode() if json else f"erased      {erased} comments")


def _told(found: Any) -> str:  # noqa: ANN401 - imported late
    """Return a comment as text that its author can read."""
    stored = found.comment.stored
    lines = [f"{found.comment.received}  {stored.external_id}  {stored.state}"]
    for version in found.versions:
        lines.append(f"  text {version.revision} of {version.received}")
        lines += [f"    {line}" for line in version.text.splitlines()]
    return "\n".join(lines)


@contextmanager
def _opened(site: str, data_dir: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - imported late
    """Lend the use cases of an installation that has this site, and what tidies up after them."""
    from aboveboard import moderating
    from aboveboard.writer import CommandWriter

    with open_site(site, data_dir) as (settings, databases):
        writing = CommandWriter(databases.moderation)
        erasing, sweeper = moderating.open_erasing(settings, databases, writing)

        async def tidy() -> None:
            # The service knows nothing of what a command has erased.
            await erasing.tidy()
            if sweeper.due:  # of words alone that are too short to be looked for, nothing is
                await sweeper.finish(writing)

        yield moderating.open_authors(settings, databases, erasing), tidy


def _who(by: By, name: str) -> Any:  # noqa: ANN401 - imported late
    """Read whom a command is about; never told back."""
    from moderation.review.authors import Who
    from moderation.wire.strict import storable

    if name == "-":
        name = read_line()
    if not name.strip():
        raise typer.BadParameter("expected a name of an author, got none")
    try:
        storable(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return Who(name, None) if by is By.ID else Who(None, name)
