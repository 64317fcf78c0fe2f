"""A history as a Parquet file, with the optional library that writes one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, BinaryIO

from aboveboard.errors import SettingsInvalid
from consent.records.history import Entry
from consent.wire.exports import COLUMNS, rows, sealed

GROUP_ROWS = 20_000  # of a row group: what is held before it is written


class ParquetFile:
    """The columns of the CSV with their types, and `salt` and `event` as in JSON Lines.

    Raises SettingsInvalid where the library is not installed.
    """

    def __init__(self, file: BinaryIO) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - optional, and heavy
            from pyarrow import parquet  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise SettingsInvalid(
                "expected the extra for Parquet: pip install 'aboveboard[parquet]'"
            ) from error
        kinds = {
            str: pa.string(),
            int: pa.int64(),
            bool: pa.bool_(),
            datetime: pa.timestamp("ms", tz="UTC"),
        }
        fields = [(column.name, kinds[column.kind]) for column in COLUMNS]
        self._pa: Any = pa
        self._schema = pa.schema([*fields, ("salt", pa.string()), ("event", pa.string())])
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Any] = []
        self._rows = 0

    def write(self, entries: Sequence[Entry]) -> None:
        """Add some entries."""
        if not entries:
            return
        table = [(*row, *sealed(entry)) for row, entry in zip(rows(entries), entries, strict=True)]
        # Instants come as text, which Arrow reads itself.
        cells = [
            self._pa.array(column, self._pa.string()).cast(field.type)
            if self._pa.types.is_timestamp(field.type)
            else self._pa.array(column, field.type)
            for column, field in zip(zip(*table, strict=True), self._schema, strict=True)
        ]
        self._waiting.append(self._pa.record_batch(cells, schema=self._schema))
        self._rows += len(entries)
        if self._rows >= GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is held, and the end of the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(self._pa.Table.from_batches(self._waiting))
            self._waiting, self._rows = [], 0
