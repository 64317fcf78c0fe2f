"""What moved a label's score, and by how much, from the very weights that scored.

Pure numpy: no clock, no database. Since the whole model up to the calibration is a sum, an
explanation is exact: the base, the parts and the rest of a label add up to its logit.

A word's part is what it adds itself, half of what each pair it stands in adds, and what the
second stage adds because no other word of the text has more of a label. A word that occurs
several times counts once, and all its places are told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from moderation.model.scoring import Floats, Scorer
from moderation.text import ngrams
from moderation.text.language import Language, script
from moderation.text.normal import normalise
from moderation.text.spans import Span, spans
from moderation.verdict import LABELS, Label

FLOOR = 0.1  # probability; a label below it needs no explanation
PARTS = 8  # of a label; the others are in its rest
_LEAST = 0.01  # of a logit; less is in the rest, too

FACT_NAMES = (
    "length",
    "capitals",
    "digits",
    "repeated_words",
    "links",
    "exclamation_marks",
    "addresses_and_foreign_letters",
)


class PartKind(StrEnum):
    """What a part of a score comes from."""

    WORD = "word"
    FACT = "fact"


@dataclass(frozen=True, slots=True)
class Part:
    """One word or fact, and the *amount* it adds to the logit; below zero it speaks against.

    *name* is the word as the model reads it, or what the fact is called; *places* are the
    half-open intervals of the text, in code points, where the word stands.
    """

    kind: PartKind
    name: str
    amount: float
    places: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why *label* has its *probability*: *logit* = *base* + the parts' amounts + *rest*."""

    label: Label
    probability: float
    logit: float
    base: float
    parts: tuple[Part, ...]
    rest: float


class Why(NamedTuple):
    """What is told of a text beside its scores, and the name of the model that tells it."""

    model: str
    language: Language
    explanations: Sequence[Explanation]


def why(scorer: Scorer, text: str, *, model: str, floor: float = FLOOR) -> Why:
    """Return the language of *text* and the explanations of its labels from *floor* on."""
    known = bool(scorer.read([text]).known[0])
    return Why(model, Language(script(text), known), explain(scorer, text, floor=floor))


def explain(scorer: Scorer, text: str, *, floor: float = FLOOR) -> list[Explanation]:
    """Explain every label of *text* whose probability is at least *floor*, the highest first."""
    plain = normalise(text)
    count, words = scorer.vocabulary.distinct(plain.words)
    amounts = _amounts(scorer, text)
    base = scorer.stage.intercepts
    logits = base + amounts.sum(axis=0)
    probabilities = scorer.calibration.apply(logits[None])[0]
    above = [at for at in np.argsort(-probabilities) if probabilities[at] >= floor]
    if not above:
        return []
    places = _places(scorer, text)
    facts = ngrams.fact_tokens(plain, count, len(words))
    found = []
    for column in above:
        mine = amounts[:, column]
        parts = []
        for at in np.argsort(-np.abs(mine), kind="stable")[:PARTS].tolist():
            if abs(mine[at]) < _LEAST:
                break
            if at < len(facts):
                parts.append(Part(PartKind.FACT, FACT_NAMES[at], float(mine[at])))
                continue
            word = words[at - len(facts)]
            name = word.decode("utf-8", "replace")
            parts.append(Part(PartKind.WORD, name, float(mine[at]), tuple(places.get(word, ()))))
        told = sum(part.amount for part in parts)
        found.append(
            Explanation(
                LABELS[column],
                float(probabilities[column]),
                float(logits[column]),
                float(base[column]),
                tuple(parts),
                float(mine.sum() - told),
            )
        )
    return found


def _amounts(scorer: Scorer, text: str) -> Floats:
    """Return what each token of *text*, facts first, adds to the logit of each label."""
    looked = scorer.look([text])
    half = looked.pairs / 2
    shares = looked.sums + half
    shares[:-1] += half[1:]
    shares[0] += half[0]  # it has no neighbour to share with
    amounts: Floats = shares * looked.sizes[0] ** -0.5 @ scorer.stage.mixing
    for column, owner in enumerate(looked.sums.argmax(axis=0).tolist()):
        amounts[owner] += looked.sums[owner, column] * scorer.stage.peaking[column]
    return amounts


def _places(scorer: Scorer, text: str) -> dict[bytes, list[tuple[int, int]]]:
    """Return where each word of *text* stands, by the word the model reads there."""
    raw = spans(text)
    plain = scorer.vocabulary.plain
    found: dict[bytes, list[tuple[int, int]]] = {}
    read = [plain(each.word) for each in raw]
    for word, span in zip(read, raw, strict=True):
        found.setdefault(word, []).append((span.start, span.end))
    joined = scorer.vocabulary.joined([each.word for each in raw])
    if len(joined) != len(raw):
        _add_spelt(found, joined, raw)
    return found


def _add_spelt(
    found: dict[bytes, list[tuple[int, int]]], joined: Sequence[bytes], raw: Sequence[Span]
) -> None:
    """Add the places of words that are spelt letter by letter."""
    at = 0
    for word in joined:
        letters = 1 if word == raw[at].word else len(word)
        if letters > 1:
            found.setdefault(word, []).append((raw[at].start, raw[at + letters - 1].end))
        at += letters
