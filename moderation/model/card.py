"""The model card of a bundle: every number from the evaluation, none typed by hand."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import quote

Figures = Mapping[str, Any]


def write(folder: Path, manifest: Figures, plots: Sequence[str] = ()) -> None:
    """Write `metrics.json` and `card.md` for the bundle in *folder*, with the *plots* there."""
    text = json.dumps(manifest["metrics"], indent=2)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
    text = card(manifest)
    if plots:
        images = "\n\n".join(f"![{Path(page).stem}]({quote(page)})" for page in plots)
        text += f"\n## Plots\n\n{_PLOTS}\n\n{images}\n"
    (folder / "card.md").write_text(text, encoding="utf-8")


def card(manifest: Figures) -> str:
    """Return the card of the bundle with *manifest*; what was not measured is not in it."""
    metrics = manifest["metrics"]
    parts = [
        f"# Model card: {manifest['name']}",
        f"Made {manifest['made']}, language {manifest['language']}, seed {manifest['seed']}.",
        _ABOUT.format(manifest["language"]),
        *([_ENGLISH] if "jigsaw_wiki.jsonl.gz" in manifest["sources"] else []),
        "## Held-out development rows",
        _DEVELOPMENT,
        *([_PREVALENT] if "jigsaw_wiki.jsonl.gz" in manifest["sources"] else []),
        _of_labels(metrics["development"]),
        *measured(metrics),
        *_errors(metrics.get("errors", {})),
        "## Labels and thresholds",
        _THRESHOLDS,
        _thresholds(manifest["labels"]),
        "## Sources",
        _SOURCES,
        "\n".join(f"- `{name}`: {each['licence']}" for name, each in manifest["sources"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def measured(metrics: Figures) -> list[str]:
    """Return the parts of a card that an evaluation can write for any bundle."""
    parts = []
    if metrics.get("test_random"):
        parts += [
            "## Official test rows, random sample",
            "A sanity check: few rows, very few severe_toxicity and threat positives.",
            _of_labels(metrics["test_random"]),
        ]
    if metrics.get("test_official"):
        parts += ["## Official test rows", _of_labels(metrics["test_official"])]
    if metrics.get("other_tests"):
        parts += ["## Other public test splits", _OTHERS, _others(metrics["other_tests"])]
    for name, found in metrics.get("own_tests", {}).items():
        parts += [f"## Test rows of {name}", _of_labels(found)]
    if metrics.get("ham"):
        parts += [
            "## Spam: false positives",
            _HARMLESS,
            _rows(
                ("set", "rows", "false positives"),
                (
                    (name, each["rows"], each["false_positives"])
                    for name, each in metrics["ham"].items()
                ),
            ),
        ]
    if metrics.get("evasions"):
        evasions = metrics["evasions"]
        parts += [
            "## Disguises",
            _DISGUISES.format(evasions["found"]),
            _rows(("disguise", "recall kept"), evasions["kept"].items()),
        ]
    if metrics.get("identity_bias"):
        parts += ["## Naming a group", _IDENTITY, _bias(metrics["identity_bias"])]
    if metrics.get("languages"):
        parts += [
            "## Other languages",
            _LANGUAGES,
            _rows(
                ("language", "label", "rows", "positives", "AUC", "95 %", "said to be known"),
                (
                    (
                        *(language, label),
                        *(each[name] for name in ("rows", "positives", "auc", "auc_interval")),
                        of["known"],
                    )
                    for language, of in metrics["languages"].items()
                    for label, each in of["labels"].items()
                ),
            ),
        ]
    return parts


def _rows(head: Iterable[str], lines: Iterable[Iterable[object]]) -> str:
    head = list(head)
    table = [head, ["---", *["--:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in table)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return " to ".join(map(str, value))
    return "" if value is None else str(value)


def _of_labels(found: Mapping[str, Figures]) -> str:
    names = (
        "rows",
        "positives",
        "auc",
        "auc_interval",
        "average_precision",
        "ece",
        "brier",
        "brier_of_base_rate",
    )
    head = (
        "label",
        "rows",
        "positives",
        "AUC",
        "95 %",
        "average precision",
        "ECE",
        "Brier",
        "of the base rate",
    )
    return _rows(head, ((label, *(each[name] for name in names)) for label, each in found.items()))


def _others(found: Mapping[str, Figures]) -> str:
    names = ("label", "rows", "positives", "auc", "auc_interval")
    table = _rows(
        ("set", "label", "rows", "positives", "AUC", "95 %"),
        ((name, *(each[key] for key in names)) for name, each in found.items()),
    )
    areas = [each["auc"] for each in found.values() if each["auc"] is not None]
    return f"{table}\n\nMean AUC over the sets: {fmean(areas):.4f}." if areas else table


def _bias(found: Mapping[str, Figures]) -> str:
    return _rows(
        ("word", "AUC", "harmless sentences at or above 0.5", "in the list"),
        (
            (
                word,
                each["auc"],
                each.get("false_positives"),
                {True: "yes", False: "no", None: ""}[each.get("in_the_list")],
            )
            for word, each in found.items()
        ),
    )


def _errors(found: Mapping[str, Mapping[str, Figures]]) -> list[str]:
    if not found:
        return []
    head = ("label and source", "rows", "positives", "missed", "raised in vain")
    lines = (
        (f"{label}, {source}", each["rows"], each["positives"], each["missed"], each["raised"])
        for label, of in found.items()
        for source, each in of.items()
    )
    return ["## Errors by source", _ERRORS, _rows(head, lines)]


def _thresholds(labels: Mapping[str, Figures]) -> str:
    return _rows(
        ("label", "evidence", "calibration", "hold", "spam", "precision", "measured in"),
        (
            (
                label,
                each["evidence"],
                each["calibration"],
                each["thresholds"]["hold"],
                each["thresholds"].get("spam"),
                each["thresholds"].get("precision"),
                ", ".join(each.get("measured", [])),
            )
            for label, each in labels.items()
        ),
    )


_ABOUT = """\
A linear model over words, pairs of words and byte n-grams of words, with a few facts about the
text; a second linear stage lets the labels see each other, how thick a text lies and its worst
single word. It knows the comment alone: not the author, the link's target, the thread or the time.
It has learnt the language {}; of comments in others it says that it does not know them."""
_ENGLISH = """\
sexual_explicit has no labelled data: its head imitates word lists, its figures say how well it
imitates them and nothing more, and it has no spam threshold.
Some spam and ordinary blog comments used in training were made from templates, and so were short
phrases with names of people and groups, harmless, rude and lewd ones; no figure here is measured
on them."""
_DEVELOPMENT = """\
Twenty per cent of the groups of near-duplicates among the comparable rows, answered by heads that
were not fitted on them. The shipped heads but that of spam were then fitted again, on these rows,
too. The second stage and the calibration were measured crosswise between five parts of these
rows; the shipped ones use all. Thresholds were chosen on the same rows, so their precision is a
little flattering, and it is the precision at the share of spam those rows have. ECE is over 15
bins of equal mass; with fewer than 100 positives compare the Brier scores and claim nothing of
calibration. Intervals are bootstraps."""
_PREVALENT = """\
For spam they are of the spam and ham sources (within-source figures: unseen kinds of spam score
worse), for the others fully labelled talk-page comments sampled at random."""
_OTHERS = """\
The rows the publishers keep for testing. The training rows of gab, edos and hatemoji are among
the sources; the others were never trained on. madlibs are sentences from templates.
One choice was made knowing figures of this table: that the second stage of identity_attack sees
that label alone was decided after edos had fallen with the other way. So the figure of edos
flatters. Madlibs was looked at before the fact of foreign letters was changed, and again before
the second stage was kept from telling identity_attack to the other labels, so that figure may
flatter, too; nothing else was chosen by a test row."""
_HARMLESS = """\
The share of comments nobody calls spam at or above the spam threshold. Made-up comments that cite
a source were added to the training knowing this figure of unhealthy_conversations, and of those
with a link; so both flatter."""
_IDENTITY = """\
Toxicity on sentences from templates, half harmless, that differ in the group they name. The words
of a list (`moderation/text/identity.py`) are read as one word by every label but identity_attack;
the list, and made-up phrases of its kind in the training, were written knowing the kind of
sentence tested here, so look at words they lack, too."""
_DISGUISES = """\
Of the {} toxic test comments that are found at a precision of 0.95, the share that is still found
when every word of the comment is disguised."""
_LANGUAGES = """\
What the scores are worth in languages the model has not learnt: next to nothing. The last column
is the share of comments of which it says that it knows their language; a policy can hold the
others (`language_unknown`)."""
_ERRORS = """\
At the hold threshold, on held-out rows of every kind, those among them that were sampled for their
badness, by heads not fitted on them: the share of the positives that is missed, and of the
negatives that is held in vain."""
_THRESHOLDS = "The last column says in which languages each label was measured."
_PLOTS = """\
Of the test rows above, a page a set: ROC, precision against recall, reliability over bins of equal
mass, and how many comments have which probability."""
_SOURCES = """\
Licence classes as stated by the publishers ("memory": known, not checked in a file). The text
of jigsaw_wiki is Wikipedia talk pages under CC BY-SA 3.0. Digests are in the manifest."""
