"""Fit the heads of a bundle: logistic regressions over the tokens of labelled comments.

Stage after stage, each kept in a work folder, so that a run that was cut off goes on where it
was. The same seed, data and library versions give the same weights.
"""

import hashlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident
from zlib import crc32

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from moderation.errors import DataUnreadable
from moderation.model import corpus
from moderation.model.calibration import Floats, Truth
from moderation.model.corpus import WIKI, Example
from moderation.model.features import TokenFeatures
from moderation.model.invention import INVENTED, PHRASES, made_up
from moderation.model.scoring import MEANS, PEAKS, POOLED, SUMS
from moderation.text import ngrams
from moderation.text.disguise import Vocabulary, swapped
from moderation.text.normal import normalise
from moderation.verdict import LABELS, Label

Say = Callable[[str], None]

TEXT_LIMIT = 1500  # characters of a training text; the long tail costs memory and adds nothing
_MET_LEAST = 6  # texts that a word of the vocabulary was met in
_VOCABULARY = 40_000  # words
_MISTYPED = 50  # times; rarer than the marked word it is with two letters swapped
_LEAST = 20  # positives and negatives without which a label is not learnt
_HELD_LEAST = 10  # rows; with fewer held out no label can be measured
_WORD = re.compile(rb"[a-z](?:[a-z']*[a-z])?")
_CODE = (
    "model/corpus.py",
    "model/features.py",
    "model/fitting.py",
    "model/invention.py",
    "text/addresses.py",
    "text/disguise.py",
    "text/homoglyphs.py",
    "text/identity.py",
    "text/ngrams.py",
    "text/normal.py",
)


@dataclass(frozen=True, slots=True)
class Head:
    """One logistic regression: the examples of *sources* (None: all) that know *label*.

    A label's weights are the mean of its heads', by *share*.
    """

    label: Label
    sources: frozenset[str] | None
    penalty: float  # scikit-learn's C
    bayes: bool = False  # columns weighed by their log odds: helps frequent labels, harms rare ones
    balanced: bool = False  # its few positives weigh as much as the many negatives
    share: float = 1.0
    sighted: bool = False  # sees which group is named


_WIKI_ONLY = frozenset({"jigsaw_wiki", PHRASES})
_OTHERS = frozenset(corpus.SOURCES) - _WIKI_ONLY | {PHRASES}
_BLIND = tuple(label for label in WIKI if label is not Label.IDENTITY_ATTACK)
HEADS = (
    Head(Label.TOXICITY, _WIKI_ONLY, 0.15, bayes=True, share=0.85),
    Head(Label.TOXICITY, _OTHERS, 0.1, share=0.15),
    Head(Label.SEVERE_TOXICITY, _WIKI_ONLY, 0.1),
    Head(Label.OBSCENE, _WIKI_ONLY, 0.15, bayes=True),
    Head(Label.THREAT, _WIKI_ONLY, 0.1, balanced=True),
    Head(Label.INSULT, _WIKI_ONLY, 0.1),
    # The two kinds of data mean different things by the label; one head each, then their mean.
    Head(Label.IDENTITY_ATTACK, _WIKI_ONLY, 0.1, share=0.6, sighted=True),
    Head(Label.IDENTITY_ATTACK, _OTHERS, 0.1, share=0.4, sighted=True),
    Head(Label.SPAM, None, 0.3),
    Head(Label.SEXUAL_EXPLICIT, None, 0.1),
)
ONCE = frozenset({Label.SPAM})
"""Labels whose heads are not fitted again on the held-out rows: more of the spam of places it
knows made this one worse where it has not been."""


def vocabulary(texts: Iterable[str], marked: frozenset[bytes]) -> Vocabulary:
    """Return the words of ASCII letters that *texts* share, the most frequent first.

    Those in *marked*, and those that only add to one of them, are the ones people disguise.
    """
    met: Counter[bytes] = Counter()
    for text in texts:
        met.update({word for word in normalise(text).words if _WORD.fullmatch(word)})

    def mistyped(word: bytes) -> bool:
        """Return whether *word* is a marked one with two letters swapped, not a word itself."""
        return any(
            other in marked and met[other] >= _MISTYPED * max(met[word], 1)
            for other in swapped(word)
        )

    often = [
        (count, word) for word, count in met.items() if count >= _MET_LEAST and not mistyped(word)
    ]
    words = [word for _, word in sorted(often, key=lambda each: (-each[0], each[1]))]
    words = words[:_VOCABULARY]
    words += sorted(word for word in marked - set(words) if not mistyped(word))
    stems = tuple(word for word in marked if len(word) >= 4)  # noqa: PLR2004 - shorter ones begin too much
    return Vocabulary(words, marked=[w for w in words if w in marked or w.startswith(stems)])


