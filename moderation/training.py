"""Train a bundle offline: read public data, fit one head a label, calibrate, choose thresholds.

    python -m moderation.training --data DIR --out DIR --name NAME --made DATE

Rules kept here: only sources of a permissive licence class; a missing label is unknown, never
negative; a column in which every known value is positive is never used; official valid and test
rows are never trained on; no near-duplicate of a development row is trained on. The same seed
and data give the same bundle.
"""

import argparse
import csv
import gzip
import hashlib
import json
import platform
import random
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import joblib
import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from moderation import bundle, evaluation, ngrams
from moderation.features import TokenFeatures
from moderation.scoring import Calibration, Scorer
from moderation.text import normalise
from moderation.verdict import LABELS, Label

KEYS = {
    "spam": Label.SPAM,
    "toxic": Label.TOXICITY,
    "severe_toxic": Label.SEVERE_TOXICITY,
    "obscene": Label.OBSCENE,
    "threat": Label.THREAT,
    "insult": Label.INSULT,
    "identity_hate": Label.IDENTITY_ATTACK,
    "sexual": Label.SEXUAL_EXPLICIT,
}
WIKI = (
    Label.TOXICITY,
    Label.SEVERE_TOXICITY,
    Label.OBSCENE,
    Label.THREAT,
    Label.INSULT,
    Label.IDENTITY_ATTACK,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A public data file: its licence class, the labels taken from it, how much it weighs."""

    licence: str
    labels: tuple[Label, ...]
    weight: float = 1.0
    only_positive: bool = False  # its negatives differ from its positives by language, not kind
    ham: bool = False  # nobody labelled spam, but moderated pages hold next to none


SOURCES = {
    "jigsaw_wiki": Source("permissive (text share-alike)", WIKI),
    "wiki_context_cat": Source("permissive", (Label.TOXICITY,), ham=True),
    "civil_toxicspans": Source("permissive", (Label.TOXICITY, Label.SPAM)),
    "surge_toxicity": Source("permissive", (Label.TOXICITY,)),
    "gab_hate_corpus": Source("permissive (memory)", (Label.TOXICITY, Label.IDENTITY_ATTACK)),
    "edos_sexism": Source("permissive", (Label.IDENTITY_ATTACK,)),
    "hatemoji_build": Source("permissive", (Label.IDENTITY_ATTACK,)),
    "fox_news_comments": Source("permissive", (Label.IDENTITY_ATTACK, Label.SPAM)),
    "goemotions_ham": Source("permissive", (Label.SPAM,)),
    "sms_spam": Source("permissive (memory)", (Label.SPAM,)),
    "youtube_spam_4videos": Source("permissive (memory)", (Label.SPAM,)),
    "telegram_spam_samples": Source("permissive", (Label.SPAM,), only_positive=True),
    "spamassassin": Source("permissive", (Label.SPAM,), weight=0.3),
}
LISTS = {
    "lists/surge_profanity_en.csv.gz": "permissive",
    "lists/ldnoobw_badwords.tsv.gz": "permissive",
}

# Replaced before every head but identity_attack is fitted: a word the fit never sees can carry
# no weight of its own, so that naming a group is not an insult. The scorer reads it as it is.
IDENTITY_TERMS = frozenset(
    b"gay gays lesbian lesbians bisexual transgender trans queer lgbt lgbtq homosexual "
    b"homosexuals heterosexual straight nonbinary muslim muslims islam islamic jew jews jewish "
    b"judaism christian christians christianity catholic catholics protestant buddhist hindu "
    b"sikh atheist black blacks white whites african africans asian asians arab arabs latino "
    b"latina hispanic mexican mexicans american americans chinese japanese indian indians "
    b"european middle eastern canadian immigrant immigrants refugee refugees woman women female "
    b"females man men male males girl girls boy boys old older young younger elderly blind deaf "
    b"paralyzed disabled handicapped feminist feminists".split()
)

_DEV_SHARE = 30  # percent of the groups of rows that may be held out
_TEXT_LIMIT = 1500  # characters of a training text; the long tail costs memory and adds nothing
_SKETCH = 4  # words by which near-duplicates are grouped
_POSITIVE, _NEGATIVE = 0.5, 0.3  # shares of raters; between them a row is left out
_ISOTONIC_FROM = 300  # positives
_GRID_LOW, _GRID_HIGH, _GRID = -12.0, 12.0, 385  # logits, knots
_HOLD_PRECISION = 0.75
_HOLD_LEAST = 0.25  # a comment this unlikely to be bad is not worth a moderator's time
_HOLD_OTHERWISE = 0.5  # where no threshold reaches the precision
_SPAM_PRECISION = 0.97  # aimed at; what is reached is stated
_MADE_UP = 1500  # spam and ham comments written by the generator, each
_EXPLETIVES = frozenset({"fuck", "ass", "shit", "bitch", "dick", "suck", "bastard", "damn", "hell"})


@dataclass(slots=True)
class Example:
    """A text with what is known about it."""

    text: str
    labels: dict[Label, bool]
    source: str
    weight: float
    group: int
    held: bool
    words: frozenset[bytes] = field(default_factory=frozenset)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a gzip JSON Lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def known(labels: dict[str, float]) -> dict[Label, bool]:
    """Return the labels the raters agreed on; whatever is absent stays unknown."""
    return {
        KEYS[key]: value >= _POSITIVE
        for key, value in labels.items()
        if value >= _POSITIVE or value < _NEGATIVE
    }


def examples(data: Path) -> list[Example]:
    """Every row that may be trained on or held out, in the order of `SOURCES`."""
    found = []
    for name, source in SOURCES.items():
        mine = [row for row in rows(data / f"{name}.jsonl.gz") if row["split"] == "train"]
        usable = [
            label
            for label in source.labels
            if source.only_positive or any(known(row["labels"]).get(label) is False for row in mine)
        ]
        for row in mine:
            labels = {
                label: value for label, value in known(row["labels"]).items() if label in usable
            }
            if source.ham:
                labels[Label.SPAM] = False
            if not labels or (source.only_positive and not any(labels.values())):
                continue
            found.append(_example(name, row, labels, source.weight))
    held = {example.group for example in found if example.held}
    return [example for example in found if example.held or example.group not in held]


def _example(name: str, row: dict[str, Any], labels: dict[Label, bool], weight: float) -> Example:
    words = normalise(row["text"]).words
    group = _group(words)
    meta = row.get("meta", {})
    full = name == "jigsaw_wiki" and meta.get("sample") == "random" and len(labels) == len(WIKI)
    measured = full or Label.SPAM in labels
    held = measured and group % 100 < _DEV_SHARE
    return Example(row["text"], labels, name, weight, group, held, frozenset(words))


def _group(words: Iterable[bytes]) -> int:
    """Return a number that near-duplicates mostly share, made of the smallest word hashes."""
    hashes = sorted({crc32(word) for word in words})[:_SKETCH]
    return crc32(np.array(hashes, dtype="<u4").tobytes())


def explicit_terms(data: Path) -> frozenset[bytes]:
    """Words for sexual acts and anatomy, without those mostly used as expletives."""
    terms = set()
    with gzip.open(data / "lists/surge_profanity_en.csv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            canonical = {row["canonical_form_1"], row["canonical_form_2"], row["canonical_form_3"]}
            if row["category_1"].startswith("sexual anatomy") and not canonical & _EXPLETIVES:
                terms.add(row["text"])
    with gzip.open(data / "lists/ldnoobw_badwords.tsv.gz", "rt", encoding="utf-8") as lines:
        pairs = (line.rstrip("\n").split("\t") for line in lines)
        terms.update(
            pair[1]
            for pair in pairs
            if pair[0] == "en" and not any(bad in pair[1] for bad in _EXPLETIVES)
        )
    shortest = 4
    return frozenset(
        term.lower().encode() for term in terms if term.isalpha() and len(term) >= shortest
    )


def made_up(seed: int) -> list[Example]:
    """Blog-comment spam and ham from templates; for training only, never for measuring."""
    draw = random.Random(seed)  # noqa: S311 - reproducible, not secret
    found = []
    for spam, templates in ((True, _SPAM_TEMPLATES), (False, _HAM_TEMPLATES)):
        for _ in range(_MADE_UP):
            text = " ".join(draw.sample(templates, draw.choice((1, 1, 2))))
            for slot, choices in _SLOTS.items():
                text = text.replace(slot, draw.choice(choices.split(",")).strip())
            found.append(Example(text, {Label.SPAM: spam}, "made_up", 1.0, -1, held=False))
    return found


_SLOTS = {
    "{good}": """\
cheap viagra, cialis, replica watches, payday loans, casino bonus, weight loss pills, followers,
essay writing service, bitcoin, SEO backlinks, designer handbags, pharmacy meds""",
    "{link}": """\
http://rx-meds.example.ru, https://best-offer.example.com/win, www.shop-now.example.net,
http://bit.ly/x1y2, cheap-meds.example.xyz, http://go.example.info/?id=7""",
    "{topic}": "article, post, blog, write-up, recipe, review, tutorial",
    "{sum}": "$500, $3500, $97, 12 000 dollars, 3000 USD",
    "{time}": "day, week, month, hour",
}
_SPAM_TEMPLATES = """\
Looking for {good}? Order today {link}
Nice {topic}, check out my website {link}
Best prices on {good}, click here: {link}
I earned {sum} last {time} working online. {link}
I quit my job and now earn {sum} every {time}, see how: {link}
Order {good} without prescription {link}
Hello, I found your {topic} via Google. Please visit {link} for {good}
FREE {good}!!! Limited offer, act now {link}
Get {good} today, lowest price guaranteed!
Make money online fast, {sum} per {time}, no experience needed! {link}
Thanks for the {topic}. Also see <a href="{link}">{good}</a>
Do you want more {good}? Contact me on WhatsApp +1 555 0100
[url={link}]{good}[/url]
My trader helped me recover {sum} in bitcoin, contact him {link}
Very informative {topic}. {good} at discount: {link}
""".splitlines()
_HAM_TEMPLATES = """\
Good {topic}, thanks a lot!
Thanks for sharing this {topic}.
I disagree with the last point in this {topic}.
Great {topic}! I learned a lot.
Could you write more about this?
Nice {topic}, but the second photo does not load.
I read about that here: https://en.wikipedia.org/wiki/Comment
Love it!!!
So true.
I paid {sum} for the same thing last {time}, not worth it.
This made my {time}!
My doctor told me something similar, good {topic}.
Has anyone tried this at home?
The source is at https://github.com/example/project if you want to check.
Thank you, best {topic} I have read this {time}
Wow, what a great {topic}!!
I work from home too and this {topic} helped me a lot
Please fix the typo in the title
""".splitlines()


