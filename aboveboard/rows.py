"""Statements run by the driver itself, for what every request reads and writes.

SQLAlchemy writes the SQL, once for each engine; what it does around every execution would cost
more than the database does.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Protocol, Self, TypeVar, cast

import orjson
from sqlalchemy import Connection, Dialect, Executable, Table
from sqlalchemy.exc import DBAPIError

C = TypeVar("C")
R = TypeVar("R")

Found = Callable[[], list[tuple[Any, ...]]]
"""Answers the rows that were asked for, once they are wanted."""

FollowUp = Callable[[], None]
"""What is done right after a commit."""

_LOCK = (
    "SELECT pg_advisory_xact_lock(1, number) FROM (SELECT DISTINCT hashtext(value) AS number "
    "FROM json_array_elements_text(%s::json) ORDER BY number) AS ordered"
)
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
    """The rows of one open transaction.

    On PostgreSQL what is asked and written travels together and is waited for only where an
    answer is read, and in `settle`: each wait for the server costs as much as many rows.
    Every method raises sqlalchemy's DBAPIError, and may raise it for a statement sent before.
    A context manager, which settles at its end.
    """

    def __init__(self, connection: Connection, follow_ups: list[FollowUp] | None = None) -> None:
        self._connection = connection
        self._follow_ups = follow_ups
        self._dialect = connection.dialect
        self._driver: Any = connection.connection.driver_connection
        self._piped = self._dialect.name == "postgresql"
        self._pipeline: Any = None
        self._failed: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Settle; what has failed is told again, for nothing after it counts."""
        if kind is None and self._failed is None:
            self.settle()
            return
        self._leave()
        if kind is None and self._failed is not None:
            raise self._failed

    @property
    def connection(self) -> Connection:
        """The connection, for all that is not busy; everything before is carried out first."""
        self.settle()
        return self._connection

    def afterwards(self, work: FollowUp) -> None:
        """Have *work* done right after the commit, before anybody is answered.

        It is not done when the transaction is rolled back, nor when the process dies in between.
        """
        if self._follow_ups is None:
            raise TypeError("expected rows of a writer, got rows whose commit nobody follows up")
        self._follow_ups.append(work)

    def lock(self, names: Sequence[str]) -> None:
        """Keep other processes from writing under these *names* until the transaction ends.

        They are locked in one order by all, so that two never wait for each other. On SQLite
        there is only one writer.
        """
        if self._piped:
            self._run(_LOCK, [orjson.dumps(names).decode()])

    def ask(self, select: Executable, /, **values: Any) -> Found:  # noqa: ANN401
        """Send *select*; its rows are read by calling what this returns."""
        statement = compiled(select, self._dialect)
        read = partial(self._read, self._run(statement.sql, statement.bind(values)))
        if self._piped:
            return read
        # A statement that SQLite has not finished would keep an old state of the file in view.
        found = read()
        return lambda: found

    def find(self, select: Executable, /, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """Return the rows of *select*."""
        return self.ask(select, **values)()

    def change(self, statement: Executable, /, **values: Any) -> None:  # noqa: ANN401
        """Carry out an update or a delete."""
        made = compiled(statement, self._dialect)
        self._run(made.sql, made.bind(values))

    def insert(self, table: Table, rows: Sequence[tuple[Any, ...]], *, tail: str = "") -> None:
        """Insert *rows*, tuples in the order of the table's columns; *tail* ends the statement."""
        if not rows:
            return
        sql = _insert(table, self._dialect) + tail
        if self._piped:
            names = table.columns.keys()
            records = [dict(zip(names, row, strict=True)) for row in rows]
            self._run(sql, [orjson.dumps(records, default=_bytea).decode()])
            return
        try:
            self._driver.executemany(sql, rows)
        except self._errors as error:
            raise self._told(error) from error

    def settle(self) -> None:
        """Wait until everything that was sent is carried out."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is None:
            return
        try:
            pipeline.__exit__(None, None, None)
        except self._errors as error:
            raise self._told(error) from error

    def _leave(self) -> None:
        """Forget what was sent: something has failed, and the transaction with it."""
        with suppress(DBAPIError):
            self.settle()

    def _run(self, sql: str, values: Sequence[Any] | Mapping[str, Any]) -> Any:  # noqa: ANN401
        try:
            if self._piped and self._pipeline is None:
                self._pipeline = self._driver.pipeline()
                self._pipeline.__enter__()
            return self._driver.execute(sql, values)
        except self._errors as error:
            raise self._told(error) from error

    def _read(self, cursor: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - the driver's own
        try:
            found: list[tuple[Any, ...]] = cursor.fetchall()
        except self._errors as error:
            raise self._told(error) from error
        return found

    @property
    def _errors(self) -> type[Exception]:
        errors: type[Exception] = self._dialect.loaded_dbapi.Error
        return errors

    def _told(self, error: Exception) -> Exception:
        """Return *error* as SQLAlchemy would have told it, without statement and values."""
        self._leave()
        lost = self._dialect.is_disconnect(cast("Any", error), self._driver, None)
        told = DBAPIError.instance(
            None,
            None,
            error,
            self._errors,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=self._dialect,
        )
        self._failed = self._failed or cast("Exception", told)
        return cast("Exception", told)


Handler = Callable[[Rows, Sequence[C]], Sequence[R | Exception]]
"""Works through commands inside the batch's transaction; answers each, in order, by a value or by
the exception that its request shall see. Raising instead means that the batch cannot be done as
one: every command is then tried alone, so that a bad one fails alone."""


class Writing(Protocol):
    """Carries out commands, each durably."""

    async def write(self, handler: Handler[C, R], command: C, *, size: int = 1) -> R:
        """Return what *handler* answers to *command*, of about *size* rows; raises its error."""
        ...


def name_failure(error: BaseException) -> str:
    """Return what the driver calls its error, with the code by which the engine's manual lists it.

    SQLite's `OperationalError SQLITE_FULL`, PostgreSQL's `DiskFull 53100`: no statement, no value.
    """
    told = getattr(error, "orig", None) or error
    code = getattr(told, "sqlite_errorname", None) or getattr(told, "sqlstate", None)
    name = type(told).__name__
    return f"{name} {code}" if code else name


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
