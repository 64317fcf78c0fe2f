"""An operator's own scikit-learn pipeline, as joblib saved it, in the place of a bundle.

A joblib file is a program: whoever loads it runs what it says. So not a byte of one is unpickled
unless its SHA-256 is among those the operator listed, and what is unpickled is what was hashed.
The folder of a pipeline holds the file and a `manifest.json` that names it:

    {"format": "pipeline-1", "name": "ours-2026.12", "file": "pipeline.joblib",
     "columns": ["spam", "toxicity"],
     "labels": {"spam": {"hold": 0.5, "spam": 0.97}, "toxicity": {"hold": 0.8}}}

`predict_proba` is given texts, and answers a column a label of *columns*; or, as scikit-learn's
multi-output estimators do, two columns each. Labels that it has no column for are always 0. The
manifest may name a `language`, as in BCP 47: clients that ask for another are told so.
"""

import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray

from moderation.errors import BundleTampered, BundleUnreadable
from moderation.model.bundle import Thresholds, named, read_file
from moderation.model.classifier import Classifier
from moderation.verdict import LABELS, Label

FORMAT = "pipeline-1"
MANIFEST = "manifest.json"

_LARGEST = 1 << 30  # bytes of one file


class PipelineScorer:
    """Scores with what has scikit-learn's `predict_proba`."""

    def __init__(self, pipeline: Any, columns: Sequence[Label]) -> None:  # noqa: ANN401 - whatever it is
        self._pipeline = pipeline
        self._columns = [LABELS.index(label) for label in columns]

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return probabilities of shape (texts, labels).

        Raises ArithmeticError when the pipeline answers with another shape, or with what is no
        probability.
        """
        found = np.zeros((len(texts), len(LABELS)))
        if not texts:
            return found
        told = self._pipeline.predict_proba(list(texts))
        # One array of two columns a label is how multi-output estimators answer.
        columns = [each[:, -1] for each in told] if isinstance(told, list) else told
        answer = np.asarray(columns, dtype=np.float64)
        answer = answer.T if isinstance(told, list) else answer
        if len(self._columns) == 1 and answer.ndim == 2 and answer.shape[1] == 2:  # noqa: PLR2004 - no and yes
            answer = answer[:, 1:]
        if answer.shape != (len(texts), len(self._columns)):
            raise ArithmeticError(
                f"expected the shape {(len(texts), len(self._columns))}, got {answer.shape}"
            )
        if not ((answer >= 0) & (answer <= 1)).all():
            raise ArithmeticError("expected probabilities of 0 to 1, got others")
        found[:, self._columns] = answer
        return found


def load(folder: Path, *, trusted: Collection[str], digest: str | None = None) -> Classifier:
    """Load the pipeline in *folder*, if the SHA-256 of its file is one of *trusted*.

    *digest* is the expected SHA-256 of the manifest, both in hexadecimal. Raises BundleNotFound,
    BundleTampered or BundleUnreadable.
    """
    path = folder / MANIFEST
    text = read_file(path)
    found = hashlib.sha256(text).hexdigest()
    if digest is not None and found != digest:
        raise BundleTampered(f"{path}: expected SHA-256 {digest}, got {found}")
    try:
        manifest = _manifest(json.loads(text))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BundleUnreadable(
            f"{path}: expected a manifest of format {FORMAT}, got {error}"
        ) from error
    file = folder / manifest.file
    content = read_file(file, most=_LARGEST)
    whose = hashlib.sha256(content).hexdigest()
    if whose not in trusted:
        raise BundleTampered(
            f"{file}: expected a SHA-256 that the setting trusted_pipelines lists, got {whose}"
        )
    try:
        pipeline = joblib.load(io.BytesIO(content))  # noqa: TID251 - what was checked above
    except Exception as error:
        raise BundleUnreadable(
            f"{file}: expected what joblib can load here, got {type(error).__name__}: {error}"
        ) from error
    if not hasattr(pipeline, "predict_proba"):
        raise BundleUnreadable(
            f"{file}: expected an estimator with predict_proba, got {type(pipeline).__name__}"
        )
    scorer = PipelineScorer(pipeline, manifest.columns)
    return Classifier(
        manifest.name,
        found,
        scorer,
        manifest.thresholds,
        quick=False,
        language=manifest.language,
    )


def is_one(folder: Path) -> bool:
    """Return whether *folder* says that it holds a pipeline; believes nothing else of it."""
    try:
        manifest = json.loads(read_file(folder / MANIFEST))
    except (ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


class _Manifest(NamedTuple):
    name: str
    file: str
    columns: list[Label]
    thresholds: Mapping[Label, Thresholds]
    language: str | None


def _manifest(told: Mapping[str, Any]) -> _Manifest:
    """Read a manifest. Raises KeyError, TypeError or ValueError."""
    if told["format"] != FORMAT:
        raise ValueError(f"format {told['format']!r}")
    columns = [Label(each) for each in told["columns"]]
    if len(set(columns)) != len(columns) or not set(told["labels"]) <= set(columns):
        raise ValueError("columns that repeat, or thresholds without a column")
    name, file = named(told["name"]), Path(told["file"]).name
    language = named(told["language"]).lower() if "language" in told else None
    return _Manifest(name, file, columns, _thresholds(told["labels"]), language)


def _thresholds(given: Mapping[str, Mapping[str, float]]) -> dict[Label, Thresholds]:
    found = {label: Thresholds(None) for label in LABELS}
    for name, each in given.items():
        if not set(each) <= {"hold", "spam"} or not all(0 < at <= 1 for at in each.values()):
            raise ValueError(f"thresholds {each!r} of {name}")
        found[Label(name)] = Thresholds(each.get("hold"), each.get("spam"))
    return found