def regression(
    matrix: sparse.csr_matrix,
    truth: Truth,
    sample_weight: Floats,
    *,
    penalty: float,
    bayes: bool = False,
    balanced: bool = False,
) -> Floats:
    """Logistic regression over columns scaled by their inverse document frequency.

    With *bayes* also by the root of their log odds ratio (after Wang and Manning, 2012). Where
    *balanced*, positives weigh as much as negatives. Returns weights for the unscaled columns; the
    intercept is left to the second stage.
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
    head = LogisticRegression(
        C=penalty, max_iter=60, tol=1e-4, class_weight="balanced" if balanced else None
    )
    with warnings.catch_warnings():
        # Stopping early is one more penalty; the last iterations move no measured figure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        head.fit(packed, truth, sample_weight=sample_weight)
    weights = np.zeros(matrix.shape[1])
    weights[used] = head.coef_[0] * scale[used]
    return weights


class Training:
    """One run: the examples of *data*, and the folder its stages are kept in.

    *language* says which public files there may be used; *fold* which fifth of the rows is held
    out: a bundle is made with the first. Raises DataUnreadable where there is too little.
    """

    def __init__(
        self,
        data: Path,
        work: Path,
        *,
        seed: int,
        jobs: int,
        say: Say,
        language: str = "en",
        fold: int = 0,
    ) -> None:
        self.language = language
        self.fold = fold
        self.work = work
        self.seed = seed
        self.jobs = jobs
        self.say = say
        self.files = [*corpus.sources(data, language), *(data / name for name in corpus.LISTS)]
        self.files = [path for path in self.files if path.is_file()]
        self.digests = corpus.digests(self.files)
        work.mkdir(parents=True, exist_ok=True)
        self._check_work()
        found = corpus.examples(data, language=language, fold=fold)
        self.sources = frozenset(each.source for each in found)
        self.held = [each for each in found if each.held]
        self.fitted = [each for each in found if not each.held]
        if language == "en":
            self.fitted += made_up(seed)
        terms = corpus.explicit_terms(data)
        if terms:
            for each in found:
                if each.source in {"jigsaw_wiki", "goemotions_ham", "gab_hate_corpus"}:
                    words = normalise(each.text).words
                    each.labels[Label.SEXUAL_EXPLICIT] = not terms.isdisjoint(words)
        say(f"read {len(found):,} rows, {len(self.held):,} held out")
        if len(self.held) < _HELD_LEAST or len(self.fitted) < 2 * _LEAST:
            raise DataUnreadable(
                f"{data}: expected {2 * _LEAST} rows to fit on and {_HELD_LEAST} held out, "
                "of labels with positives and negatives, near-duplicates on one side, "
                f"got {len(found) - len(self.held)} and {len(self.held)}"
            )
        self.vocabulary = vocabulary(
            (each.text for each in self.fitted if each.source != PHRASES),
            corpus.profanities(data, language),
        )

    def _check_work(self) -> None:
        """Forget what other data, another seed or other code left in the work folder."""
        code = hashlib.sha256()
        for name in _CODE:
            code.update((Path(__file__).parents[1] / name).read_bytes())
        mark = json.dumps([self.digests, self.seed, self.language, self.fold, code.hexdigest()])
        file = self.work / "of.json"
        if not file.is_file() or file.read_text(encoding="utf-8") != mark:
            for old in self.work.glob("*.np?"):
                old.unlink()
            file.write_text(mark, encoding="utf-8")

    def examples(self, *, whole: bool) -> list[Example]:
        """Return what heads are fitted on; the *whole* has the held-out rows, too, at its end."""
        return [*self.fitted, *self.held] if whole else self.fitted

    def matrix(
        self, heads: Sequence[Head], *, blind: bool, whole: bool = False
    ) -> tuple[sparse.csr_matrix, list[int]]:
        """Return the features of the examples that *heads* are fitted on, and which they are."""
        wanted = [(head.label, self._wanted(head)) for head in heads]
        examples = self.examples(whole=whole)
        pool = [
            at
            for at, each in enumerate(examples)
            if any(label in each.labels and each.source in sources for label, sources in wanted)
        ]
        number = crc32(np.array(pool).tobytes())
        file = self.work / f"features-{'blind' if blind else 'sighted'}-{number:08x}.npz"
        if file.is_file():
            self.say(f"features of {len(pool):,} rows were counted before")
            return sparse.load_npz(file), pool
        features = TokenFeatures(vocabulary=self.vocabulary, blind=blind, dtype=np.float32)
        matrix = features.transform([examples[at].text[:TEXT_LIMIT] for at in pool])
        with _drafted(file) as draft:
            sparse.save_npz(draft, matrix, compressed=False)
        self.say(f"counted {matrix.nnz:,} features of {len(pool):,} rows")
        return matrix, pool

    def learnable(self, heads: Sequence[Head] = HEADS) -> list[Head]:
        """Return those of *heads* that have enough rows; say which have not.

        The held-out rows do not count, fitted on or not: a head that was left out the first time
        was not measured, and a second stage that never saw its sums can make nothing of them. Nor
        do made-up phrases: they add to a label and cannot stand for it.
        """
        found = []
        for head in heads:
            wanted = self._wanted(head)
            truth = Counter(
                each.labels[head.label]
                for each in self.fitted
                if head.label in each.labels and each.source in wanted - {PHRASES}
            )
            if min(truth[True], truth[False]) >= _LEAST:
                found.append(head)
            else:
                self.say(
                    f"{head.label.value} has too few rows to be fitted: expected {_LEAST} "
                    f"positive and {_LEAST} negative, got {truth[True]} and {truth[False]}"
                )
        return found

    def weights(self, heads: Sequence[Head] = HEADS, *, whole: bool = False) -> NDArray[np.float32]:
        """Fit *heads*; return the table of weights, a column a label, as it will be stored.

        Where *whole*, the held-out rows are fitted on, too. All have to be `learnable`.
        """
        table = np.zeros((ngrams.ROWS, len(LABELS)))
        shares = np.zeros(len(LABELS))
        for sighted in (False, True):
            mine = [head for head in heads if head.sighted is sighted]
            if not mine:
                continue
            matrix, pool = self.matrix(mine, blind=not sighted, whole=whole)
            # More threads would add up in another order, and wait for each other.
            with threadpool_limits(1, "blas"):
                fits = joblib.Parallel(n_jobs=self.jobs, prefer="threads")(
                    joblib.delayed(self._head)(head, matrix, pool, whole=whole) for head in mine
                )
            for head, fit in zip(mine, fits, strict=True):
                column = LABELS.index(head.label)
                table[:, column] += head.share * fit
                shares[column] += head.share
        table[:, shares > 0] /= shares[shares > 0]
        # Rounded as they will be stored, so that everything measured is measured on what ships.
        return table.astype(np.float16).astype(np.float32)

    def _head(
        self, head: Head, matrix: sparse.csr_matrix, pool: Sequence[int], *, whole: bool
    ) -> Floats:
        wanted = self._wanted(head)
        examples = self.examples(whole=whole)
        mine = [
            (place, examples[at])
            for place, at in enumerate(pool)
            if head.label in examples[at].labels and examples[at].source in wanted
        ]
        truth = np.array([each.labels[head.label] for _, each in mine], dtype=bool)
        # A row is penalised as much as without the others: so the sums keep the spread that the
        # second stage and the calibration were fitted to.
        unheld = sum(1 for at, _ in mine if pool[at] < len(self.fitted))
        penalty = head.penalty * unheld / len(mine)
        made = (sorted(wanted), penalty, head.bayes, head.balanced, whole)
        file = self.work / f"head-{head.label.value}-{crc32(repr(made).encode()):08x}.npy"
        if file.is_file():
            stored: Floats = np.load(file, allow_pickle=False)
            self.say(f"{head.label.value} was fitted before")
            return stored
        weights = np.array([each.weight for _, each in mine])
        found = regression(
            matrix[[place for place, _ in mine]],
            truth,
            weights,
            penalty=penalty,
            bayes=head.bayes,
            balanced=head.balanced,
        )
        with _drafted(file) as draft:
            np.save(draft, found, allow_pickle=False)
        self.say(f"fitted {head.label.value} on {len(mine):,} rows, {truth.sum():,} positive")
        return found

    def _wanted(self, head: Head) -> frozenset[str]:
        """Return the sources of *head*: one's own always, and all where none of its own is here."""
        own = self.sources - set(corpus.SOURCES)
        if head.sources is None or not head.sources & self.sources:
            return self.sources | INVENTED
        return head.sources | own


