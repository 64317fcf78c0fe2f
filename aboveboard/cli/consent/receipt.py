"""`aboveboard consent receipt`: a saved receipt in another format."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aboveboard.cli.options import say_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consent.choices.notice import Notice
    from consent.choices.record import Json
    from consent.wire.notices import NoticeOut


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
        typer.Option(
            help="The notice it names, as GET /v1/consent/notices/{id} gives it; by default the "
            "one that GET /v1/consent/records/{id} gives along."
        ),
    ] = None,
) -> None:
    """Write a saved receipt as a consent receipt that others read. Checks no proof: see verify.

    Its notice tells what else 27560 makes compulsory: controller, recipients, storage, withdrawal.
    """
    from consent.proofs import dpv
    from consent.proofs.receipt import event_of

    try:
        saved = receipt.read_bytes()
        given = None if notice is None else notice.read_bytes()
    except OSError as error:
        typer.echo(f"aboveboard: expected a readable file, got: {error}", err=True)
        raise typer.Exit(1) from None
    event = event_of(saved)
    if given is None:
        given = _enclosed(saved)
    shown = None if given is None else _notice(given, event)
    written = {Format.JSONLD: dpv.jsonld}[format_]
    say_json(written(event, shown))


def _enclosed(saved: bytes) -> bytes | None:
    """Return the notice that was saved along with a record."""
    notice = json.loads(saved).get("notice")
    return None if notice is None else json.dumps(notice).encode()


def _notice(given: bytes, event: "Mapping[str, Json]") -> "Notice":
    """Read the notice of *event*, alone or among the items of an answer."""
    import orjson
    from pydantic import ValidationError

    from consent.wire import notices as wire

    try:
        content = orjson.loads(given)
    except ValueError:
        content = None  # said below, with its place
    try:
        if isinstance(content, dict) and "items" in content:
            return wire.read(_choose(wire.NoticesOut.model_validate_json(given).items, event))
        return wire.read(wire.NoticeOut.model_validate_json(given))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, found["loc"])) or "the file"
        typer.echo(f"aboveboard: expected a notice as JSON, got {where}: {found['msg']}", err=True)
        raise typer.Exit(1) from None


def _choose(items: "Sequence[NoticeOut]", event: "Mapping[str, Json]") -> "NoticeOut":
    """Return the one of *items* that *event* names by its digests."""
    from consent.choices.event import Event
    from consent.errors import EventInvalid
    from consent.wire import notices as wire

    read = Event.read(event)
    for item in items:
        try:
            read.check_notice(wire.read(item))
        except EventInvalid:
            continue
        return item
    if read.notice is None:
        raise EventInvalid(f"expected an event that names its notice, got {read.event_type}")
    named = read.notice
    others = [f"{item.notice_id} {item.version} {item.language}" for item in items]
    raise EventInvalid(
        f"expected the notice {named.notice_id} {named.version} {named.language} of the event, "
        f"got {', '.join(others) or 'none'}; GET it with ?version={named.version}"
    )
