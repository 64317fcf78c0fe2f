"""Tests of moderation.model.explanation."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.model.explanation import PARTS, PLACES, Explanation, PartKind, why
from moderation.model.scoring import POOLED, Calibration, Scorer, Stage
from moderation.text import ngrams
from moderation.text.disguise import Vocabulary
from moderation.verdict import LABELS

SIZE = len(LABELS)


def _scorer() -> Scorer:
    draw = np.random.default_rng(5)
    stage = Stage(draw.standard_normal(SIZE), draw.standard_normal((POOLED, SIZE)))
    return Scorer(
        draw.standard_normal((ngrams.ROWS, SIZE)).astype(np.float32),
        stage,
        Calibration(np.tile(np.linspace(0, 1, 33), (SIZE, 1)), low=-12.0, high=12.0),
        Vocabulary([b"you", b"moron", b"fuck", b"are"], marked=[b"moron", b"fuck"]),
    )


SCORER = _scorer()


def explain(text: str, *, scorer: Scorer = SCORER, floor: float = 0.0) -> Sequence[Explanation]:
    """Return the explanations of a text's labels."""
    return why(scorer, text, model="ours", floor=floor).explanations


@given(
    st.one_of(
        st.text(st.characters()),
        st.lists(st.sampled_from(["you", "moron", "are", "x", "y"])).map(" ".join),
    )
)
def test_an_explanation_sums_to_the_logit(text: str) -> None:
    """Base, parts and rest are the logit before calibration, for any text and every label."""
    logits = SCORER.logits([text])[0]

    found = explain(text)

    assert len(found) == SIZE
    for each in found:
        assert each.logit == pytest.approx(logits[LABELS.index(each.label)], abs=1e-6)
        told = each.base + sum(part.amount for part in each.parts) + each.rest
        assert told == pytest.approx(each.logit, abs=1e-6)


def test_labels_below_the_floor_are_not_explained() -> None:
    """What is explained is what scored at least the floor, the highest first."""
    scores = SCORER.score(["you are a moron"])[0]
    floor = float(np.median(scores))  # between two of eight scores

    found = explain("you are a moron", floor=floor)

    assert {each.label for each in found} == {
        label for label, score in zip(LABELS, scores, strict=True) if score >= floor
    }
    told = sorted(scores[scores >= floor], reverse=True)
    assert [each.probability for each in found] == pytest.approx(told)


def test_a_word_is_told_with_all_its_places() -> None:
    """Disguised, spelt out and plain: every place of the word is quoted."""
    text = "Moron! You m0r0n are a m o r o n"

    found = explain(text)
    parts = {part.name: part for each in found for part in each.parts}

    quoted = [text[start:end] for start, end in parts["moron"].places]
    assert sorted(quoted) == ["Moron", "m o r o n", "m0r0n"]
    assert parts["moron"].kind is PartKind.WORD


def test_a_word_over_and_over_is_told_with_its_first_places() -> None:
    """A long comment of few words has no answer of megabytes, which would hold others up."""
    found = explain("moron " * 5_000)

    told = [part for each in found for part in each.parts if part.name == "moron"]
    assert told
    for part in told:
        assert part.places == tuple((6 * at, 6 * at + 5) for at in range(PLACES))


def test_facts_have_names_and_no_places() -> None:
    """What the text as a whole adds is told by name."""
    found = explain("HELLO!!! HELLO")

    facts = [part for each in found for part in each.parts if part.kind is PartKind.FACT]
    assert {"capitals", "exclamation_marks", "length"} <= {part.name for part in facts}
    assert not any(part.places for part in facts)


def test_only_the_strongest_parts_are_told() -> None:
    """A long text has a short explanation; what is left is in the rest."""
    text = " ".join(f"word{at}" for at in range(500))

    for each in explain(text):
        amounts = [abs(part.amount) for part in each.parts]
        assert len(amounts) <= PARTS
        assert amounts == sorted(amounts, reverse=True)


def test_what_speaks_for_a_label_is_told() -> None:
    """However much speaks against it, the strongest that speaks for it is among the parts."""
    text = " ".join(f"word{at}" for at in range(500))

    for each in explain(text):
        assert max(part.amount for part in each.parts) > 0
        assert each.base + sum(part.amount for part in each.parts) + each.rest == pytest.approx(
            each.logit, abs=1e-6
        )


def test_taking_the_word_away_takes_its_part_away() -> None:
    """The part is the true difference where a word stands alone in its pairs and peaks."""
    flat = Scorer(SCORER.weights, Stage.none(np.zeros(SIZE)), SCORER.calibration, SCORER.vocabulary)
    looked = flat.look(["moron"])

    (first, *_) = explain("moron", scorer=flat)
    part = next(part for part in first.parts if part.name == "moron")

    column = LABELS.index(first.label)
    word = looked.sums[-1, column] + looked.pairs[-1, column] / 2
    assert part.amount == pytest.approx(word / np.sqrt(ngrams.FACTS + 1), abs=1e-9)
