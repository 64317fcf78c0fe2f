"""Databases of a restore on their way into place: all of them arrive, or none.

They come as one folder, `<data-dir>/restored`. Once it has that name there is no way back:
whoever opens the databases next puts what is in it into place. The folder stays until the logs
were held against what they last signed.
"""

import fcntl
import os
import shutil
from pathlib import Path

from aboveboard.disk import sync
from aboveboard.errors import DataDirUnusable
from consent.recording.continuing import Doubt

FOLDER = "restored"
LOCK = "restored.lock"
DOUBT = "doubt"


def send(staged: Path, data_dir: Path, doubt: Doubt) -> None:
    """Let everything in *staged* take the place of what is in *data_dir*, for good.

    Raises DataDirUnusable.
    """
    try:
        (staged / DOUBT).write_text(doubt.value, encoding="ascii")
        sync(staged / DOUBT)
        sync(staged)
        # One that came before and could not be finished has no claim any more.
        shutil.rmtree(data_dir / FOLDER, ignore_errors=True)
        staged.replace(data_dir / FOLDER)
        sync(data_dir)
    except OSError as error:
        raise DataDirUnusable(f"expected to write in {data_dir}, got: {error}") from error


def settle(data_dir: Path) -> None:
    """Put databases that have arrived into place. Raises DataDirUnusable."""
    folder = data_dir / FOLDER
    if not folder.exists():
        return
    try:
        handle = os.open(data_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Whoever comes second must not take the new file's log for the old one's.
            fcntl.flock(handle, fcntl.LOCK_EX)
            for path in sorted(folder.glob("*.sqlite3")):
                for beside in ("-wal", "-shm"):
                    (data_dir / f"{path.name}{beside}").unlink(missing_ok=True)
                path.replace(data_dir / path.name)
            sync(data_dir)
        finally:
            os.close(handle)
    except OSError as error:
        raise DataDirUnusable(f"expected to write in {data_dir}, got: {error}") from error


def are_new(data_dir: Path) -> bool:
    """Whether databases have arrived whose logs were not yet held against what they signed."""
    return (data_dir / FOLDER).exists()


def doubt_of(data_dir: Path) -> Doubt:
    """Say which of those logs may have signed more than is known here."""
    return Doubt((data_dir / FOLDER / DOUBT).read_text(encoding="ascii"))


def forget(data_dir: Path) -> None:
    """Note that nothing is left to be done."""
    shutil.rmtree(data_dir / FOLDER, ignore_errors=True)
