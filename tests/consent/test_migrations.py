"""Tables made by an earlier revision hold the same afterwards, on both engines."""

import shutil
from collections.abc import Callable
from pathlib import Path

from declared_tables import differences
from sqlalchemy import text

import consent
from aboveboard.database import Database
from consent.tables import METADATA

MIGRATIONS = Path(consent.__file__).parent / "migrations"
RECORD = {
    "site_id": "shop",
    "record_id": "019b7d00-7e40-7000-8000-000000000001",
    "epoch": 1,
    "leaf_index": 0,
    "received_at": "2026-01-02T03:04:05Z",
    "subject_ref": "1.0422943e20a4f55435a8971d1ab3404d",
    "event_type": "given",
    "method": "save",
    "decisions": '{"ads":"refused","statistics":"given"}',
    "notice_id": "main",
    "notice_version": 1,
    "sealed": b"sealed",
}


def test_records_of_the_first_revision_are_found_by_what_they_decided(
    new_url: Callable[[], str | None], tmp_path: Path
) -> None:
    """Their decisions are spread out for searching, and the tables are those that are declared."""
    url = new_url()
    first = tmp_path / "first"
    first.mkdir()
    shutil.copy(MIGRATIONS / "v0001_ledger.py", first)

    def database(migrations: Path) -> Database:
        return Database("consent", METADATA, migrations, data_dir=tmp_path, url=url)

    old = database(first)
    old.migrate()
    names = ", ".join(RECORD)
    marks = ", ".join(f":{name}" for name in RECORD)
    with old.write() as connection:
        connection.execute(text(f"INSERT INTO record ({names}) VALUES ({marks})"), RECORD)  # noqa: S608
    old.close()
    new = database(MIGRATIONS)
    new.migrate()
    with new.read() as connection:
        found = connection.execute(text("SELECT * FROM record_purpose ORDER BY purpose_id"))
        rows = [tuple(row) for row in found]
        kept = connection.execute(text("SELECT decisions FROM record")).scalar_one()
    found_differences = differences(new)
    new.close()

    assert rows == [
        ("shop", "ads", "refused", RECORD["record_id"]),
        ("shop", "statistics", "given", RECORD["record_id"]),
    ]
    assert kept == RECORD["decisions"]
    assert found_differences == []
