"""`aboveboard consent verify`: what a visitor does without the service."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aboveboard.cli.options import AsJson, say, say_json


def verify(
    receipt: Annotated[Path, typer.Argument(help="A receipt: the 201 answer, saved as it is.")],
    key: Annotated[
        str, typer.Option(help="The log's verifier key (VKEY), or a file that holds it.")
    ],
    json: AsJson = False,
) -> None:
    """Verify a receipt with nothing but the log's key: no service, no network, no database."""
    from consent.checkpoint import Verifier
    from consent.errors import CheckpointInvalid, ReceiptInvalid
    from consent.receipt import verify as verify_receipt
    from consent.record import instant

    try:
        saved = receipt.read_bytes()
        vkey = Path(key).read_text(encoding="utf-8") if Path(key).is_file() else key
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"aboveboard: expected a readable file, got: {error}", err=True)
        raise typer.Exit(1) from None
    try:
        verified = verify_receipt(saved, Verifier.from_vkey(vkey.strip()))
    except (CheckpointInvalid, ReceiptInvalid) as error:
        if json:
            say_json({"valid": False, "problem": str(error)})
        else:
            typer.echo(f"NOT VALID  {error}", err=True)
        raise typer.Exit(1) from None
    if json:
        say_json(
            {
                "valid": True,
                "record_id": verified.record_id,
                "origin": verified.origin,
                "index": verified.index,
                "size": verified.size,
                "received_at": instant(verified.received_at),
                "event": verified.event,
            }
        )
        return
    say(f"VALID  record {verified.record_id}, received {instant(verified.received_at)}")
    say(
        f"       entry {verified.index} of the log {verified.origin}, checkpoint of {verified.size}"
    )
    event: Any = verified.event
    shown = ", ".join(
        f"{made['purpose_id']} {made['decision']}" for made in event.get("decisions", [])
    )
    say(f"       {event['event_type']} by {event['method']}: {shown or 'no decisions'}")
