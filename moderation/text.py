r"""The words of a comment, brought to one plain form before anything looks at them.

Pure: no clock, no database, no model; linear in the length of the text, whatever it holds.

`normalise` runs the text through a fixed row of steps, each undoing one way to write the same
thing differently: character references, compatibility forms, invisible characters, letter case,
white space; then every link and every e-mail address becomes one placeholder token.
Further disguises (homoglyphs, leetspeak, spaced letters) belong in the same row, before
`_LINK`, as functions from text to text.

>>> normalise("Bu\u200by &lt;now&gt; at HTTP://pills.example.ru\n").words
[b'buy', b'<now>', b'at', b'URL']
"""

import html
import re
import unicodedata
from typing import NamedTuple

LINK_TOKEN = b"URL"  # upper case: no folded text can spell it
MAIL_TOKEN = b"MAIL"

_PIECE = 1024  # characters; composing a run of combining marks is quadratic in the run

# Bounded on purpose: html.unescape alone raises on a reference of thousands of digits.
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

# Soft hyphen, joiners, zero-width, bidi controls, variation selectors, tags, byte order mark.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+"
)

# Endings that are also English words (in, it, me, us, so, to) are left out: people forget the
# space after a full stop far more often than they write such a link without http://.
_TLD = (
    rb"(?:com|net|org|info|biz|ru|su|ua|cn|tk|ml|ga|cf|gq|xyz|top|site|online|website|space|"
    rb"shop|store|club|live|pro|link|click|icu|vip|win|bid|loan|work|io|co|uk|de|fr|nl|eu|tv|"
    rb"cc|pw|ws|ca|au|br|pl|es|cz|jp|kr|id|vn|gov|edu)"
)
_MAYBE_LINK = re.compile(rb"\." + _TLD + rb"(?![a-z0-9-])")
_INNER_DOT = re.compile(r"\.[A-Za-z]")
# Every branch starts only where the character before is of another kind and never gives back
# what it took (the "++"), so a run of any length is read a bounded number of times.
_LINK = re.compile(
    rb"(?:(?:https?|ftp)://|(?<![a-z0-9])www\.)[^\s<>\"'\[\]]*+"
    rb"|(?<![a-z0-9.@_-])(?:[a-z0-9][a-z0-9-]*+\.)+" + _TLD + rb"(?![a-z0-9@-])"
    rb"(?:[/:?#][^\s<>\"'\[\]]*+)?"
)
_MAIL = re.compile(
    rb"(?<![a-z0-9._%+-])[a-z0-9._%+-]++@[a-z0-9][a-z0-9-]*+(?:\.[a-z0-9][a-z0-9-]*+)++"
)

_UPPER = bytes(range(ord("A"), ord("Z") + 1))
_DIGITS = b"0123456789"
_FOLD = bytes(
    code + 32 if code in _UPPER else 32 if code < 32 or code == 127 else code  # noqa: PLR2004
    for code in range(256)
)
# "word", "word," and "(word" are one word; what disguises letters (* @ $ # -) stays.
_SPLIT = bytes(32 if code in b'.,;:!?()"' else code for code in range(256))
_QUOTES = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-"}


class Normalised(NamedTuple):
    """A comment in plain form, with the counts that folding would lose.

    *words* are UTF-8, never empty, without white space, control characters and the punctuation
    around words, in the order of the text; the tokens `LINK_TOKEN` and `MAIL_TOKEN` stand for
    what they name. *length*, *capitals* and *digits* count bytes of the text before folding,
    only ASCII capitals and digits among them; *foreign* says whether there is more than ASCII.
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
    raw, folded, plain_ascii = _fold(text)
    size = len(raw)
    capitals = size - len(raw.translate(None, _UPPER))
    digits = size - len(raw.translate(None, _DIGITS))
    links = mails = 0
    if b"@" in folded:
        folded, mails = _MAIL.subn(b" %b " % MAIL_TOKEN, folded)
    if _may_link(folded):
        folded, links = _LINK.subn(b" %b " % LINK_TOKEN, folded)
    words = folded.translate(_SPLIT).split()
    return Normalised(
        words, size, capitals, digits, links, mails, folded.count(b"!"), not plain_ascii
    )


def find_links(text: str) -> list[str]:
    """Return the links of *text* as they were folded, in their order.

    One with a user before its host is a link here, though it counts as an e-mail address.
    """
    if text.isascii() and "&" not in text and "://" not in text and _INNER_DOT.search(text) is None:
        return []
    _, folded, _ = _fold(text)
    if not _may_link(folded):
        return []
    # Word by word: most have no dot, and the pattern would try each letter of them.
    words = folded.decode("utf-8", "replace").split()
    maybe = [word.encode() for word in words if "." in word or "://" in word]
    return [link.decode("utf-8", "replace") for word in maybe for link in _LINK.findall(word)]


def _fold(text: str) -> tuple[bytes, bytes, bool]:
    """Return *text* in compatibility form, the same folded, and whether it is ASCII alone."""
    if "&" in text:
        text = _REFERENCE.sub(_character, text)
    plain_ascii = text.isascii()
    raw = text.encode() if plain_ascii else _compatible(text).encode("utf-8", "replace")
    folded = raw.translate(_FOLD)
    if not plain_ascii:
        folded = folded.decode().casefold().encode()
    return raw, folded, plain_ascii


def _may_link(folded: bytes) -> bool:
    return b"://" in folded or (
        b"." in folded and (b"www." in folded or _MAYBE_LINK.search(folded) is not None)
    )


def _character(reference: re.Match[str]) -> str:
    """Return the character an HTML reference names, or the reference itself when there is none."""
    return html.unescape(reference[0])


def _compatible(text: str) -> str:
    """Return *text* in compatibility form (NFKC), made piece by piece, nothing invisible in it."""
    text = _INVISIBLE.sub("", text)
    for written, plain in _QUOTES.items():
        text = text.replace(written, plain)
    if len(text) <= _PIECE and unicodedata.is_normalized("NFKC", text):
        return text
    return "".join(
        unicodedata.normalize("NFKC", text[at : at + _PIECE]) for at in range(0, len(text), _PIECE)
    )
