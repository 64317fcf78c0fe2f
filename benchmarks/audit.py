"""What the service acknowledged under load, held against what its database has afterwards."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg
from load import Result, Spec
from servers import Server
from traffic import Route, identifier, page

from moderation.compat.perspective.routes import PREFIX


@dataclass(slots=True)
class Acknowledged:
    """What the service said it had stored: names of comments, their pages, ledger indexes."""

    comments: set[str] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)
    indexes: list[int] = field(default_factory=list)

    def add(self, spec: Spec, result: Result) -> None:
        """Take in what one run of the load was answered."""
        self.indexes += result.indexes
        if spec.route in {Route.COMMENT, Route.TOLD, Route.CHECK, Route.ANALYZE}:
            refused = set(result.refused)
            names = (
                identifier(spec.run, connection, number)
                for connection, count in enumerate(result.answered)
                for number in range(count)
                if (connection, number) not in refused
            )
            if spec.route is Route.CHECK:
                self.checks.update(page(name) for name in names)
            elif spec.route is Route.ANALYZE:
                self.comments.update(PREFIX + name for name in names)
            else:
                self.comments.update(names)


def audit(server: Server, acknowledged: Acknowledged) -> dict[str, int]:
    """Compare what *server* acknowledged with what its database holds."""
    promised = acknowledged.comments | acknowledged.checks
    comments = len(promised)
    for column in ("external_id", "thread_id"):  # a check has no name but its page
        promised.difference_update(
            name
            for (name,) in _rows(server, "moderation", f"SELECT {column} FROM comment")  # noqa: S608 - our own names
        )
    found = {"comments": comments, "comments_missing": len(promised)}
    if acknowledged.indexes:
        stored = {index for (index,) in _rows(server, "consent", "SELECT leaf_index FROM entry")}
        found |= {
            "events": len(acknowledged.indexes),
            "events_missing": len(set(acknowledged.indexes) - stored),
            "indexes_twice": len(acknowledged.indexes) - len(set(acknowledged.indexes)),
            "index_gaps": max(stored, default=-1) + 1 - len(stored),
        }
    return found


def _rows(server: Server, name: str, query: str) -> Iterator[tuple[Any, ...]]:
    if server.database_url:
        with psycopg.connect(server.database_url) as connection:
            connection.execute(f"SET search_path TO {name}")
            yield from connection.execute(query)
        return
    if server.data_dir is None:
        raise ValueError("expected a server with a database")
    path = server.data_dir / f"{name}.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        yield from file.execute(query)
