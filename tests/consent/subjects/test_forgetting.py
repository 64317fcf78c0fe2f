"""What an erasure asks about subjects is found by index, however much others were asked."""

from typing import Any

import pytest

from aboveboard.installation import Databases
from consent.subjects.forgetting import find_questions


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_questions_are_found_without_those_that_were_put_to_others(databases: Databases) -> None:
    """By the index of subjects; on a table of which SQLite knows nothing, as it is in use."""
    asked: list[str] = []
    with databases.consent.read() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(asked.append)
        find_questions(connection, "blog", ["some-record"])
        driver.set_trace_callback(None)
        answers, questions = (
            driver.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in asked
        )

    assert "(site_id=? AND record_id=?)" in answers[0][3]
    assert "record_subject (site_id=? AND subject_ref=?)" in questions[0][3]
