"""Tests of moderation.model.native: it is held to what it is compiled from the pattern of."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.model import bundle, scoring
from moderation.model.scoring import Scorer
from moderation.text import ngrams
from moderation.verdict import LABELS

pytestmark = pytest.mark.skipif(
    not scoring.COMPILED,
    reason="needs the compiled module: install a C compiler and Python's headers, then make clean",
)
if scoring.COMPILED:
    from moderation.model import native

SHIPPED = bundle.shipped().scorer
WEIGHTS = SHIPPED.weights
PIECES = (
    *("you", "are", "an", "IDIOT", "moron", "m0r0n", "f**k", "sh!t", "stuuupid", "f u c k", "a b"),
    *(
        "mroon",
        "stpuid",
        "form",
        "fomr",
        "40%",
        "3%-8%",
        "h35",
        "it's",
        "'quoted'",
        "zzz",
        "e" * 25,
    ),
    *("!", "!!!", "!a", "!9", "!$", "!@", "! a", "@", "@you", "a@b", "a.@b.org", "x@y.org", ".a"),
    *(
        "www.",
        "www.x",
        "wwww.",
        "a.com",
        "a.COM/x?y",
        "e.g.",
        "http://x.ru",
        "HTTPS://x",
        ":/",
        ":",
    ),
    *("&amp;", "&#33;", "&", "& a", "&a", "&#", "U.S.", "1.5", "..", "a.b.c", "\t", "\n", "\x00"),
    *(
        "\x7f",
        "caf\u00e9",
        "\u0430",
        "\u200b",
        "\u2019",
        "\U0001f600",
        "\ud800",
        "\u0130",
        "\ufb01",
    ),
    *("x" * 7, "x" * 8, "x" * 9, "y" * 70, "\u00e9" * 40, "1", "2", "$", "|", '"', "(", "?)", "-"),
)
TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(PIECES) | st.text(max_size=6)).map(" ".join),
        st.lists(st.sampled_from(PIECES)).map("".join),
        st.text(),
    ),
    min_size=1,
    max_size=5,
)


def _fresh() -> Scorer:
    """Return a scorer that has met nothing."""
    return Scorer(WEIGHTS, SHIPPED.stage, SHIPPED.calibration, SHIPPED.vocabulary)


def _usual(texts: list[str], scorer: Scorer) -> tuple[np.ndarray, list[float], list[int]]:
    """Return the logits of *texts*, and what is known of their words, without what is compiled."""
    looked = scorer.look(texts)
    return scorer.mixed(looked), looked.familiar.tolist(), looked.sizes.tolist()


@pytest.fixture(scope="module")
def plain() -> Scorer:
    """Return a scorer made where nothing could be compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "COMPILED", False)
        return _fresh()


@settings(max_examples=400)
@given(texts=TEXTS)
def test_texts_are_read_as_they_are_without(texts: list[str]) -> None:
    """Whatever a text holds, tokens and sums are those of the code that is not compiled."""
    scored = SHIPPED.read(texts)
    logits, familiar, sizes = _usual(texts, SHIPPED)

    assert np.allclose(SHIPPED.logits(texts), logits, rtol=0, atol=1e-9)
    assert scored.words.tolist() == [size - ngrams.FACTS for size in sizes]
    assert np.allclose(scored.familiar * np.maximum(scored.words, 1), familiar, rtol=0, atol=1e-9)


