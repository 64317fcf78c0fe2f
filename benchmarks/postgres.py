"""A PostgreSQL of its own for one run: the one that the tests use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from embedded_postgres import embedded_postgres


@contextmanager
def embedded() -> Iterator[tuple[str, int]]:
    """Run a server; lend its URL and the id of its first process."""
    with embedded_postgres() as url:
        with psycopg.connect(url) as connection:
            (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        yield url, int(Path(folder, "postmaster.pid").read_text().split()[0])
