"""`aboveboard consent receipt`: a saved receipt in another format."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from aboveboard.cli.options import say_json


class Format(StrEnum):
    """What a receipt can be written as."""

    JSONLD = "jsonld"


def receipt(
    receipt: Annotated[Path, typer.Argument(help="A receipt: the 201 answer, saved as it is.")],
    format_: Annotated[
        Format, typer.Option("--format", help="ISO/IEC TS 27560 in the words of DPV 2.3.")
    ] = Format.JSONLD,
    notice: Annotated[
        Path | None,
        typer.Option(help="The notice it names, as GET /v1/consent/notices/{id} gives it."),
    ] = None,
) -> None:
    """Write a saved receipt as a consent receipt that others read. Checks no proof: see verify.

    Its notice tells what else 27560 makes compulsory: controller, recipients, storage, withdrawal.
    """
    from pydantic import ValidationError

    from consent.proofs import dpv
    from consent.proofs.receipt import event_of
    from consent.wire import notices as wire

    try:
        saved = receipt.read_bytes()
        given = None if notice is None else notice.read_bytes()
    except OSError as error:
        typer.echo(f"aboveboard: expected a readable file, got: {error}", err=True)
        raise typer.Exit(1) from None
    try:
        shown = None if given is None else wire.read(wire.NoticeOut.model_validate_json(given))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, found["loc"])) or "the file"
        typer.echo(f"aboveboard: expected a notice as JSON, got {where}: {found['msg']}", err=True)
        raise typer.Exit(1) from None
    written = {Format.JSONLD: dpv.jsonld}[format_]
    say_json(written(event_of(saved), shown))
