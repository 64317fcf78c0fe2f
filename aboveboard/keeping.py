"""The checkpoints in `<data-dir>/checkpoints`: what every log last signed, outside the databases.

A file a log, `<site>.<epoch>`, mode 0600, written over after each commit that grew the log and
before anybody is answered. Nothing waits for the disk there: see `docs/decisions/epochs.md`.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from aboveboard.disk import sync
from aboveboard.errors import DataDirUnusable
from consent.errors import CheckpointInvalid
from consent.log.keeping import Kept

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
DRAFT = ".draft"
LOCK = ".lock"

_NAME = re.compile(r"([a-z0-9-]+)\.([1-9][0-9]{0,8})")
_KEY = re.compile(r"log\.([a-z0-9-]+)\.([1-9][0-9]{0,8})\.key")

log = structlog.get_logger(__name__)


class KeptFolder:
    """Keeps checkpoints as files; remembers those of its own process."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "checkpoints"
        self._keys = data_dir / "keys"
        self._newest: dict[str, Kept | None] = {}
        self._unsynced: set[str] = set()
        self._lock_file: int | None = None

    def prepare(self) -> None:
        """Create the folder, for its owner alone. Raises DataDirUnusable."""
        try:
            self.path.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
        except OSError as error:
            raise DataDirUnusable(
                f"expected a directory that can be made at {self.path}, got: {error}"
            ) from error

    def keep(self, kept: Kept) -> None:
        """Keep a checkpoint, unless a newer one of the same log is there. Raises OSError."""
        # Remembered even where the disk takes it not: what was signed was signed.
        known = self.newest(kept.site_id)
        if known is None or known.place < kept.place:
            self._newest[kept.site_id] = kept
        path = self.path / f"{kept.site_id}.{kept.epoch}"
        with self._locked():
            there = self._read(kept.site_id, kept.epoch)
            if there is None:
                self._create(path, kept.checkpoint.encode())
            # On PostgreSQL another process may have come further, and here first.
            elif there.size < kept.size:
                _overwrite(path, kept.checkpoint.encode())
        self._unsynced.add(path.name)

    def newest(self, site_id: str) -> Kept | None:
        """Return the readable checkpoint of a site's newest log, or None."""
        if site_id not in self._newest:
            with self._locked():
                found = [self._read(site_id, epoch) for epoch in reversed(self.epochs(site_id))]
            self._newest[site_id] = next((kept for kept in found if kept is not None), None)
        return self._newest[site_id]

    def epochs(self, site_id: str) -> list[int]:
        """Return the epochs of a site of which there is a checkpoint or a key, oldest first."""
        found = {*_found(self.path, _NAME), *_found(self._keys, _KEY)}
        return sorted(epoch for site, epoch in found if site == site_id)

    def sites(self) -> list[str]:
        """Return every site of which there is a checkpoint, by slug."""
        return sorted({site for site, _ in _found(self.path, _NAME)})

    def sync(self) -> None:
        """Wait until what was kept is on the disk. Raises OSError."""
        names, self._unsynced = self._unsynced, set()
        try:
            for name in sorted(names):
                sync(self.path / name)
            if names:
                sync(self.path)
        except OSError:
            # Synced next time, then, along with what was kept meanwhile.
            self._unsynced |= names
            raise

    def _create(self, path: Path, content: bytes) -> None:
        draft = self.path / DRAFT
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        draft.replace(path)

    def _read(self, site_id: str, epoch: int) -> Kept | None:
        try:
            text = (self.path / f"{site_id}.{epoch}").read_text(encoding="utf-8")
            return Kept.parse(site_id, epoch, text)
        except FileNotFoundError:
            return None
        except (CheckpointInvalid, UnicodeDecodeError):
            # A power cut may leave it empty; the database then has all that was acknowledged.
            log.warning("kept_checkpoint_unreadable")
            return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock_file is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock_file = os.open(self.path / LOCK, flags, PRIVATE_FILE)
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)


def _found(folder: Path, name: re.Pattern[str]) -> list[tuple[str, int]]:
    if not folder.exists():
        return []
    with os.scandir(folder) as items:
        matches = (name.fullmatch(item.name) for item in items)
        return [(match[1], int(match[2])) for match in matches if match]


def _overwrite(path: Path, content: bytes) -> None:
    """Write a log's next checkpoint over the one before, which was no longer.

    One short write: whoever dies leaves the old one or the new one.
    """
    handle = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(handle, content, 0)
    finally:
        os.close(handle)
