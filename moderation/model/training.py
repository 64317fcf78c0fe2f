"""Train a bundle offline: read labelled comments, fit, calibrate, choose thresholds.

Stage after stage, each kept in a work folder, so that a run that was cut off goes on where it
was. The same seed, data and library versions give the same bundle.
"""

import hashlib
import json
import platform
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from moderation.model import bundle, calibration, card, corpus, evaluation, picking
from moderation.model.calibration import Floats, Truth
from moderation.model.corpus import WIKI, Example
from moderation.model.features import TokenFeatures
from moderation.model.invention import made_up
from moderation.model.scoring import Calibration, Scorer, Stage
from moderation.text import ngrams
from moderation.text.disguise import Vocabulary
from moderation.text.normal import normalise
from moderation.verdict import LABELS, Label

Say = Callable[[str], None]

TEXT_LIMIT = 1500  # characters of a training text; the long tail costs memory and adds nothing
_MET_LEAST = 6  # texts that a word of the vocabulary was met in
_VOCABULARY = 40_000  # words
_LEAST = 20  # positives and negatives without which a label is not learnt
FOLDS = 5  # of the held-out rows, for the second stage and the figures
_HOLD_PRECISION = 0.75
_HOLD_LEAST = 0.25  # a comment this unlikely to be bad is not worth a moderator's time
_HOLD_OTHERWISE = 0.5  # where no threshold reaches the precision
_SPAM_PRECISION = 0.96  # aimed at; what is reached is stated; at .97 a tenth of spam was found
_WORD = re.compile(rb"[a-z](?:[a-z']*[a-z])?")
_CODE = (
    "model/corpus.py",
    "model/features.py",
    "text/addresses.py",
    "text/disguise.py",
    "text/homoglyphs.py",
    "text/identity.py",
    "text/ngrams.py",
    "text/normal.py",
)
_NEVER = -9.0  # the logit of a label that nothing is known of


@dataclass(frozen=True, slots=True)
class Head:
    """One logistic regression: the examples of *sources* (None: all) that know *label*.

    A label's weights are the mean of its heads', by *share*.
    """

    label: Label
    sources: frozenset[str] | None
    penalty: float  # scikit-learn's C
    bayes: bool = False  # columns weighed by their log odds: helps frequent labels, harms rare ones
    share: float = 1.0
    sighted: bool = False  # sees which group is named


_WIKI_ONLY = frozenset({"jigsaw_wiki"})
_OTHERS = frozenset(corpus.SOURCES) - _WIKI_ONLY
HEADS = (
    Head(Label.TOXICITY, _WIKI_ONLY, 0.15, bayes=True, share=0.85),
    Head(Label.TOXICITY, _OTHERS, 0.1, share=0.15),
    Head(Label.SEVERE_TOXICITY, _WIKI_ONLY, 0.1),
    Head(Label.OBSCENE, _WIKI_ONLY, 0.15, bayes=True),
    Head(Label.THREAT, _WIKI_ONLY, 0.1),
    Head(Label.INSULT, _WIKI_ONLY, 0.1),
    # The two kinds of data mean different things by the label; one head each, then their mean.
    Head(Label.IDENTITY_ATTACK, _WIKI_ONLY, 0.1, share=0.6, sighted=True),
    Head(Label.IDENTITY_ATTACK, _OTHERS, 0.1, share=0.4, sighted=True),
    Head(Label.SPAM, None, 0.3),
    Head(Label.SEXUAL_EXPLICIT, None, 0.1),
)


def vocabulary(texts: Iterable[str], marked: frozenset[bytes]) -> Vocabulary:
    """Return the words of ASCII letters that *texts* share, the most frequent first.

    Those in *marked*, and those that only add to one of them, are the ones people disguise.
    """
    met: Counter[bytes] = Counter()
    for text in texts:
        met.update({word for word in normalise(text).words if _WORD.fullmatch(word)})
    often = [(count, word) for word, count in met.items() if count >= _MET_LEAST]
    words = [word for _, word in sorted(often, key=lambda each: (-each[0], each[1]))]
    words = words[:_VOCABULARY]
    words += sorted(marked - set(words))
    stems = tuple(word for word in marked if len(word) >= 4)  # noqa: PLR2004 - shorter ones begin too much
    return Vocabulary(words, marked=[w for w in words if w in marked or w.startswith(stems)])


