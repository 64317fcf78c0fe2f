"""Where the sentences of a comment stand."""

from hypothesis import given
from hypothesis import strategies as st

from moderation.compat.perspective.sentences import LIMIT, sentences, units


def test_offsets_count_utf16_units_and_the_end_is_outside() -> None:
    """A pictograph outside the basic plane counts twice, as Java and JavaScript count."""
    text = "😀 Hi. You fool!"

    found = sentences(text)

    assert [(one.text, one.begin, one.end) for one in found] == [
        ("😀 Hi.", 0, 6),
        ("You fool!", 7, 16),
    ]
    wide = text.encode("utf-16-le")
    assert all(wide[2 * s.begin : 2 * s.end].decode("utf-16-le") == s.text for s in found)
    assert units(text) == 16


def test_many_sentences_are_told_a_few_together() -> None:
    """Each span is scored, so there are never more than the limit, and none is left out."""
    text = "Bad. " * 1000

    found = sentences(text)

    assert len(found) <= LIMIT
    assert sum(one.text.count("Bad.") for one in found) == 1000


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_span_is_where_it_says(text: str) -> None:
    """Whatever the text, a span's offsets cut out its very words."""
    wide = text.encode("utf-16-le")

    for one in sentences(text):
        assert wide[2 * one.begin : 2 * one.end].decode("utf-16-le") == one.text
