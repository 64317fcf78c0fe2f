"""The whole history as files: JSON Lines, which prove what they say, and CSV, for people.

Every entry of the ledger is one line, in its order; of an erased record the entry alone is left.
"""

import csv
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from io import StringIO
from typing import Annotated, Any, NamedTuple, TypeAlias
from urllib.parse import quote

import orjson
from pydantic import Field

from consent.records.history import Entry
from consent.wire.records import SubjectFilterIn

Cell: TypeAlias = str | int | bool | None

FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the wide forms open a formula, too
"""What a cell must not begin with: spreadsheets would compute it."""

SPLIT = re.compile(r"(?<=[;\t\r\n])(?=[=+\-@＝＋－＠])")  # noqa: RUF001 - as above
"""Where a formula would begin for those that split cells at these, too."""


class Format(StrEnum):
    """What a file is written as."""

    JSONL = "jsonl"
    CSV = "csv"


class ExportIn(SubjectFilterIn):
    """Which records to export, and as what."""

    format: Annotated[Format, Field(description="JSON Lines or CSV")] = Format.JSONL


def _listed(item: Any) -> str:  # noqa: ANN401 - a decision or an id
    if not isinstance(item, dict):
        return str(item)
    made = f"{item['purpose_id']}={item['decision']}"
    if "vendor_ids" not in item:
        return made
    # Sites name their vendors as they like: also with what separates them here.
    return f"{made}[{','.join(quote(vendor, safe='') for vendor in item['vendor_ids'])}]"


def _based(item: Any) -> str:  # noqa: ANN401 - a decision
    return f"{item['purpose_id']}={item['basis']}" if "basis" in item else item["purpose_id"]


class Column(NamedTuple):
    """A column of a table: its name, the type of its cells, and where in an event it is from.

    *listed* writes a member of a list.
    """

    name: str
    kind: type[str] | type[int] | type[bool] | type[datetime]
    path: str = ""
    listed: Callable[[Any], str] = _listed


COLUMNS = (
    # Of every entry.
    Column("record_id", str),
    Column("epoch", int),
    Column("leaf_index", int),
    Column("received_at", datetime),
    Column("leaf", str),
    Column("erased", bool),
    Column("restricted_until", datetime),
    # Of the event, as long as it can be opened.
    Column("event_type", str, "event_type"),
    Column("method", str, "method"),
    Column("origin", str, "origin"),
    Column("by", str, "by"),
    Column("subject_ref", str, "subject_ref"),
    Column("subject_kind", str, "subject_kind"),
    Column("assurance", str, "assurance"),
    Column("decisions", str, "decisions"),
    Column("bases", str, "decisions", _based),
    Column("consent_type", str, "consent_type"),
    Column("occurred_at", datetime, "occurred_at"),
    Column("valid_until", datetime, "valid_until"),
    Column("reprompt_not_before", datetime, "reprompt_not_before"),
    Column("notice_id", str, "notice.notice_id"),
    Column("notice_version", int, "notice.version"),
    Column("notice_language", str, "notice.language"),
    Column("notice_layer", int, "notice.layer"),
    Column("notice_variant", str, "notice.variant"),
    Column("text_sha256", str, "notice.text_sha256"),
    Column("material_sha256", str, "notice.material_sha256"),
    Column("ui_sha256", str, "notice.ui_sha256"),
    Column("jurisdiction", str, "jurisdiction"),
    Column("regime", str, "regime"),
    Column("regime_source", str, "regime_source"),
    Column("served_id", str, "served_id"),
    Column("served_at", datetime, "served_at"),
    Column("linked_subject_ref", str, "linked.subject_ref"),
    Column("evidence", str, "evidence"),
    Column("page", str, "context.page"),
    Column("ua_class", str, "context.ua_class"),
    Column("layout_w", int, "context.layout_w"),
    Column("ip_trunc", str, "context.ip_trunc"),
    Column("sec_gpc", bool, "signals.sec_gpc"),
    Column("gpc_js", bool, "signals.gpc_js"),
    Column("tc_string", str, "signals.tc_string"),
    Column("gpp_string", str, "signals.gpp_string"),
    Column("gcm", str, "signals.gcm"),
    Column("record_ids", str, "record_ids"),
)

_OF_EVENT = [
    (*column.path.rpartition(".")[::2], column.listed) for column in COLUMNS if column.path
]  # the object that a member is in, "" for the event itself, its name, how its items are written


_NOTHING: Mapping[str, Any] = {}


class JsonLines:
    """An object a line; with `event` and `salt`, `leaf` can be computed again."""

    head = b""

    def write(self, entries: Sequence[Entry]) -> bytes:
        """Return a line for each of *entries*."""
        return b"".join(
            orjson.dumps(_line(entry), option=orjson.OPT_APPEND_NEWLINE) for entry in entries
        )


class Csv:
    """A table with a header (RFC 4180, UTF-8) whose cells no spreadsheet takes for formulas."""

    head = (",".join(column.name for column in COLUMNS) + "\r\n").encode()

    def write(self, entries: Sequence[Entry]) -> bytes:
        """Return a row for each of *entries*."""
        text = StringIO(newline="")
        csv.writer(text).writerows(map(_safe, row) for row in rows(entries))
        return text.getvalue().encode()


MEDIA = {
    Format.JSONL: "application/jsonl",
    Format.CSV: "text/csv; charset=utf-8; header=present",
}
FILES: Mapping[Format, JsonLines | Csv] = {Format.JSONL: JsonLines(), Format.CSV: Csv()}


def rows(entries: Sequence[Entry]) -> list[list[Cell]]:
    """Return the cells of *entries* in the order of `COLUMNS`; None where there is nothing."""
    return [_row(entry) for entry in entries]


def sealed(entry: Entry) -> tuple[str | None, str | None]:
    """Return the salt, in base64, and the canonical event of an entry that is not erased."""
    if entry.opened is None:
        return None, None
    return b64encode(entry.opened.salt).decode(), entry.opened.event.decode()


def _row(entry: Entry) -> list[Cell]:
    opened = entry.opened
    cells: list[Cell] = [
        entry.record_id,
        *entry.position,
        entry.received_at,
        b64encode(entry.leaf).decode(),
        opened is None,
        entry.restricted_until,
    ]
    if opened is None:
        return cells + [None] * len(_OF_EVENT)
    event: dict[str, Any] = orjson.loads(opened.event)
    within = {**event, "": event}
    for parent, name, listed in _OF_EVENT:
        value = within.get(parent, _NOTHING).get(name)
        if isinstance(value, list):
            value = ";".join(map(listed, value))
        elif isinstance(value, dict):
            value = ";".join(f"{key}={said}" for key, said in value.items())
        cells.append(value)
    return cells


def _safe(cell: Cell) -> str | int:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if not isinstance(cell, str):
        return cell
    if ";" in cell or not cell.isprintable():
        cell = SPLIT.sub("'", cell)
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _line(entry: Entry) -> dict[str, Any]:
    line: dict[str, Any] = {
        "record_id": entry.record_id,
        "epoch": entry.position.epoch,
        "leaf_index": entry.position.leaf_index,
        "received_at": entry.received_at,
        "leaf": b64encode(entry.leaf).decode(),
    }
    if entry.opened is None:
        return {**line, "erased": True}
    if entry.restricted_until is not None:
        line["restricted_until"] = entry.restricted_until
    return {
        **line,
        "salt": b64encode(entry.opened.salt).decode(),
        "event": orjson.Fragment(entry.opened.event),
    }
