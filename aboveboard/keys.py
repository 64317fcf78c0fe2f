"""The key files in `<data-dir>/keys`: made once, mode 0600, never in a database or a backup.

Each file holds 32 random bytes as 64 hexadecimal characters and a newline. Versioned keys are
named `<purpose>.<version>`; the newest seals, older ones still open. Keys of a day are named
`<purpose>.<day>`. Of a log that was taken over without its private key, the public one is a file
`log.<site>.<epoch>.vkey`.
"""

import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from aboveboard.clock import Clock
from aboveboard.disk import sync
from aboveboard.errors import DataDirUnusable, StorageUnavailable

KEY_BYTES = 32
PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
TICK_S = 0.02  # longer than any kernel lets the time of changed files stand still


class KeyFolder:
    """Reads key files and makes the ones that are missing."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "keys"

    def prepare(self) -> None:
        """Create the data directory and the key folder, both for their owner alone.

        Raises DataDirUnusable where that cannot be done.
        """
        try:
            for folder in (self.path.parent, self.path):
                # Commands that start at once may both find it missing.
                folder.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
        except OSError as error:
            raise DataDirUnusable(
                f"expected a directory that can be made at {self.path}, got: {error}"
            ) from error

    def get(self, name: str, *, make: bool = True) -> bytes:
        """Return the 32 bytes of key *name*, making them first if there are none.

        Where there must be one (*make* is False), a missing key raises DataDirUnusable. Where it
        cannot be written, StorageUnavailable is raised.
        """
        path = self.path / f"{name}.key"
        try:
            return self._read(path)
        except FileNotFoundError:
            if not make:
                raise DataDirUnusable(
                    f"expected the key at {path}, it is gone; put it back from where keys are kept"
                ) from None
        self._write(path, secrets.token_bytes(KEY_BYTES).hex() + "\n")
        return self._read(path)

    def versions(self, purpose: str, *, make: bool = True) -> dict[int, bytes]:
        """Return every version of *purpose*, oldest first.

        Where there is none, the first is made; where there must be one (*make* is False),
        DataDirUnusable is raised.
        """
        pattern = re.compile(re.escape(purpose) + r"\.([1-9][0-9]*)\.key")
        found = sorted(
            int(match[1])
            for path in self.path.glob("*.key")
            if (match := pattern.fullmatch(path.name))
        )
        return {version: self.get(f"{purpose}.{version}", make=make) for version in found or [1]}

    def add_version(self, purpose: str) -> int:
        """Make the next version of *purpose* and return its number."""
        number = max(self.versions(purpose)) + 1
        self.get(f"{purpose}.{number}")
        return number

    def watch(
        self, purpose: str, *, every_s: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> "Versions":
        """Return what answers every version of *purpose*, those made later included.

        A new one is noticed after *every_s* seconds at the latest, by *clock*.
        """
        return Versions(self, purpose, every_s=every_s, clock=clock)

    def drop(self, name: str) -> None:
        """Destroy key *name*. Raises DataDirUnusable."""
        path = self.path / f"{name}.key"
        try:
            path.unlink(missing_ok=True)
            sync(path.parent)
        except OSError as error:
            raise DataDirUnusable(f"expected to remove the key at {path}, got: {error}") from error

    def find_public(self, name: str) -> str | None:
        """Return the public half of key *name* where only that is here, or None.

        Raises DataDirUnusable.
        """
        try:
            return (self.path / f"{name}.vkey").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise DataDirUnusable(f"expected a readable key {name}.vkey, got: {error}") from error

    def keep_public(self, name: str, vkey: str) -> None:
        """Keep the public half of a key whose private half is elsewhere.

        Raises StorageUnavailable.
        """
        self._write(self.path / f"{name}.vkey", f"{vkey}\n")

    def holds(self, name: str) -> bool:
        """Whether key *name* is here."""
        return (self.path / f"{name}.key").exists()

    def _read(self, path: Path) -> bytes:
        try:
            text = path.read_text(encoding="ascii").strip()
            key = bytes.fromhex(text)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise DataDirUnusable(f"expected a readable key at {path}, got: {error}") from error
        if len(key) != KEY_BYTES:
            raise DataDirUnusable(f"expected {KEY_BYTES} bytes of key in {path}, got {len(key)}")
        return key

    def _write(self, path: Path, text: str) -> None:
        """Write a file, unless it is there already."""
        # Written whole under another name first and linked into place: two processes that start
        # at once agree on one key, and a crash leaves no half key behind.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            try:
                handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                with suppress(FileExistsError):
                    os.link(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            sync(path.parent)
        except OSError as error:
            # A client may be told so: the name, not where it lies.
            raise StorageUnavailable(
                f"expected to write the key {path.name}, got: {error.strerror}"
            ) from error


class Versions:
    """Every version of a key, read again when something in the folder has changed.

    Looking costs several microseconds, so whoever asks for every request looks every so often.
    """

    def __init__(
        self, folder: KeyFolder, purpose: str, *, every_s: float, clock: Callable[[], float]
    ) -> None:
        self._folder = folder
        self._every_s = every_s
        self._clock = clock
        self._look_at = 0.0
        self._path = str(folder.path)
        self._purpose = purpose
        self._changed = self._look()
        self._settles_at = clock() + TICK_S
        self._settled = False
        self._keys = folder.versions(purpose)

    def __call__(self) -> Mapping[int, bytes]:
        """Return the keys by version; the same mapping for as long as none is added or removed."""
        now = self._clock()
        if now < self._look_at:
            return self._keys
        changed = self._look()
        if changed != self._changed:
            self._changed, self._settles_at, self._settled = changed, now + TICK_S, False
        if not self._settled:
            keys = self._folder.versions(self._purpose, make=False)
            self._keys = self._keys if keys == self._keys else keys
            # Until then another may come or go at what is the same time to the file system.
            self._settled = now >= self._settles_at
        self._look_at = now + self._every_s
        return self._keys

    def _look(self) -> int:
        return os.stat(self._path).st_mtime_ns  # noqa: PTH116 - half the price of a Path's


class Daily:
    """A key for each day, destroyed soon after: what it hid then stands for nothing any more."""

    def __init__(self, folder: KeyFolder, purpose: str, *, clock: Clock) -> None:
        self._folder = folder
        self._purpose = purpose
        self._clock = clock
        self._keys: dict[date, bytes] = {}

    def __call__(self, day: date) -> bytes | None:
        """Return the key of *day*, made where it is today's; None where there is none.

        Raises DataDirUnusable.
        """
        key = self._keys.get(day)
        if key is None:
            name = f"{self._purpose}.{day.isoformat()}"
            if day != self._clock().date() and not self._folder.holds(name):
                return None
            key = self._keys[day] = self._folder.get(name)
        return key

    def destroy(self) -> None:
        """Destroy every key but those of yesterday, today and, where clocks differ, tomorrow.

        One of a later day was made by a clock that was ahead, and would be there until that day.
        Raises DataDirUnusable.
        """
        today = self._clock().date()
        kept = {today + timedelta(days=days) for days in (-1, 0, 1)}
        self._keys = {day: key for day, key in self._keys.items() if day in kept}
        names = {f"{self._purpose}.{day.isoformat()}" for day in kept}
        for path in self._folder.path.glob(f"{self._purpose}.*.key"):
            if path.stem not in names:
                self._folder.drop(path.stem)
