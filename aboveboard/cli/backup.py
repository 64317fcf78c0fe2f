"""`aboveboard backup, restore`: all data in one file, and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aboveboard.cli.options import AsJson, DataDir, open_databases, read_settings, say, say_json

if TYPE_CHECKING:
    from aboveboard.backup import Manifest
    from aboveboard.restoring import Resumed

NOT_IN_IT = ("keys", "checkpoints", "erasures.jsonl", "aboveboard.toml")


def backup(
    file: Annotated[Path, typer.Argument(help="The backup; it must not be there yet.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Check this backup instead of making one.")
    ] = False,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Write all databases into one file, beside a running service; the keys are never in it."""
    from aboveboard import copying, restoring

    if verify:
        _tell(file, restoring.verify(file), "is whole", json=json)
        return
    with open_databases(data_dir) as (settings, databases):
        manifest = copying.take(settings, databases, file)
        folder = settings.data_dir
    _tell(file, manifest, "is made", json=json)
    if not json:
        places = ", ".join(str(folder / name) for name in NOT_IN_IT)
        say(f"Not in it, so save them as well: {places}")
        say("Nobody can read the records without the keys: keep these apart from the backup.")


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of the databases that there are.")
    ] = False,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Put a backup back, where the keys are and no service runs.

    Logs that have signed more since, or may have, go on in a new epoch.
    """
    from aboveboard import restoring

    settings = read_settings(data_dir=data_dir)
    done = restoring.restore(settings, file, replace=replace)
    if json:
        say_json(
            {
                **_content(file, done.manifest),
                "continued": [
                    {"site": made.site_id, "epoch": made.epoch, "from": made.previous.size}
                    for made in done.resumed.continued
                ],
                "erased_again": done.resumed.again,
                "comments_erased_again": done.resumed.comments,
            }
        )
        return
    _tell(file, done.manifest, "is put back", json=False)
    say_resumed(done.resumed)


def say_resumed(resumed: "Resumed") -> None:
    """Say which logs go on in a new epoch, and what was erased again; usually nothing."""
    from aboveboard.cli.consent.log import told

    for made in resumed.continued:
        say(told(made))
    if resumed.again:
        say(f"Erasures and restrictions that the backup did not know, done again: {resumed.again}")
    if resumed.comments:
        say(f"Comments that were erased and back, erased again: {resumed.comments}")


def _tell(file: Path, manifest: "Manifest", what: str, *, json: bool) -> None:
    if json:
        say_json(_content(file, manifest))
        return
    entries = sum(log.size for log in manifest.logs)
    say(
        f"{file} {what}: the databases as of {manifest.made}, {file.stat().st_size:,} bytes; "
        f"logs: {len(manifest.logs):,}, entries in them: {entries:,}"
    )


def _content(file: Path, manifest: "Manifest") -> dict[str, Any]:
    return {
        "file": str(file),
        "bytes": file.stat().st_size,
        "made": manifest.made,
        "engine": manifest.engine.value,
        "logs": len(manifest.logs),
        "entries": sum(log.size for log in manifest.logs),
    }