def regression(
    matrix: sparse.csr_matrix,
    truth: Truth,
    sample_weight: Floats,
    *,
    penalty: float,
    bayes: bool = False,
) -> tuple[Floats, float]:
    """Logistic regression over columns scaled by their inverse document frequency.

    With *bayes* also by the root of their log odds ratio (after Wang and Manning, 2012). Returns
    weights for the unscaled columns, and the intercept.
    """
    seen = np.bincount(matrix.indices, minlength=matrix.shape[1])
    scale = (1 + np.log((1 + matrix.shape[0]) / (1 + seen))).astype(np.float32)
    if bayes:
        positive = 1 + np.asarray(matrix[truth].sum(axis=0)).ravel()
        negative = 1 + np.asarray(matrix[~truth].sum(axis=0)).ravel()
        odds = np.log(positive / positive.sum()) - np.log(negative / negative.sum())
        scale *= np.sqrt(np.abs(odds)).astype(np.float32)
    # Rows of the table that no example has are left out of the fit; their weight is zero anyway.
    used = seen > 0
    places = (used.cumsum() - 1).astype(np.int32)
    values = matrix.data * scale[matrix.indices]
    shape = (matrix.shape[0], int(used.sum()))
    packed = sparse.csr_matrix((values, places[matrix.indices], matrix.indptr), shape=shape)
    head = LogisticRegression(C=penalty, max_iter=60, tol=1e-4)
    with warnings.catch_warnings():
        # Stopping early is one more penalty; the last iterations move no measured figure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        head.fit(packed, truth, sample_weight=sample_weight)
    weights = np.zeros(matrix.shape[1])
    weights[used] = head.coef_[0] * scale[used]
    return weights, float(head.intercept_[0])


