"""`make bench-model`: the shipped classifier and its peers on the same rows, quality and speed.

    python benchmarks/model.py --data DIR [--work DIR]

Asks every row of the table of aims, most of them with a bootstrap interval, and writes
`results/model.md` and `results/model.json`. *DIR* holds the public data files the bundle was made
with (`models/README.md`); what was fitted is kept in the work folder, so that a run that was cut
off goes on. The first run takes about an hour on one core; `--folds 1` measures one fold alone,
and `--no-fits` only what the bundle and the peers that come as they are answer, in some minutes.
Ends with status 1 where a floor was missed.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import peers
import spam
from comparing import (
    Area,
    Figure,
    Floats,
    Row,
    Truth,
    area,
    calibration_error,
    judged,
    mean,
    share,
    table,
    told,
)
from facts import facts, listed
from folds import SOURCE, folds, opened, rehearsed
from quickness import speeds
from targets import Mark

from moderation.model import bundle, calibration, corpus, evaluation, evasion, fitting, training
from moderation.model.corpus import WIKI
from moderation.model.scoring import Scorer
from moderation.text import identity
from moderation.verdict import LABELS, Label

RESULTS: Final = Path(__file__).parent / "results"
PRECISION: Final = 0.95  # at which evasions are measured
MADLIBS: Final = "bias_madlibs77k"
LEAST_POSITIVES: Final = 100  # for a claim about calibration
MAJORITY: Final = 0.5  # of the raters
TOXICITY: Final = LABELS.index(Label.TOXICITY)

_FLATTERS: Final = (
    "Made-up comments that cite a source were added to the training knowing what was taken "
    "for spam of unhealthy_conversations: that figure flatters."
)


class Asked(NamedTuple):
    """Comments that another is asked, whether each is what is sought, and our logits."""

    texts: Sequence[str]
    truth: Truth
    ours: Floats

    def some(self, count: int | None) -> "Asked":
        """Return *count* of them, drawn at random; all where None."""
        if count is None:
            return self
        picked = np.random.default_rng(1).permutation(len(self.texts))[:count]
        return Asked([self.texts[at] for at in picked], self.truth[picked], self.ours[picked])

    def beside(self, theirs: Floats) -> tuple[Figure, Figure]:
        """Return the AUC of another's scores, and ours minus it."""
        other = area(theirs, self.truth)
        return other.figure(), area(self.ours, self.truth).minus(other)


