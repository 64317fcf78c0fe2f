"""Spam from kinds of places that the head was not fitted on, beside spam filters for e-mail.

The head is fitted as the bundle's is, without one source; for YouTube also without the last
30 per cent of each video, as time would have it. The blog's comments are in no training at all.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import peers
from comparing import Figure, Floats, Truth, area

from moderation.model import corpus, fitting, training
from moderation.model.bundle import Bundle
from moderation.model.corpus import Example
from moderation.verdict import LABELS, Label

LAST: Final = 0.3  # of a video's comments
YOUTUBE: Final = "youtube_spam_4videos"
SMS: Final = "sms_spam"
BLOG: Final = "blog_comment_spam_lm"
ASKED: Final = 1000  # rows at most of SpamAssassin, which takes its time
COLUMN: Final = LABELS.index(Label.SPAM)


class Left(dict[str, Any]):
    """One set of rows: its `name`, `rows`, `spam`, our Area, and what the filters did there."""


def measured(
    shipped: Bundle,
    run: training.Training,
    data: Path,
    say: Callable[[str], None],
    *,
    fits: bool,
) -> list[Left]:
    """Return each set's areas, ours and the filters'; *run* is the bundle's own fold.

    Without *fits* only of the set that is in no training.
    """
    late = _late(data)
    everything = [each for each in (*run.fitted, *run.held) if Label.SPAM in each.labels]
    found = []
    for name, outside in (
        ("YouTube, last 30 % of each video", lambda each: (each.source, each.text) in late),
        ("YouTube, left out", lambda each: each.source == YOUTUBE),
        ("SMS, left out", lambda each: each.source == SMS),
    ):
        if not fits:
            found.append(Left(name=name))
            continue
        mine = [each for each in everything if outside(each)]
        rest = [each for each in everything if not outside(each)]
        ours = _head(run, outside, [each.text for each in mine])
        truth = np.array([each.labels[Label.SPAM] for each in mine])
        found.append(_compared(name, mine, truth, ours, rest, say))
    rows = [row for row in corpus.rows(data / f"{BLOG}.jsonl.gz") if "spam" in row["labels"]]
    mine = [_example(row) for row in rows]
    truth = np.array([each.labels[Label.SPAM] for each in mine])
    ours = shipped.scorer.logits([each.text for each in mine])[:, COLUMN]
    found.append(_compared("blog, never trained on", mine, truth, ours, everything, say))
    return found


def _compared(
    name: str,
    mine: list[Example],
    truth: Truth,
    ours: Floats,
    rest: list[Example],
    say: Callable[[str], None],
) -> Left:
    texts = [each.text for each in mine]
    left = Left(name=name, rows=len(mine), spam=int(truth.sum()), ours=area(ours, truth))
    absent = peers.absent()
    if "bogofilter" not in absent:
        answer, forget = peers.bogofilter(
            [each.text for each in rest], np.array([each.labels[Label.SPAM] for each in rest])
        )
        left["bogofilter"] = _beside(answer, texts, ours, truth)
        forget()
    if "SpamAssassin" not in absent:
        picked = np.random.default_rng(1).permutation(len(texts))[:ASKED]
        some = [texts[at] for at in picked]
        left["SpamAssassin"] = _beside(peers.spamassassin, some, ours[picked], truth[picked])
    say(f"spam, {name}: {left['ours'].figure()}")
    return left


def _beside(
    answer: peers.Answer, texts: list[str], ours: Floats, truth: Truth
) -> tuple[Figure, Figure, str]:
    """Return a filter's AUC, ours minus it on the same rows, and its milliseconds a message."""
    begun = time.perf_counter()
    theirs = area(answer(texts), truth)
    taken = 1e3 * (time.perf_counter() - begun) / len(texts)
    return theirs.figure(), area(ours, truth).minus(theirs), f"{taken:.2g}"


def _head(run: training.Training, outside: Callable[[Example], bool], texts: list[str]) -> Floats:
    """Return the logits of *texts* by the spam head fitted without what is *outside*."""
    head = next(each for each in fitting.HEADS if each.label is Label.SPAM)
    matrix, pool = run.matrix([head], blind=True)
    rest = [(place, run.fitted[at]) for place, at in enumerate(pool) if not outside(run.fitted[at])]
    weights = fitting.regression(
        matrix[[place for place, _ in rest]],
        np.array([each.labels[Label.SPAM] for _, each in rest]),
        np.array([each.weight for _, each in rest]),
        penalty=head.penalty,
        bayes=head.bayes,
        balanced=head.balanced,
    )
    table = np.zeros((weights.size, len(LABELS)), dtype=np.float32)
    table[:, COLUMN] = weights.astype(np.float16)
    held = [each for each in run.held if Label.SPAM in each.labels and not outside(each)]
    scorer = training.bare(table, run.vocabulary)
    pooled = scorer.pooled([each.text for each in held])
    truth = np.array([each.labels[Label.SPAM] for each in held])
    slopes, start = fitting.second_stage(Label.SPAM, pooled, truth)
    logits: Floats = scorer.pooled(texts) @ slopes + start
    return logits


def _late(data: Path) -> set[tuple[str, str]]:
    """Return source and text of the last comments of each video."""
    videos: dict[str, list[tuple[int, str]]] = {}
    for row in corpus.rows(data / f"{YOUTUBE}.jsonl.gz"):
        videos.setdefault(row["meta"]["video"], []).append((row["meta"]["seq"], row["text"]))
    return {
        (YOUTUBE, text)
        for rows in videos.values()
        for _, text in sorted(rows)[round(len(rows) * (1 - LAST)) :]
    }


def _example(row: dict[str, Any]) -> Example:
    labels = corpus.known(row["labels"])
    return Example(row["text"], labels, BLOG, 1.0, 0, held=True, measured=True)
