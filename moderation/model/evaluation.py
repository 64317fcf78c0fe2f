"""Measure a bundle on rows it was not made with, and write the figures and the model card.

No figure of the card is typed by hand. Data files that are not there give no figures; a row the
bundle was made with gives an error, not a figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from moderation.errors import EvaluationRefused
from moderation.model import corpus, evasion
from moderation.model.calibration import Floats, Truth, threshold
from moderation.model.scoring import Scored, Scorer
from moderation.text import identity
from moderation.text.normal import normalise
from moderation.verdict import LABELS, Label

BINS = 15  # of a reliability table, of equal mass
_MAJORITY = 0.5  # of the raters
ROUNDS = 200  # of a bootstrap
_EVASION_PRECISION = 0.95
_KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class TestSet:
    """Rows of an official split, and the label they are measured for."""

    file: str
    key: str
    splits: tuple[str, ...] = ("test",)
    sample: str | None = None
    language: str | None = None

    @property
    def label(self) -> Label:
        """The label that *key* stands for in a data file."""
        return corpus.KEYS[self.key]


JIGSAW = tuple(
    TestSet("jigsaw_wiki", key, sample="random")
    for key, label in corpus.KEYS.items()
    if label in corpus.WIKI
)
OTHERS = (
    TestSet("gab_hate_corpus", "identity_hate"),
    TestSet("edos_sexism", "identity_hate"),
    TestSet("hatexplain_valtest", "identity_hate"),
    TestSet("hatemoji_build", "identity_hate"),
    TestSet("stormfront", "identity_hate"),
    TestSet("bias_madlibs77k", "toxic"),
)
LANGUAGES = tuple(
    TestSet(file, key, splits, language=language)
    for file, language, splits, keys in (
        ("germeval2018_de", "de", ("test",), ("toxic", "obscene", "insult", "identity_hate")),
        ("told_br_pt", "pt", ("train",), ("toxic", "obscene", "insult", "identity_hate")),
        ("mlma_en_fr_ar", "fr", ("train",), ("toxic", "identity_hate")),
        ("mlma_en_fr_ar", "ar", ("train",), ("toxic", "identity_hate")),
    )
    for key in keys
)
HAM = (
    TestSet("unhealthy_conversations", "spam", ("valid", "test")),
    TestSet("goemotions_ham", "spam", ("valid", "test")),
)


class Sides(NamedTuple):
    """What was said of some rows of a label, and what is true of them."""

    scores: Floats
    truth: Truth


class Evaluated(NamedTuple):
    """The *figures* of an evaluation, and the scores behind them: test set, label, rows."""

    figures: dict[str, Any]
    scored: dict[str, dict[str, Sides]]


def figures(
    scores: Floats,
    truth: Truth,
    *,
    ranks: Floats | None = None,
) -> dict[str, Any]:
    """Rows, positives, AUC with its interval, average precision and calibration of *scores*.

    *ranks* order the rows where *scores* were calibrated piecewise. A figure that one class
    alone cannot have is None. The Brier score stands beside that of the base rate.
    """
    order = scores if ranks is None else ranks
    both = 0 < truth.sum() < truth.size
    found: dict[str, Any] = {
        "rows": int(truth.size),
        "positives": int(truth.sum()),
        "auc": _rounded(roc_auc_score(truth, order)) if both else None,
        "auc_interval": interval(order, truth) if both else None,
        "average_precision": _rounded(average_precision_score(truth, order)) if both else None,
        "ece": _rounded(calibration_error(scores, truth)) if truth.size else None,
    }
    if truth.size:
        found["brier"] = _rounded(np.mean((scores - truth) ** 2), 5)
        found["brier_of_base_rate"] = _rounded(truth.mean() * (1 - truth.mean()), 5)
    return found


def _rounded(value: float | np.floating[Any], digits: int = 4) -> float:
    return round(float(value), digits)


def interval(order: Floats, truth: Truth, *, seed: int = 1) -> list[float]:
    """Return the 95 % bootstrap interval of the AUC, rows drawn with replacement."""
    return [
        _rounded(value) for value in np.percentile(resampled(order, truth, seed=seed), (2.5, 97.5))
    ]


def resampled(order: Floats, truth: Truth, *, seed: int = 1, rounds: int = ROUNDS) -> Floats:
    """Return the AUC of *rounds* samples of the rows; the same seed draws the same rows."""
    draw = np.random.default_rng(seed)
    _, place = np.unique(order, return_inverse=True)
    size = int(place.max()) + 1
    found = np.full(rounds, np.nan)
    for each in range(rounds):
        picked = draw.integers(0, truth.size, truth.size)
        right = truth[picked]
        positive = np.bincount(place[picked[right]], minlength=size)
        negative = np.bincount(place[picked[~right]], minlength=size)
        # Of each positive: the negatives below it, and half of those beside it.
        below = negative.cumsum() - negative / 2
        found[each] = positive @ below / max(right.sum() * (~right).sum(), 1)
    return found


def calibration_error(scores: Floats, truth: Truth) -> float:
    """Return the expected calibration error over bins of equal mass."""
    return sum(
        abs(each["predicted"] - each["observed"]) * each["share"]
        for each in reliability(scores, truth)
    )


def reliability(scores: Floats, truth: Truth) -> list[dict[str, float]]:
    """Return mean prediction and share of positives, bin by bin of equal mass."""
    order = np.argsort(scores, kind="stable")
    return [
        {
            "predicted": float(scores[each].mean()),
            "observed": float(truth[each].mean()),
            "share": len(each) / len(scores),
        }
        for each in np.array_split(order, min(BINS, len(order)))
    ]


def measure(
    scorer: Scorer,
    data: Path,
    *,
    seen: NDArray[np.uint64],
    spam: float | None = None,
    language: str = "en",
) -> Evaluated:
    """Measure the official test rows of the *language* that was learnt, and what others are worth.

    Of English also other test sets, the evasions and the identity templates. *spam* is the
    threshold at which false positives on ham are counted. Raises EvaluationRefused where one of
    the rows is in *seen*, and DataUnreadable.
    """
    reading = _Reading(scorer, data, seen, language)
    own = _own(scorer, data, seen)
    official = [each for each in LANGUAGES if each.language == language and reading.has(each)]
    found = {
        "test_random": {
            each.label.value: reading.figures(each) for each in JIGSAW if reading.has(each)
        },
        **(
            {"test_official": {each.label.value: reading.figures(each) for each in official}}
            if official
            else {}
        ),
        "other_tests": {
            each.file: {"label": each.label.value, **reading.figures(each)}
            for each in OTHERS
            if reading.has(each)
        },
        "languages": reading.languages(),
        "ham": {} if spam is None else reading.harmless(spam),
        "own_tests": {
            name: {label: figures(*sides) for label, sides in of.items()}
            for name, of in own.items()
        },
        "evasions": reading.evasions(),
        "identity_bias": reading.bias(),
    }
    scored = {
        **own,
        "test_random": {
            each.label.value: reading.sides(each) for each in JIGSAW if reading.has(each)
        },
        "test_official": {each.label.value: reading.sides(each) for each in official},
        "other_tests": {each.file: reading.sides(each) for each in OTHERS if reading.has(each)},
    }
    return Evaluated(found, scored)


class _Reading:
    """The test sets of a folder, each read and scored once."""

    def __init__(self, scorer: Scorer, data: Path, seen: NDArray[np.uint64], language: str) -> None:
        self._language = language
        self._scorer = scorer
        self._data = data
        self._seen = seen
        self._rows: dict[TestSet, list[dict[str, Any]]] = {}
        self._read: dict[TestSet, Scored] = {}

    def has(self, wanted: TestSet) -> bool:
        """Return whether the set has rows; English ones are of use to an English model alone."""
        is_english = wanted.language is None
        return (self._language == "en" or not is_english) and bool(self.rows(wanted))

    def rows(self, wanted: TestSet) -> list[dict[str, Any]]:
        """Return the rows of the set."""
        if wanted not in self._rows:
            found = rows_of(self._data, wanted)
            _refuse_seen(wanted.file, [row["text"] for row in found], self._seen)
            self._rows[wanted] = found
        return self._rows[wanted]

    def _scored(self, wanted: TestSet) -> Scored:
        if wanted not in self._read:
            self._read[wanted] = self._scorer.read([row["text"] for row in self.rows(wanted)])
        return self._read[wanted]

    def scores(self, wanted: TestSet) -> Floats:
        """Return the probabilities of the set's label."""
        return self._scored(wanted).probabilities[:, LABELS.index(wanted.label)]

    def known(self, wanted: TestSet) -> float:
        """Return the share of the set's rows whose language the model says it knows."""
        return _rounded(self._scored(wanted).known.mean())

    def truth(self, wanted: TestSet) -> Truth:
        """Return which rows are positive."""
        return np.array([row["labels"][wanted.key] >= _MAJORITY for row in self.rows(wanted)])

    def figures(self, wanted: TestSet) -> dict[str, Any]:
        """Return the set's figures."""
        return figures(*self.sides(wanted))

    def sides(self, wanted: TestSet) -> Sides:
        """Return the set's probabilities, and which rows are positive."""
        return Sides(self.scores(wanted), self.truth(wanted))

    def harmless(self, spam: float) -> dict[str, Any]:
        """Return how much of what nobody calls spam scores *spam* or more, and what links do."""
        found: dict[str, Any] = {}
        for each in filter(self.has, HAM):
            wrong = self.scores(each) >= spam
            linked = np.array([normalise(row["text"]).links > 0 for row in self.rows(each)])
            for name, share in ((each.file, wrong), (f"{each.file}, with a link", wrong[linked])):
                if share.size:
                    rate = _rounded(share.mean(), 5)
                    found[name] = {"rows": share.size, "false_positives": rate}
        return found

    def languages(self) -> dict[str, Any]:
        """Return the figures of each label in other languages, and how much is said to be known."""
        found: dict[str, Any] = {}
        for each in filter(self.has, LANGUAGES):
            if each.language == self._language:
                continue
            mine = found.setdefault(str(each.language), {"known": self.known(each), "labels": {}})
            mine["labels"][each.label.value] = self.figures(each)
        return found

    def evasions(self) -> dict[str, Any]:
        """Return the share of found toxicity that is still found when every word is disguised."""
        wanted = JIGSAW[0]
        if not self.has(wanted):
            return {}
        scores, truth = self.scores(wanted), self.truth(wanted)
        chosen = threshold(scores, truth, _EVASION_PRECISION)
        if chosen is None:
            return {}
        caught = [
            row["text"]
            for row, score, toxic in zip(self.rows(wanted), scores, truth, strict=True)
            if toxic and score >= chosen[0]
        ]
        column = LABELS.index(wanted.label)
        kept = {
            name: _rounded(
                (self._scorer.score([disguise(t) for t in caught])[:, column] >= chosen[0]).mean()
            )
            for name, disguise in evasion.EVASIONS.items()
        }
        return {"found": len(caught), "kept": kept}

    def bias(self) -> dict[str, Any]:
        """Toxicity on sentences that differ in the group they name alone."""
        wanted = OTHERS[-1]
        if not self.has(wanted):
            return {}
        scores, truth = self.scores(wanted), self.truth(wanted)
        words = [set(row["text"].lower().encode().split()) for row in self.rows(wanted)]
        found: dict[str, Any] = {"all": {"auc": figures(scores, truth)["auc"]}}
        for word in sorted({each for some in words for each in some} & BIAS_TERMS):
            named = np.array([word in some for some in words])
            harmless = named & ~truth
            found[word.decode()] = {
                "auc": _rounded(roc_auc_score(truth[named], scores[named])),
                "false_positives": _rounded((scores[harmless] >= _KNOWN).mean()),
                "in_the_list": word in identity.TERMS,
            }
        return found


