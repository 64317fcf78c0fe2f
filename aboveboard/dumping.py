"""PostgreSQL's own programs: `pg_dump` writes a backup's script, `psql` carries it out."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from aboveboard.database import read_url
from aboveboard.errors import BackupFailed

DUMP = "dump.sql"


class Programs:
    """The programs of one installation of PostgreSQL, spoken to about one database."""

    def __init__(self, url: str, folder: Path | None) -> None:
        self._url = url
        self._folder = folder

    def dump(self, path: Path, schemas: Sequence[str], *, snapshot: str) -> None:
        """Write a script that makes *schemas* as a transaction that exported *snapshot* sees them.

        Raises BackupFailed.
        """
        self._run(
            "pg_dump",
            "--format=plain",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={snapshot}",
            f"--file={path}",
            *(f"--schema={schema}" for schema in schemas),
        )

    def restore(self, path: Path, schemas: Sequence[str]) -> None:
        """Put *schemas* in the place of those that are there, all of them or none.

        Raises BackupFailed.
        """
        gone = "; ".join(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE' for schema in schemas)
        self._run(
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            # The primary message alone: details quote rows.
            "--set=VERBOSITY=terse",
            "--output=/dev/null",
            f"--command={gone}",
            f"--file={path}",
            # No dump has statistics: until they are there, a page may be read out of whole tables.
            "--command=ANALYZE",
        )

    def _find(self, name: str) -> str:
        found = shutil.which(name, path=None if self._folder is None else str(self._folder))
        if found is None:
            place = "on the PATH" if self._folder is None else f"in {self._folder}"
            raise BackupFailed(
                f"expected PostgreSQL's {name} {place}, found none; install PostgreSQL's client "
                "programs, or set ABOVEBOARD_POSTGRES_BIN to their directory"
            )
        return found

    def _run(self, name: str, *arguments: str) -> None:
        with self._connection() as connection:
            done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs
                [self._find(name), f"--dbname={connection}", "--no-password", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
            told = (lines or done.stderr.splitlines() or [f"exit status {done.returncode}"])[0]
            raise BackupFailed(f"expected {name} to succeed, got: {told}")

    @contextmanager
    def _connection(self) -> Iterator[str]:
        """Lend what names the database; a password goes into a file, not onto the command line."""
        from psycopg import conninfo  # noqa: PLC0415 - the extra for PostgreSQL

        url = read_url(self._url).set(drivername="postgresql")
        words = conninfo.conninfo_to_dict(url.render_as_string(hide_password=False))
        password = words.pop("password", None)
        if password is None:
            yield conninfo.make_conninfo("", **words)
            return
        with TemporaryDirectory(prefix="aboveboard-") as folder:
            file = Path(folder) / "pgpass"
            escaped = str(password).replace("\\", "\\\\").replace(":", "\\:")
            handle = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as written:
                written.write(f"*:*:*:*:{escaped}\n")
            yield conninfo.make_conninfo("", **{**words, "passfile": str(file)})
