"""An operator's own pipeline scores like a bundle, and runs nothing that was not listed."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline

from moderation.errors import BundleNotFound, BundleRefused, BundleTampered, BundleUnreadable
from moderation.model import bundle, classifier, pipeline
from moderation.model.classifier import Classifier
from moderation.verdict import LABELS, Label

TEXTS = ["cheap watches casino", "a lovely garden", "casino casino now", "what an idiot", "idiot!"]
SPAM, TOXIC = [1, 0, 1, 0, 0], [0, 0, 0, 1, 1]
MANIFEST: dict[str, Any] = {
    "format": "pipeline-1",
    "name": "ours-1",
    "file": "ours.joblib",
    "columns": ["spam", "toxicity"],
    "labels": {"spam": {"hold": 0.5, "spam": 0.9}, "toxicity": {"hold": 0.6}},
}


def fitted(estimator: Any) -> Any:  # noqa: ANN401 - whatever is fitted
    """Fit what answers two labels."""
    made = make_pipeline(HashingVectorizer(n_features=2**12), estimator)
    return made.fit(TEXTS, np.column_stack([SPAM, TOXIC]))


def write(folder: Path, estimator: Any, **manifest: Any) -> str:  # noqa: ANN401
    """Write the folder of a pipeline; return the SHA-256 of its file."""
    folder.mkdir()
    joblib.dump(estimator, folder / "ours.joblib")
    (folder / "manifest.json").write_text(json.dumps(MANIFEST | manifest))
    return hashlib.sha256((folder / "ours.joblib").read_bytes()).hexdigest()


@pytest.fixture(params=["shipped", "one against the rest", "multi-output"])
def scoring(request: pytest.FixtureRequest, tmp_path: Path) -> Classifier:
    """Load a classifier of each kind."""
    if request.param == "shipped":
        return classifier.of_bundle(bundle.shipped())
    wrap = OneVsRestClassifier if request.param == "one against the rest" else MultiOutputClassifier
    digest = write(tmp_path / "ours", fitted(wrap(LogisticRegression())))
    return pipeline.load(tmp_path / "ours", trusted=[digest])


@pytest.mark.parametrize(
    "texts",
    [[], [""], ["a"], ["\0", "\ud800", "日本語"], ["casino " * 20_000], TEXTS],
    ids=["none", "empty", "one", "odd", "long", "several"],
)
def test_every_text_gets_a_probability_a_label(scoring: Classifier, texts: list[str]) -> None:
    """Rows are texts, columns are labels, and all of it lies between 0 and 1."""
    found = scoring.scorer.score(texts)

    assert found.shape == (len(texts), len(LABELS))
    assert ((found >= 0) & (found <= 1)).all()


def test_a_text_scores_the_same_alone(scoring: Classifier) -> None:
    """What else is in a batch changes nothing."""
    together = scoring.scorer.score(TEXTS)

    alone = np.vstack([scoring.scorer.score([text]) for text in TEXTS])

    assert np.allclose(together, alone, atol=1e-9)


def test_spam_scores_above_what_is_none(scoring: Classifier) -> None:
    """The columns are where the labels say."""
    column = LABELS.index(Label.SPAM)

    spam, ham = scoring.scorer.score(["casino casino now", "a lovely garden"])[:, column]

    assert spam > ham


def test_a_pipeline_brings_its_name_and_thresholds(tmp_path: Path) -> None:
    """Labels that it says nothing of never count."""
    digest = write(tmp_path / "ours", fitted(OneVsRestClassifier(LogisticRegression())))

    found = pipeline.load(tmp_path / "ours", trusted=[digest])

    assert found.name == "ours-1"
    assert (found.thresholds[Label.SPAM].hold, found.thresholds[Label.SPAM].spam) == (0.5, 0.9)
    assert found.thresholds[Label.THREAT].hold is None
    assert set(found.thresholds) == set(LABELS)
    assert not found.quick


def test_a_binary_pipeline_is_one_label(tmp_path: Path) -> None:
    """Two columns for one label are its no and its yes."""
    made = make_pipeline(HashingVectorizer(n_features=2**12), LogisticRegression()).fit(TEXTS, SPAM)
    digest = write(tmp_path / "ours", made, columns=["spam"], labels={"spam": {"hold": 0.5}})

    found = pipeline.load(tmp_path / "ours", trusted=[digest]).scorer.score(TEXTS)

    assert np.allclose(found[:, LABELS.index(Label.SPAM)], made.predict_proba(TEXTS)[:, 1])
    assert not found[:, LABELS.index(Label.TOXICITY)].any()


class Trap:
    """Writes a file when it is unpickled, as any program could."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.sprung,)


