"""Trained bundles: a folder of data that is checked before it is read.

A bundle is `manifest.json` plus arrays in NumPy's own format. The manifest holds the SHA-256 of
every file, and whoever loads a bundle may name the SHA-256 of the manifest: then nothing in the
folder is believed without proof. No bundle holds a pickle.
"""

import hashlib
import io
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moderation.errors import BundleNotFound, BundleTampered, BundleUnreadable
from moderation.model.scoring import POOLED, Calibration, Scorer, Stage
from moderation.text import ngrams
from moderation.text.disguise import Vocabulary
from moderation.verdict import LABELS, Label

FORMAT = 3
SHIPPED_NAME = "en-2026.11h"
SHIPPED_DIGEST = "9bcc76656ff589f0623cbfb2589ceb2bacb2fafa4a068e61789fe7a38abbc38e"

_LARGEST = 64 << 20  # bytes of one file
_WORDIEST = 4 << 20  # bytes of a vocabulary: 32 for each of the words that it may have
_LONGEST = 255  # characters of a name; a folder's name can have no more
_FREE = {"calibration.npy": (2, 4096), "seen.npy": (0, 1 << 23)}  # entries of the free axis
_FARTHEST = 1e6  # of a logit that a calibration tells apart
_WORDS = "vocabulary.txt"
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Probabilities at or above which a label leads to a verdict; None: never.

    *precision* is what the manifest states for *spam*, measured on held-out comments. Raises
    TypeError or ValueError for what no score can be held against: it would publish everything.
    """

    hold: float | None
    spam: float | None = None
    precision: float | None = None

    def __post_init__(self) -> None:
        every = (self.hold, self.spam, self.precision)
        if not all(at is None or 0 <= at <= 1 for at in every):
            raise ValueError(f"thresholds {every!r}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded bundle; *digest* is the SHA-256 of its manifest."""

    name: str
    language: str
    digest: str
    manifest: Mapping[str, Any]
    scorer: Scorer
    thresholds: Mapping[Label, Thresholds]
    seen: NDArray[np.uint64]
    """What it was made with, a number a text (`corpus.seen`), ascending."""


def shipped() -> Bundle:
    """Load the bundle this release was published with.

    It lies in the package `moderation` of an installation and under `models/` in a checkout. Raises
    BundleNotFound when it is in neither place, BundleTampered when it is not the very one.
    """
    here = Path(__file__).parents[1]
    for folder in (here / "shipped", here.parent / "models" / SHIPPED_NAME):
        if folder.is_dir():
            return load(folder, digest=SHIPPED_DIGEST)
    raise BundleNotFound(f"the shipped bundle {SHIPPED_NAME!r} is not in this installation")


