"""What revisions say against those before: exact, and no more work than was agreed to."""

from hypothesis import given
from hypothesis import strategies as st

from moderation.review.context import Comparing

WORDS = st.text("ab ,.\n", max_size=60)


@given(WORDS, WORDS)
def test_changes_give_both_texts_back(before: str, after: str) -> None:
    """What stayed and went is the older text, what stayed and came the newer one."""
    changes = Comparing().compare(before, after)

    assert changes is not None
    assert "".join(text for kind, text in changes if kind != "+") == before
    assert "".join(text for kind, text in changes if kind != "-") == after
    assert all(text for _, text in changes)


def test_what_is_too_much_work_is_not_compared() -> None:
    """A thousand times the same word against another thousand, or little once too often."""
    same, other = "word " * 1_000, "none " + "word " * 1_000 + "none"
    comparing = Comparing(budget=10)

    assert Comparing().compare("x " + same, "y " + "z " + same[:-5] + "q") is None
    assert comparing.compare("a b c", "b a d") is not None
    assert [comparing.compare("a b c", "b a d") is None for _ in range(5)][-1]
    assert comparing.compare(same, other[5:-4]) == [("=", same)]


def test_what_is_looked_at_too_often_is_not_compared() -> None:
    """Few words are equal, but with one that is not between any two: all are looked at for each."""
    before, after = (" ".join(f"{word} {at}{word}" for word in range(5_000)) for at in "ab")
    comparing = Comparing()

    assert comparing.compare(before, after) is None
    assert comparing.compare("a b c", "b a d") is None


def test_a_small_change_of_a_long_text_costs_little() -> None:
    """What is the same at either end is not compared at all."""
    text = "the same words again and again, " * 3_000

    changes = Comparing(budget=0).compare(f"{text}old {text}", f"{text}new {text}")

    assert changes == [("=", text), ("-", "old "), ("+", "new "), ("=", text)]
