"""How fast the classifier answers, beside others that answer the same comments.

Sides take turns, round after round; ratios are medians of paired rounds. No side is asked the
same comment twice.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from comparing import Figure, Row, figure, judged, table
from peers import Answer, Usual
from targets import Mark

from moderation.model.explanation import why
from moderation.model.scoring import Scorer

ROUNDS: Final = 7
SINGLES: Final = 60  # comments a round
BATCH: Final = 64
BATCHES: Final = 3  # a round
MET: Final = 3000  # comments a scorer in service has met
STARTS: Final = 5
BULK: Final = 1_000_000  # comments
LONG: Final = 100_000  # characters
_START = """
import time
begun = time.perf_counter()
from moderation.model import bundle
bundle.shipped().scorer.score(["hello"])
print(time.perf_counter() - begun)
"""
# From a small process: what a large one starts inherits its peak of memory.
_PEAK = """
import resource, subprocess, sys, time
begun = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def speeds(
    scorer: Scorer, usual: Usual | None, checkers: dict[str, Answer], texts: Sequence[str]
) -> tuple[list[Row], list[str]]:
    """Return lines for the table of aims, and the pages' parts."""
    # One of its own: the words that the other side has just met would cost this one nothing.
    other = Scorer(scorer.weights, scorer.stage, scorer.calibration, scorer.vocabulary)
    for each in (scorer, other):
        each.score(texts[:MET])
    asked = list(dict.fromkeys(text for text in texts[MET:] if text.strip()))
    explained = "this bundle, explained"
    sides: dict[str, Callable[[Sequence[str]], object]] = {
        "this bundle": scorer.score,
        explained: lambda some: [why(other, text, model="", language="en") for text in some],
        **({"TF-IDF + LR": usual.scores} if usual else {}),
        **checkers,
    }
    one, many = _rounds(sides, asked)
    single, batch = (
        _ratio(taken["TF-IDF + LR"], taken["this bundle"]) if usual else None
        for taken in (one, many)
    )
    start = _start()
    rate, peak = _bulk(texts)
    per_long, per_short = (_per_character(scorer, size) for size in (LONG, LONG // 100))
    rows = [
        judged("single score: TF-IDF + LR's time / ours", single, 30, 60),
        judged("batch of 64: TF-IDF + LR's time / ours", batch, 25, 50),
        judged("explained / scored, single", _ratio(one[explained], one["this bundle"]), 2, 1.5,
               at_least=False),
        judged("start-up to first score, seconds", figure(start), 1, 0.5, at_least=False),
        judged("time a character, 100,000 / 1,000 characters", figure(per_long / per_short), 2, 1.2,
               at_least=False),
        Row(f"`aboveboard score`, {BULK:,}, a second", figure(rate), "report", "", Mark.PASS),
        Row("… peak memory, MiB", figure(peak), "bounded", "", Mark.PASS),
    ]  # fmt: skip
    lines = [
        (name, f"{1e6 * median(one[name]):,.0f}", f"{1e6 * median(many[name]):,.0f}")
        for name in sides
    ]
    length = int(median(map(len, asked)))
    return rows, [
        f"## Microseconds a comment, held-out comments of {length} characters at the median",
        "\n".join(table(("", "one at a time", "in batches of 64"), lines)),
    ]


def _rounds(
    sides: dict[str, Callable[[Sequence[str]], object]], texts: list[str]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return seconds a comment, round by round: one at a time, and in batches."""
    one: dict[str, list[float]] = {name: [] for name in sides}
    many: dict[str, list[float]] = {name: [] for name in sides}
    size = SINGLES + BATCHES * BATCH
    for each in range(min(ROUNDS, len(texts) // size)):
        mine = texts[each * size : (each + 1) * size]
        singles = [[text] for text in mine[:SINGLES]]
        batches = [mine[at : at + BATCH] for at in range(SINGLES, size, BATCH)]
        for name, answer in sides.items():
            one[name].append(_seconds(answer, singles))
            many[name].append(_seconds(answer, batches) / BATCH)
    return one, many


def _seconds(answer: Callable[[Sequence[str]], object], batches: list[list[str]]) -> float:
    taken = []
    for batch in batches:
        begun = time.perf_counter()
        answer(batch)
        taken.append(time.perf_counter() - begun)
    return median(taken)


def _ratio(above: list[float], below: list[float]) -> Figure:
    """Return the median of paired ratios, and the least and the most of the rounds."""
    found = [one / other for one, other in zip(above, below, strict=True)]
    return Figure(round(median(found), 2), round(min(found), 2), round(max(found), 2))


def _start() -> float:
    """Return the seconds from the first import to the first score, in a fresh process."""
    taken = [
        float(
            subprocess.run(  # noqa: S603 - our own words
                [sys.executable, "-c", _START], capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(STARTS)
    ]
    return median(taken)


def _bulk(texts: Sequence[str]) -> tuple[float, float]:
    """Return comments a second of `aboveboard score`, and its peak memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "comments.txt"
        lines = [" ".join(text.split())[:400] for text in texts]
        with path.open("w", encoding="utf-8") as file:
            for at in range(BULK):
                file.write(f"{lines[at % len(lines)]} {at}\n")
        command = [sys.executable, "-m", "aboveboard", "score", str(path)]
        found = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-c", _PEAK, *command], capture_output=True, text=True, check=False
        )
    if found.returncode:
        raise SystemExit(f"aboveboard score: expected the status 0, got {found.stderr[-400:]}")
    taken, peak = map(float, found.stdout.split())
    return BULK / taken, peak / 1024


def _per_character(scorer: Scorer, size: int) -> float:
    """Return the seconds a character of comments of *size* characters, whose words are new."""
    draw = np.random.default_rng(size)
    letters = np.array(list("etaoinshrdlucmf     "))
    taken: list[Any] = []
    for _ in range(ROUNDS):
        text = "".join(draw.choice(letters, size))
        begun = time.perf_counter()
        scorer.score([text])
        taken.append((time.perf_counter() - begun) / size)
    return median(taken)
