"""Tests of moderation.text.ngrams."""

import numpy as np

from moderation.text import ngrams
from moderation.text.normal import normalise


def _facts(text: str) -> tuple[int, ...]:
    plain = normalise(text)
    return ngrams.fact_tokens(plain, len(plain.words), len(set(plain.words)))


def test_a_word_has_itself_and_its_ngrams() -> None:
    """A framed word of n bytes has n-1 2-grams down to n-5 6-grams, and its own row."""
    rows, starts, sizes = ngrams.word_rows([b"a", b"word"])

    assert sizes.tolist() == [1 + 2 + 1, 1 + 5 + 4 + 3 + 2 + 1]
    assert starts.tolist() == [0, 4]
    assert rows.size == sizes.sum()


def test_rows_of_a_word_do_not_depend_on_its_neighbours() -> None:
    """No window crosses from one word into the next."""
    together = ngrams.word_rows([b"first", b"second", b"third"])

    for at, word in enumerate([b"first", b"second", b"third"]):
        alone = ngrams.word_rows([word])
        begin = together.starts[at]
        assert together.rows[begin : begin + together.sizes[at]].tolist() == alone.rows.tolist()


def test_rows_stay_in_the_table() -> None:
    """Every hashed row lies below the rows of the facts."""
    rows, _, _ = ngrams.word_rows([f"word{each}".encode() for each in range(2000)])

    assert rows.min() >= 0
    assert rows.max() < ngrams.HASHED_ROWS


def test_hashes_spread_over_the_table() -> None:
    """Many different words meet in few rows: no part of the hash is constant."""
    rows, _, _ = ngrams.word_rows([f"w{each * 7919}x".encode() for each in range(20_000)])

    assert np.unique(rows & 1023).size == 1024
    assert np.unique(rows >> 8).size == 1024


def test_shared_ngrams_share_rows() -> None:
    """Words with a common beginning have rows in common, others hardly any."""
    like, unlike = (
        set(ngrams.word_rows([b"moderate"]).rows) & set(ngrams.word_rows([other]).rows)
        for other in (b"moderator", b"xyzzy")
    )

    assert len(like) > 15
    assert len(unlike) < 2


def test_pairs_do_not_cross_texts() -> None:
    """The first token of a text has the same row whatever text stands before it."""
    codes = ngrams.word_codes([b"one", b"two", b"three"])
    starts = np.array([0, 2])

    rows = ngrams.pair_rows(codes, starts)

    assert rows[2] == ngrams.pair_rows(codes[2:], np.array([0]))[0]
    assert rows[1] != ngrams.pair_rows(codes[1:2], np.array([0]))[0]


def test_order_of_a_pair_matters() -> None:
    """The same two words the other way round are another pair."""
    codes = ngrams.word_codes([b"kill", b"you", b"kill"])

    rows = ngrams.pair_rows(codes, np.array([0]))

    assert rows[1] != rows[2]


def test_facts_follow_the_text() -> None:
    """Shouting, links and repetition each move their own fact and no other."""
    quiet = _facts("buy this thing now")
    loud = _facts("BUY THIS THING NOW")

    assert [a == b for a, b in zip(quiet, loud, strict=True)].count(False) == 1
    assert _facts("go go go go") != _facts("go no so to")
    assert _facts("see http://a.example") != _facts("see htt ://a.example")


def test_facts_have_an_upper_bucket() -> None:
    """However extreme a text is, each fact stays within its own rows."""
    for text in ("", "A" * 100_000, "!" * 1000, "1" * 1000, "www.a.com " * 500, "a@b.cc " * 99):
        for at, token in enumerate(_facts(text)):
            assert at * ngrams.BUCKETS <= token < (at + 1) * ngrams.BUCKETS
