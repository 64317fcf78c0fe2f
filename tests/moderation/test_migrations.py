"""Tables made by an earlier revision hold the same afterwards, on both engines."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from declared_tables import differences
from sqlalchemy import select, text

import moderation
from aboveboard.database import Database
from moderation.tables import CASE, METADATA, REVIEW_SETTING

MIGRATIONS = Path(moderation.__file__).parent / "migrations"
COMMENT = {
    "site_id": "blog",
    "id": "019b7d00-7e40-7000-8000-000000000001",
    "external_id": "c-1",
    "revision": 1,
    "state": "published",
    "received": "2026-01-02T03:04:05.000000Z",
}

HOURS, URGENCY = 60_000, 0.3
CASE_VALUES = {
    "comment_id": COMMENT["id"],
    "revision": 1,
    "state": "open",
    "cause": "review",
    "tier": 4,
    "harm": 0.6,
    "doubt": 0.1,
    "opened": COMMENT["received"],
    "openings": 1,
    "escalated": False,
    "reporters": 0,
    "report_weight": 0.0,
    "alarmed": False,
}


def test_comments_of_the_first_revision_have_no_traits(
    new_url: Callable[[], str | None], tmp_path: Path
) -> None:
    """They stay as they are, and the tables are those that are declared."""
    url = new_url()
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


def test_places_become_hours(new_url: Callable[[], str | None], tmp_path: Path) -> None:
    """Cases of sites with other aims, by default and torn ones too, stand in one order."""
    url = new_url()
    before = tmp_path / "before"
    before.mkdir()
    for migration in MIGRATIONS.glob("v000[1-8]_*.py"):
        shutil.copy(migration, before)

    def database(migrations: Path) -> Database:
        return Database("moderation", METADATA, migrations, data_dir=tmp_path, url=url)

    old = database(before)
    old.migrate()
    with old.write() as connection:
        for site_id, stored in (("quick", '{"wait_hours": 12.0}'), ("torn", "{")):
            setting = {"site_id": site_id, "setting": stored, "changed": "2026"}
            connection.execute(REVIEW_SETTING.insert(), setting)
        for site_id, wait_hours in (("quick", 12.0), ("blog", 24.0), ("torn", 24.0)):
            values = {"site_id": site_id, "place": 4 * 1e7 + 4 * HOURS / wait_hours - URGENCY}
            connection.execute(CASE.insert(), CASE_VALUES | values)
    old.close()
    new = database(MIGRATIONS)
    new.migrate()
    with new.read() as connection:
        places = dict(connection.execute(select(CASE.c.site_id, CASE.c.place)).all())
    new.close()

    assert places == {
        "quick": pytest.approx(4 * 1e7 + HOURS - URGENCY * 3, abs=1e-6),
        "blog": pytest.approx(4 * 1e7 + HOURS - URGENCY * 6, abs=1e-6),
        "torn": pytest.approx(4 * 1e7 + HOURS - URGENCY * 6, abs=1e-6),
    }
