"""`aboveboard consent subject`: what a person may ask for, answered beside the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from aboveboard.cli.options import AsJson, DataDir, Site, open_site, read_line, say

app = typer.Typer(help="Read, restrict or erase what is held about a person.", no_args_is_help=True)

Kind = Annotated[str, typer.Argument(help="device, account, email, phone or external.")]
Id = Annotated[
    str,
    typer.Argument(help="The id; - reads it from standard input, where no shell remembers it."),
]
Linked = Annotated[
    bool, typer.Option("--include-linked", help="Whoever was linked with the subject, too.")
]


@app.command()
def export(
    kind: Kind,
    subject_id: Id,
    site: Site,
    include_linked: Linked = False,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Print everything that is held about a person, as text that they can read."""
    import asyncio

    from consent.subjects import letter
    from consent.wire import subjects as wire

    subject = _subject(kind, subject_id)
    with _opened(site, data_dir) as subjects:
        held = asyncio.run(subjects.accessing.export(site, *subject, linked=include_linked))
    say(wire.held(held).decode() if json else letter.write(held).rstrip())


@app.command()
def erase(
    kind: Kind,
    subject_id: Id,
    site: Site,
    include_linked: Linked = False,
    forget_refusals: Annotated[
        bool,
        typer.Option(
            "--forget-refusals", help="What was refused, too; the person may be asked again."
        ),
    ] = False,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Erase everything that is held about a person; the log goes on proving what it proved."""
    import asyncio

    from consent.choices.choice import Method
    from consent.wire import subjects as wire

    subject = _subject(kind, subject_id)
    with _opened(site, data_dir) as subjects:
        done = asyncio.run(
            subjects.erasing.erase(
                site,
                subject,
                keep_refusals=not forget_refusals,
                linked=include_linked,
                method=Method.ADMIN,
            )
        )
    if json:
        say(wire.erased(done).decode())
        return
    say(f"erased      {len(done.record_ids)} records")
    if done.remembered:
        say(f"remembered  {', '.join(done.remembered)}: refused, without any record")
    if done.receipt is not None:
        say(f"tombstone   {done.receipt.record_id}, entry {done.receipt.leaf_index}")


@app.command()
def restrict(
    kind: Kind,
    subject_id: Id,
    site: Site,
    until: Annotated[str, typer.Option(help="The day before which it is kept, YYYY-MM-DD.")],
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Keep what is held about a person as evidence until a day, use it for nothing, erase it."""
    import asyncio

    from consent.choices.choice import Method
    from consent.wire import subjects as wire

    subject, day = _subject(kind, subject_id), _day(until)
    with _opened(site, data_dir) as subjects:
        done = asyncio.run(
            subjects.restricting.restrict(site, *subject, evidence_until=day, method=Method.ADMIN)
        )
    if json:
        say(wire.restricted(done).decode())
        return
    say(f"restricted  {len(done.record_ids)} records, kept until {done.evidence_until}")
    say(f"tombstone   {done.receipt.record_id}, entry {done.receipt.leaf_index}")


@contextmanager
def _opened(site: str, data_dir: Any) -> Iterator[Any]:  # noqa: ANN401 - imported late
    """Lend the use cases of an installation that has this site."""
    import asyncio

    from aboveboard import clock, consenting, installation
    from aboveboard.randomness import Randomness
    from aboveboard.writer import CommandWriter

    with open_site(site, data_dir) as (settings, databases):
        writing = CommandWriter(databases.consent)
        subjects = consenting.open_subjects(
            settings,
            databases,
            writing,
            keyring=installation.open_keyring(settings),
            ids=clock.uuid7(Randomness()),
        )
        yield subjects
        if subjects.sweeper.due:
            # The service knows nothing of what a command has erased.
            asyncio.run(subjects.sweeper.finish(writing))


def _subject(kind: str, subject_id: str) -> tuple[Any, str]:
    """Read whom a command is about; never told back."""
    from consent.choices.choice import SubjectKind
    from consent.errors import SubjectInvalid

    try:
        known = SubjectKind(kind)
    except ValueError:
        kinds = ", ".join(SubjectKind)
        raise SubjectInvalid(f"expected one of {kinds}, got another kind") from None
    return known, read_line() if subject_id == "-" else subject_id


def _day(text: str) -> Any:  # noqa: ANN401 - a datetime, imported late
    """Read a day as the instant with which it begins."""
    from datetime import UTC, datetime

    from consent.errors import RestrictionInvalid

    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise RestrictionInvalid("expected a day YYYY-MM-DD, got something else") from None
