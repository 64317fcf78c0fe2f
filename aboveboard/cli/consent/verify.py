"""`aboveboard consent verify`: what a visitor or an auditor does without the service."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from aboveboard.cli.options import AsJson, counting, say, say_json

if TYPE_CHECKING:
    from consent.log.checkpoint import Verifier
    from consent.proofs.evidence import VerifiedEvidence, VerifiedLog

ZIP = b"PK"


def verify(
    file: Annotated[
        Path,
        typer.Argument(help="A receipt (the 201 answer, saved as it is) or an evidence bundle."),
    ],
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            help="The log's verifier key (VKEY), or a file that holds it. A bundle has its own, "
            "which proves nothing of whose it is; give one for each log that it holds.",
        ),
    ] = None,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            help="A checkpoint from earlier, or a history of several; a bundle has to continue it.",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Verify a receipt or an evidence bundle offline: no service, no network, no database.

    A receipt is verified with nothing but the log's key.
    Exits 1 where the file is not valid, 2 where it, the key or a checkpoint cannot be read.
    """
    from consent.errors import CheckpointInvalid, EvidenceInvalid, ReceiptInvalid

    try:
        verifiers, older = read_keys(keys), read_checkpoints(checkpoints)
    except (OSError, UnicodeDecodeError, CheckpointInvalid) as error:
        # Nothing was found out about the file; whoever mistypes a name has not been lied to.
        typer.echo(f"aboveboard: not checked: --key or --checkpoint: {error}", err=True)
        raise typer.Exit(2) from None
    try:
        with file.open("rb") as opened:
            check = _bundle if opened.read(len(ZIP)) == ZIP else _receipt
            opened.seek(0)
            check(opened, verifiers, older, json)
    except OSError as error:
        typer.echo(f"aboveboard: not checked: expected a readable file, got: {error}", err=True)
        raise typer.Exit(2) from None
    except (CheckpointInvalid, EvidenceInvalid, ReceiptInvalid) as error:
        if json:
            say_json({"valid": False, "problem": str(error)} | _place(error))
        else:
            typer.echo(f"NOT VALID  {error}", err=True)
        raise typer.Exit(1) from None


def read_keys(keys: list[str] | None) -> "list[Verifier]":
    """Read verifier keys, each given as such or as a file. Raises CheckpointInvalid."""
    from consent.log.checkpoint import Verifier

    return [
        Verifier.from_vkey(
            (Path(key).read_text(encoding="utf-8") if Path(key).is_file() else key).strip()
        )
        for key in keys or []
    ]


def read_checkpoints(files: list[Path] | None) -> list[str]:
    """Read files of one or several checkpoints. Raises CheckpointInvalid."""
    from consent.log.continuity import split_kept

    return [kept for path in files or [] for kept in split_kept(path.read_text(encoding="utf-8"))]


def _place(error: Exception) -> dict[str, Any]:
    """Return where in a bundle something was found wrong, as far as that is known."""
    names = ("check", "epoch", "index")
    return {name: found for name in names if (found := getattr(error, name, None)) is not None}


def _receipt(
    file: BinaryIO,
    verifiers: "list[Verifier]",
    older: list[str],
    as_json: bool,  # noqa: FBT001
) -> None:
    from consent.choices.record import instant
    from consent.proofs.receipt import MAX_RECEIPT_BYTES
    from consent.proofs.receipt import verify as verify_receipt

    if len(verifiers) != 1 or older:
        raise typer.BadParameter("a receipt needs the one --key of its log, and no --checkpoint")
    verified = verify_receipt(file.read(MAX_RECEIPT_BYTES + 1), verifiers[0])
    if as_json:
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


def _bundle(
    file: BinaryIO,
    verifiers: "list[Verifier]",
    older: list[str],
    as_json: bool,  # noqa: FBT001
) -> None:
    from consent.proofs.evidence import verify as verify_evidence

    with counting("entries verified") as told:
        verified = verify_evidence(file, keys=verifiers, older=older, told=told)
    (_say_json if as_json else _say_plainly)(verified)


def _say_json(verified: "VerifiedEvidence") -> None:
    manifest = verified.manifest
    say_json(
        {
            "valid": True,
            "site": manifest.site,
            "made": manifest.made,
            "made_by": manifest.made_by,
            "selection": dict(manifest.selection),
            "moving": manifest.moving,
            "remembered": manifest.remembered,
            "sealed": verified.sealed,
            "notices": manifest.notices,
            "banners": len(manifest.banners),
            "banners_missing": verified.banners_missing,
            "epochs_missing": verified.epochs_missing,
            "logs": [
                {
                    "epoch": log.epoch,
                    "origin": log.origin,
                    "key": log.vkey,
                    "trusted": log.trusted,
                    "entries": log.entries,
                    "root": log.root.hex(),
                    "opened": log.opened,
                    "erased": log.erased,
                    "checkpoints": list(log.older),
                    "lost": log.lost,
                }
                for log in verified.logs
            ],
        }
    )


def _say_plainly(verified: "VerifiedEvidence") -> None:
    manifest = verified.manifest
    say(f"VALID  evidence of the site {manifest.site}, made {manifest.made} by {manifest.made_by}")
    for log in verified.logs:
        _say_log(log)
    say(
        f"       {manifest.notices:,} notices and {len(manifest.banners):,} archived banners, "
        "each with its digest"
    )
    if manifest.moving:
        say(
            f"       made to be taken in elsewhere; {manifest.remembered:,} standings prove nothing"
        )
    for warning in warnings_of(verified):
        say(f"WARN   {warning}")


def _say_log(log: "VerifiedLog") -> None:
    closed = log.entries - log.opened - log.erased
    say(f"       {log.entries:,} entries of the log {log.origin}, under a signed root")
    say(
        f"         {log.opened:,} records opened, {log.erased:,} erased, "
        f"{closed:,} not opened here: commitments alone"
    )
    for size in log.older:
        say(f"         continues the checkpoint of {size:,} entries")


def warnings_of(verified: "VerifiedEvidence") -> list[str]:
    """Return what a valid bundle leaves open, a sentence each."""
    warnings = [
        f"the key of {log.origin} came with the bundle, so it is only the bundle that says whose "
        "it is; get it from elsewhere and give it as --key"
        for log in verified.logs
        if not log.trusted
    ]
    warnings += [
        f"{log.lost:,} entries that {log.origin} has signed were lost before the next log took over"
        for log in verified.logs
        if log.lost
    ]
    if verified.epochs_missing:
        epochs = ", ".join(map(str, verified.epochs_missing))
        warnings.append(
            f"epochs that lie between are not in the bundle, lost or left out: {epochs}; whoever "
            "has a receipt or a checkpoint of one has what is missing"
        )
    if not verified.sealed:
        warnings.append(
            "nobody signed the manifest: which records are opened, unused notices and banners "
            "may be as another than the log wanted them"
        )
    if verified.banners_missing:
        warnings.append(
            f"{verified.banners_missing:,} records name a banner that is not in the bundle"
        )
    return warnings
