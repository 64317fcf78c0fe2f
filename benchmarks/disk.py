"""What the disk does to a durable write: its fsync, and what committing in groups gains on it."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final
from unittest import mock

from sqlalchemy import Connection, MetaData

import aboveboard.writer
from aboveboard.database import Database
from aboveboard.rows import Rows
from aboveboard.writer import Writer

PAGE: Final = b"\xa5" * 4096
CLIENTS: Final = 64
SLOWER_S: Final = 0.002
_ROW: Final = "x" * 400
_INSERT: Final = "INSERT INTO probe (site_id, id, content) VALUES (?, ?, ?)"


def fsync_p50_ms(folder: Path, *, tries: int = 200) -> float:
    """Return the median time of appending a page to a file in *folder* and syncing it."""
    path = folder / "fsync.probe"
    times = []
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(tries):
            begun = time.perf_counter()
            os.write(handle, PAGE)
            os.fsync(handle)
            times.append(time.perf_counter() - begun)
    finally:
        os.close(handle)
        path.unlink()
    return median(times) * 1e3


def grouped_over_single(folder: Path, *, rounds: int, seconds: float) -> dict[str, float]:
    """Compare the service's writer with itself committing every row alone, `CLIENTS` waiting.

    Rates are rows a second on this disk and on one whose commits take `SLOWER_S` longer; ratios
    are medians of pairs.
    """
    found: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, slower_s in (("", 0.0), ("_slower", SLOWER_S)):
            for kind, limit in (("grouped", aboveboard.writer.BATCH_LIMIT), ("single", 1)):
                place = folder / f"group-{number}-{kind}{name}"
                place.mkdir()
                rate = asyncio.run(_rows_per_second(place, limit, slower_s, seconds))
                found.setdefault(kind + name, []).append(rate)
    pairs = {
        f"ratio{name}": [
            grouped / single
            for grouped, single in zip(found["grouped" + name], found["single" + name], strict=True)
        ]
        for name in ("", "_slower")
    }
    return {name: median(values) for name, values in (found | pairs).items()}


class _SlowerDatabase(Database):
    """A database whose commits take longer, as on a slower disk."""

    slower_s = 0.0

    @contextmanager
    def write(
        self, connection: Connection | None = None, *, wait_s: float | None = None
    ) -> Iterator[Connection]:
        with super().write(connection, wait_s=wait_s) as lent:
            yield lent
        if self.slower_s:
            time.sleep(self.slower_s)


async def _rows_per_second(folder: Path, limit: int, slower_s: float, seconds: float) -> float:
    database = _SlowerDatabase("probe", MetaData(), folder, data_dir=folder, url=None)
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE probe (site_id TEXT, id TEXT, content TEXT, PRIMARY KEY (site_id, id)) "
            "WITHOUT ROWID"
        )
    database.slower_s = slower_s
    writer = Writer(database, limit=4 * CLIENTS)
    rows = 0

    async def client(number: int, until: float) -> None:
        nonlocal rows
        done = 0
        while time.perf_counter() < until:
            await writer.write(_insert, f"{number:03d}-{done:08d}")
            done += 1
        rows += done

    with mock.patch.object(aboveboard.writer, "BATCH_LIMIT", limit):
        writer.start()
        begun = time.perf_counter()
        try:
            await asyncio.gather(*(client(n, begun + seconds) for n in range(CLIENTS)))
            return rows / (time.perf_counter() - begun)
        finally:
            await writer.stop()
            database.close()


def _insert(rows: Rows, names: Sequence[str]) -> list[None]:
    rows.connection.exec_driver_sql(_INSERT, [("bench", name, _ROW) for name in names])
    return [None] * len(names)
