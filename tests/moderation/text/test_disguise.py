"""Tests of moderation.text.disguise."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from moderation.text.disguise import Vocabulary

WORDS = Vocabulary(
    b"you are a the shit fuck fucking moron stupid good cool well-known person co-op it's".split(),
    marked=[b"fucking", b"fuck", b"shit", b"moron"],
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sh1t", b"shit"),
        ("$h!t".replace("!", "|"), b"shit"),
        ("f**k", b"fuck"),
        ("f*cking", b"fucking"),
        ("f***", b"fuck"),
        ("f-u-c-k", b"fuck"),
        ("m_o_r_o_n", b"moron"),
        ("fuuuuck", b"fuck"),
        ("goooood", b"good"),
        ("cooool", b"cool"),
        ("stuuup1d", b"stupid"),
        ("fück", b"fuck"),
        ("fcuk", b"fuck"),
        ("stupdi", b"stupid"),
        ("pers*n", b"person"),
        ("p*rs*n", b"person"),
    ],
)
def test_a_disguised_word_is_read(written: str, meant: bytes) -> None:
    """Digits, signs, stars, repeats and accents are undone where the vocabulary knows the word."""
    assert WORDS.plain(written.encode()) == meant


@pytest.mark.parametrize(
    "word",
    [
        "4th",
        "mp3",
        "c++",
        "h1n1",
        "a*b*c",
        "x" * 200,
        "café",
        "zzzz",
        "100",
        "you",
        "co-op",
        "ufck",
        "y*u*r",
    ],
)
def test_what_is_no_disguise_stays(word: str) -> None:
    """A word that only looks odd, or that the vocabulary has, is left as it is."""
    assert WORDS.plain(word.encode()) == word.encode()


def test_letters_are_joined_to_the_likeliest_words() -> None:
    """Letters in a row are divided into known words; what surrounds them stays."""
    assert WORDS.joined(b"so f u c k y o u now".split()) == [b"so", b"fuck", b"you", b"now"]
    assert WORDS.joined(b"x f u c k".split()) == [b"x", b"fuck"]
    assert WORDS.joined(b"m 0 r 0 n".split()) == [b"moron"]


def test_letters_that_spell_nothing_stay_letters() -> None:
    """Initials and lists are no words."""
    for letters in (b"u s a", b"a b c d e f", b"i a"):
        assert WORDS.joined(letters.split()) == letters.split()


def test_spaced_digits_are_one_number() -> None:
    """A telephone number does not hide behind spaces."""
    assert WORDS.joined(b"call 5 5 5 0 1 0 0 now".split()) == [b"call", b"5550100", b"now"]


def test_many_letters_are_divided_in_pieces() -> None:
    """A hundred thousand letters with spaces between them are read to the end."""
    assert WORDS.joined([b"z"] * 100_000) == [b"z"] * 100_000


def test_a_vocabulary_is_read_as_it_was_written() -> None:
    """Order and marks survive."""
    plain = Vocabulary([b"b", b"a", b"it's"], marked=[b"a"])

    again = Vocabulary.read(plain.written())

    assert (again.words, again.marked) == (plain.words, plain.marked)


@given(st.lists(st.binary(min_size=1, max_size=30).map(lambda word: word.hex().encode())))
def test_reading_twice_changes_nothing_more(words: list[bytes]) -> None:
    """What was read is plain already."""
    for word in words:
        assert WORDS.plain(WORDS.plain(word)) == WORDS.plain(word)


@given(st.text(min_size=1))
def test_any_word_is_read(word: str) -> None:
    """Any characters give a word, never none."""
    assert WORDS.plain(word.encode("utf-8", "replace"))


@given(
    st.sampled_from([b"bastard", b"bitch", b"butthead", b"bollocks", b"bugger"]),
    st.lists(st.sampled_from(["keep", "star", "stars", "drop"]), min_size=10, max_size=10),
)
def test_many_stars_are_any_letters(word: bytes, ways: list[str]) -> None:
    """The first marked word that fits counts: one of a letter a star, then one of any more."""
    marked = [b"bastard", b"bitch", b"butthead", b"bollocks", b"bugger", b"boob", b"bum"]
    done = {"keep": "{}", "star": "*", "stars": "#*", "drop": "*"}
    inner = zip(word[1:].decode(), ways, strict=False)
    written = word[:1] + "".join(done[way].format(letter) for letter, way in inner).encode()
    assume(len(re.findall(rb"[*#]", written)) > 2)  # fewer are guessed by the letter
    fits = [re.sub(rb"[*#]", b".", written), re.sub(rb"[*#]+", b".+", written)]
    meant = [each for fit in fits for each in marked if re.fullmatch(fit, each)]

    assert Vocabulary(marked, marked=marked).plain(written) == (meant or [written])[0]
