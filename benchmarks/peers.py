"""What others use for the same work, asked the same questions as the classifier.

Each peer is a function from comments to scores, higher for worse. One that is not installed says
how to get it, and is left out.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]
Answer = Callable[[Sequence[str]], Floats]

MISSING: Final = {
    "alt-profanity-check": "make bench-model installs it (requirements/peers.txt)",
    "better-profanity": "make bench-model installs it (requirements/peers.txt)",
    "bogofilter": "apt-get install bogofilter",
    "SpamAssassin": "apt-get install spamassassin",
}
ASKED: Final = {"better-profanity": 500}
"""How many rows of a set those are asked that take a tenth of a second for each."""

_STATUS = re.compile(rb"^X-Spam-Status: [^\n]*?score=(-?[0-9.]+)", re.MULTILINE)
_PARTS = (
    # What the counts are made by, and the texts a term must be in.
    ({"ngram_range": (1, 2)}, 2),
    ({"analyzer": "char_wb", "ngram_range": (2, 5)}, 3),
)


class Counted:
    """The counts of words 1-2 and of characters 2-5 in *texts*, made once for all folds."""

    def __init__(self, texts: Sequence[str]) -> None:
        makers = [CountVectorizer(dtype=np.float32, **how) for how, _ in _PARTS]
        self._matrices = [maker.fit_transform(texts).tocsr() for maker in makers]
        self._vocabularies = [maker.vocabulary_ for maker in makers]

    def usual(self, rows: Sequence[int], truth: NDArray[np.bool_], known: Any) -> "Usual":  # noqa: ANN401 - booleans or NaN
        """Fit the usual pipeline on *rows*; *truth* and *known* have a column a label."""
        parts, fitted = [], []
        for (how, least), matrix, words in zip(
            _PARTS, self._matrices, self._vocabularies, strict=True
        ):
            mine = matrix[rows]
            kept = np.flatnonzero(np.bincount(mine.indices, minlength=mine.shape[1]) >= least)
            places = np.full(mine.shape[1], -1)
            places[kept] = np.arange(kept.size)
            weigh = TfidfTransformer(sublinear_tf=True)
            fitted.append(weigh.fit_transform(mine[:, kept]))
            terms = {word: int(places[at]) for word, at in words.items() if places[at] >= 0}
            count = CountVectorizer(vocabulary=terms, dtype=np.float32, **how)
            parts.append((count, weigh, kept))
        whole = sparse.hstack(fitted, format="csr")
        heads = [
            LogisticRegression(C=2.0, max_iter=200).fit(
                whole[known[:, at]], truth[known[:, at], at]
            )
            for at in range(truth.shape[1])
        ]
        return Usual(parts, heads)

    def scores(self, pipeline: "Usual", rows: Sequence[int]) -> Floats:
        """Return what *pipeline* says of counted *rows*."""
        return pipeline.answer(
            [
                weigh.transform(matrix[rows][:, kept])
                for matrix, (_, weigh, kept) in zip(self._matrices, pipeline.parts, strict=True)
            ]
        )


class Usual:
    """TF-IDF of words 1-2 and characters 2-5 with one logistic regression a label."""

    def __init__(self, parts: list[Any], heads: list[LogisticRegression]) -> None:
        self.parts = parts
        self._heads = heads

    def scores(self, texts: Sequence[str]) -> Floats:
        """Return a row a text, a column a label."""
        return self.answer(
            [weigh.transform(count.transform(texts)) for count, weigh, _ in self.parts]
        )

    def answer(self, parts: list[Any]) -> Floats:
        """Return the same for what was counted and weighed already."""
        whole = sparse.hstack(parts, format="csr")
        return np.stack([head.decision_function(whole) for head in self._heads], axis=1)


def profanity_checkers() -> dict[str, Answer]:
    """Return those that need no training, by name."""
    found: dict[str, Answer] = {}
    try:
        from profanity_check import predict_prob  # noqa: PLC0415

        found["alt-profanity-check"] = lambda texts: np.asarray(predict_prob(list(texts)))
    except ImportError:
        pass
    try:
        from better_profanity import profanity  # noqa: PLC0415

        profanity.load_censor_words()
        found["better-profanity"] = lambda texts: np.array(
            [float(profanity.contains_profanity(text)) for text in texts]
        )
    except ImportError:
        pass
    return found


def mailbox(texts: Sequence[str]) -> bytes:
    """Return *texts* as the messages of one mbox file."""
    messages = []
    for at, text in enumerate(texts):
        body = re.sub(r"(?m)^(?=>*From )", ">", "\n".join(text.splitlines()))
        messages.append(
            "From reader@example.com Sat Nov 28 12:00:00 2026\n"
            "From: reader@example.com\nTo: site@example.com\nSubject: comment\n"
            "Date: Sat, 28 Nov 2026 12:00:00 +0000\n"
            f"Message-ID: <comment.{at}@example.com>\nMIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
            f"{body}\n\n"
        )
    return "".join(messages).encode("utf-8", "replace")


def bogofilter(texts: Sequence[str], spam: NDArray[np.bool_]) -> tuple[Answer, Callable[[], None]]:
    """Train bogofilter in a folder of its own; return what asks it, and what takes that away."""
    folder = Path(tempfile.mkdtemp(prefix="bogofilter-"))
    ask = ["bogofilter", "-d", str(folder), "-M"]
    for flag, wanted in (("-s", True), ("-n", False)):
        mine = [text for text, bad in zip(texts, spam, strict=True) if bad is np.bool_(wanted)]
        subprocess.run([*ask, flag], input=mailbox(mine), check=True)  # noqa: S603 - our own words

    def answer(asked: Sequence[str]) -> Floats:
        # Its status says which message it is; 0 to 2 are no failure.
        said = subprocess.run(  # noqa: S603 - our own words
            [*ask, "-T"], input=mailbox(asked), capture_output=True, check=False
        ).stdout.split(b"\n")
        found = np.array([float(line.split()[1]) for line in said if line.strip()])
        if found.size != len(asked):
            raise RuntimeError(f"expected {len(asked)} answers of bogofilter, got {found.size}")
        return found

    return answer, lambda: shutil.rmtree(folder)


def spamassassin(texts: Sequence[str]) -> Floats:
    """Return the points of SpamAssassin's local rules."""
    with tempfile.TemporaryDirectory() as home:
        said = subprocess.run(
            ["spamassassin", "--local", "--test-mode", "--mbox"],  # noqa: S607 - whichever there is
            input=mailbox(texts),
            capture_output=True,
            check=True,
            env={"HOME": home, "PATH": "/usr/bin:/bin"},
        )
    found = np.array([float(points) for points in _STATUS.findall(said.stdout)])
    if found.size != len(texts):
        raise RuntimeError(f"expected {len(texts)} answers of SpamAssassin, got {found.size}")
    return found


def absent() -> dict[str, str]:
    """Return the peers that are not installed, and how to get each."""
    here = set(profanity_checkers())
    for name, command in (("bogofilter", "bogofilter"), ("SpamAssassin", "spamassassin")):
        if shutil.which(command):
            here.add(name)
    return {name: how for name, how in MISSING.items() if name not in here}
