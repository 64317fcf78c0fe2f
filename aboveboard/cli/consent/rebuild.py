"""`aboveboard consent rebuild`: standings made anew from the events that led to them."""

import asyncio
from typing import Annotated

import typer

from aboveboard.cli.options import AsJson, DataDir, open_site, say, say_json


def rebuild(
    site: Annotated[str, typer.Option(help="The site whose standings are made anew.")],
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Make where subjects stand anew from their events, beside a running service."""
    from aboveboard import installation
    from aboveboard.writer import CommandWriter
    from consent.audit.rebuilding import Rebuilding

    with open_site(site, data_dir) as (settings, databases):
        rebuilding = Rebuilding(
            keyring=installation.open_keyring(settings),
            writing=CommandWriter(databases.consent),
        )
        rebuilt = asyncio.run(rebuilding.rebuild(site))
    if json:
        say_json({"subjects": rebuilt.subjects, "mended": rebuilt.mended, "left": rebuilt.left})
    else:
        say(
            f"{rebuilt.subjects} subjects, {rebuilt.mended} mended, "
            f"{rebuilt.left} left as they are: some of their records were erased"
        )
