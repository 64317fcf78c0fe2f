"""Statements run by the driver itself, for what every request reads and writes.

SQLAlchemy writes the SQL, once for each engine; what it does around every execution would cost
more than the database does.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import orjson
from sqlalchemy import Connection, Dialect, Executable, Table
from sqlalchemy.exc import DBAPIError

_EXPANDING = re.compile(r" IN \(__\[POSTCOMPILE_(\w+)\]\)")
"""Where SQLAlchemy would write as many marks as a list has members, a new text for each length."""


class Statement:
    """A select, update or delete as one engine's driver takes it.

    A parameter inside `in_(bindparam(…, expanding=True))` is a list, handed over as one value.
    """

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled = cast("Any", statement).compile(dialect=dialect)
        self._order: tuple[str, ...] | None = compiled.positiontup
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._lists = _EXPANDING.findall(str(compiled))
        self.sql = _EXPANDING.sub(
            # Only so may PostgreSQL look each member up by an index.
            r" = ANY(ARRAY(SELECT json_array_elements_text(%(\1)s::json)))"
            if self._order is None
            else " IN (SELECT value FROM json_each(?))",
            str(compiled),
        )

    def bind(self, given: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        """Return the parameters, those given by name and those it holds itself, for the driver."""
        values = {**self._fixed, **given}
        for name in self._lists:
            values[name] = orjson.dumps(values[name]).decode()
        return values if self._order is None else [values[name] for name in self._order]


@lru_cache(maxsize=256)
def compiled(statement: Executable, dialect: Dialect) -> Statement:
    """Return *statement* for *dialect*, made only the first time."""
    return Statement(statement, dialect)


class Rows:
    """The rows of one open transaction; *connection* is for all that is not busy."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._dialect = connection.dialect
        self._driver: Any = connection.connection.driver_connection

    def find(self, select: Executable, /, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Return the rows of *select*. Raises sqlalchemy's DBAPIError, as all others do."""
        statement = compiled(select, self._dialect)
        try:
            found: list[tuple[Any, ...]] = self._driver.execute(
                statement.sql, statement.bind(values)
            ).fetchall()
        except self._errors as error:
            raise self._told(statement.sql, error) from error
        return found

    def change(self, statement: Executable, /, **values: Any) -> None:  # noqa: ANN401
        """Carry out an update or a delete."""
        made = compiled(statement, self._dialect)
        try:
            self._driver.execute(made.sql, made.bind(values))
        except self._errors as error:
            raise self._told(made.sql, error) from error

    def insert(self, table: Table, rows: Sequence[tuple[Any, ...]], *, tail: str = "") -> None:
        """Insert *rows*, tuples in the order of the table's columns; *tail* ends the statement."""
        if not rows:
            return
        sql = _insert(table, self._dialect) + tail
        try:
            if self._dialect.name == "sqlite":
                self._driver.executemany(sql, rows)
            else:
                names = table.columns.keys()
                records = [dict(zip(names, row, strict=True)) for row in rows]
                self._driver.execute(sql, [orjson.dumps(records, default=_bytea).decode()])
        except self._errors as error:
            raise self._told(sql, error) from error

    @property
    def _errors(self) -> type[Exception]:
        errors: type[Exception] = self._dialect.loaded_dbapi.Error
        return errors

    def _told(self, sql: str, error: Exception) -> Exception:
        """Return *error* as SQLAlchemy would have told it, without the values."""
        lost = self._dialect.is_disconnect(cast("Any", error), self._driver, None)
        return cast(
            "Exception",
            DBAPIError.instance(
                sql,
                None,
                error,
                self._errors,
                hide_parameters=True,
                connection_invalidated=lost,
                dialect=self._dialect,
            ),
        )


@lru_cache(maxsize=256)
def _insert(table: Table, dialect: Dialect) -> str:
    """Return an insert that SQLite's driver runs row by row, PostgreSQL's once for all of them."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    if dialect.name == "sqlite":
        source = f"VALUES ({', '.join('?' * len(table.columns))})"
    else:
        # As JSON: the driver writes arrays and many rows so slowly that it would be half the work.
        types = (f'"{column.name}" {column.type.compile(dialect)}' for column in table.columns)
        source = f"SELECT {names} FROM json_to_recordset(%s::json) AS sent({', '.join(types)})"  # noqa: S608 - our own names
    return f'INSERT INTO "{table.name}" ({names}) {source}'


def _bytea(value: object) -> str:
    """Write bytes as PostgreSQL reads them from text."""
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes, got {type(value).__name__}")
    return f"\\x{value.hex()}"
