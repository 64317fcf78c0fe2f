"""Train a bundle offline: fit, calibrate, choose thresholds, measure, write the card."""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray

from moderation.model import (
    bundle,
    calibration,
    card,
    corpus,
    evaluation,
    fitting,
    picking,
    plotting,
)
from moderation.model.calibration import Floats, Truth
from moderation.model.corpus import Example
from moderation.model.fitting import Head, Say, Training
from moderation.model.invention import INVENTED
from moderation.model.scoring import POOLED, Calibration, Scorer, Stage
from moderation.text.disguise import Vocabulary
from moderation.verdict import LABELS, Label

_AGAIN = [head for head in fitting.HEADS if head.label not in fitting.ONCE]
STEPS = len(fitting.HEADS) + len(_AGAIN) + 7
"""How often a run says that something is done: read, calibrated, written, twice that it counted
for either kind of head, and that it fitted each head."""

FOLDS = 5  # of the held-out rows, for the second stage and the figures
_HOLD_PRECISION = 0.75
_HOLD_LEAST = 0.25  # a comment this unlikely to be bad is not worth a moderator's time
_HOLD_OTHERWISE = 0.5  # where no threshold reaches the precision
_SPAM_PRECISION = 0.96  # aimed at; what is reached is stated; at .97 a tenth of spam was found
_NEVER = -9.0  # the logit of a label that nothing is known of


class Crossed(NamedTuple):
    """The held-out rows a label is measured on, answered by what was not fitted on them.

    *rows* are their places among the held-out ones; *logits* come before calibration, *scores*
    after it.
    """

    rows: NDArray[np.intp]
    truth: Truth
    logits: Floats
    scores: Floats


class Assembled(NamedTuple):
    """A scorer of fitted weights, and its held-out rows label by label."""

    scorer: Scorer
    crossed: dict[Label, Crossed]


class Fitted(NamedTuple):
    """What a run came to: the scorer that ships, and what tells how good it is.

    *rehearsed* is made the same way, but its heads were not fitted on the held-out rows; those
    rows, as it and the stages fitted crosswise answer them, are in *crossed*.
    """

    scorer: Scorer
    rehearsed: Scorer
    crossed: dict[Label, Crossed]


def train(
    data: Path,
    out: Path,
    *,
    name: str,
    made: str,
    language: str = "en",
    seed: int = 7,
    jobs: int = 2,
    work: Path | None = None,
    say: Say = lambda _: None,
) -> str:
    """Train a bundle called *name* from the files in *data*; return its manifest's SHA-256.

    *made* is the date to state, *language* what the comments are in; *work* is where stages are
    kept, by default beside *out*. Writes manifest, arrays, metrics.json and card.md to *out*.
    Raises DataUnreadable, and OSError where nothing can be written.
    """
    if out.exists() and not out.is_dir():  # said now, not after all the fitting
        raise NotADirectoryError(f"{out} is no folder")
    run = Training(
        data,
        work or out.with_name(f"{out.name}.work"),
        language=language,
        seed=seed,
        jobs=jobs,
        say=say,
    )
    scorer, rehearsed, crossed = fit(run)
    labels = {
        label.value: _entry(label, crossed[label], scorer.calibration.values[column], language)
        if label in crossed
        else _UNLEARNT
        for column, label in enumerate(LABELS)
    }
    development = {
        label.value: evaluation.figures(each.scores, each.truth, ranks=each.logits)
        for label, each in crossed.items()
    }
    silent = [label.value for label in LABELS if label not in crossed]
    say("calibrated" + (f"; silent for want of rows: {', '.join(silent)}" if silent else ""))
    saw = corpus.seen(each.text for each in (*run.fitted, *run.held) if each.source not in INVENTED)
    spam = labels[Label.SPAM.value]["thresholds"].get("spam")
    measured, scored = evaluation.measure(scorer, data, seen=saw, spam=spam, language=language)
    for label in crossed:
        labels[label.value]["measured"] = sorted(
            {language, *(at for at, of in measured["languages"].items() if label in of["labels"])}
        )
    manifest = {
        "name": name,
        "made": made,
        "language": language,
        "labels": labels,
        "sources": _sources(run),
        "seed": seed,
        "libraries": _libraries(),
        "metrics": {
            "development": development,
            "errors": _errors(run, rehearsed, labels),
            **measured,
        },
    }
    digest = bundle.save(out, scorer=scorer, seen=saw, manifest=manifest)
    card.write(out, bundle.load(out, digest=digest).manifest, plotting.draw(out, scored))
    say(f"wrote {out}, manifest SHA-256 {digest}")
    return digest