@contextmanager
def _drafted(file: Path) -> Iterator[Path]:
    """Lend the path of a draft that becomes *file* once it is whole: a run can be cut off here.

    Two heads that are alike have one file, and may be written at once.
    """
    draft = file.with_name(f"draft-{get_ident()}-{file.name}")
    yield draft
    draft.replace(file)


def second_stage(label: Label, pooled: Floats, truth: Truth) -> tuple[Floats, float]:
    """Fit a label's logit on what was pooled of texts that no head was fitted on.

    Returns the label's column of `Stage.slopes`, and its intercept. Labels of the same data see
    each other's sums and means; the others, and identity_attack, their own sum alone, for a mean
    helps none of them. All see their own peak. None but identity_attack sees identity_attack,
    which sees who is named.
    """
    columns = np.arange(POOLED)
    own = LABELS.index(label)
    blind = [LABELS.index(each) for each in _BLIND]
    pools = (
        (columns[SUMS][blind], columns[MEANS][blind])
        if label in _BLIND
        else (columns[SUMS][[own]],)
    )
    taken = np.concatenate((*pools, columns[PEAKS][[own]]))
    inputs = pooled[:, taken]
    scaler = StandardScaler().fit(inputs)
    head = LogisticRegression(C=0.1, max_iter=1000).fit(scaler.transform(inputs), truth)
    slopes = np.zeros(POOLED)
    slopes[taken] = head.coef_[0] / scaler.scale_
    return slopes, float(head.intercept_[0] - scaler.mean_ @ slopes[taken])