def test_what_is_not_listed_is_not_unpickled(tmp_path: Path) -> None:
    """A program in the file does not run; the same one runs once it is listed."""
    sprung = tmp_path / "sprung"
    digest = write(tmp_path / "ours", Trap(sprung))

    with pytest.raises(BundleTampered, match="trusted_pipelines"):
        pipeline.load(tmp_path / "ours", trusted=["0" * 64])
    assert not sprung.exists()

    with pytest.raises(BundleUnreadable, match="predict_proba"):
        pipeline.load(tmp_path / "ours", trusted=[digest])
    assert sprung.exists()


def test_a_file_that_has_changed_is_not_unpickled(tmp_path: Path) -> None:
    """One byte more and the listed digest is another's."""
    digest = write(tmp_path / "ours", fitted(OneVsRestClassifier(LogisticRegression())))
    with (tmp_path / "ours" / "ours.joblib").open("ab") as file:
        file.write(b"\0")

    with pytest.raises(BundleTampered, match="expected a SHA-256"):
        pipeline.load(tmp_path / "ours", trusted=[digest])


@pytest.mark.parametrize(
    "manifest",
    [
        {"format": "pipeline-2"},
        {"columns": ["spam", "spam"]},
        {"columns": ["spam", "beauty"]},
        {"columns": 3},
        {"name": "two\nlines"},
        {"language": 3},
        {"labels": {"threat": {"hold": 0.5}}},
        {"labels": {"spam": {"hold": 0}}},
        {"labels": {"spam": {"reject": 0.5}}},
        {"labels": {"spam": {"hold": "high"}}},
        {"file": None},
    ],
    ids=str,
)
def test_a_manifest_that_makes_no_sense_is_refused(
    tmp_path: Path, manifest: dict[str, Any]
) -> None:
    """Nothing is loaded by a guess."""
    digest = write(tmp_path / "ours", fitted(OneVsRestClassifier(LogisticRegression())), **manifest)

    with pytest.raises(BundleRefused):
        pipeline.load(tmp_path / "ours", trusted=[digest])


def test_a_file_stays_in_its_folder(tmp_path: Path) -> None:
    """A manifest cannot name a file elsewhere."""
    digest = write(tmp_path / "ours", fitted(OneVsRestClassifier(LogisticRegression())))
    (tmp_path / "ours" / "ours.joblib").rename(tmp_path / "ours.joblib")
    for file in ("../ours.joblib", "ours\0.joblib"):
        (tmp_path / "ours" / "manifest.json").write_text(json.dumps(MANIFEST | {"file": file}))

        with pytest.raises(BundleNotFound):
            pipeline.load(tmp_path / "ours", trusted=[digest])


class Odd:
    """Answers what is no probability."""

    def __init__(self, answer: Any) -> None:  # noqa: ANN401
        self._answer = answer

    def predict_proba(self, _texts: list[str]) -> Any:  # noqa: ANN401
        """Answer it."""
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [np.zeros((2, 2)), np.zeros(2), np.array([[0.5, 1.5]]), np.array([[0.5, np.nan]]), []],
    ids=["rows", "flat", "above", "not a number", "nothing"],
)
def test_what_is_no_probability_is_an_error(answer: Any) -> None:  # noqa: ANN401
    """Whoever scores with it holds the comment."""
    scorer = pipeline.PipelineScorer(Odd(answer), [Label.SPAM, Label.TOXICITY])

    with pytest.raises(ArithmeticError, match="expected"):
        scorer.score(["a"])
