"""Tests of moderation.text.spans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.text.addresses import LINK_TOKEN, MAIL_TOKEN
from moderation.text.normal import normalise
from moderation.text.spans import in_utf16, spans


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("You MORON, go!", ["You", "MORON", "go"]),
        ("see http://a.example.ru/x now", ["see", *["http://a.example.ru/x"] * 2, "now"]),
        ("mail a.b@example.com, ok", ["mail", "a.b@example.com", "ok"]),
        (
            "see http://u:p@h.com you moron, mail ab@cd.com please",
            ["see", *["http://u:"] * 2, "p@h.com", "you", "moron", "mail", "ab@cd.com", "please"],
        ),
        ("sh!t happens!", ["sh!t", "happens"]),
        ("\U0001f600 caf\u00e9\u200b, fu\u0441k!", ["\U0001f600", "caf\u00e9\u200b", "fu\u0441k"]),
        ("one &lt;b&gt; two", ["one", "&lt;b&gt;", "two"]),
        (
            "You&nbsp;are&nbsp;an&nbsp;idiot, caf&eacute;",
            ["You", "are", "an", "idiot", "caf&eacute;"],
        ),
        ("try\u2026idiot\U0001f602now", ["try", "idiot", "\U0001f602", "now"]),
    ],
)
def test_a_span_quotes_the_text_as_it_was_written(text: str, quoted: list[str]) -> None:
    """Words are cut out of the original, disguise and all, without the punctuation around."""
    found = spans(text)

    assert [text[each.start : each.end] for each in found] == quoted
    assert [each.word for each in found] == normalise(text).words


def test_offsets_in_utf16_count_surrogates() -> None:
    """A character outside the basic plane is two units."""
    assert [in_utf16("a\U0001f600b")(at) for at in range(4)] == [0, 1, 3, 4]
    assert in_utf16("abc")(2) == 2


LINKS = st.sampled_from(
    ["http://h.com", "http://u:p@h.com/x", "https://a.b@c.de:80?q", "www.u@h.com", "h.com/a@b.com"]
)
ADDRESSES = st.sampled_from(["ab@cd.com", "a.b+c@d.example.org", "u@h", "x%y@z.de"])
WORDS = st.sampled_from(["you", "moron", "u", "p", "h", "com", "a!b", "http", "x.y"])
AROUND = st.sampled_from([" ", ", ", "; ", "\n", "! ", " (", ") ", ",", "/", "!"])


@given(st.lists(st.tuples(LINKS | ADDRESSES | WORDS, AROUND).map("".join), max_size=12))
def test_every_word_stands_where_it_reads_like_that(pieces: list[str]) -> None:
    """No place is empty; what a link or address has in it is no place of another word."""
    text = "".join(pieces)

    found = spans(text)

    for each in found:
        quoted = text[each.start : each.end]
        assert quoted
        if not each.word.startswith((LINK_TOKEN, MAIL_TOKEN)):
            assert normalise(quoted).words == [each.word]
        elif each.word == MAIL_TOKEN:
            assert MAIL_TOKEN in normalise(quoted).words
        else:
            assert LINK_TOKEN in normalise(quoted).words


@given(st.text(st.characters()))
def test_spans_stay_in_the_text_and_in_order(text: str) -> None:
    """Any string has spans inside it, beginning one after another."""
    found = spans(text)

    assert all(0 <= each.start <= each.end <= len(text) for each in found)
    assert [each.start for each in found] == sorted(each.start for each in found)
