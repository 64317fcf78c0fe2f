"""Tables made by an earlier revision hold the same afterwards, on both engines."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from declared_tables import differences
from sqlalchemy import text

import moderation
from aboveboard.database import Database
from moderation.tables import METADATA

MIGRATIONS = Path(moderation.__file__).parent / "migrations"
COMMENT = {
    "site_id": "blog",
    "id": "019b7d00-7e40-7000-8000-000000000001",
    "external_id": "c-1",
    "revision": 1,
    "state": "published",
    "received": "2026-01-02T03:04:05.000000Z",
}


def test_comments_of_the_first_revision_have_no_traits(
    request: pytest.FixtureRequest, engine: str, tmp_path: Path
) -> None:
    """They stay as they are, and the tables are those that are declared."""
    create: Callable[[], str] | None = (
        request.getfixturevalue("new_database") if engine == "postgresql" else None
    )
    url = create() if create else None
    first = tmp_path / "first"
    first.mkdir()
    shutil.copy(MIGRATIONS / "v0001_comments.py", first)

    def database(migrations: Path) -> Database:
        return Database("moderation", METADATA, migrations, data_dir=tmp_path, url=url)

    old = database(first)
    old.migrate()
    names = ", ".join(COMMENT)
    marks = ", ".join(f":{name}" for name in COMMENT)
    with old.write() as connection:
        connection.execute(text(f"INSERT INTO comment ({names}) VALUES ({marks})"), COMMENT)  # noqa: S608
    old.close()
    new = database(MIGRATIONS)
    new.migrate()
    with new.read() as connection:
        (kept,) = connection.execute(text("SELECT * FROM comment")).mappings().all()
    found_differences = differences(new)
    new.close()

    assert {name: kept[name] for name in COMMENT} == COMMENT
    assert (kept["author_ref"], kept["address_ref"], kept["fingerprint"]) == (None, None, None)
    assert found_differences == []
