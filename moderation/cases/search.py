"""Full-text search over the texts of cases: SQLite's FTS5, PostgreSQL's tsvector.

Both are given the same words: letters and digits in compatibility form, case and accents folded
away. So both find the same. A site's id is a word of every text: what belongs to other sites is
never read.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Delete, Select, bindparam, delete, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from moderation.database import Rows
from moderation.tables import CASE_TEXT

WORDS_LIMIT = 32  # of a query
BEGINNINGS_LIMIT = 4  # for each, SQLite merges what all sites have of all words that begin so
INDEXED_BYTES = 1 << 19  # PostgreSQL indexes a text of 1 MB, its own numbers among them
WORD_LIMIT = 100  # characters: what is longer is no word, and PostgreSQL indexes none over 2 KB
_WORD = re.compile(r"[^\W_]+")
_PIECE = 1024  # characters; composing a run of combining marks is quadratic in the run
_TERM = re.compile(r'"([^"]*)"|(\S+)')


def fold(text: str) -> str:
    """Return the words of *text* as they are indexed, a space between them."""
    if not text.isascii():
        parts = (
            unicodedata.normalize("NFKD", text[at : at + _PIECE])
            for at in range(0, len(text), _PIECE)
        )
        text = "".join(char for part in parts for char in part if not unicodedata.combining(char))
    return " ".join(word[:WORD_LIMIT] for word in _WORD.findall(text.casefold()))


def row(site_id: str, comment_id: str, text: str) -> tuple[str, str, str, str]:
    """Return a text as a row of the index: as much of it as every engine takes."""
    words = fold(text).encode()[:INDEXED_BYTES].decode(errors="ignore")
    return _site(site_id), _key(comment_id), comment_id, words


def forgetting(site_id: str, comment_id: str) -> tuple[Delete, dict[str, str]]:
    """Return what takes a comment out of the index, and its parameters."""
    return _FORGET, {"of_site": _site(site_id), "of_key": _key(comment_id)}


def tidy(rows: Rows, commands: Sequence[int]) -> list[bool]:
    """Take a step of so many pages at leaving nothing of deleted texts in SQLite's index.

    A deleted text is only marked until its part of the index is merged with the rest. The first
    step, a negative number of pages, says that everything is to be merged; answers whether
    there is more to do. PostgreSQL merges what waits, and VACUUM does the rest.
    """
    connection = rows.connection
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("SELECT gin_clean_pending_list('case_text_document')")
        return [False for _ in commands]
    driver: Any = connection.connection.driver_connection
    more = []
    for pages in commands:
        before = driver.total_changes
        connection.exec_driver_sql(
            "INSERT INTO case_text (case_text, rank) VALUES ('merge', ?)", (pages,)
        )
        more.append(driver.total_changes - before > 1)
    return more


class Query(NamedTuple):
    """Terms that are all wanted: words in a row, and whether the last is but a beginning."""

    terms: Sequence[tuple[Sequence[str], bool]]


def read(asked: str) -> Query | None:
    """Read what somebody is looking for; None where there is no word in it.

    Words in quotes stand next to each other; a word that ends in `*` is the beginning of one.
    """
    terms: dict[tuple[tuple[str, ...], bool], None] = {}  # what is said twice is asked once
    beginnings = 0
    for quoted, plain in _TERM.findall(asked):
        words, begins = tuple(fold(quoted or plain).split()), plain.endswith("*")
        if words and (words, begins) not in terms:
            beginnings += begins
            if not begins or beginnings <= BEGINNINGS_LIMIT:
                terms[words, begins] = None
    return Query([*terms][:WORDS_LIMIT]) if terms else None


def found(site_id: str, query: Query) -> Select[str]:
    """Return a select of the ids of comments that have all terms, by the index."""
    terms = query.terms
    has = _Found(_fts5(site_id, terms), _ts(site_id, terms))
    return select(CASE_TEXT.c.comment_id).select_from(CASE_TEXT).where(has)


def plan_for_words(connection: Connection) -> None:
    """Have PostgreSQL plan each statement of this transaction for the words that it is given.

    A plan that is made once for any words does without the index: they might be in every text.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = 'force_custom_plan'")


def says(text: str, query: Query) -> bool:
    """Whether *text* has all terms, without the index.

    >>> says("Cheese-cake, again!", read('"cheese cake" ag*'))
    True
    """
    if text.isascii():
        # Most texts have not, and are not worth being taken apart.
        lower = text.lower()
        if not all(word in lower for words, _ in query.terms for word in words):
            return False
    said = f" {fold(text)} "
    return all(
        f" {' '.join(words)}{'' if begins else ' '}" in said for words, begins in query.terms
    )


def _fts5(site_id: str, terms: Sequence[tuple[Sequence[str], bool]]) -> str:
    wanted = " AND ".join(f'"{" ".join(words)}"{"*" if begins else ""}' for words, begins in terms)
    return f"site : {_site(site_id)} AND text : ({wanted})"


def _ts(site_id: str, terms: Sequence[tuple[Sequence[str], bool]]) -> str:
    wanted = [
        "(" + " <-> ".join(f"'{word}'" for word in words) + (":*" if begins else "") + ")"
        for words, begins in terms
    ]
    return " & ".join([f"'{_site(site_id)}'", *wanted])


def _site(site_id: str) -> str:
    return f"s{site_id.encode().hex()}"


def _key(comment_id: str) -> str:
    return f"k{comment_id.encode().hex()}"


class _Found(FunctionElement[Any]):
    """Whether a row of the index answers a query, which each engine is asked in its own words."""

    name = "found"
    inherit_cache = True


@compiles(_Found, "sqlite")
def _found_on_sqlite(element: _Found, compiler: SQLCompiler, **more: Any) -> str:  # noqa: ANN401
    asked, _ = element.clauses
    return f"case_text MATCH {compiler.process(asked, **more)}"


@compiles(_Found, "postgresql")
def _found_on_postgresql(element: _Found, compiler: SQLCompiler, **more: Any) -> str:  # noqa: ANN401
    _, asked = element.clauses
    # Not cast: what takes texts apart takes a word such as 7e1a apart, as a number and a rest.
    wanted = f"to_tsquery('pg_catalog.simple'::regconfig, {compiler.process(asked, **more)})"
    return f"case_text.document @@ {wanted}"


class _Keyed(FunctionElement[Any]):
    """Whether a row of the index is that of a comment."""

    name = "keyed"
    inherit_cache = True


@compiles(_Keyed, "sqlite")
def _keyed_on_sqlite(element: _Keyed, compiler: SQLCompiler, **more: Any) -> str:  # noqa: ANN401
    (key,) = element.clauses
    return f"case_text MATCH 'key : ' || {compiler.process(key, **more)}"


@compiles(_Keyed, "postgresql")
def _keyed_on_postgresql(element: _Keyed, compiler: SQLCompiler, **more: Any) -> str:  # noqa: ANN401
    (key,) = element.clauses
    return f"case_text.key = {compiler.process(key, **more)}"


def _keyed(name: str) -> ColumnElement[Any]:
    return _Keyed(bindparam(name))


_FORGET = delete(CASE_TEXT).where(CASE_TEXT.c.site == bindparam("of_site"), _keyed("of_key"))
