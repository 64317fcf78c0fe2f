"""`aboveboard consent import-bundle`: a site that moves in with its whole history."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from aboveboard.cli.options import (
    AsJson,
    DataDir,
    counting,
    open_databases,
    say,
    say_json,
    showing_a_key_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from aboveboard.installation import Databases
    from aboveboard.keys import KeyFolder
    from aboveboard.settings import Settings
    from consent.proofs.archive import LogPart
    from consent.proofs.evidence import VerifiedEvidence


def import_bundle(
    file: Annotated[Path, typer.Argument(help="An evidence bundle made with `--moving`.")],
    site_url: Annotated[
        str, typer.Option(help="The site's address here, such as https://blog.example.")
    ],
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", help="A verifier key of its logs (VKEY), or a file that holds it."),
    ] = None,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", help="A checkpoint from earlier that it has to continue."),
    ] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Verify a bundle and take its site in: entries, records, notices, banners, same roots.

    With the log's key in the keys folder its log goes on; without, it stays as it is and the site
    goes on in the next epoch, under a key of this installation. Visitors are known again only
    with the same subject keys. Whoever was erased since the bundle was made is erased again, if
    the data directory has the `erasures.jsonl` that says so.
    """
    import asyncio

    from aboveboard import installation
    from aboveboard.accounts import parse_url
    from aboveboard.cli.consent.verify import read_checkpoints, read_keys, warnings_of
    from aboveboard.errors import DataDirUnusable
    from aboveboard.keys import KeyFolder
    from consent.audit.intake import check_whole
    from consent.proofs.evidence import verify

    parse_url(site_url)  # before anything is made
    try:
        with file.open("rb") as opened:
            with counting("entries verified") as told:
                verified = verify(
                    opened, keys=read_keys(keys), older=read_checkpoints(checkpoints), told=told
                )
            check_whole(verified)
            for warning in warnings_of(verified):
                typer.echo(f"WARN  {warning}", err=True)
            site_id, newest = verified.manifest.site, verified.logs[-1]
            with open_databases(data_dir, make=True) as (settings, databases):
                accounts = installation.open_accounts(settings, databases)
                folder = KeyFolder(settings.data_dir)
                goes_on = [_adopt(folder, site_id, log) for log in verified.manifest.logs][-1]
                made = accounts.adopt_site(site_id, site_url)
                with counting("records taken in") as told:
                    moving = _move(settings, databases, opened, verified, told, goes_on=goes_on)
                    again = asyncio.run(moving)
    except OSError as error:
        raise DataDirUnusable(f"expected a readable file, got: {error}") from error
    epoch = newest.epoch + (not goes_on)
    key = made.key if made else None
    with showing_a_key_of(site_id) if key else nullcontext():
        if json:
            say_json(
                {
                    "site": site_id,
                    "entries": newest.entries,
                    "epoch": epoch,
                    "erased_again": again,
                    "key": key,
                }
            )
            return
        say(f"site  {site_id}")
        say(f"log   {newest.origin}: {newest.entries:,} entries, root {newest.root.hex()}")
        if not goes_on:
            say(
                f"      its key is elsewhere: the site goes on in epoch {epoch}, "
                "which commits to it"
            )
        if again:
            say(f"      {again:,} erasures and restrictions of later were done again")
        if key:
            say(f"key   {key}   (shown this once)")


async def _move(
    settings: "Settings",
    databases: "Databases",
    file: BinaryIO,
    verified: "VerifiedEvidence",
    told: "Callable[[int], None]",
    *,
    goes_on: bool,
) -> int:
    """Take a bundle in, begin the epoch that is due, and entomb what was erased again."""
    from aboveboard import consenting
    from aboveboard.erasures import Erasures
    from aboveboard.writer import CommandWriter

    sweeper, erasures = consenting.open_sweeper(databases), Erasures(settings.data_dir)
    intake = consenting.open_intake(settings, databases, sweeper)
    await intake.take_in(file, verified, told, [*erasures.read()][::-1])
    if not goes_on:
        await consenting.open_continuing(settings, databases).rotate(verified.manifest.site)
    again = await consenting.open_reapplying(settings, databases, sweeper).reapply(erasures.read())
    await sweeper.finish(CommandWriter(databases.consent))
    return again


def _adopt(folder: "KeyFolder", site_id: str, log: "LogPart") -> bool:
    """Keep a log's public key unless its private one is here; returns whether it is.

    Raises DataDirUnusable where another key has its name.
    """
    from aboveboard.errors import DataDirUnusable
    from consent.log.checkpoint import Signer

    name = f"log.{site_id}.{log.epoch}"
    if folder.holds(name):
        vkey = Signer(log.origin, folder.get(name, make=False)).verifier.vkey
    else:
        folder.keep_public(name, log.vkey)
        vkey = folder.find_public(name) or ""
    if vkey != log.vkey:
        raise DataDirUnusable(
            f"expected the key {name} in {folder.path} to be {log.vkey}, got {vkey}; move it away"
        )
    return folder.holds(name)