def fit(
    run: Training, heads: Sequence[Head] = fitting.HEADS, labels: Sequence[Label] = LABELS
) -> Fitted:
    """Fit *heads*, measure them on the held-out rows, and fit most once more on all rows.

    Heads with too few rows are fitted neither time, and a label without a head stays silent.
    Second stage and calibration are those of the first time: nothing else tells how the sums of
    rows are spread that no head has met.
    """
    heads = run.learnable(heads)
    fitted = {head.label for head in heads}
    first = run.weights(heads)
    rehearsed, crossed = assemble(run, first, [label for label in labels if label in fitted])
    table = run.weights([head for head in heads if head.label not in fitting.ONCE], whole=True)
    for label in fitting.ONCE:
        table[:, LABELS.index(label)] = first[:, LABELS.index(label)]
    scorer = Scorer(table, rehearsed.stage, rehearsed.calibration, run.vocabulary)
    return Fitted(scorer, rehearsed, crossed)


def bare(table: NDArray[np.float32], vocabulary: Vocabulary) -> Scorer:
    """Return a scorer of the weights in *table* alone, neither mixed nor calibrated."""
    plain = np.tile(1 / (1 + np.exp(-calibration.grid())), (len(LABELS), 1))
    flat = Calibration(plain, low=calibration.LOW, high=calibration.HIGH)
    return Scorer(table, Stage.none(np.zeros(len(LABELS))), flat, vocabulary)


