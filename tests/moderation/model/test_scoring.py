"""Tests of moderation.model.scoring."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.model import scoring
from moderation.model.scoring import MEANS, PEAKS, POOLED, SUMS, Calibration, Scorer, Stage
from moderation.text import ngrams
from moderation.text.disguise import Vocabulary
from moderation.verdict import LABELS, Label


def _scorer(seed: int = 0) -> Scorer:
    draw = np.random.default_rng(seed)
    values = np.sort(draw.random((len(LABELS), 33)), axis=1)
    size = len(LABELS)
    weights = draw.standard_normal((ngrams.ROWS, size)).astype(np.float32)
    stage = Stage(draw.standard_normal(size), draw.standard_normal((POOLED, size)))
    words = Vocabulary([b"you", b"are", b"a", b"moron", b"idiot", b"person"], marked=[b"moron"])
    return Scorer(weights, stage, Calibration(values, low=-6.0, high=6.0), words)


SCORER = _scorer()
TEXTS = [
    "Hello world",
    "",
    "\x00",
    "Hello",
    "x" * 5000,
    "a b c " * 300,
    "caf\u00e9 \U0001f600",
    "you m o r o n",
    "You are a m*r*n, y0u 1d10t",
    "a gay person",
]


def test_columns_stand_in_the_order_of_the_labels() -> None:
    """The order is part of the stored format: it may not change without a new format."""
    assert LABELS == (
        Label.SPAM,
        Label.TOXICITY,
        Label.SEVERE_TOXICITY,
        Label.OBSCENE,
        Label.THREAT,
        Label.INSULT,
        Label.IDENTITY_ATTACK,
        Label.SEXUAL_EXPLICIT,
    )
    assert SCORER.score(TEXTS).shape == (len(TEXTS), 8)


def test_a_score_does_not_depend_on_the_batch() -> None:
    """Alone, in a batch, in another order and by a scorer that has met no word: the same."""
    together = SCORER.logits(TEXTS)

    assert np.array_equal(SCORER.logits(TEXTS[::-1]), together[::-1])
    for at, text in enumerate(TEXTS):
        assert np.allclose(_scorer().logits([text])[0], together[at], rtol=0, atol=1e-9)
        assert np.allclose(SCORER.logits([text])[0], together[at], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "disguised",
    [
        "You are a m0r0n",
        "YOU are a m*ron",
        "you are a mooooron",
        "you are a m-o-r-o-n",
        "you are a m\u014fr\u00f3n",
        "y\u043eu \u0430re \u0430 m\u043er\u043en",  # Cyrillic letters
        "you are a mo\u200bron",
    ],
)
def test_a_disguised_word_adds_what_the_word_adds(disguised: str) -> None:
    """Sums and peaks of words and pairs are those of the plain text; only facts differ."""
    plain, other = (SCORER.look([text]) for text in ("you are a moron", disguised))

    assert np.array_equal(plain.sums[ngrams.FACTS :], other.sums[ngrams.FACTS :])
    assert np.array_equal(plain.pairs[ngrams.FACTS + 1 :], other.pairs[ngrams.FACTS + 1 :])
    assert other.familiar[0] == 4


def test_spelt_letters_are_read_as_a_word() -> None:
    """Spaces between letters hide no word."""
    plain, spelt = (SCORER.look([text]) for text in ("you moron", "you m o r o n"))

    assert np.array_equal(plain.sums[ngrams.FACTS :], spelt.sums[ngrams.FACTS :])


def test_naming_a_group_moves_one_label_alone() -> None:
    """Which group a sentence names makes no difference to any label but identity_attack."""
    gay, muslim = SCORER.look(["a gay person"]), SCORER.look(["a muslim person"])
    differ = (gay.sums != muslim.sums).any(axis=0) | (gay.pairs != muslim.pairs).any(axis=0)

    assert differ.nonzero()[0].tolist() == [LABELS.index("identity_attack")]


def test_the_second_stage_sees_sums_means_and_peaks() -> None:
    """A logit is the stage's intercept and the sloped sums, means and peaks of the tokens."""
    pooled = SCORER.pooled(TEXTS)

    for text, row, logits in zip(TEXTS, pooled, SCORER.logits(TEXTS), strict=True):
        looked = SCORER.look([text])
        total = (looked.sums + looked.pairs).sum(axis=0)
        count = len(looked.sums)
        assert np.allclose(row[SUMS], total / np.sqrt(count), rtol=0, atol=1e-9)
        assert np.allclose(row[MEANS], total / count, rtol=0, atol=1e-9)
        assert np.allclose(row[PEAKS], looked.sums.max(axis=0), rtol=0, atol=1e-9)
        expected = SCORER.stage.intercepts + row @ SCORER.stage.slopes
        assert np.allclose(logits, expected, rtol=0, atol=1e-9)


