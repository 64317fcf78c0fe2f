"""Measure a scorer on rows it was not trained on, and write the figures and the model card.

No figure of the card is typed by hand.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from moderation.scoring import Scorer
from moderation.verdict import LABELS, Label

_BINS = 15
_TEST_KEYS = {
    Label.TOXICITY: "toxic",
    Label.SEVERE_TOXICITY: "severe_toxic",
    Label.OBSCENE: "obscene",
    Label.THREAT: "threat",
    Label.INSULT: "insult",
    Label.IDENTITY_ATTACK: "identity_hate",
}
_BIAS_WORDS = ("gay", "lesbian", "transgender", "muslim", "jewish", "black", "white", "straight")


def figures(
    scores: NDArray[np.float64],
    truth: NDArray[np.bool_],
    *,
    ranks: NDArray[np.float64] | None = None,
) -> dict[str, float | int | None]:
    """Rows, positives, AUC, average precision and expected calibration error of *scores*.

    *ranks* order the rows where *scores* were calibrated piecewise. A figure that one class
    alone cannot have is None.
    """
    order = scores if ranks is None else ranks
    both = 0 < truth.sum() < truth.size
    return {
        "rows": int(truth.size),
        "positives": int(truth.sum()),
        "auc": round(float(roc_auc_score(truth, order)), 4) if both else None,
        "average_precision": round(float(average_precision_score(truth, order)), 4)
        if both
        else None,
        "ece": round(calibration_error(scores, truth), 4) if truth.size else None,
    }


def calibration_error(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over equal-width bins of probability."""
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    gaps = [abs(scores[bins == each].sum() - truth[bins == each].sum()) for each in np.unique(bins)]
    return float(sum(gaps) / len(scores))


def measure(scorer: Scorer, data: Path) -> dict[str, Any]:
    """Return the figures on the official test rows at random and on the identity templates.

    A data file that is not in *data* gives no figures.
    """
    return {"test_random": _test_figures(scorer, data), "identity_bias": _bias(scorer, data)}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _test_figures(scorer: Scorer, data: Path) -> dict[str, Any]:
    rows = [
        row
        for row in _rows(data / "jigsaw_wiki.jsonl.gz")
        if row["split"] == "test" and row.get("meta", {}).get("sample") == "random"
    ]
    if not rows:
        return {}
    scores = scorer.score([row["text"] for row in rows])
    return {
        label.value: figures(
            scores[:, LABELS.index(label)],
            np.array([row["labels"][key] >= 0.5 for row in rows]),  # noqa: PLR2004 - a majority
        )
        for label, key in _TEST_KEYS.items()
    }


def _bias(scorer: Scorer, data: Path) -> dict[str, Any]:
    """Toxicity on sentences that differ in the group they name alone."""
    rows = list(_rows(data / "bias_madlibs77k.jsonl.gz"))
    if not rows:
        return {}
    texts = [row["text"] for row in rows]
    scores = scorer.score(texts)[:, LABELS.index(Label.TOXICITY)]
    truth = np.array([bool(row["labels"]["toxic"]) for row in rows])
    found: dict[str, Any] = {"all": figures(scores, truth)}
    middle = float(np.median(scores))
    for word in _BIAS_WORDS:
        named = np.array([word in text.lower().split() for text in texts])
        harmless = named & ~truth
        if harmless.any():
            found[word] = {
                "auc": figures(scores[named], truth[named])["auc"],
                "false_positives_at_median": round(float((scores[harmless] > middle).mean()), 4),
            }
    return found


def write(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write `metrics.json` and `card.md` for the bundle in *folder*."""
    text = json.dumps(manifest["metrics"], indent=2)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
    (folder / "card.md").write_text(_card(manifest), encoding="utf-8")


def _card(manifest: Mapping[str, Any]) -> str:
    """Return the model card, every number from the manifest."""
    metrics = manifest["metrics"]
    parts = [
        f"# Model card: {manifest['name']}",
        f"Made {manifest['made']}, language {manifest['language']}, seed {manifest['seed']}.",
        _ABOUT,
        "## Held-out development rows",
        _DEVELOPMENT,
        _table(metrics["development"]),
        "## Official test rows, random sample",
        "A sanity check: few rows, very few severe_toxicity and threat positives.",
        _table(metrics["test_random"]),
        "## Naming a group",
        _IDENTITY,
        _bias_table(metrics["identity_bias"]),
        "## Labels and thresholds",
        _thresholds(manifest["labels"]),
        "## Sources",
        _SOURCES,
        "\n".join(f"- `{name}`: {each['licence']}" for name, each in manifest["sources"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _table(found: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "| label | rows | positives | AUC | average precision | ECE |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {label} | {each['rows']} | {each['positives']} | {each['auc']} "
        f"| {each['average_precision']} | {each['ece']} |"
        for label, each in found.items()
    ]
    return "\n".join(lines)


def _bias_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| word | AUC | harmless sentences above the median |", "|---|--:|--:|"]
    lines += [
        f"| {word} | {each['auc']} | {each.get('false_positives_at_median', '')} |"
        for word, each in found.items()
    ]
    return "\n".join(lines)


def _thresholds(labels: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "| label | evidence | calibration | hold | spam | precision |",
        "|---|---|---|--:|--:|--:|",
    ]
    for label, each in labels.items():
        chosen = each["thresholds"]
        lines.append(
            f"| {label} | {each['evidence']} | {each['calibration']} | {chosen['hold']} "
            f"| {chosen.get('spam') or ''} | {chosen.get('precision') or ''} |"
        )
    return "\n".join(lines)


_ABOUT = """\
A linear model over words, pairs of words and byte n-grams of words, with a few facts about the
text. It knows the comment alone: not the author, the link's target, the thread or the time.
It scores English; other languages get scores that mean little.
sexual_explicit has no labelled data: its head imitates word lists, its figures say how well it
imitates them and nothing more, and it has no spam threshold.
Some spam and ordinary blog comments used in training were made from templates; no figure here
is measured on them."""
_DEVELOPMENT = """\
Thirty per cent of the groups of near-duplicates among the comparable rows, never trained on:
for spam the held-out rows of the spam and ham sources (within-source figures: unseen kinds of
spam score worse), for the others fully labelled talk-page comments sampled at random.
The shipped weights are those measured (no refit). Calibration was measured crosswise between
two halves of these rows; the shipped calibration uses both. Thresholds were chosen on the same
rows, so their precision is a little flattering, and it is the precision at the share of spam
those rows have."""
_IDENTITY = """\
Toxicity on sentences from templates, half harmless, that differ in the group they name. Identity
terms were hidden from every head but identity_attack in training. The list of terms was written
knowing the kind of sentence tested here."""
_SOURCES = """\
Licence classes as stated by the publishers ("memory": known, not checked in a file). The text
of jigsaw_wiki is Wikipedia talk pages under CC BY-SA 3.0. Digests are in the manifest."""