def test_a_scorer_without_it_gives_the_same(plain: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without a compiler scores as one with it."""
    texts = [f"{one} {other} {one}{other}" for one in PIECES for other in PIECES]
    compiled = SHIPPED.score(texts)
    monkeypatch.setattr(scoring, "COMPILED", False)

    assert np.allclose(plain.score(texts), compiled, rtol=0, atol=1e-9)
    assert type(plain._memory.places) is not type(SHIPPED._memory.places)


def test_a_text_may_be_a_kind_of_string() -> None:
    """A subclass of str is read, too, but by the usual way."""

    class Kind(str):
        __slots__ = ()

    assert np.array_equal(SHIPPED.logits([Kind("you moron")]), SHIPPED.logits(["you moron"]))


@given(words=st.lists(st.tuples(st.binary(max_size=20), st.integers(1, 2**31 - 1)), max_size=40))
def test_places_are_a_dictionary(words: list[tuple[bytes, int]]) -> None:
    """What was put in last is found, and nothing else."""
    places, expected = native.Places(), dict(words)
    for word, place in words:
        places[word] = place

    assert len(places) == len(expected)
    assert all(places[word] == place == places.get(word) for word, place in expected.items())
    assert all(word in places for word in expected)
    assert places[b"something else than that"] == 0
    assert b"something else than that" not in places


def test_places_grow() -> None:
    """Many words, of which many begin alike, are each found."""
    words = [b"beginning%d" % each for each in range(50_000)]
    places = native.Places()
    places.add(words, 1)

    assert [places[word] for word in words] == list(range(1, 50_001))
    assert places[b"beginning50000"] == places[b"beginning"] == places[b""] == 0


def test_words_add_what_they_add_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a word are the same, in the same order: not a digit differs."""
    words = [
        b"a",
        b"you",
        b"idiot",
        b"x" * 500,
        "caf\u00e9".encode(),
        b"",
        b"it's",
        bytes(range(256)),
    ]
    sums, codes = native.worked(words, WEIGHTS)
    monkeypatch.setattr(scoring, "COMPILED", False)
    expected, numbers = scoring._summed(words, WEIGHTS)

    assert np.array_equal(sums, expected)
    assert np.array_equal(codes, numbers)


def _held(words: int, labels: int = len(LABELS)) -> scoring._Worked:
    return scoring._Worked(
        np.zeros((words, labels)), np.zeros(words, np.uint32), np.zeros(words, np.bool_)
    )


def _pool(
    order: list[int], sizes: list[int], *, held: scoring._Worked, weights: np.ndarray = WEIGHTS
) -> object:
    scales = np.ones(len(sizes))
    return native.pool(np.array(order), np.array(sizes), scales, held, _held(1), weights)


def _tokens(met: int) -> object:
    nowhere = native.Places()
    return native.tokens(nowhere, nowhere, ["a-new-one"], {}, 9, lambda _: met, list, 1)


WRONG: dict[str, Callable[[], object]] = {
    "place above": lambda: _pool([0, 5], [2], held=_held(4)),
    "place below": lambda: _pool([0, -1], [2], held=_held(4)),
    "size above": lambda: _pool([0, 1], [3], held=_held(4)),
    "no token": lambda: _pool([0, 1], [2, 0], held=_held(4)),
    "labels": lambda: _pool([0], [1], held=_held(4, labels=7)),
    "codes": lambda: _pool([0], [1], held=_held(4)._replace(codes=np.zeros(3, np.uint32))),
    "few weights": lambda: _pool([0], [1], held=_held(4), weights=WEIGHTS[:100]),
    "narrow weights": lambda: native.worked([b"a"], WEIGHTS[:, :7].copy()),
    "meet zero": lambda: _tokens(0),
    "meet below": lambda: _tokens(-7),
    "zero": lambda: native.Places().add([b"word"], 0),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_would_lead_out_of_memory_is_refused(wrong: Callable[[], object]) -> None:
    """No array is read beyond its end, whoever made it."""
    with pytest.raises(ValueError, match="expected"):
        wrong()


def test_threads_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that teach one small memory while others read from it disturb nobody."""
    monkeypatch.setattr(scoring, "_REMEMBERED", 60)
    small = _fresh()
    texts = [f"w{each % 97}x b{each % 89}y caf\u00e9{each} m{each} o r o n" for each in range(300)]
    expected = SHIPPED.logits(texts)
    wrong: list[int] = []

    def read(first: int) -> None:
        for at in range(first, len(texts), 3):
            found = small.logits(texts[at : at + 2])
            if not np.allclose(found, expected[at : at + 2], rtol=0, atol=1e-9):
                wrong.append(at)

    threads = [threading.Thread(target=read, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
