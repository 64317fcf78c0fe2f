"""Which classifier an installation uses: the shipped one, until `model use` says another.

What is used is a copy in `<data-dir>/models`, so that whoever writes to the original changes
nothing that runs. `<data-dir>/model.json` names the copy and the SHA-256 of its manifest; it is
replaced whole, and every serving process looks at it once a second.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import structlog

from aboveboard.disk import put
from aboveboard.errors import DataDirUnusable
from moderation.errors import BundleNotFound, BundleUnreadable
from moderation.model import bundle, classifier, pipeline
from moderation.model.classifier import Classifier

LOOK_S = 1.0
PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600

log = structlog.get_logger(__name__)


class _Mark(NamedTuple):
    """What tells one `model.json` from another without reading it."""

    inode: int
    changed_ns: int


class Selection:
    """The classifier that a data directory selects; *trusted* are the digests of pipelines."""

    def __init__(self, data_dir: Path, trusted: Collection[str] = ()) -> None:
        self._path = data_dir / "model.json"
        self._folder = data_dir / "models"
        self._trusted = trusted
        self._seen = self._mark()

    def load(self) -> Classifier:
        """Load the selected classifier, after checking it. Raises BundleRefused."""
        selected = self._read()
        if selected is None:
            return classifier.of_bundle(bundle.shipped())
        name, digest = selected
        return self._load(self._folder / name, digest)

    def check(self, original: Path) -> Classifier:
        """Load the bundle or the pipeline in the folder *original*, and select nothing.

        Raises BundleRefused.
        """
        return self._load(original, None)

    def select(self, original: Path) -> Classifier:
        """Copy the bundle or the pipeline in the folder *original*, check the copy, and select it.

        Raises BundleRefused, and DataDirUnusable where the copy cannot be written.
        """
        before = self.check(original)
        name = f"{original.resolve().name}-{before.digest[:12]}"
        draft, copy = self._folder / f".{name}.draft", self._folder / name
        try:
            self._folder.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(original, draft, ignore=_no_files)
            draft.chmod(PRIVATE_DIR)
            found = self._load(draft, before.digest)
            shutil.rmtree(copy, ignore_errors=True)
            draft.rename(copy)
            told = json.dumps({"folder": name, "manifest_sha256": found.digest})
            put(self._path, f"{told}\n".encode(), mode=PRIVATE_FILE)
        except (OSError, shutil.Error) as error:
            raise DataDirUnusable(
                f"expected a folder that can be written at {self._folder}, got: {error}"
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return found

    def select_shipped(self) -> Classifier:
        """Select what the release was published with."""
        self._path.unlink(missing_ok=True)
        return self.load()

    async def follow(self, use: Callable[[Classifier], None]) -> None:
        """Hand every classifier that is selected from now on to *use*.

        One that is refused is told of, and the one in use stays.
        """
        while True:
            await asyncio.sleep(LOOK_S)
            mark = self._mark()
            if mark == self._seen:
                continue
            self._seen = mark
            try:
                found = await asyncio.to_thread(self.load)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next one is followed
                log.error("model_refused", error=type(error).__name__)  # noqa: TRY400 - no traces
                continue
            use(found)
            log.info("model_used", model=found.name)

    # -- parts --------------------------------------------------------------------------------

    def _load(self, folder: Path, digest: str | None) -> Classifier:
        if pipeline.is_one(folder):
            return pipeline.load(folder, trusted=self._trusted, digest=digest)
        return classifier.of_bundle(bundle.load(folder, digest=digest))

    def _read(self) -> tuple[str, str] | None:
        try:
            text = bundle.read_file(self._path)
        except BundleNotFound as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        try:
            told = json.loads(text)
            # Whatever the digest is, only a manifest that has it is believed.
            return Path(told["folder"]).name, str(told["manifest_sha256"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise BundleUnreadable(
                f"{self._path}: expected folder and manifest_sha256, got {error!r}"
            ) from error

    def _mark(self) -> _Mark | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return _Mark(found.st_ino, found.st_mtime_ns)


def _no_files(folder: str, names: list[str]) -> list[str]:
    # A bundle has none; a link may lead to all there is on the disk, or back to the folder.
    return [name for name in names if not Path(folder, name).is_file()]