# The terms the templates are filled with (Dixon et al., 2018, archive/unintended_ml_bias).
BIAS_TERMS = frozenset(
    b"lesbian gay bisexual transgender trans queer lgbt lgbtq homosexual straight heterosexual "
    b"male female nonbinary african black white european hispanic latino latina latinx mexican "
    b"canadian american asian indian chinese japanese christian muslim jewish buddhist catholic "
    b"protestant sikh taoist old older young younger teenage millenial elderly blind deaf "
    b"paralyzed".split()
)


def _own(scorer: Scorer, data: Path, seen: NDArray[np.uint64]) -> dict[str, dict[str, Sides]]:
    """Return what was scored of the test rows of one's own files, label by label."""
    found: dict[str, dict[str, Sides]] = {}
    for path in corpus.own(data):
        name = path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".csv")
        name = path.name if name in found else name
        rows = [row for row in corpus.rows(path) if row["split"] == "test"]
        if not rows:
            continue
        texts = [row["text"] for row in rows]
        _refuse_seen(name, texts, seen)
        scores = scorer.score(texts)
        found[name] = {}
        for key, label in corpus.KEYS.items():
            known = np.array([key in row["labels"] for row in rows])
            truth = np.array([row["labels"].get(key, 0) >= _MAJORITY for row in rows])
            if known.any():
                column = scores[known, LABELS.index(label)]
                found[name][label.value] = Sides(column, truth[known])
    return found


def rows_of(data: Path, wanted: TestSet) -> list[dict[str, Any]]:
    """Return the rows of *wanted* that know its label. Raises DataUnreadable."""
    path = data / f"{wanted.file}.jsonl.gz"
    return [
        row
        for row in (corpus.rows(path) if path.is_file() else ())
        if row["split"] in wanted.splits
        and wanted.key in row["labels"]
        and wanted.sample in {None, row.get("meta", {}).get("sample")}
        and wanted.language in {None, row.get("lang")}
    ]


def _refuse_seen(name: str, texts: Sequence[str], seen: NDArray[np.uint64]) -> None:
    numbers = corpus.seen(texts)
    met = numbers[np.isin(numbers, seen)]
    if met.size:
        # Which one: "Thanks!" is among everybody's comments, and somebody has to find it.
        first = next(text for text in texts if np.isin(corpus.seen([text]), met).all())
        raise EvaluationRefused(
            f"{name}: expected rows that the bundle was not made with, got {met.size} that it was,"
            f" the first {first!r:.60}"
        )
