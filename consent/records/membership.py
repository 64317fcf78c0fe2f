"""One of many: a condition that takes any number of texts as one value, each looked up by index.

SQLAlchemy writes a mark for each member of a list, a new statement for each length; so does this
for none. What an engine knows of its tables does not change how it goes about it.
"""

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _Among(FunctionElement[Any]):
    """Whether a column has one of the texts of a JSON list.

    Not typed as a boolean, of which SQLAlchemy would ask on SQLite whether it is 1: no index
    answers that.
    """

    name = "among"
    inherit_cache = True


@compiles(_Among, "sqlite")
def _on_sqlite(element: _Among, compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401
    column, given = map(compiler.process, element.clauses)
    return f"{column} IN (SELECT value FROM json_each({given}))"  # noqa: S608 - our own names


@compiles(_Among, "postgresql")
def _on_postgresql(element: _Among, compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401
    column, given = map(compiler.process, element.clauses)
    return f"{column} = ANY(ARRAY(SELECT json_array_elements_text({given}::json)))"


def among(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Return the condition that *column* is among what `members` wrote for the parameter *name*."""
    return _Among(column, bindparam(name, type_=Text()))


def members(values: Iterable[str]) -> str:
    """Write what `among` takes."""
    return orjson.dumps(list(values)).decode()
