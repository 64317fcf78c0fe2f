"""`aboveboard consent bundle`: proof to take along."""

from pathlib import Path
from typing import Annotated

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


def bundle(
    site: Site,
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
    epoch: Annotated[
        int | None,
        typer.Option(min=1, max=INTEGER_LIMIT, help="One log of the site; by default all of them."),
    ] = None,
    since: Since = None,
    until: Until = None,
    subject: Subject = None,
    moving: Annotated[
        bool,
        typer.Option(
            "--moving",
            help="Make it for `import-bundle`: add what is remembered of subjects without records.",
        ),
    ] = False,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Write an evidence bundle: every entry of the log, and the records that are asked for.

    It holds personal data of all whose records it opens, pseudonymous but whole.
    """
    from aboveboard import consenting, installation
    from consent.records.search import Filter

    begin, end = read_period(since, until)
    with open_databases(data_dir) as (settings, databases):
        bundling = consenting.open_bundling(settings, databases)
        keyring = installation.open_keyring(settings)
        wanted = Filter(
            refs=None if subject is None else keyring.refs(site, *read_subject(subject)),
            since=begin,
            until=end,
        )
        with drafted(out) as file, counting("entries bundled") as told:
            for part in bundling.bundle(site, wanted, epoch=epoch, moving=moving, told=told):
                file.write(part)
    size = out.stat().st_size
    if json:
        say_json({"site": site, "file": str(out), "bytes": size})
    else:
        say(f"{out}: {size:,} bytes; verify it with: aboveboard consent verify {out} --key KEY")
