"""`aboveboard consent fsck`: whether the database still holds what was written."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aboveboard.cli.options import AsJson, DataDir, counting, open_databases, say, say_json

if TYPE_CHECKING:
    from consent.audit.inspection import Inspected


def fsck(
    site: Annotated[str | None, typer.Option(help="One site; by default all of them.")] = None,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            help="A checkpoint that was kept elsewhere, or a history of several. Without one, "
            "and without what the service keeps in its data directory, a database that was put "
            "back whole from a copy looks well.",
        ),
    ] = None,
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Check every log, record, notice and standing, beside a running service; changes nothing.

    Names the first bad entry of a site and what is wrong with it, and then exits 1.
    """
    import asyncio

    from aboveboard import consenting, installation
    from aboveboard.cli.consent.verify import read_checkpoints
    from aboveboard.errors import DataDirUnusable
    from aboveboard.examining import by_site
    from consent.errors import CheckFailed

    try:
        older = read_checkpoints(checkpoints)
    except (OSError, UnicodeDecodeError) as error:
        raise DataDirUnusable(f"expected a readable checkpoint, got: {error}") from error
    found: list[Inspected | CheckFailed] = []
    with open_databases(data_dir, as_is=True) as (settings, databases):
        accounts = installation.open_accounts(settings, databases)
        sites = accounts.list_sites() if site is None else [asyncio.run(accounts.get_site(site))]
        kept = by_site(older, [each.id for each in sites])
        examining = consenting.open_examining(settings, databases)
        for each in sites:
            with counting(f"entries of {each.id} checked") as told:
                try:
                    found.append(examining.examine(each.id, kept[each.id], told))
                except CheckFailed as error:
                    found.append(error)
    for each, outcome in zip(sites, found, strict=True):
        if not json:
            _tell(each.id, outcome)
    if json:
        say_json([_told(each.id, outcome) for each, outcome in zip(sites, found, strict=True)])
    if any(isinstance(outcome, CheckFailed) for outcome in found):
        raise typer.Exit(1)


def _tell(site_id: str, outcome: "Inspected | Exception") -> None:
    if isinstance(outcome, Exception):
        typer.echo(f"BAD    {site_id}: {outcome}", err=True)
        return
    say(
        f"OK     {site_id}: {outcome.entries:,} entries in {outcome.logs} logs, "
        f"{outcome.records:,} records opened, {outcome.erased:,} erased; "
        f"{outcome.replayed:,} standings replayed; {outcome.notices:,} notices, "
        f"{outcome.banners:,} banners; continues {outcome.checkpoints:,} kept checkpoints"
    )
    if outcome.unwhole:
        say(f"       {outcome.unwhole:,} standings rest on what was erased and cannot be replayed")
    if outcome.lost:
        say(f"       {outcome.lost:,} signed entries were lost before a later log took over")


def _told(site_id: str, outcome: "Inspected | Exception") -> dict[str, Any]:
    from dataclasses import asdict

    if isinstance(outcome, Exception):
        names = ("check", "epoch", "index")
        place = {name: getattr(outcome, name) for name in names}
        return {"site": site_id, "ok": False, "problem": str(outcome), **place}
    members = asdict(outcome)
    return {"site": members.pop("site_id"), "ok": True, **members}