def load(folder: Path, *, digest: str | None = None) -> Bundle:
    """Load the bundle in *folder*, after checking every file against the manifest.

    *digest* is the expected SHA-256 of the manifest, in hexadecimal. Raises BundleNotFound,
    BundleTampered or BundleUnreadable.
    """
    text = read_file(folder / _MANIFEST)
    found = hashlib.sha256(text).hexdigest()
    if digest is not None and found != digest.lower():
        raise BundleTampered(f"{folder / _MANIFEST}: expected SHA-256 {digest}, got {found}")
    manifest = _parsed(text, folder / _MANIFEST)
    try:
        arrays = {name: _array(folder, name, manifest["files"][name]) for name in _FILES}
        vocabulary = _vocabulary(folder, manifest["files"][_WORDS])
        calibration = _calibration(arrays["calibration.npy"], **manifest["calibration"])
        thresholds = {
            label: Thresholds(**manifest["labels"][label]["thresholds"]) for label in LABELS
        }
        name, language = named(manifest["name"]), named(manifest["language"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleUnreadable(
            f"{folder / _MANIFEST}: expected a manifest of format {FORMAT}, got {error!r}"
        ) from error
    stage = arrays["stage.npy"]
    scorer = Scorer(
        arrays["weights.npy"].astype(np.float32),
        Stage(stage[0], stage[1:]),
        calibration,
        vocabulary,
    )
    return Bundle(name, language, found, manifest, scorer, thresholds, arrays["seen.npy"])


def named(given: object) -> str:
    """Return *given* if it can be told with every comment. Raises ValueError."""
    if not isinstance(given, str) or not given.isprintable() or not 0 < len(given) <= _LONGEST:
        raise ValueError(f"expected 1 to {_LONGEST} printable characters, got {f'{given!a}':.80}")
    return given


def read_file(path: Path, *, most: int = _LARGEST) -> bytes:
    """Return the bytes of *path*, refused unread when there are more than *most*.

    Raises BundleNotFound and BundleUnreadable.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, a device read for ever
            raise BundleUnreadable(f"{path}: expected a file, got something else")
        if found.st_size > most:
            raise BundleUnreadable(f"{path}: expected at most {most} bytes, got {found.st_size}")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a NUL is no file's
        told = error.strerror if isinstance(error, OSError) else error
        raise BundleNotFound(f"{path}: expected a file of a bundle, got {told}") from error


def save(
    folder: Path,
    *,
    scorer: Scorer,
    seen: NDArray[np.uint64],
    manifest: Mapping[str, Any],
) -> str:
    """Write *scorer* with *manifest* to *folder* and return the SHA-256 of the manifest.

    *seen* tells what it was made with. Weights are stored as float16; *manifest* is completed
    with what describes the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {
        "weights.npy": scorer.weights.astype(np.float16),
        "stage.npy": np.vstack(scorer.stage).astype(np.float64),
        "calibration.npy": scorer.calibration.values.astype(np.float64),
        "seen.npy": seen.astype(np.uint64),
    }
    words = scorer.vocabulary.written()
    (folder / _WORDS).write_bytes(words)
    files = {_WORDS: hashlib.sha256(words).hexdigest()}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        (folder / name).write_bytes(buffer.getvalue())
        files[name] = hashlib.sha256(buffer.getvalue()).hexdigest()
    whole = {
        "format": FORMAT,
        **manifest,
        "calibration": {"low": scorer.calibration.low, "high": scorer.calibration.high},
        "files": files,
    }
    text = json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    (folder / _MANIFEST).write_bytes(text)
    return hashlib.sha256(text).hexdigest()


_FILES: dict[str, tuple[type[np.generic], tuple[int | None, ...]]] = {
    "weights.npy": (np.float16, (ngrams.ROWS, len(LABELS))),
    "stage.npy": (np.float64, (1 + POOLED, len(LABELS))),
    "calibration.npy": (np.float64, (len(LABELS), None)),
    "seen.npy": (np.uint64, (None,)),
}


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    """Return the manifest, of this release's format and labels."""
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleUnreadable(f"{path}: expected JSON, got {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        got = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise BundleUnreadable(f"{path}: expected format {FORMAT}, got {got!r}")
    labels = manifest.get("labels")
    if not isinstance(labels, dict) or tuple(labels) != LABELS:
        got = list(labels) if isinstance(labels, dict) else labels
        raise BundleUnreadable(f"{path}: expected labels {[*map(str, LABELS)]}, got {got!r}")
    return manifest


def _checked(path: Path, digest: object, *, most: int = _LARGEST) -> bytes:
    """Return the bytes of *path*, whose SHA-256 must be *digest*."""
    content = read_file(path, most=most)
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise BundleTampered(f"{path}: expected SHA-256 {digest}, got {found}")
    return content


def _vocabulary(folder: Path, digest: object) -> Vocabulary:
    """Return the vocabulary, parsed only once its digest is right."""
    path = folder / _WORDS
    try:
        return Vocabulary.read(_checked(path, digest, most=_WORDIEST))
    except ValueError as error:
        raise BundleUnreadable(f"{path}: {error}") from error


def _calibration(values: NDArray[np.float64], *, low: float, high: float) -> Calibration:
    """Return the maps of *values*. Raises TypeError or ValueError for what is no map."""
    if not -_FARTHEST <= low < high <= _FARTHEST or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"a calibration from {low!r} to {high!r}")
    return Calibration(values, low=float(low), high=float(high))


def _array(folder: Path, name: str, digest: object) -> NDArray[Any]:
    """Return the array in file *name*, parsed only once its digest is right."""
    path = folder / name
    content = _checked(path, digest)
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # NumPy checks no header before it takes the memory that it says
        raise BundleUnreadable(f"{path}: expected an array, got {error!r}") from error
    dtype, shape = _FILES[name]
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        got = getattr(array, "dtype", type(array).__name__)
        raise BundleUnreadable(f"{path}: expected {np.dtype(dtype)}, got {got}")
    fits = len(array.shape) == len(shape) and all(
        has == want if want is not None else _FREE[name][0] <= has <= _FREE[name][1]
        for has, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        raise BundleUnreadable(f"{path}: expected the shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise BundleUnreadable(f"{path}: expected finite numbers only, got others")
    return array
