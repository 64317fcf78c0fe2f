"""`aboveboard consent bundle`: proof to take along."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aboveboard.cli.options import AsJson, DataDir, counting, open_databases, say, say_json

if TYPE_CHECKING:
    from consent.choice import SubjectKind

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]


def bundle(
    site: Annotated[str, typer.Option(help="The site id.")],
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
    epoch: Annotated[
        int | None, typer.Option(min=1, help="One log of the site; by default all of them.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=FORMATS, help="Open records received from then on, in UTC."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=FORMATS, help="Open records received before then, in UTC."),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:ID", help="Open records of this subject, such as device:d-1, alone."
        ),
    ] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Write an evidence bundle: every entry of the log, and the records that are asked for.

    It holds personal data of all whose records it opens, pseudonymous but whole.
    """
    import tempfile

    from aboveboard import app
    from aboveboard.errors import DataDirUnusable
    from consent.search import Filter

    with open_databases(data_dir) as (settings, databases):
        app.open_accounts(settings, databases)
        bundling = app.open_bundling(settings, databases)
        wanted = Filter(
            refs=None if subject is None else bundling.refs(site, *_subject(subject)),
            since=_instant(since),
            until=_instant(until),
        )
        try:
            if out.exists():
                raise FileExistsError("it is there already")
            # Made private from its first byte, and given its name only once it is whole.
            handle, draft = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
            try:
                with os.fdopen(handle, "wb") as file, counting("entries bundled") as told:
                    for part in bundling.bundle(site, wanted, epoch=epoch, told=told):
                        file.write(part)
                Path(draft).rename(out)
            finally:
                Path(draft).unlink(missing_ok=True)
        except OSError as error:
            raise DataDirUnusable(f"expected to write {out}, got: {error}") from error
    size = out.stat().st_size
    if json:
        say_json({"site": site, "file": str(out), "bytes": size})
    else:
        say(f"{out}: {size:,} bytes; verify it with: aboveboard consent verify {out} --key KEY")


def _instant(moment: datetime | None) -> str | None:
    from consent.record import instant

    return None if moment is None else instant(moment.replace(tzinfo=UTC))


def _subject(text: str) -> "tuple[SubjectKind, str]":
    """Read KIND:ID; what was given is never repeated."""
    from consent.choice import SubjectKind

    kind, colon, subject_id = text.partition(":")
    if not colon or kind not in set(SubjectKind):
        kinds = ", ".join(SubjectKind)
        raise typer.BadParameter(f"expected KIND:ID with one of {kinds}", param_hint="--subject")
    return SubjectKind(kind), subject_id
