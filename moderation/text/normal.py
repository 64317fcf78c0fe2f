r"""The words of a comment, brought to one plain form before anything looks at them.

Pure: no clock, no database, no model; linear in the length of the text, whatever it holds.

`normalise` runs the text through a fixed row of steps, each undoing one way to write the same
thing differently: character references, compatibility forms, invisible characters, letters of
other scripts that look like Latin ones, letter case, white space; then every link and every
e-mail address becomes a few words of its own (`addresses`). Plain ASCII, which most comments are,
takes few of them. What is disguised inside a word (leetspeak, stars, repeated letters) is undone
by `disguise`, word by word, because a word is looked at only the first time it is met.

>>> normalise("Bu\u200by &lt;now&gt; at HTTP://pills.example.ru\n").words
[b'buy', b'<now>', b'at', b'URL', b'URL_tld_ru']
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from moderation.text.addresses import LINK, LINK_FACT, may_link, replace_links, replace_mails
from moderation.text.homoglyphs import PLAIN

_PIECE = 1024  # characters; composing a run of combining marks is quadratic in the run

# Bounded on purpose: html.unescape alone raises on a reference of thousands of digits.
REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

# Soft hyphen, joiners, zero-width, bidi controls, variation selectors, tags, byte order mark.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+"
)
# Each pictograph is a word of its own, skin tones aside.
_TONE = re.compile("[\U0001f3fb-\U0001f3ff]+")
_PICTOGRAPH = re.compile("([\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff])")
_TAG = re.compile(r"<[A-Za-z/!][^<>]*+>")
# What begins a line of its own: what stands before it and behind it are no one word.
_BLOCK = re.compile(
    r"</?(?:blockquote|br|d[dlt]|div|h[1-6r]|li|ol|p|pre|t[dhr]|table|ul)(?![A-Za-z0-9])[^<>]*+>",
    re.IGNORECASE,
)
_INNER_DOT = re.compile(r"\.[A-Za-z]")
# A word with a character beyond ASCII; tried at the beginnings of words alone, so in linear time.
_STRANGE_WORD = re.compile(r"(?<!\S)[^\s\x80-\U0010ffff]*+[^\s\x00-\x7f]\S*")
_ASCII_LETTER = re.compile(r"[A-Za-z]")
_OTHER_LETTERS = re.compile(r"[^\W\d_a-zA-Z]")
_OF_LABELS = (
    "".join(["abcdefghijklmnopqrstuvwxyz0123456789-.", *map(chr, range(0xC0, 0x250))])
    .replace("\u00d7", "")
    .replace("\u00f7", "")
)
_SCHEMES = (b"http://", b"https://", b"ftp://")
CALLED = re.compile(rb"!(?=[a-z0-9$@])")

_UPPER = bytes(range(ord("A"), ord("Z") + 1))
_LETTERS = _UPPER + _UPPER.lower()
_DIGITS = b"0123456789"
_ASCII = bytes(range(128))
FOLD = bytes(
    code + 32 if code in _UPPER else 32 if code < 32 or code == 127 else code  # noqa: PLR2004
    for code in range(256)
)
# "word", "word," and "(word" are one word; what disguises letters (* @ $ # -) stays.
SPLIT = bytes(32 if code in b'.,;:!?()"' else code for code in range(256))
_QUOTES = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-"}


class Normalised(NamedTuple):
    """A comment in plain form, with the counts that folding would lose.

    *words* are UTF-8, never empty, without white space, control characters and the punctuation
    around words, in the order of the text. *length*, *capitals* and *digits* count bytes of the
    text before folding, only ASCII capitals and digits among them; *foreign* says whether more
    than half of the folded text is beyond ASCII, so that neither a name nor a disguise makes it.
    """

    words: list[bytes]
    length: int
    capitals: int
    digits: int
    links: int
    mails: int
    exclamations: int
    foreign: bool


def normalise(text: str) -> Normalised:
    """Return *text* in plain form; any string is accepted, lone surrogates and NUL included."""
    return cut(*fold(text))


def cut(raw: bytes, plain: bytes) -> Normalised:
    """Return the plain form of a text, from what `fold` returns of it."""
    foreign = not plain.isascii() and 2 * len(plain.translate(None, _ASCII)) > len(plain)
    size = len(raw)
    capitals = size - len(raw.translate(None, _UPPER))
    digits = size - len(raw.translate(None, _DIGITS))
    links = mails = exclamations = 0
    if b"@" in plain:
        plain, mails = replace_mails(plain)
    if may_link(plain):
        plain, links = replace_links(plain)
    if b"!" in plain:
        exclamations = plain.count(b"!")
        plain = CALLED.sub(b"|", plain)  # what stands for a letter is no punctuation
    words = plain.translate(SPLIT).split()
    return Normalised(words, size, capitals, digits, links, mails, exclamations, foreign)


def list_words(text: str) -> list[bytes]:
    """Return the words of *text* as people list them: to block, or to compare.

    An exclamation mark always ends a word here, though it may stand for a letter, and nothing is
    told of a link but that it is one.
    """
    words = normalise(text).words
    return [
        part
        for word in words
        if not word.startswith(LINK_FACT)
        for part in word.split(b"|")
        if part
    ]


def shown(text: str) -> str:
    """Return *text* as people see it: without markup and what is invisible, in one form."""
    if "<" in text:
        text = _TAG.sub("", _BLOCK.sub("\n", text))
    text = unescape(text)
    return text if text.isascii() else compose(INVISIBLE.sub("", text))


def find_links(text: str) -> list[str]:
    """Return the links of *text* as they were folded, in their order.

    One with a user before its host is a link here, though it counts as an e-mail address.
    """
    if text.isascii() and "&" not in text and "://" not in text and _INNER_DOT.search(text) is None:
        return []
    _, plain = fold(text)
    if not may_link(plain):
        return []
    # Word by word: most have no dot, and the pattern would try each letter of them.
    words = plain.decode("utf-8", "replace").split()
    maybe = [word.encode() for word in words if "." in word or "://" in word]
    return [link for word in maybe for link in _links(word)]


def _links(word: bytes) -> Iterator[str]:
    """Return the links of *word*, each whole: a domain of Latin letters has accents, too."""
    end = 0
    for link in LINK.finditer(word):
        begin = link.start()
        bare = not link[0].startswith(_SCHEMES)
        if bare and begin > end and word[begin - 1 : begin] > b"\x7f":
            # Back to the link before at most: each byte is looked at once.
            before = word[end:begin].decode("utf-8", "replace")
            begin -= len(before[len(before.rstrip(_OF_LABELS)) :].encode())
        end = link.end()
        yield word[begin:end].decode("utf-8", "replace")


def fold(text: str) -> tuple[bytes, bytes]:
    """Return *text* in compatibility form, and the same in the bytes that words are cut from."""
    text = unescape(text)
    plain_ascii = text.isascii()
    raw = text.encode() if plain_ascii else _compatible(text).encode("utf-8", "replace")
    plain = raw.translate(FOLD)
    if not plain_ascii:
        plain = plain.decode().casefold().encode()
    return raw, plain


def unescape(text: str) -> str:
    """Return *text* with the characters that HTML references name, where there is one."""
    return REFERENCE.sub(_character, text) if "&" in text else text


def folded(text: str) -> bytes:
    """Return ASCII *text* byte for byte as its words are cut from it, links still in it."""
    return CALLED.sub(b"|", text.encode().translate(FOLD))


def _character(reference: re.Match[str]) -> str:
    """Return the character an HTML reference names, or the reference itself when there is none."""
    return html.unescape(reference[0])


def _compatible(text: str) -> str:
    """Return *text* in compatibility form (NFKC), nothing invisible in it, lookalikes as Latin."""
    beyond = _beyond(text)  # few characters in most texts, and what is looked for is among them
    if INVISIBLE.search(beyond) is not None:
        text = INVISIBLE.sub("", text)
    for written, plain in _QUOTES.items():
        if written in beyond:
            text = text.replace(written, plain)
    if _PICTOGRAPH.search(beyond) is not None:
        text = _PICTOGRAPH.sub(r" \1 ", _TONE.sub("", text))
    text = compose(text)
    beyond = _beyond(text)
    if _OTHER_LETTERS.search(beyond) is None or PLAIN.keys().isdisjoint(map(ord, beyond)):
        return text
    raw = text.encode("utf-8", "surrogatepass")
    letters = len(raw) - len(raw.translate(None, _LETTERS))
    latin = letters >= len(_OTHER_LETTERS.findall(beyond))
    return _STRANGE_WORD.sub(lambda word: _latin(word[0], alone=latin), text)


def compose(text: str) -> str:
    """Return *text* in compatibility form (NFKC), in linear time."""
    if len(text) <= _PIECE and unicodedata.is_normalized("NFKC", text):
        return text
    pieces = (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
    return "".join(unicodedata.normalize("NFKC", piece) for piece in pieces)


def _beyond(text: str) -> str:
    """Return the characters of *text* beyond ASCII, in their order."""
    raw = text.encode("utf-8", "surrogatepass").translate(None, _ASCII)
    return raw.decode("utf-8", "surrogatepass")


def _latin(word: str, *, alone: bool) -> str:
    """Return *word*, not of ASCII alone, in Latin letters, where others only look like such.

    A word wholly of such letters may be of another script: *alone* says whether to take it then.
    """
    plain = word.translate(PLAIN)
    if plain.isascii() and (alone or _ASCII_LETTER.search(word) is not None or _is_latin(word)):
        return plain
    return word


def _is_latin(word: str) -> bool:
    """Whether the letters of *word* are Latin ones, as small capitals and barred ones are."""
    return all(unicodedata.name(each, "").startswith("LATIN ") for each in word if each.isalpha())