class Measuring:
    """One run over the data in *data*: `rows` are the lines of the table of aims."""

    def __init__(self, data: Path, work: Path, *, count: int, fits: bool) -> None:
        self.data = data
        self.fits = fits
        self.shipped = bundle.shipped()
        self.rows: list[Row] = []
        self.tables: list[str] = []
        work.mkdir(parents=True, exist_ok=True)
        self.folds, self.usual = folds(self.shipped, data, work, print, count=count, fits=fits)
        self.run = opened(self.shipped, data, work, 0, print)
        self.checkers = peers.profanity_checkers()
        self.absent = peers.absent()

    def measure(self) -> None:
        """Measure everything, in the order of the table."""
        for step in (
            self.development,
            self.official,
            self.others,
            self.spam,
            self.ham,
            self.evasions,
            self.names,
            self.calibrated,
            self.speed,
        ):
            step()
            print(f"measured {step.__name__}", flush=True)

    def development(self) -> None:
        """Measure the folds of the random rows, beside the usual pipeline on the same rows."""
        ours = [area(each.logits, each.truth, seed=at) for at, each in enumerate(self.folds)]
        theirs = [
            area(each.usual, each.truth, seed=at)
            for at, each in enumerate(self.folds)
            if each.usual is not None
        ]
        whole = mean(ours)
        other = mean(theirs) if theirs else None
        says = f"dev mean AUC over six labels, folds: {len(ours)}"
        self.rows += [
            judged(says, whole.figure(), 0.985, 0.992),
            judged("… minus TF-IDF + LR on the same rows", other and whole.minus(other), 0, 0.004),
        ]
        lines = [
            (label.value, positives, *_beside(mine, usual))
            for label, positives, mine, usual in self._of_labels()
        ]
        lines += [
            (
                f"mean, fold {at + 1}",
                len(each.texts),
                *_beside(mine, theirs[at] if theirs else None),
            )
            for at, (each, mine) in enumerate(zip(self.folds, ours, strict=True))
        ]
        count = sum(len(each.texts) for each in self.folds)
        self.tables += [
            f"## Held-out talk-page comments, {count:,} rows",
            "Fully labelled rows sampled at random; no near-duplicate of a training row is there.",
            "\n".join(table(("label", "positives", "AUC", "TF-IDF + LR", "difference"), lines)),
        ]

    def _of_labels(self) -> Iterator[tuple[Label, int, Area, Area | None]]:
        for at, label in enumerate(WIKI):
            sides = [
                [
                    area(scores[:, at], each.truth[:, at], seed=fold)
                    for fold, each in enumerate(self.folds)
                    if (scores := pick(each)) is not None
                ]
                for pick in (lambda each: each.logits, lambda each: each.usual)
            ]
            positives = sum(int(each.truth[:, at].sum()) for each in self.folds)
            yield label, positives, mean(sides[0]), mean(sides[1]) if sides[1] else None

    def official(self) -> None:
        """Measure the official test rows sampled at random, and toxicity beside every peer."""
        texts, truth = self._wiki(evaluation.JIGSAW)
        logits = self.shipped.scorer.logits(texts)
        ours = area(logits[:, _columns(WIKI)], truth)
        usual = self.usual and self.usual.scores(texts)
        above = None if usual is None else area(usual, truth).figure().high
        self.rows.append(
            Row(
                "Jigsaw official test, random rows, mean AUC",
                ours.figure(),
                "report",
                "above TF-IDF's interval" if above is None else f"above TF-IDF's {above}",
                told(True, above is not None and ours.value > above),
            )
        )
        held = self.folds[0]
        test = Asked(texts, truth[:, 0], logits[:, TOXICITY])
        dev = Asked(held.texts, held.truth[:, 0], held.logits[:, 0])
        own = [area(each.ours, each.truth).figure() for each in (test, dev)]
        lines: list[Any] = [("this bundle; held out, its recipe", own[0], None, own[1], None)]
        if usual is not None:
            beside = (*test.beside(usual[:, 0]), *dev.beside(held.usual[:, 0]))
            lines.append(("TF-IDF + LR", *beside))
        for name, answer in self.checkers.items():
            sides = [each.some(peers.ASKED.get(name)) for each in (test, dev)]
            theirs = [each.beside(answer(each.texts)) for each in sides]
            lines.append((name, *theirs[0], *theirs[1]))
            if name == "alt-profanity-check":
                difference = theirs[0][1]
                self.rows.append(
                    Row(
                        "toxicity minus alt-profanity-check, official test",
                        difference,
                        "> 0",
                        "interval > 0",
                        told(difference.value > 0, (difference.low or 0) > 0),
                    )
                )
        head = ("toxicity", "test AUC", "ours minus it", "held-out AUC", "ours minus it")
        self.tables += [
            (
                f"## Toxicity beside others: {len(texts):,} official test rows, "
                f"{len(held.texts):,} held-out ones"
            ),
            (
                "TF-IDF learnt from the same Jigsaw rows, without the held-out ones where these "
                "are asked. The profanity checkers come as they are: "
                "alt-profanity-check learnt from Jigsaw's training rows and may have met the "
                "held-out ones, and only its official test figure can be compared. "
                + " ".join(
                    f"{name} takes its time, and was asked {rows:,} rows of each."
                    for name, rows in peers.ASKED.items()
                )
            ),
            "\n".join(table(head, lines)),
            *self._missing("alt-profanity-check", "better-profanity"),
        ]

    def others(self) -> None:
        """Measure the other public test splits, beside heads fitted on Jigsaw alone."""
        scorers = [self.shipped.scorer]
        if self.fits:
            heads = [head for head in fitting.HEADS if head.sources == frozenset({SOURCE})]
            scorers += [training.fit(self.run, heads, WIKI).scorer]
        sides: list[list[Area]] = [[] for _ in scorers]
        lines = []
        for wanted in evaluation.OTHERS:
            texts, truth = self._read(wanted)
            column = LABELS.index(wanted.label)
            for side, scorer in zip(sides, scorers, strict=True):
                side.append(area(scorer.logits(texts)[:, column], truth))
            figures = [side[-1].figure() for side in sides]
            lines.append((wanted.file, wanted.label.value, len(texts), *figures))
        means = [mean(side) for side in sides]
        beside = means[1].value if self.fits else None
        self.rows.append(
            Row(
                "other public test splits, mean AUC",
                means[0].figure(),
                "report each",
                "+.05 over Jigsaw alone" + (f" ({beside:.4f})" if beside else ""),
                told(True, beside is not None and means[0].value - beside >= 0.05),
            )
        )
        lines.append(("mean", None, None, *(each.figure() for each in means)))
        head = ["set", "label", "rows", "AUC", "fitted on Jigsaw alone"][: 3 + len(sides)]
        self.tables += ["## Other public test splits", "\n".join(table(head, lines))]

    def spam(self) -> None:
        """Measure spam where the head has not been."""
        found = spam.measured(self.shipped, self.run, self.data, print, fits=self.fits)
        marks = ((0.97, 0.99), (0.90, 0.95), (0.93, 0.97), (0.93, 0.97))
        lines = []
        for each, (floor, aim) in zip(found, marks, strict=True):
            ours = each["ours"].figure() if "ours" in each else None
            self.rows.append(judged(f"spam AUC: {each['name']}", ours, floor, aim))
            if ours is None:
                continue
            line = [each["name"], f"{each['rows']:,}", each["spam"], ours]
            for name in ("bogofilter", "SpamAssassin"):
                line += each.get(name, (None, None, None))
            lines.append(line)
        head = ["AUC", "rows", "spam", "this bundle's recipe"]
        for name in ("bogofilter", "SpamAssassin"):
            head += [name, "ours minus it", "ms"]
        self.tables += [
            "## Spam beside filters for e-mail",
            (
                "bogofilter learnt from the same comments as this head; SpamAssassin has its local "
                f"rules, and was asked {spam.ASKED:,} rows at most, on which ours was compared. "
                "Milliseconds are of one message among many."
            ),
            "\n".join(table(head, lines)),
            *self._missing("bogofilter", "SpamAssassin"),
        ]

    def ham(self) -> None:
        """Count comments nobody calls spam at or above the shipped threshold."""
        threshold = self.shipped.thresholds[Label.SPAM].spam
        found = {}
        for wanted in evaluation.HAM:
            texts, _ = self._read(wanted)
            scores = self.shipped.scorer.score(texts)[:, spam.COLUMN]
            found[wanted.file] = (len(texts), share(scores >= threshold))
        worst = max((rate for _, rate in found.values()), key=lambda each: each.value)
        says = "spam: false positives on news and forum ham, the worse"
        self.rows.append(judged(says, worst, 0.02, 0.005, at_least=False))
        lines = [(name, f"{rows:,}", rate) for name, (rows, rate) in found.items()]
        self.tables += [
            f"## Spam: false positives at the shipped threshold, {threshold}",
            "\n".join(table(("set", "rows", "share"), lines)),
            _FLATTERS,
        ]

    def evasions(self) -> None:
        """Measure how much toxicity is still found when every word is disguised."""
        texts, truth = self._read(evaluation.JIGSAW[0])
        test = _kept(self.shipped.scorer, texts, truth)
        held = self.folds[0]
        dev = _kept(rehearsed(self.run).scorer, held.texts, held.truth[:, 0])
        self.rows += [
            judged(f"recall kept, {name}", share(flags), 0.90, 0.97) for name, flags in test.items()
        ]
        lines = [
            (name, share(test[name]), test[name].size, share(dev[name]), dev[name].size)
            for name in evasion.EVASIONS
        ]
        head = ("disguise", "official test", "found undisguised", "held out", "found undisguised")
        self.tables += [
            "## Disguises: recall kept at the threshold of 0.95 precision",
            "Every word of the comment is disguised. Readings were chosen on the held-out rows.",
            "\n".join(table(head, lines)),
        ]

    def names(self) -> None:
        """Measure what naming a group does, on sentences from templates."""
        wanted = next(each for each in evaluation.OTHERS if each.file == MADLIBS)
        texts, truth = self._read(wanted)
        logits = self.shipped.scorer.logits(texts)
        scores = self.shipped.scorer.calibration.apply(logits)[:, TOXICITY]
        words = [set(text.lower().encode().split()) for text in texts]
        found = {}
        for term in sorted(evaluation.BIAS_TERMS):
            harmless = np.array([term in some for some in words]) & ~truth
            if harmless.any():
                found[term.decode()] = share(scores[harmless] >= 0.5)
        worst = max(found, key=lambda term: found[term].value)
        self.rows += [
            judged("madlibs AUC", area(logits[:, TOXICITY], truth).figure(), 0.94, 0.97),
            judged(f"madlibs false positives at .5, worst term ({worst})", found[worst], 0.15, 0.05,
                   at_least=False),
        ]  # fmt: skip
        lacking = [term for term in found if term.encode() not in identity.TERMS]
        lines = [(term, found[term]) for term in sorted({worst, *lacking})]
        self.tables += [
            "## Naming a group: the worst term, and those the list of terms lacks",
            "\n".join(table(("term", "harmless sentences at or above .5"), lines)),
        ]

    def calibrated(self) -> None:
        """Measure calibration on the held-out rows of all folds."""
        truth = np.concatenate([each.truth for each in self.folds])
        scores = np.concatenate([each.scores for each in self.folds])
        found = {}
        for at, label in enumerate(WIKI):
            right, mine = truth[:, at], scores[:, at]
            brier, base = np.mean((mine - right) ** 2), right.mean() * (1 - right.mean())
            error = calibration_error(mine, right) if right.sum() >= LEAST_POSITIVES else None
            found[label.value] = (int(right.sum()), error, f"{brier:.5f}", f"{base:.5f}")
        worst = max((e for _, e, *_ in found.values() if e), key=lambda each: each.value)
        self.rows.append(
            judged("ECE, the worst label of ≥ 100 positives", worst, 0.02, 0.01, at_least=False)
        )
        head = ("label", "positives", "ECE", "Brier", "of the base rate")
        self.tables += [
            "## Calibration on the held-out rows of all folds",
            "\n".join(table(head, ((name, *each) for name, each in found.items()))),
        ]

    def speed(self) -> None:
        """Measure time beside everyone who answers the same comments."""
        rows, tables = speeds(self.shipped.scorer, self.usual, self.checkers, self.folds[0].texts)
        self.rows += rows
        self.tables += tables

    def _read(self, wanted: evaluation.TestSet) -> tuple[list[str], Truth]:
        rows = evaluation.rows_of(self.data, wanted)
        texts = [row["text"] for row in rows]
        if np.isin(corpus.seen(texts), self.shipped.seen).any():
            raise SystemExit(f"{wanted.file}: expected rows the bundle was not made with")
        return texts, np.array([row["labels"][wanted.key] >= MAJORITY for row in rows])

    def _wiki(self, wanted: Sequence[evaluation.TestSet]) -> tuple[list[str], Truth]:
        """Return the rows that know all labels, a column a label."""
        found = [self._read(each) for each in wanted]
        return found[0][0], np.stack([truth for _, truth in found], axis=1)

    def _missing(self, *names: str) -> list[str]:
        return [
            f"{name} is not installed: {self.absent[name]}."
            for name in names
            if name in self.absent
        ]