class Training:
    """One run: the examples of *data*, and the folder its stages are kept in."""

    def __init__(self, data: Path, work: Path, *, seed: int, jobs: int, say: Say) -> None:
        self.data = data
        self.work = work
        self.seed = seed
        self.jobs = jobs
        self.say = say
        self.files = [*corpus.sources(data), *(data / name for name in corpus.LISTS)]
        self.files = [path for path in self.files if path.is_file()]
        self.digests = corpus.digests(self.files)
        work.mkdir(parents=True, exist_ok=True)
        self._check_work()
        found = corpus.examples(data)
        self.sources = frozenset(each.source for each in found)
        self.held = [each for each in found if each.held]
        self.fitted = [*(each for each in found if not each.held), *made_up(seed)]
        terms = corpus.explicit_terms(data)
        if terms:
            for each in found:
                if each.source in {"jigsaw_wiki", "goemotions_ham", "gab_hate_corpus"}:
                    words = normalise(each.text).words
                    each.labels[Label.SEXUAL_EXPLICIT] = not terms.isdisjoint(words)
        say(f"read {len(found):,} rows, {len(self.held):,} held out")
        self.vocabulary = vocabulary((each.text for each in self.fitted), corpus.profanities(data))

    def _check_work(self) -> None:
        """Forget what other data, another seed or other code left in the work folder."""
        code = hashlib.sha256()
        for name in _CODE:
            code.update((Path(__file__).parents[1] / name).read_bytes())
        mark = json.dumps([self.digests, self.seed, code.hexdigest()])
        file = self.work / "of.json"
        if not file.is_file() or file.read_text(encoding="utf-8") != mark:
            for old in self.work.glob("*.np?"):
                old.unlink()
            file.write_text(mark, encoding="utf-8")

    def matrix(self, *, blind: bool) -> tuple[sparse.csr_matrix, list[int]]:
        """Return the features of the examples to fit, and which of them they are."""
        pool = [
            at
            for at, each in enumerate(self.fitted)
            if (set(each.labels) != {Label.IDENTITY_ATTACK})
            if blind or Label.IDENTITY_ATTACK in each.labels
        ]
        file = self.work / f"features-{'blind' if blind else 'sighted'}.npz"
        if file.is_file():
            return sparse.load_npz(file), pool
        features = TokenFeatures(vocabulary=self.vocabulary, blind=blind, dtype=np.float32)
        matrix = features.transform([self.fitted[at].text[:TEXT_LIMIT] for at in pool])
        sparse.save_npz(file, matrix, compressed=False)
        self.say(f"counted {matrix.nnz:,} features of {len(pool):,} rows")
        return matrix, pool

    def weights(self) -> tuple[NDArray[np.float32], Floats]:
        """Fit every head; return the table of weights and the intercepts."""
        table = np.zeros((ngrams.ROWS, len(LABELS)))
        intercepts = np.zeros(len(LABELS))
        for sighted in (False, True):
            mine = [(at, head) for at, head in enumerate(HEADS) if head.sighted is sighted]
            matrix, pool = self.matrix(blind=not sighted)
            fits = joblib.Parallel(n_jobs=self.jobs, prefer="threads")(
                joblib.delayed(self._head)(at, head, matrix, pool) for at, head in mine
            )
            shares = np.zeros(len(LABELS))
            for (_, head), fit in zip(mine, fits, strict=True):
                if fit is not None:
                    column = LABELS.index(head.label)
                    table[:, column] += head.share * fit[0]
                    intercepts[column] += head.share * fit[1]
                    shares[column] += head.share
            fitted = shares > 0
            table[:, fitted] /= shares[fitted]
            intercepts[fitted] /= shares[fitted]
        # Rounded as they will be stored, so that everything measured is measured on what ships.
        return table.astype(np.float16).astype(np.float32), intercepts

    def _head(
        self, number: int, head: Head, matrix: sparse.csr_matrix, pool: Sequence[int]
    ) -> tuple[Floats, float] | None:
        wanted = self._wanted(head)
        mine = [
            (place, self.fitted[at])
            for place, at in enumerate(pool)
            if head.label in self.fitted[at].labels and self.fitted[at].source in wanted
        ]
        truth = np.array([each.labels[head.label] for _, each in mine], dtype=bool)
        if min(truth.sum(), (~truth).sum()) < _LEAST:
            return None
        file = self.work / f"head-{number}-{head.label.value}-{head.penalty}.npy"
        if file.is_file():
            stored = np.load(file, allow_pickle=False)
            return stored[:-1], float(stored[-1])
        weights = np.array([each.weight for _, each in mine])
        found, intercept = regression(
            matrix[[place for place, _ in mine]],
            truth,
            weights,
            penalty=head.penalty,
            bayes=head.bayes,
        )
        np.save(file, np.append(found, intercept), allow_pickle=False)
        self.say(f"fitted {head.label.value} on {len(mine):,} rows, {truth.sum():,} positive")
        return found, intercept

    def _wanted(self, head: Head) -> frozenset[str]:
        """Return the sources of *head*: one's own always, and all where none of its own is here."""
        own = self.sources - set(corpus.SOURCES)
        if head.sources is None or not head.sources & self.sources:
            return self.sources | {"made_up"}
        return head.sources | own


def second_stage(
    label: Label, totals: Floats, peaks: Floats, truth: Truth
) -> tuple[Floats, Floats, float]:
    """Fit a label's logit on the sums and peaks of texts that no head was fitted on.

    Returns the columns of `Stage`: mixing, peaking, intercept. Labels of the same data see each
    other; the others, and identity_attack, whose meaning differs between its data, themselves
    alone.
    """
    mixed = label in WIKI and label is not Label.IDENTITY_ATTACK
    seen = WIKI if mixed else (label,)
    columns = [LABELS.index(each) for each in seen]
    inputs = np.hstack((totals[:, columns], peaks[:, columns]))
    scaler = StandardScaler().fit(inputs)
    head = LogisticRegression(C=0.1, max_iter=1000).fit(scaler.transform(inputs), truth)
    slopes = head.coef_[0] / scaler.scale_
    mixing, peaking = np.zeros(len(LABELS)), np.zeros(len(LABELS))
    mixing[columns], peaking[columns] = np.split(slopes, 2)
    return mixing, peaking, float(head.intercept_[0] - scaler.mean_ @ slopes)


