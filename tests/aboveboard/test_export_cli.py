"""`consent export` as an auditor calls it, beside a running service."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from audited_site import AuditedSite, audited_site
from conftest import Service
from full_ledger import Visitors, fill
from pyarrow import parquet
from sqlalchemy import update
from typer.testing import CliRunner

from aboveboard import installation
from aboveboard.cli import main
from aboveboard.installation import open_keyring
from aboveboard.settings import Settings
from consent.errors import ConsentError
from consent.tables import RECORD
from consent.wire.exports import COLUMNS

EVENTS = 700  # more than one step


@pytest.fixture(scope="module")
def busy(service: Service) -> Iterator[AuditedSite]:
    """Speak for a site with a history of several steps, a subject of it erased."""
    with audited_site(service, published=False) as made, service.databases() as databases:
        keyring = open_keyring(service.settings)
        fill(databases.consent, keyring, Visitors(keyring, made.id, EVENTS))
        made.erase("device-3")
        yield made


def export(audited: AuditedSite, out: Path, kind: str, *more: str) -> dict[str, object]:
    """Export to a file, and return what the command says."""
    told = audited.service.command(
        "consent",
        "export",
        "--site",
        audited.id,
        "--out",
        str(out),
        "--format",
        kind,
        "--json",
        *more,
    )
    found: dict[str, object] = json.loads(told)
    return found


def refused(service: Service, *arguments: str, path: str = "") -> str:
    """Run an export that is refused, with *path* before all libraries; return what it says."""
    libraries = f"{path}:{Path(__file__).parents[2]}"
    done = service.run("consent", "export", *arguments, PYTHONPATH=libraries)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_files_say_what_the_service_says(busy: AuditedSite, tmp_path: Path) -> None:
    """JSON Lines and CSV byte for byte, private, and the command counts what is in them."""
    for kind in ("jsonl", "csv"):
        out = tmp_path / f"records.{kind}"

        told = export(busy, out, kind)

        answer = busy.client.get("/v1/consent/export", params={"format": kind})
        assert out.read_bytes() == answer.content
        assert out.stat().st_mode & 0o777 == 0o600
        assert told["records"] == EVENTS + 1  # the tombstone
        assert told["erased"] == answer.text.count("true" if kind == "jsonl" else ",true,,")
        assert told["erased"]


def test_a_parquet_file_has_the_same_rows_with_their_types(
    busy: AuditedSite, tmp_path: Path
) -> None:
    """Every cell of the CSV as what it is, and the event with its salt."""
    out, rows, lines = (tmp_path / f"records.{kind}" for kind in ("parquet", "csv", "jsonl"))
    for path in (out, rows, lines):
        export(busy, path, path.suffix[1:])

    table = parquet.read_table(out)

    assert table.num_rows == EVENTS + 1
    names = [column.name for column in COLUMNS]
    assert table.column_names == [*names, "salt", "event"]
    told = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert told["received_at"] == told["valid_until"] == "timestamp[ms, tz=UTC]"
    assert (told["leaf_index"], told["erased"], told["event"]) == ("int64", "bool", "string")
    with rows.open(newline="", encoding="utf-8") as file:
        expected = list(csv.DictReader(file))
    for row, cells, line in zip(
        table.to_pylist(), expected, map(orjson.loads, lines.read_bytes().splitlines()), strict=True
    ):
        for name in names:
            cell = row[name]
            if told[name].startswith("timestamp") and cell is not None:
                cell = f"{cell:%Y-%m-%dT%H:%M:%SZ}"
            text = (
                str(cell).lower() if isinstance(cell, bool) else str("" if cell is None else cell)
            )
            assert text == cells[name], name
        assert row["salt"] == line.get("salt")
        assert (row["event"] and orjson.loads(row["event"])) == line.get("event")


def test_an_export_takes_filters(busy: AuditedSite, tmp_path: Path) -> None:
    """Those of the search, all of them together."""
    asked = {"purpose": "ads", "decision": "given", "method": "save", "notice_id": "main"}
    options = [
        "--purpose",
        "ads",
        "--decision",
        "given",
        "--method",
        "save",
        "--notice",
        "main",
        "--event-type",
        "given",
        "--from",
        "2026-02-01",
        "--to",
        "2026-12-01T12:00:00Z",
    ]
    period = {"from": "2026-02-01T00:00:00Z", "to": "2026-12-01T12:00:00Z", "event_type": "given"}
    some, one = tmp_path / "some.jsonl", tmp_path / "one.jsonl"

    told = export(busy, some, "jsonl", *options)
    export(busy, one, "jsonl", "--subject", "device:device-7", "--notice", "main")

    answer = busy.client.get("/v1/consent/export", params={**asked, **period})
    assert some.read_bytes() == answer.content
    assert told["records"] == answer.text.count("\n") > 0
    subject = {"subject_kind": "device", "subject_id": "device-7"}
    assert one.read_bytes() == busy.client.get("/v1/consent/export", params=subject).content


def test_people_are_told_in_words(busy: AuditedSite, tmp_path: Path) -> None:
    """One line, with both counts."""
    out = tmp_path / "records.csv"

    said = busy.service.command(
        "consent", "export", "--site", busy.id, "--out", str(out), "--format", "csv"
    )

    assert said.startswith(f"{out}: {EVENTS + 1} records, ")
    assert said.endswith(" of them erased\n")


def test_a_file_that_is_there_stays(busy: AuditedSite, tmp_path: Path) -> None:
    """Nothing is written over, nothing half written is left."""
    out = tmp_path / "records.csv"
    out.write_text("mine")

    said = refused(busy.service, "--site", busy.id, "--out", str(out), "--format", "csv")

    assert said == f"aboveboard: expected to write {out}, got: it is there already\n"
    assert [path.name for path in tmp_path.iterdir()] == ["records.csv"]
    assert out.read_text() == "mine"


def test_an_export_is_a_file(busy: AuditedSite) -> None:
    """And none with the name by which other commands mean a pipe."""
    said = refused(busy.service, "--site", busy.id, "--format", "csv", "--out", "-")

    assert said == ("aboveboard: expected the name of a file to write, got - for standard output\n")


def test_an_export_that_cannot_go_on_leaves_no_file(service: Service, tmp_path: Path) -> None:
    """A record that does not open is named by its id, and the part that was written is gone."""
    with audited_site(service) as made, service.databases() as databases:
        record = made.record("requested")
        with databases.consent.write() as connection:
            connection.execute(
                update(RECORD).where(RECORD.c.site_id == made.id).values(sealed=b"\x01" + bytes(90))
            )
        out = str(tmp_path / "records.parquet")

        said = refused(service, "--site", made.id, "--out", out, "--format", "parquet")

    assert said.startswith(f"aboveboard: record {record['record_id']}: expected bytes")
    assert list(tmp_path.iterdir()) == []


def test_without_the_library_parquet_says_what_is_missing(
    busy: AuditedSite, tmp_path: Path
) -> None:
    """The name of the extra, and no file."""
    missing = tmp_path / "path" / "pyarrow"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text("raise ModuleNotFoundError(name='pyarrow')")
    out = ["--out", str(tmp_path / "records.parquet"), "--format", "parquet"]

    said = refused(busy.service, "--site", busy.id, *out, path=str(missing.parent))

    assert said == "aboveboard: expected the extra for Parquet: pip install 'aboveboard[parquet]'\n"
    assert [path.name for path in tmp_path.iterdir()] == ["path"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--subject", "ada@example.org"], "expected KIND:ID"),
        (["--subject", "email:ada"], "expected an e-mail address"),
        (["--site", "nobody"], "expected a site that has a log, got another"),
        (["--notice-version", "2"], "expected the notice, too"),
        (["--from", "yesterday"], "--from"),
        (["--method", "telepathy"], "--method"),
        (["--from", "2027-01-02", "--to", "2027-01-01"], "begins before it ends"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Readably, without repeating whom it was about."""
    databases = installation.open_databases(Settings(data_dir=tmp_path / "data"))
    databases.migrate()
    databases.close()
    out = tmp_path / "records.csv"
    always = ["--data-dir", str(tmp_path / "data"), "--out", str(out), "--format", "csv"]

    done = CliRunner().invoke(main.app, ["consent", "export", "--site", "x", *always, *arguments])

    told = done.output + str(done.exception)
    assert done.exit_code != 0
    assert isinstance(done.exception, ConsentError | SystemExit)
    assert said in told
    assert "ada" not in told
    assert not out.exists()
