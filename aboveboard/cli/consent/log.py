"""`aboveboard consent rotate-key log`: a log that goes on under another key."""

from typing import TYPE_CHECKING, Annotated

import typer

from aboveboard.cli.options import AsJson, DataDir, open_databases, say, say_json

if TYPE_CHECKING:
    from consent.recording.continuing import Continued


def rotate_log(
    site: Annotated[str, typer.Option(help="The site id whose log gets another key.")],
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Go on in a new epoch under a new key, committing to the old log; a running service follows.

    Receipts of older epochs keep verifying against the keys of those.
    """
    import asyncio

    from aboveboard import consenting

    with open_databases(data_dir) as (settings, databases):
        made = asyncio.run(consenting.open_continuing(settings, databases).rotate(site))
    if json:
        say_json(
            {
                "site": made.site_id,
                "epoch": made.epoch,
                "previous": {"epoch": made.previous.epoch, "size": made.previous.size},
            }
        )
    else:
        say(f"{told(made)} Publish its verifier key: GET /v1/consent/logs/{made.site_id}")


def told(made: "Continued") -> str:
    """Say in a sentence that a log goes on in a new epoch, and why."""
    goes_on = f"it goes on as epoch {made.epoch}, which commits to them."
    if made.previous.reason == "rotated":
        return (
            f"The log of {made.site_id} ended epoch {made.previous.epoch} with "
            f"{made.previous.size} entries; {goes_on}"
        )
    if made.held == made.previous.size:
        return (
            f"The log of {made.site_id} may have signed more than the {made.held} entries that "
            f"were put back; {goes_on}"
        )
    return (
        f"The log of {made.site_id} holds {made.held} of the {made.previous.size} entries that "
        f"epoch {made.previous.epoch} has signed; {goes_on}"
    )