@dataclass(frozen=True, slots=True)
class Head:
    """One logistic regression: the examples of *sources* that know *label* (None: all)."""

    label: Label
    sources: frozenset[str] | None
    penalty: float  # scikit-learn's C
    sighted: bool = False  # sees identity terms


_WIKI_ONLY = frozenset({"jigsaw_wiki"})
HEADS = (
    Head(Label.TOXICITY, None, 0.15),
    Head(Label.SEVERE_TOXICITY, _WIKI_ONLY, 0.1),
    Head(Label.OBSCENE, _WIKI_ONLY, 0.15),
    Head(Label.THREAT, _WIKI_ONLY, 0.15),
    Head(Label.INSULT, _WIKI_ONLY, 0.15),
    # The two kinds of data mean different things by the label; one head each, then their mean.
    Head(Label.IDENTITY_ATTACK, _WIKI_ONLY, 0.1, sighted=True),
    Head(Label.IDENTITY_ATTACK, frozenset(SOURCES) - _WIKI_ONLY, 0.1, sighted=True),
    Head(Label.SPAM, None, 1.0),
    Head(Label.SEXUAL_EXPLICIT, None, 0.15),
)


def fit(found: Sequence[Example], *, jobs: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the weights and intercepts fitted on the examples that are not held out."""
    training = [example for example in found if not example.held]
    blind = TokenFeatures(dtype=np.float32).transform([_blind(e.text) for e in training])
    at_sight = [
        at for at, example in enumerate(training) if Label.IDENTITY_ATTACK in example.labels
    ]
    sighted = TokenFeatures(dtype=np.float32).transform(
        [training[at].text[:_TEXT_LIMIT] for at in at_sight]
    )

    def one(head: Head) -> tuple[NDArray[np.float64], float]:
        pool = at_sight if head.sighted else range(len(training))
        mine = [
            (place, training[at])
            for place, at in enumerate(pool)
            if head.label in training[at].labels
            and (head.sources is None or training[at].source in head.sources)
        ]
        matrix = (sighted if head.sighted else blind)[[place for place, _ in mine]]
        truth = np.array([example.labels[head.label] for _, example in mine])
        weights = np.array([example.weight for _, example in mine])
        return _regression(matrix, truth, weights, head.penalty)

    fitted = joblib.Parallel(n_jobs=jobs, prefer="threads")(
        joblib.delayed(one)(head) for head in HEADS
    )
    table = np.zeros((ngrams.ROWS, len(LABELS)))
    intercepts = np.zeros(len(LABELS))
    for label in LABELS:
        mine = [each for head, each in zip(HEADS, fitted, strict=True) if head.label == label]
        table[:, LABELS.index(label)] = np.mean([weights for weights, _ in mine], axis=0)
        intercepts[LABELS.index(label)] = np.mean([intercept for _, intercept in mine])
    # Rounded as they will be stored, so that everything measured is measured on what ships.
    return table.astype(np.float16).astype(np.float32), intercepts


def _blind(text: str) -> str:
    """*text* cut to the training length, identity terms gone."""
    text = text[:_TEXT_LIMIT]
    return " ".join(
        "person"
        if word.strip(".,!?;:'\"()").lower().encode("utf-8", "replace") in IDENTITY_TERMS
        else word
        for word in text.split()
    )


def _regression(
    matrix: sparse.csr_matrix,
    truth: NDArray[np.bool_],
    sample_weight: NDArray[np.float64],
    penalty: float,
) -> tuple[NDArray[np.float64], float]:
    """Logistic regression over columns scaled by idf and by the root of their log odds ratio."""
    positive = 1 + np.asarray(matrix[truth].sum(axis=0)).ravel()
    negative = 1 + np.asarray(matrix[~truth].sum(axis=0)).ravel()
    odds = np.log((positive / positive.sum()) / (negative / negative.sum()))
    seen = np.bincount(matrix.indices, minlength=matrix.shape[1])
    scale = np.sqrt(np.abs(odds)) * (1 + np.log((1 + matrix.shape[0]) / (1 + seen)))
    # Rows of the table that no example has are left out of the fit; their weight is zero anyway.
    used = seen > 0
    places = (used.cumsum() - 1).astype(np.int32)
    values = matrix.data * scale[matrix.indices]
    shape = (matrix.shape[0], int(used.sum()))
    packed = sparse.csr_matrix((values, places[matrix.indices], matrix.indptr), shape=shape)
    head = LogisticRegression(C=penalty, max_iter=80, tol=1e-6)
    with warnings.catch_warnings():
        # Stopping early is one more penalty; the last iterations move no measured figure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        head.fit(packed, truth, sample_weight=sample_weight)
    weights = np.zeros(ngrams.ROWS)
    weights[used] = head.coef_[0] * scale[used]
    return weights, float(head.intercept_[0])


def calibration(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return probabilities at the knots of the grid: isotonic where there is enough, else Platt.

    A hundredth of the Platt curve is mixed into the isotonic steps, so that equal steps keep
    the order of the logits.
    """
    grid = np.linspace(_GRID_LOW, _GRID_HIGH, _GRID)
    platt = LogisticRegression(C=100.0).fit(logits[:, None], truth)
    smooth: NDArray[np.float64] = platt.predict_proba(grid[:, None])[:, 1]
    if truth.sum() < _ISOTONIC_FROM:
        return smooth
    steps = IsotonicRegression(out_of_bounds="clip").fit(logits, truth).predict(grid)
    mixed: NDArray[np.float64] = 0.99 * steps + 0.01 * smooth
    return mixed


def threshold(
    scores: NDArray[np.float64], truth: NDArray[np.bool_], precision: float, *, least: int = 20
) -> tuple[float, float] | None:
    """Return the lowest score from which on *precision* holds, and the precision reached there.

    None when no threshold with at least *least* scores above it reaches it.
    """
    order = np.argsort(-scores, kind="stable")
    reached = truth[order].cumsum() / np.arange(1, len(order) + 1)
    last = np.append(np.diff(scores[order]) != 0, True)  # of scores that are equal
    good = np.flatnonzero((reached >= precision) & last & (np.arange(len(order)) + 1 >= least))
    if not good.size:
        return None
    at = int(good[-1])
    return float(scores[order][at]), float(reached[at])


def _say(stage: str) -> None:
    sys.stdout.write(f"{stage}\n")
    sys.stdout.flush()


def train(data: Path, out: Path, *, name: str, made: str, seed: int = 7, jobs: int = 2) -> str:
    """Train a bundle called *name* from the files in *data*; return its manifest's SHA-256.

    *made* is the date to state. Writes manifest, arrays, metrics.json and card.md to *out*.
    """
    found = examples(data)
    terms = explicit_terms(data)
    for example in found:
        if example.source in {"jigsaw_wiki", "goemotions_ham", "gab_hate_corpus"}:
            example.labels[Label.SEXUAL_EXPLICIT] = not terms.isdisjoint(example.words)
    held = [example for example in found if example.held]
    _say(f"read {len(found)} rows, {len(held)} held out")
    table, intercepts = fit([*found, *made_up(seed)], jobs=jobs)
    _say(f"fitted {len(HEADS)} heads")
    values = np.tile(1 / (1 + np.exp(-np.linspace(_GRID_LOW, _GRID_HIGH, _GRID))), (len(LABELS), 1))
    bare = Scorer(table, intercepts, Calibration(values, low=_GRID_LOW, high=_GRID_HIGH))
    logits = bare.logits([example.text for example in held])
    sides = np.array([example.group // 100 % 2 for example in held], dtype=bool)
    labels: dict[str, Any] = {}
    development = {}
    for column, label in enumerate(LABELS):
        mask = np.array([_measures(example, label) for example in held])
        truth = np.array([example.labels.get(label, False) for example in held])[mask]
        mine, side = logits[mask, column], sides[mask]
        values[column] = calibration(mine, truth)
        crossed = np.empty(len(mine))
        grid = np.linspace(_GRID_LOW, _GRID_HIGH, _GRID)
        for half in (False, True):
            curve = calibration(mine[side != half], truth[side != half])
            crossed[side == half] = np.interp(mine[side == half], grid, curve)
        development[label.value] = evaluation.figures(crossed, truth, ranks=mine)
        labels[label.value] = _entry(label, crossed, truth)
    scorer = Scorer(table, intercepts, Calibration(values, low=_GRID_LOW, high=_GRID_HIGH))
    _say("calibrated")
    metrics = {"development": development, **evaluation.measure(scorer, data)}
    manifest = {
        "name": name,
        "made": made,
        "language": "en",
        "labels": labels,
        "sources": _sources(data),
        "seed": seed,
        "libraries": _libraries(),
        "metrics": metrics,
    }
    digest = bundle.save(out, scorer=scorer, manifest=manifest)
    evaluation.write(out, bundle.load(out, digest=digest).manifest)
    _say(f"wrote {out}, manifest SHA-256 {digest}")
    return digest


def _measures(example: Example, label: Label) -> bool:
    """Return whether the held-out *example* is of the kind *label* is measured on.

    Spam on every spam and ham source; the others on talk pages, whose rows were sampled at random.
    """
    return label in example.labels and (label is Label.SPAM or example.source == "jigsaw_wiki")


def _entry(label: Label, scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> dict[str, Any]:
    """Return what the manifest says of *label*: evidence, calibration and thresholds."""
    hold = threshold(scores, truth, _HOLD_PRECISION)
    thresholds: dict[str, float | None] = {
        "hold": round(max(hold[0], _HOLD_LEAST), 4) if hold else _HOLD_OTHERWISE
    }
    if label is Label.SPAM:
        spam = threshold(scores, truth, _SPAM_PRECISION)
        thresholds["spam"] = round(spam[0], 4) if spam else None
        thresholds["precision"] = round(spam[1], 4) if spam else None
    return {
        "evidence": "weak" if label is Label.SEXUAL_EXPLICIT else "labelled",
        "calibration": "isotonic" if truth.sum() >= _ISOTONIC_FROM else "platt",
        "thresholds": thresholds,
    }


def _sources(data: Path) -> dict[str, dict[str, str]]:
    """Licence class and SHA-256 of every data file that was read."""
    licences = {f"{name}.jsonl.gz": source.licence for name, source in SOURCES.items()} | LISTS
    return {
        name: {
            "licence": licence,
            "sha256": hashlib.sha256((data / name).read_bytes()).hexdigest(),
        }
        for name, licence in licences.items()
    }


def _libraries() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m moderation.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the bundle to")
    parser.add_argument("--name", default=bundle.SHIPPED_NAME)
    parser.add_argument("--made", required=True, help="date to state in the card, YYYY-MM-DD")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args(arguments)
    train(
        chosen.data,
        chosen.out,
        name=chosen.name,
        made=chosen.made,
        seed=chosen.seed,
        jobs=chosen.jobs,
    )


if __name__ == "__main__":
    main()