def test_unknown_words_tell_an_unknown_language() -> None:
    """The share of words the vocabulary has decides, unless there are too few to tell."""
    read = SCORER.read(
        ["you are a moron", "du bist ein Trottel", "you are ein Trottel", "", "http://a.example.ru"]
    )

    assert read.familiar.tolist() == [1.0, 0.0, 0.5, 0.0, 0.0]
    assert read.known.tolist() == [True, False, True, True, True]


def test_large_batches_are_scored_in_pieces() -> None:
    """A batch above the chunk size gives one row a text, in order."""
    texts = [f"comment number {each}" for each in range(700)]

    assert np.allclose(SCORER.score(texts)[699], SCORER.score(texts[699:])[0], rtol=0, atol=1e-9)
    assert SCORER.score(texts).shape == (700, 8)


def test_no_texts_give_no_rows() -> None:
    """An empty batch is no error."""
    assert SCORER.score([]).shape == (0, 8)


@pytest.mark.parametrize(
    "text", ["x" * 100_000, " ".join(map(str, range(17_000)))], ids=["one word", "many words"]
)
def test_a_hundred_thousand_characters_are_scored(text: str) -> None:
    """One endless word and twenty thousand different ones both give probabilities."""
    scores = SCORER.score([text])

    assert np.isfinite(scores).all()


def test_memory_keeps_the_vocabulary_when_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scorer that has met more words than it remembers still gives the same scores."""
    monkeypatch.setattr(scoring, "_REMEMBERED", 50)
    small = _scorer()
    texts = [f"word{each} other{each * 3} m0r0n you{'u' * each}" for each in range(200)]

    for text in texts:
        assert np.allclose(small.logits([text]), SCORER.logits([text]), rtol=0, atol=1e-9)
    assert len(small._memory.places) <= 50 + len(small._given)
    assert all(word in small._memory.places for word in small._given)


def test_threads_share_a_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that teach one small memory at once read nothing of each other's."""
    monkeypatch.setattr(scoring, "_REMEMBERED", 40)
    small = _scorer()
    texts = [f"alpha{each % 97} beta{each % 89} gamma" for each in range(400)]
    expected = SCORER.logits(texts)
    wrong = []

    def work(offset: int) -> None:
        wrong.extend(
            texts[at]
            for at in range(offset, 400, 4)
            if not np.allclose(small.logits([texts[at]])[0], expected[at], rtol=0, atol=1e-9)
        )

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


def test_calibration_is_linear_between_knots_and_flat_outside() -> None:
    """Each label follows numpy's interpolation over its own row."""
    values = np.array([[0.0, 0.25, 1.0], [0.1, 0.1, 0.2]])
    logits = np.array([[-9.0, -9.0], [-1.0, 0.5], [0.0, 1.5], [0.5, 2.0], [9.0, 9.0]])

    found = Calibration(values, low=-2.0, high=2.0).apply(logits)

    for column in range(2):
        expected = np.interp(logits[:, column], [-2.0, 0.0, 2.0], values[column])
        assert np.allclose(found[:, column], expected, atol=1e-6)


@given(st.lists(st.text(st.characters()), max_size=5))
def test_any_texts_have_probabilities(texts: list[str]) -> None:
    """Any strings, lone surrogates and NUL included, score within 0..1."""
    scores = SCORER.score(texts)

    assert scores.shape == (len(texts), 8)
    assert ((scores >= 0) & (scores <= 1)).all()