def assemble(
    run: Training, table: NDArray[np.float32], labels: Sequence[Label] = LABELS
) -> Assembled:
    """Fit second stage and calibration of the weights in *table* on the held-out rows.

    What is measured was fitted crosswise, what ships on all of them. A label with too few rows,
    or too few that differ, or not among *labels*, stays silent, and is not among the crossed ones.
    """
    unmixed = bare(table, run.vocabulary)
    pooled = unmixed.pooled([each.text for each in run.held])
    folds = np.array([each.group // 100 % FOLDS for each in run.held])
    stage = Stage(np.full(len(LABELS), _NEVER), np.zeros((POOLED, len(LABELS))))
    values = unmixed.calibration.values.copy()
    crossed: dict[Label, Crossed] = {}
    for column, label in enumerate(LABELS):
        known = np.array([label in each.labels for each in run.held], dtype=bool)
        truth = np.array([each.labels.get(label, False) for each in run.held], dtype=bool)
        measured = known & np.array([_measures(each, label) for each in run.held], dtype=bool)
        if label not in labels or not _crossable(truth[measured], folds[measured]):
            continue
        found = np.zeros(len(truth))
        for fold in range(FOLDS):
            rest, mine = known & (folds != fold), known & (folds == fold)
            slopes, start = fitting.second_stage(label, pooled[rest], truth[rest])
            found[mine] = pooled[mine] @ slopes + start
        stage.slopes[:, column], stage.intercepts[column] = fitting.second_stage(
            label, pooled[known], truth[known]
        )
        logits, right, side = found[measured], truth[measured], folds[measured]
        values[column] = calibration.curve(logits, right)
        scores = np.empty(len(logits))
        for fold in range(FOLDS):
            steps = calibration.curve(logits[side != fold], right[side != fold])
            scores[side == fold] = np.interp(logits[side == fold], calibration.grid(), steps)
        crossed[label] = Crossed(measured.nonzero()[0], right, logits, scores)
    calibrated = Calibration(values, low=calibration.LOW, high=calibration.HIGH)
    return Assembled(Scorer(table, stage, calibrated, run.vocabulary), crossed)


def _crossable(truth: Truth, folds: NDArray[np.intp]) -> bool:
    """Return whether a label can be measured crosswise: no fold may have all of either class.

    Near-duplicates share a fold; forty copies of one text are as good as one.
    """
    return all(side.sum() >= FOLDS and len(np.unique(folds[side])) > 1 for side in (truth, ~truth))


_UNLEARNT: dict[str, Any] = {
    "evidence": "none",
    "calibration": "none",
    "thresholds": {"hold": None},
}


def _measures(example: Example, label: Label) -> bool:
    """Return whether the held-out *example* is of the kind *label* is measured on.

    Spam on every spam and ham source; the others on talk pages, whose rows were sampled at random,
    and on sources that stand for themselves.
    """
    if not example.measured or label is Label.SPAM or example.source == "jigsaw_wiki":
        return example.measured
    source = corpus.SOURCES.get(example.source)
    return source is None or source.whole


def _entry(label: Label, found: Crossed, curve: Floats, language: str) -> dict[str, Any]:
    """Return what the manifest says of *label*: evidence, calibration and thresholds.

    Scores were calibrated crosswise, for the figures; thresholds are chosen by logits, and
    stated as the probabilities that the shipped *curve* gives them.
    """
    _, truth, logits, scores = found

    def reached(precision: float) -> tuple[float, float] | None:
        found = calibration.threshold(logits, truth, precision)
        return found and (float(np.interp(found[0], calibration.grid(), curve)), found[1])

    hold = reached(_HOLD_PRECISION)
    thresholds: dict[str, float | None] = {
        "hold": round(max(hold[0], _HOLD_LEAST), 4) if hold else _HOLD_OTHERWISE
    }
    if label is Label.SPAM:
        spam = reached(_SPAM_PRECISION)
        thresholds["spam"] = round(spam[0], 4) if spam else None
        thresholds["precision"] = round(spam[1], 4) if spam else None
    return {
        "evidence": "weak" if label is Label.SEXUAL_EXPLICIT else "labelled",
        "calibration": "isotonic" if truth.sum() >= calibration.ISOTONIC_FROM else "platt",
        "thresholds": thresholds,
        "languages": [language],
        "reliability": [
            [round(value, 5) for value in each.values()]
            for each in evaluation.reliability(scores, truth)
        ],
        "curve": picking.curve(np.interp(logits, calibration.grid(), curve), truth),
    }


def _errors(run: Training, scorer: Scorer, labels: dict[str, Any]) -> dict[str, Any]:
    """Return what is missed and what is held in vain, label by label and source by source."""
    scores = scorer.score([each.text for each in run.held])
    found: dict[str, Any] = {}
    for column, label in enumerate(LABELS):
        hold = labels[label.value]["thresholds"]["hold"]
        for source in sorted(run.sources) if hold is not None else ():
            mine = [
                (each.labels[label], scores[at, column] >= hold)
                for at, each in enumerate(run.held)
                if each.source == source and label in each.labels
            ]
            bad = [held for positive, held in mine if positive]
            good = [held for positive, held in mine if not positive]
            if mine:
                found.setdefault(label.value, {})[source] = {
                    "rows": len(mine),
                    "positives": len(bad),
                    "missed": round(1 - sum(bad) / len(bad), 4) if bad else None,
                    "raised": round(sum(good) / len(good), 5) if good else None,
                }
    return found


def _sources(run: Training) -> dict[str, dict[str, str]]:
    """Licence class and SHA-256 of every data file that was read."""
    licences = {f"{name}.jsonl.gz": source.licence for name, source in corpus.SOURCES.items()} | {
        Path(name).name: licence for name, licence in corpus.LISTS.items()
    }
    return {
        name: {"licence": licences.get(name, "own"), "sha256": digest}
        for name, digest in run.digests.items()
    }


def _libraries() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    }