def _beside(ours: Area, theirs: Area | None) -> tuple[Any, ...]:
    """Return our figure, theirs, and the difference."""
    if theirs is None:
        return ours.figure(), None, None
    return ours.figure(), theirs.figure(), ours.minus(theirs)


def _columns(labels: Sequence[Label]) -> list[int]:
    return [LABELS.index(label) for label in labels]


def _kept(scorer: Scorer, texts: Sequence[str], truth: Truth) -> dict[str, Truth]:
    """Return, for each disguise, which of the texts found without it are found with it."""
    scores = scorer.score(texts)[:, TOXICITY]
    chosen = calibration.threshold(scores, truth, PRECISION)
    if chosen is None:
        raise SystemExit(f"expected a threshold of precision {PRECISION}, got none")
    caught = [
        t for t, score, bad in zip(texts, scores, truth, strict=True) if bad and score >= chosen[0]
    ]
    return {
        name: scorer.score([disguise(text) for text in caught])[:, TOXICITY] >= chosen[0]
        for name, disguise in evasion.EVASIONS.items()
    }


def page(told_of: dict[str, Any], rows: Sequence[Row], tables: Sequence[str]) -> str:
    """Return what people read."""
    intro = (
        "Written by `make bench-model`. Every side answers the same rows; differences are paired. "
        "In brackets: 95 % bootstrap intervals over rows."
    )
    lines = [(row.says, row.measured, row.floor, row.aim, row.mark) for row in rows]
    return (
        "\n\n".join(
            [
                "# The classifier beside others",
                intro,
                "\n".join(listed(told_of)),
                "## Floors and aims",
                "\n".join(table(("figure", "measured", "floor", "aim", ""), lines)),
                *tables,
            ]
        )
        + "\n"
    )


def main() -> int:
    """Measure and write; 1 where a floor was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("data/bench-model"))
    parser.add_argument("--folds", type=int, default=training.FOLDS)
    parser.add_argument("--no-fits", action="store_true", help="only what is fitted already")
    options = parser.parse_args()
    fits = not options.no_fits
    run = Measuring(options.data, options.work, count=options.folds if fits else 1, fits=fits)
    run.measure()
    told_of = facts(bundle=run.shipped.name, digest=f"`{run.shipped.digest}`")
    written = page(told_of, run.rows, run.tables)
    print(written)
    (RESULTS / "model.md").write_text(written, encoding="utf-8")
    figures = {
        row.says: {
            "measured": row.measured and row.measured._asdict(),
            "floor": row.floor,
            "aim": row.aim,
            "mark": row.mark,
        }
        for row in run.rows
    }
    whole = {"facts": told_of, "figures": figures, "missing": run.absent}
    (RESULTS / "model.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row.mark is not Mark.MISS for row in run.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
