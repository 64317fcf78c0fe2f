"""Tests of moderation.text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.text.addresses import LINK_TOKEN, MAIL_TOKEN
from moderation.text.normal import list_words, normalise


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Hello   World\n\tagain", b"hello world again"),
        ("ＦＵＬＬ ｗｉｄｔｈ ﬁne", b"full width fine"),  # noqa: RUF001 - the point
        ("zero\u200bwidth \u202ebidi\u202c soft\u00adhyphen", b"zerowidth bidi softhyphen"),
        ("caf&eacute; &lt;b&gt; &#x41;&#66;", "café <b> ab".encode()),
        ("STRASSE Straße ÉTÉ", "strasse strasse été".encode()),
        ("a\x00b\x1fc\x7fd", b"a b c d"),
        ("lone \ud800 surrogate", b"lone surrogate"),
        ("\u201cSo,\u201d he (really) said: \u2018no!\u2019", b"so he really said 'no '"),
        ("&unknown; &#9999999; & AT&T", "&unknown \ufffd & at&t".encode()),
        ("ʏᴏᴜ ᴀʀᴇ ꜰᴏᴏʟꜱ, Ⱥɨɨ", b"you are fools aii"),  # noqa: RUF001 - all of it Latin
        ("рас сор", "рас сор".encode()),  # noqa: RUF001 - Russian, though it looks like Latin
        ("", b""),
    ],
)
def test_the_same_thing_written_differently_becomes_one(written: str, plain: bytes) -> None:
    """Compatibility forms, case, invisible characters, references and white space are undone."""
    assert b" ".join(normalise(written).words) == plain


@pytest.mark.parametrize(
    "link",
    [
        "http://pills.example.ru",
        "HTTPS://EXAMPLE.COM/a?b=c#d",
        "www.example.org",
        "cheap-pills.example.xyz/buy",
        "http://...",
        "example.com.",
        "(example.com)",
    ],
)
def test_a_link_becomes_the_link_token(link: str) -> None:
    """Links with and without a scheme are counted and replaced."""
    found = normalise(f"see {link} now")

    assert found.links == 1
    assert found.words[:2] == [b"see", LINK_TOKEN]


def test_an_address_becomes_the_mail_token() -> None:
    """An e-mail address is no link."""
    found = normalise("write to Some.One+tag@mail.example.com today")

    assert (found.mails, found.links) == (1, 0)
    assert found.words == [b"write", b"to", MAIL_TOKEN, b"today"]


@pytest.mark.parametrize("text", ["e.g. this", "node.js is", "wait.me too", "3.14", "end.in it"])
def test_a_full_stop_alone_makes_no_link(text: str) -> None:
    """Abbreviations, file names and a forgotten space are not links."""
    assert normalise(text).links == 0


def test_folding_keeps_the_counts_it_would_lose() -> None:
    """Capitals, digits and exclamation marks are counted before folding."""
    found = normalise("BUY 2 Now!!!")

    assert (found.capitals, found.digits, found.exclamations) == (4, 1, 3)


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("Ramón met Zoë in Łódź", False),
        ("you are \U0001d586\U0001d587\U0001d588 b\u200ba\u200bd \u0440\u0443\u0440\u0435", False),
        ("привет, world", True),
        ("서윤 is here today", False),
    ],
)
def test_a_name_or_a_disguise_makes_no_text_foreign(text: str, foreign: bool) -> None:  # noqa: FBT001
    """What is foreign is told by most of the text, after disguises were taken off."""
    assert normalise(text).foreign is foreign


@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "a@", "a-", "&", "&#", "9", "\u0301\u0327", "www.", "http://", ".com", "a.com"],
)
def test_long_repeats_are_read_to_the_end(piece: str) -> None:
    """A hundred thousand characters of what confuses a matcher still give an answer."""
    found = normalise(piece * (100_000 // len(piece)))

    assert found.length > 0


def test_a_reference_of_thousands_of_digits_is_left_alone() -> None:
    """Python refuses to read such a number; the text keeps it as it is."""
    assert normalise("&#" + "9" * 5000 + ";").words[0].startswith(b"&#999")


@given(st.text(st.characters()))
def test_no_text_breaks_it(text: str) -> None:
    """Any string gives words that are UTF-8 without white space or control characters."""
    for word in normalise(text).words:
        assert word
        assert not any(code <= 32 or code == 127 for code in word)
        word.decode()


def test_listed_words_end_at_every_exclamation_mark() -> None:
    """What is blocked or compared is found though a mark joins it to the next word."""
    assert list_words("Casino!buy sh!t! http://a.example.ru") == [
        b"casino",
        b"buy",
        b"sh",
        b"t",
        LINK_TOKEN,
    ]