def train(
    data: Path,
    out: Path,
    *,
    name: str,
    made: str,
    seed: int = 7,
    jobs: int = 2,
    work: Path | None = None,
    say: Say = lambda _: None,
) -> str:
    """Train a bundle called *name* from the files in *data*; return its manifest's SHA-256.

    *made* is the date to state; *work* is where stages are kept, by default beside *out*. Writes
    manifest, arrays, metrics.json and card.md to *out*.
    """
    run = Training(data, work or out.with_name(f"{out.name}.work"), seed=seed, jobs=jobs, say=say)
    table, intercepts = run.weights()
    plain = np.tile(1 / (1 + np.exp(-calibration.grid())), (len(LABELS), 1))
    flat = Calibration(plain, low=calibration.LOW, high=calibration.HIGH)
    bare = Scorer(table, Stage.none(intercepts), flat, run.vocabulary)
    totals, peaks = bare.pooled([each.text for each in run.held])
    folds = np.array([each.group // 100 % FOLDS for each in run.held])
    stage = Stage(
        np.full(len(LABELS), _NEVER),
        np.zeros((len(LABELS), len(LABELS))),
        np.zeros((len(LABELS), len(LABELS))),
    )
    values = plain.copy()
    labels: dict[str, Any] = {}
    development: dict[str, Any] = {}
    for column, label in enumerate(LABELS):
        known = np.array([label in each.labels for each in run.held], dtype=bool)
        truth = np.array([each.labels.get(label, False) for each in run.held], dtype=bool)
        measured = known & np.array([_measures(each, label) for each in run.held], dtype=bool)
        if min((measured & truth).sum(), (measured & ~truth).sum()) < FOLDS:
            labels[label.value] = _UNLEARNT
            continue
        crossed = np.zeros(len(truth))
        for fold in range(FOLDS):
            rest, mine = known & (folds != fold), known & (folds == fold)
            mixing, peaking, start = second_stage(label, totals[rest], peaks[rest], truth[rest])
            crossed[mine] = totals[mine] @ mixing + peaks[mine] @ peaking + start
        stage.mixing[:, column], stage.peaking[:, column], stage.intercepts[column] = second_stage(
            label, totals[known], peaks[known], truth[known]
        )
        logits, right, side = crossed[measured], truth[measured], folds[measured]
        values[column] = calibration.curve(logits, right)
        scores = np.empty(len(logits))
        for fold in range(FOLDS):
            steps = calibration.curve(logits[side != fold], right[side != fold])
            scores[side == fold] = np.interp(logits[side == fold], calibration.grid(), steps)
        development[label.value] = evaluation.figures(scores, right, ranks=logits)
        labels[label.value] = _entry(label, scores, right, logits, values[column])
    scorer = Scorer(
        table,
        stage,
        Calibration(values, low=calibration.LOW, high=calibration.HIGH),
        run.vocabulary,
    )
    say("calibrated")
    saw = corpus.seen(each.text for each in (*run.fitted, *run.held) if each.source != "made_up")
    spam = labels[Label.SPAM.value]["thresholds"].get("spam")
    manifest = {
        "name": name,
        "made": made,
        "language": "en",
        "labels": labels,
        "sources": _sources(run),
        "seed": seed,
        "libraries": _libraries(),
        "metrics": {
            "development": development,
            **evaluation.measure(scorer, data, seen=saw, spam=spam),
        },
    }
    digest = bundle.save(out, scorer=scorer, seen=saw, manifest=manifest)
    card.write(out, bundle.load(out, digest=digest).manifest)
    say(f"wrote {out}, manifest SHA-256 {digest}")
    return digest


_UNLEARNT: dict[str, Any] = {
    "evidence": "none",
    "calibration": "none",
    "thresholds": {"hold": None},
}


def _measures(example: Example, label: Label) -> bool:
    """Return whether the held-out *example* is of the kind *label* is measured on.

    Spam on every spam and ham source; the others on talk pages, whose rows were sampled at random.
    """
    if example.source not in corpus.SOURCES or label is Label.SPAM:
        return example.measured
    return example.measured and example.source == "jigsaw_wiki"


def _entry(
    label: Label, scores: Floats, truth: Truth, logits: Floats, curve: Floats
) -> dict[str, Any]:
    """Return what the manifest says of *label*: evidence, calibration and thresholds.

    *scores* were calibrated crosswise, for the figures; thresholds are chosen by *logits*, and
    stated as the probabilities that the shipped *curve* gives them.
    """

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
        "languages": ["en"],
        "reliability": [
            [round(value, 5) for value in each.values()]
            for each in evaluation.reliability(scores, truth)
        ],
        "curve": picking.curve(np.interp(logits, calibration.grid(), curve), truth),
    }


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
