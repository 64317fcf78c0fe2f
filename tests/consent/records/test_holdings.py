"""What is held about subjects is found by index, however much a site has recorded of others."""

from typing import Any

import pytest

from aboveboard.installation import Databases
from aboveboard.rows import Rows
from consent.records import holdings

REFS = ["1.one", "1.two"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_records_of_a_subject_are_found_without_those_of_others(databases: Databases) -> None:
    """By the index of subjects; on a table of which SQLite knows nothing, as it is in use."""
    asked: list[str] = []
    with databases.consent.write() as connection, Rows(connection) as rows:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(asked.append)
        holdings.ask_held_of(rows, "blog", REFS)()
        holdings.find_links(rows, "blog", REFS)
        holdings.find_recorded(rows, "blog", REFS)
        holdings.find_outlivable(rows, "blog", REFS)
        driver.set_trace_callback(None)
        plans = [driver.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in asked]

    assert len(plans) == 4
    for plan in plans:
        assert "record_subject (site_id=? AND subject_ref=?)" in plan[0][3]
