"""Tests of moderation.model.native: it is held to what it is compiled from the pattern of."""

import os
import shutil
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.model import bundle, scoring
from moderation.model.scoring import Scorer
from moderation.text import disguise
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


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Be where nothing could be compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "COMPILED", False)
        yield


with _uncompiled():
    PLAIN = _fresh()


def _agree(texts: list[str]) -> None:
    """Assert that *texts* are read the same with what is compiled and without."""
    scored, logits = SHIPPED.read(texts), SHIPPED.logits(texts)
    with _uncompiled():
        expected, found = PLAIN.read(texts), PLAIN.logits(texts)

    assert np.allclose(logits, found, rtol=0, atol=1e-9)
    assert scored.words.tolist() == expected.words.tolist()
    assert np.allclose(scored.familiar, expected.familiar, rtol=0, atol=1e-9)


def test_it_is_compiled_where_it_can_be() -> None:
    """A machine that runs these tests with a compiler runs them on what is compiled."""
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    if shutil.which(os.fsdecode(sysconfig.get_config_var("CC").split()[0])) and headers.exists():
        assert scoring.COMPILED, scoring.WHY_NOT


@settings(max_examples=400)
@given(texts=TEXTS)
def test_texts_are_read_as_they_are_without(texts: list[str]) -> None:
    """Whatever a text holds, tokens and sums are those of the code that is not compiled."""
    _agree(texts)


def test_pieces_side_by_side_are_read_as_they_are_without() -> None:
    """What stands before, behind and right beside a piece is another each time."""
    _agree([f"{one} {other} {one}{other}" for one in PIECES for other in PIECES])
    assert type(PLAIN._memory.places) is not type(SHIPPED._memory.places)


def test_words_of_every_length_are_read_as_they_are_without() -> None:
    """Also with two letters that changed places, which only some lengths are read with."""
    of_length = {len(word): word for word in reversed(SHIPPED.vocabulary.words)}
    texts = []
    for length, word in of_length.items():
        swapped = [
            b"".join((word[:at], word[at : at + 2][::-1], word[at + 2 :])) for at in range(length)
        ]
        texts += [each.decode() for each in (word, word * 2, word + b"'", *swapped)]

    assert of_length.keys() >= set(range(disguise.LEAST, 20))
    _agree(texts)


def test_texts_of_every_length_are_read_as_they_are_without() -> None:
    """Lengths are told apart by their powers of two."""
    _agree(
        [("ab, Cd 1! " * 20_000)[: 2**power + more] for power in range(15) for more in (-1, 0, 1)]
    )


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


NOWHERE = native.Places() if scoring.COMPILED else None


def _tokens(met: int) -> object:
    return native.tokens(NOWHERE, NOWHERE, ["a-new-one"], {}, 9, lambda _: met, list, 1)


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
    "met before": lambda: native.tokens(NOWHERE, NOWHERE, ["one"], {b"one": -9}, 9, int, list, 1),
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


def test_who_takes_texts_away_meanwhile_takes_none() -> None:
    """The list is the caller's, and what is called while it is read may do anything."""
    texts: list[str] = []

    class Greedy(str):
        __slots__ = ()

        def isascii(self) -> bool:
            texts.clear()
            return super().isascii()

    texts += [Greedy(f"you{each}") for each in range(200)]

    assert len(SHIPPED.logits(texts)) == 200


def test_words_that_are_none_are_refused() -> None:
    """What is spelt by letters is to be words."""
    letters = native.Places()
    letters.add([b"a", b"b", b"c"], 1)

    with pytest.raises(TypeError, match="got None"):
        native.tokens(letters, NOWHERE, ["a b c"], {}, 9, int, lambda _: [None], 9)
