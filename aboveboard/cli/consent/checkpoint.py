"""`aboveboard consent checkpoint, check-consistency`: checkpoints for elsewhere, and from there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aboveboard.cli.options import AsJson, DataDir, open_databases, say, say_json

if TYPE_CHECKING:
    from aboveboard.cli.consent.present import Present
    from consent.log.checkpoint import Checkpoint, Verifier

NOT_CONSISTENT = 1
NOT_CHECKED = 2


def checkpoint(
    site: Annotated[
        str | None, typer.Option(help="The site id; without it, those of all sites.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A folder to keep them in, as the setting checkpoint_dir does."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Print the newest checkpoint of every log, or keep each in a folder; for cron and e-mail."""
    from aboveboard import installation
    from aboveboard.checkpoints import Folder, Logs
    from consent.errors import CheckpointInvalid, HistoryBroken, LogNotFound

    with open_databases(data_dir) as (settings, databases):
        logs = Logs(databases.consent, installation.open_keyring(settings))
        newest = logs.newest(site)
        if not newest:
            raise LogNotFound("expected a site that has a log, there is none yet")
        if out is None:
            say("\n".join(one.text for one in newest).rstrip("\n"))
            return
        folder = Folder(out, logs)
        refused = False
        for one in newest:
            try:
                folder.keep(one)
                say(f"{one.head.origin}  {one.head.frontier.size} entries")
            except (CheckpointInvalid, HistoryBroken) as error:
                typer.echo(f"NOT KEPT  {one.head.origin}: {error}", err=True)
                refused = True
            except OSError as error:
                typer.echo(f"aboveboard: expected to write to {out}, got: {error}", err=True)
                raise typer.Exit(1) from None
    if refused:
        raise typer.Exit(1)


def check_consistency(
    old: Annotated[
        Path,
        typer.Argument(help="A checkpoint that was kept elsewhere, or a history of several."),
    ],
    key: Annotated[
        str, typer.Option(help="The log's verifier key (VKEY), or a file that holds it.")
    ],
    url: Annotated[
        str | None,
        typer.Option(help="Where the service is; without it, the data directory is read."),
    ] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Check that a log still holds all that a checkpoint kept elsewhere was signed over.

    Exits 1 where it does not, 2 where that could not be found out.
    """
    from aboveboard.cli.consent.present import open_present
    from aboveboard.cli.consent.verify import read_checkpoints, read_keys
    from aboveboard.errors import AboveboardError
    from consent.errors import ConsentError, HistoryBroken

    if url is not None and data_dir is not None:
        raise typer.BadParameter("expected --url or --data-dir, got both")
    try:
        (verifier,) = read_keys([key])
        kept = sorted(map(verifier.open, read_checkpoints([old])), key=lambda one: one.size)
        with open_present(verifier.name, url=url, data_dir=data_dir) as present:
            try:
                newest = _compare(kept, present, verifier)
            except HistoryBroken as error:
                _tell_broken(verifier.name, str(error), json=json)
                raise typer.Exit(NOT_CONSISTENT) from None
    except (AboveboardError, ConsentError, OSError, UnicodeDecodeError) as error:
        typer.echo(f"aboveboard: not checked: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(NOT_CHECKED) from None
    if json:
        say_json(
            {
                "consistent": True,
                "origin": newest.origin,
                "kept": [one.size for one in kept],
                "size": newest.size,
            }
        )
        return
    say(f"CONSISTENT  {newest.origin}, {newest.size} entries")
    held = "the kept checkpoint" if len(kept) == 1 else f"{len(kept)} kept checkpoints"
    sizes = " to ".join(str(size) for size in sorted({kept[0].size, kept[-1].size}))
    say(f"            it continues {held} of {sizes}")


def _compare(kept: "list[Checkpoint]", present: "Present", verifier: "Verifier") -> "Checkpoint":
    """Hold every kept checkpoint against the present log; returns that one's checkpoint."""
    from consent.errors import CheckpointInvalid, HistoryRewritten, HistoryTruncated
    from consent.log import continuity

    try:
        newest = verifier.open(present.checkpoint())
    except CheckpointInvalid as error:
        raise HistoryRewritten(f"not signed: {error}") from error
    try:
        # The largest first: what was cut off is told before what was written instead.
        for one in reversed(kept):
            needed = continuity.needs_proof(one, newest)
            path = present.consistency(one.size, newest.size) if needed else []
            continuity.check(one, newest, path)
    except HistoryTruncated as error:
        _, _, epoch = newest.origin.rpartition("/")
        last = present.newest_epoch()
        if str(last) == epoch:
            raise
        raise HistoryTruncated(
            f"{error}; the site's log goes on as epoch {last}, whose first entry should say why"
        ) from error
    return newest


def _tell_broken(origin: str, problem: str, *, json: bool) -> None:
    if json:
        say_json({"consistent": False, "origin": origin, "problem": problem})
    else:
        typer.echo(f"NOT CONSISTENT  {problem}", err=True)
