"""What was erased or restricted, written down outside the databases: a restore does it again.

One line of JSON each, appended to `<data-dir>/erasures.jsonl` and on the disk before it is
acknowledged. `docs/decisions/erasure.md` says what the members mean.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from aboveboard.disk import sync
from aboveboard.errors import DataDirUnusable, StorageUnavailable
from consent.subjects.forgetting import Erasure, Restriction
from moderation.review.erasing import Erased

FILE = "erasures.jsonl"
VERSION = 1

Done = Erasure | Restriction | Erased


class Erasures:
    """The file of erasures, and of restrictions, in a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE

    def note(self, done: Done) -> None:
        """Append what was done, durably. Raises StorageUnavailable."""
        line = orjson.dumps(_written(done)) + b"\n"
        try:
            new = not self.path.exists()
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            with os.fdopen(os.open(self.path, flags, 0o600), "ab", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                # A disk that is nearly full takes a part and calls that success.
                left = memoryview(line if _whole(file.fileno()) else b"\n" + line)
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            if new:
                sync(self.path.parent)
        except OSError as error:
            raise StorageUnavailable(
                f"expected to write down an erasure in {self.path}, got: {error.strerror}"
            ) from error

    def read(self) -> Iterator[Erasure | Restriction]:
        """Return what was done of consent, newest first: the end may be all that is asked for."""
        return (done for done in self._read() if not isinstance(done, Erased))

    def read_comments(self) -> Iterator[Erased]:
        """Return the comments that were erased, newest first."""
        return (done for done in self._read() if isinstance(done, Erased))

    def _read(self) -> Iterator[Done]:
        """Return everything, newest first.

        A line that a power cut left unfinished belongs to what nobody was told of, and is passed
        over. Raises DataDirUnusable for one that was damaged later: whom it names would come back.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for number, line in reversed([*enumerate(lines, 1)]):
            try:
                yield _read(orjson.loads(line))
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                if not _cut_off(line):
                    raise DataDirUnusable(
                        f"expected an erasure in line {number} of {self.path}, got another; "
                        "put the file back from where keys are kept"
                    ) from error


def _written(done: Done) -> dict[str, Any]:
    if isinstance(done, Erased):
        return {
            "v": VERSION,
            "did": "erased_comments",
            "site": done.site_id,
            "at": done.at,
            "comments": done.comment_ids,
        }
    if isinstance(done, Restriction):
        return {
            "v": VERSION,
            "did": "restricted",
            "site": done.site_id,
            "at": done.restricted_at,
            "tombstones": done.tombstones,
            "subjects": [{"ref": ref} for ref in done.refs],
            "until": done.until,
        }
    return {
        "v": VERSION,
        "did": "erased",
        "site": done.site_id,
        "at": done.erased_at,
        "tombstones": done.tombstones,
        "subjects": [{"ref": ref, "key_sha256": key} for ref, key in done.subjects],
        "records": done.record_ids,
        "keep_refusals": done.keep_refusals,
        **({"aged": True} if done.aged else {}),
    }


def _read(content: dict[str, Any]) -> Done:
    if content["did"] == "erased_comments":
        return Erased(content["site"], content["at"], content["comments"])
    if content["did"] == "restricted":
        return Restriction(
            content["site"],
            content["at"],
            content["tombstones"],
            [subject["ref"] for subject in content["subjects"]],
            content["until"],
        )
    return Erasure(
        content["site"],
        content["at"],
        content["tombstones"],
        [(subject["ref"], subject["key_sha256"]) for subject in content["subjects"]],
        content["records"],
        content["keep_refusals"],
        content.get("aged", False),
    )


def _cut_off(line: bytes) -> bool:
    """Whether a line has a beginning alone, of bytes that came to the disk or of noughts."""
    begun = line.rstrip(b"\0")
    try:
        orjson.loads(begun)
    except orjson.JSONDecodeError as error:
        return error.pos >= len(begun)  # all that is written is ASCII
    return False


def _whole(handle: int) -> bool:
    """Whether the file ends with a whole line."""
    size = os.fstat(handle).st_size
    return size == 0 or os.pread(handle, 1, size - 1) == b"\n"
