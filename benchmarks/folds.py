"""The six Jigsaw labels in five folds of the held-out kind, beside the usual pipeline.

Each fifth of the groups of near-duplicates is held out in turn; heads, vocabulary, second stage
and calibration are made as a bundle's are, from what is left. The first fold is what the bundle
was measured by, before its heads were fitted on the held-out rows, too. The usual pipeline learns
from the same Jigsaw rows, and once from all of them, as the bundle did.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from comparing import Floats, Truth
from peers import Counted, Usual

from moderation.model import fitting, training
from moderation.model.bundle import Bundle
from moderation.model.corpus import WIKI, Example
from moderation.verdict import Label

Say = Callable[[str], None]
SOURCE = "jigsaw_wiki"


class Fold(NamedTuple):
    """The measured rows of one fold, a column a label: truth, our logits and scores, TF-IDF's."""

    texts: list[str]
    truth: Truth
    logits: Floats
    scores: Floats
    usual: Floats | None


def opened(shipped: Bundle, data: Path, work: Path, fold: int, say: Say) -> training.Training:
    """Return the examples of a fold, which are those *shipped* was made with."""
    seed = int(shipped.manifest["seed"])
    run = training.Training(data, work / f"fold-{fold}", seed=seed, jobs=1, say=say, fold=fold)
    stated = {name: each["sha256"] for name, each in shipped.manifest["sources"].items()}
    if run.digests != stated:
        raise SystemExit(f"{data}: expected the files the bundle was made with, got others")
    if fold == 0 and run.vocabulary.written() != shipped.scorer.vocabulary.written():
        raise SystemExit("expected the code that made the bundle, got code that reads otherwise")
    return run


def folds(
    shipped: Bundle, data: Path, work: Path, say: Say, *, count: int, fits: bool
) -> tuple[list[Fold], Usual | None]:
    """Return the first *count* folds, and the usual pipeline of all rows; each kept in *work*.

    Without *fits* there is no usual pipeline.
    """
    runs: dict[int, training.Training] = {}

    def run(fold: int) -> training.Training:
        if fold not in runs:
            runs.clear()  # one at a time: each holds every text
            runs[fold] = opened(shipped, data, work, fold, say)
        return runs[fold]

    mark = shipped.digest[:16]
    ours = [
        _kept(work / f"ours-{mark}-{fold}.npz", lambda fold=fold: _ours(run(fold)))
        for fold in range(count)
    ]
    theirs: list[Floats | None] = [None] * count
    pipeline = None
    if fits:
        found, pipeline = _usual(shipped, work, run, say, count)
        theirs = [*found]
    made = [
        Fold(mine["texts"].tolist(), mine["truth"], mine["logits"], mine["scores"], other)
        for mine, other in zip(ours, theirs, strict=True)
    ]
    return made, pipeline


def rehearsed(run: training.Training) -> training.Assembled:
    """Return the scorer of a fold, whose heads were not fitted on its held-out rows."""
    heads = [head for head in fitting.HEADS if head.label in WIKI]
    return training.assemble(run, run.weights(heads), WIKI)


def _ours(run: training.Training) -> dict[str, Any]:
    crossed = rehearsed(run).crossed
    rows = crossed[Label.TOXICITY].rows
    return {
        "texts": np.array([run.held[at].text for at in rows], dtype=object),
        "truth": np.stack([crossed[label].truth for label in WIKI], axis=1),
        "logits": np.stack([crossed[label].logits for label in WIKI], axis=1),
        "scores": np.stack([crossed[label].scores for label in WIKI], axis=1),
    }


def _usual(
    shipped: Bundle, work: Path, run: Callable[[int], training.Training], say: Say, count: int
) -> tuple[list[Floats], Usual]:
    """Return what the usual pipeline says of each fold; it depends on the data alone."""
    mark = shipped.manifest["sources"][f"{SOURCE}.jsonl.gz"]["sha256"][:16]
    files = [work / f"usual-{mark}-{fold}.npy" for fold in range(count)]
    whole = work / f"usual-{mark}-whole.joblib"
    if not all(file.is_file() for file in (*files, whole)):
        rows: dict[str, int] = {}
        for each in _jigsaw(run(0)):
            rows.setdefault(each.text, len(rows))
        counted = Counted(list(rows))
        say("counted the words and letters of the usual pipeline")

        def fitted(examples: list[Example]) -> Usual:
            known = np.array([[label in each.labels for label in WIKI] for each in examples])
            truth = [[each.labels.get(label, False) for label in WIKI] for each in examples]
            return counted.usual([rows[each.text] for each in examples], np.array(truth), known)

        if not whole.is_file():
            joblib.dump(fitted(_jigsaw(run(0))), whole)
            say("fitted the usual pipeline of all rows")
        for fold, file in enumerate(files):
            if file.is_file():
                continue
            pipeline = fitted([each for each in _jigsaw(run(fold)) if not each.held])
            held = [each for each in run(fold).held if each.source == SOURCE and each.measured]
            np.save(file, counted.scores(pipeline, [rows[each.text] for each in held]))
            say(f"fitted the usual pipeline of fold {fold}")
    return [np.load(file) for file in files], joblib.load(whole)  # noqa: TID251 - written here


def _jigsaw(run: training.Training) -> list[Example]:
    return [each for each in (*run.fitted, *run.held) if each.source == SOURCE]


def _kept(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what *make* gave once; joblib, for texts are objects."""
    path = file.with_suffix(".joblib")
    if not path.is_file():
        joblib.dump(make(), path)
    kept: dict[str, Any] = joblib.load(path)  # noqa: TID251 - written here
    return kept
