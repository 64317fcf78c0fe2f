"""Resemblance: the same words are the same, most of the same words are nearly so."""

import random

from hypothesis import given
from hypothesis import strategies as st

from moderation.policy.resemblance import BANDS, alike, bands, resemblance

TEXT = (
    "the second chapter explains why the old bridge over the river was closed in spring and "
    "who paid for the new one that opened last week"
)


def found(text: str, other: str) -> bool:
    """Whether *other* would be found by a band of *text*, and is alike."""
    one, two = resemblance(text).signature, resemblance(other).signature
    assert one is not None
    assert two is not None
    return bool(set(bands(one)) & set(bands(two))) and alike(one, two)


def test_case_punctuation_and_links_make_no_difference() -> None:
    """The same words have one fingerprint and one signature, whatever they link to."""
    first = resemblance("Buy CHEAP pills here, today: http://a.example.com/1 !")
    second = resemblance("buy  cheap\npills here today http://b.example.org/2?x")

    assert first == second
    assert first.fingerprint is not None
    assert first.signature is not None


def test_the_order_of_words_is_part_of_a_fingerprint_only() -> None:
    """Turned round they are nearly the same, not the same."""
    first, second = resemblance(TEXT), resemblance(" ".join(reversed(TEXT.split())))

    assert first.fingerprint != second.fingerprint
    assert first.signature == second.signature


def test_one_word_changed_is_nearly_the_same() -> None:
    """Of twenty different words one is another: nearly every such pair is found."""
    pairs = random.Random(1)  # noqa: S311 - repeatable, not secret
    hits = 0
    for at in range(200):
        words = [f"w{pairs.randrange(10**9)}" for _ in range(20)]
        changed = [*words[:-1], f"other{at}"]
        hits += found(" ".join(words), " ".join(changed))

    assert hits >= 180


def test_other_words_are_not_alike() -> None:
    """Texts that share one word in three are hardly ever taken for each other."""
    pairs = random.Random(2)  # noqa: S311 - repeatable, not secret
    hits = 0
    for _ in range(200):
        shared, one, two = ([f"w{pairs.randrange(10**9)}" for _ in range(15)] for _ in range(3))
        hits += found(" ".join(shared + one), " ".join(shared + two))

    assert hits <= 4


def test_short_texts_have_no_signature() -> None:
    """Thanks is thanks: too few words resemble others by chance; no words have nothing at all."""
    assert resemblance("Thanks, great post!").signature is None
    assert resemblance("Thanks, great post!").fingerprint is not None
    assert resemblance(" ?! ") == (None, None)


def test_signatures_stay_as_they_are() -> None:
    """They are stored: another release must make the same."""
    assert resemblance(TEXT) == (
        "213f979a6caf1a6a1fd547521a54695d",
        (
            "02971e1d0ac879740071372e0b7ef65106c24902096937c0"
            "051d58e1074bf39d07dc554f0d506b98000de3ae0105aab7"
        ),
    )


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    """Whatever it holds; a signature has its four bands."""
    made = resemblance(text)

    assert made == resemblance(text)
    if made.signature is not None:
        assert len(made.signature) == 96
        assert len(set(bands(made.signature))) == BANDS
        assert alike(made.signature, made.signature)
