"""What moved a label's score, and by how much, from the very weights that scored.

Pure numpy: no clock, no database. Since the whole model up to the calibration is a sum, an
explanation is exact: the base, the parts and the rest of a label add up to its logit.

A word's part is what it adds itself, half of what each pair it stands in adds, and what the
second stage adds because no other word of the text has more of a label. A word that occurs
several times counts once, and its first hundred places are told.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from moderation.model.scoring import MEANS, PEAKS, SUMS, Floats, Looked, Scorer
from moderation.text import ngrams
from moderation.text.disguise import spells
from moderation.text.language import Language, is_foreign, script
from moderation.text.normal import normalise
from moderation.text.spans import Span, spans
from moderation.verdict import LABELS, Label

FLOOR = 0.1  # probability; a label below it needs no explanation
PARTS = 8  # of a label; the others are in its rest
PLACES = 100  # of a word; a comment of one word over and over would make an answer of megabytes
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


class Part(NamedTuple):
    """One word or fact, and the *amount* it adds to the logit; below zero it speaks against.

    *name* is the word as the model reads it, or what the fact is called; *places* are the
    half-open intervals of the text, in code points, where the word stands.
    """

    kind: PartKind
    name: str
    amount: float
    places: tuple[tuple[int, int], ...] = ()


class Explanation(NamedTuple):
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


def why(
    scorer: Scorer, text: str, *, model: str, language: str | None = None, floor: float = FLOOR
) -> Why:
    """Explain every label of *text* whose probability is at least *floor*, the highest first.

    *language* is the model's, as in BCP 47.
    """
    scored = scorer.read([text])
    # Of most comments there is nothing to explain, and to score one is quicker than to look at it.
    explanations = _explained(scorer, text, floor) if scored.probabilities.max() >= floor else []
    known = bool(scored.known[0]) and not is_foreign(text, language)
    return Why(model, Language(script(text), known), explanations)


def _explained(scorer: Scorer, text: str, floor: float) -> list[Explanation]:
    plain = normalise(text)
    looked = scorer.look_at([plain])
    logits = scorer.mixed(looked)
    probabilities = scorer.calibration.apply(logits)[0]
    above = [at for at in (-probabilities).argsort().tolist() if probabilities[at] >= floor]
    amounts = _amounts(scorer, looked)
    words, places = _read(scorer, text, plain.words)
    strongest = (-np.abs(amounts)).argsort(axis=0, kind="stable")[:PARTS].T.tolist()
    speaks_for = amounts.argmax(axis=0).tolist()
    sums = amounts.sum(axis=0).tolist()
    found = []
    for column in above:
        parts = []
        told = 0.0
        order = strongest[column]
        if speaks_for[column] not in order:
            # However much speaks against a label, people want to know what speaks for it.
            order[-1] = speaks_for[column]
        for at, amount in zip(order, amounts[order, column].tolist(), strict=True):
            if abs(amount) < _LEAST:
                break
            told += amount
            if at < ngrams.FACTS:
                parts.append(Part(PartKind.FACT, FACT_NAMES[at], amount))
                continue
            word = words[at - ngrams.FACTS]
            name = word.decode("utf-8", "replace")
            stands = tuple(places.get(word, ())[:PLACES])
            parts.append(Part(PartKind.WORD, name, amount, stands))
        found.append(
            Explanation(
                LABELS[column],
                float(probabilities[column]),
                float(logits[0, column]),
                float(scorer.stage.intercepts[column]),
                tuple(parts),
                sums[column] - told,
            )
        )
    return found


def _amounts(scorer: Scorer, looked: Looked) -> Floats:
    """Return what each token of a text, facts first, adds to the logit of each label."""
    half = looked.pairs / 2
    shares = looked.sums + half
    shares[:-1] += half[1:]
    shares[0] += half[0]  # it has no neighbour to share with
    slopes = scorer.stage.slopes
    scale = looked.sizes[0] ** -0.5
    amounts: Floats = shares @ (scale * slopes[SUMS] + scale**2 * slopes[MEANS])
    for column, owner in enumerate(looked.sums.argmax(axis=0).tolist()):
        amounts[owner] += looked.sums[owner, column] * slopes[PEAKS][column]
    return amounts


def _read(
    scorer: Scorer, text: str, words: list[bytes]
) -> tuple[list[bytes], dict[bytes, list[tuple[int, int]]]]:
    """Return the different words the model reads in *text*, and where each stands."""
    raw = spans(text, words)
    seen = [each.word for each in raw]
    read = scorer.vocabulary.all_plain(seen)
    found: dict[bytes, list[tuple[int, int]]] = {}
    for word, (_, start, end) in zip(read, raw, strict=True):
        if word in found:
            found[word].append((start, end))
        else:
            found[word] = [(start, end)]
    if seen == words and not spells(found):
        return list(found), found
    # Pieces may be read otherwise than the whole text is: its own words count.
    joined = scorer.vocabulary.joined(seen)
    if len(joined) != len(raw):
        _add_spelt(found, joined, raw)
    return scorer.vocabulary.distinct(words)[1], found


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
