"""How many rows PostgreSQL goes through for what is asked: by its own account, not by the clock."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, event


def rows_read(connection: Connection, ask: Callable[[Connection], object]) -> int:
    """Have *ask* ask, and count the rows of every step of every statement's plan."""
    told: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        told.append((arguments[2], arguments[3]))

    event.listen(connection, "before_cursor_execute", note)
    try:
        ask(connection)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    assert told
    return sum(_rows(connection, sql, values) for sql, values in told)


def _rows(connection: Connection, sql: str, values: Any) -> int:  # noqa: ANN401
    ((plans,),) = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in _nodes(plans[0]["Plan"])
    )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
