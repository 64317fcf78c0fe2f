"""A form as Akismet's clients send it: read leniently, a few known fields, nothing else kept.

Pure. What `application/x-www-form-urlencoded` forbids comes all the same: keys without a value,
one key many times, brackets, other charsets, thousands of fields that only Akismet wants, among
them cookies. Only fields that are asked for by name are decoded at all.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote_from_bytes

# What a client may say it writes in. Other codecs of Python are no charsets, or cost too much.
_CHARSETS: Mapping[str, str] = {
    "usascii": "cp1252",
    "latin1": "cp1252",
    **{f"iso8859{number}": f"iso8859_{number}" for number in range(2, 17) if number != 12},  # noqa: PLR2004 - ISO has no part 12
    "iso88591": "cp1252",  # as browsers have it (WHATWG Encoding, "names and labels")
    **{f"windows{number}": f"cp{number}" for number in range(1250, 1259)},
    **{f"cp{number}": f"cp{number}" for number in range(1250, 1259)},
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
    "big5": "big5",
    "eucjp": "euc_jp",
    "euckr": "euc_kr",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "shiftjis": "cp932",
    "sjis": "cp932",
    "big5hkscs": "big5hkscs",
    "johab": "johab",
    "ibm866": "cp866",
    "macintosh": "mac_roman",
    "xmaccyrillic": "mac_cyrillic",
    "koi8t": "koi8_t",
    "tis620": "cp874",
    "windows874": "cp874",
    "iso2022jp": "iso2022_jp",
    "iso2022kr": "iso2022_kr",
    "hzgb2312": "hz",
}
FIELDS = 10_000  # more are not read: who asks is known only once a form is, and each takes time
_ESCAPING = frozenset({"iso2022_jp", "iso2022_kr", "hz"})
"""What is written in ASCII alone, so that it could be taken for UTF-8."""

_SIGN = re.compile(r"[^a-z0-9]")
_LONE = re.compile("[\ud800-\udfff]")
_NO_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_NAME = re.compile(rb"""\bname="?([^";\r\n]*)""")


class Form:
    """The fields of bodies and queries; of one sent twice the last counts.

    *contents* are percent-encoded. Values are decoded when they are asked for: as UTF-8 where they
    are that, else as the form's `blog_charset` says, or where it says nothing the *charset* of its
    content type; what still fits nowhere becomes U+FFFD. U+0000 goes.
    """

    def __init__(self, *contents: bytes, charset: str = "") -> None:
        # As Latin-1: a character for every byte, until somebody asks.
        fields = "&".join([content.decode("latin-1") for content in contents if content])
        self._pairs = [field.partition("=") for field in fields.split("&", FIELDS)[:FIELDS]]
        self._last = {name: value for name, _, value in self._pairs}
        self._names = "&".join(self._last)
        if "%" in self._names or "+" in self._names:
            self._pairs = [(_plain(name), "=", value) for name, _, value in self._pairs]
            self._last = {name: value for name, _, value in self._pairs}
            self._names = "&".join(self._last)
        self._read: dict[str, str] = {}
        named = _plain(self._last.get("blog_charset") or charset)
        self._charset = "utf-8"
        if named:
            self._charset = _CHARSETS.get(_SIGN.sub("", named.lower()), "utf-8")

    def get(self, name: str) -> str:
        """Return a field's value, empty where it is not there; spaces around it go."""
        known = self._read.get(name)
        if known is None:
            value = self._last.get(_written(name))
            known = self._read[name] = "" if value is None else self._decoded(value)
        return known

    def has(self, name: str) -> bool:
        """Whether a field is there, be it empty."""
        return name in self._last

    def pick(
        self, limits: Mapping[str, int], clean: Callable[[str], str] | None = None
    ) -> dict[str, str]:
        """Return the fields among those of *limits* that are there, cut to so many characters.

        *clean* is applied before they are cut.
        """
        # By what is there: of all that may be told, a client tells little.
        there = {name: self.get(name) for name in limits.keys() & self._last}
        if clean is not None:
            there = {name: clean(value) for name, value in there.items()}
        return {name: value[: limits[name]] for name, value in there.items()}

    def all(self, name: str) -> list[str]:
        """Return every value of `name`, `name[]` and `name[0]` alike, in their order."""
        if name not in self._names:
            return []
        listed = f"{name}["
        found = [
            self._decoded(value)
            for written, _, value in self._pairs
            if written == name or written.startswith(listed)
        ]
        return [value for value in found if value]

    def truth(self, name: str) -> bool:
        """Whether a field says yes, as one client or another does."""
        return name in self._last and self.get(name).lower() in {"1", "true", "yes"}

    def _decoded(self, value: str) -> str:
        text = value.replace("+", " ")
        if "%" in text or not text.isascii() or self._charset in _ESCAPING:
            content = _unquoted(text)
            escaping = self._charset in _ESCAPING and content.isascii()
            try:
                text = content.decode(self._charset if escaping else "utf-8")
            except UnicodeDecodeError:
                text = _LONE.sub("\ufffd", content.decode(self._charset, "replace"))
        return text.replace("\0", "").strip()


def of_parts(body: bytes, boundary: bytes) -> bytes:
    """Return what a body of `multipart/form-data` says, percent-encoded."""
    fields = []
    for part in body.split(b"--" + boundary)[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        named = _NAME.search(head)
        if named:
            fields.append((named[1], value.removesuffix(b"\r\n")))
    return "&".join("=".join(map(quote_from_bytes, field)) for field in fields).encode()


def _plain(name: str) -> str:
    """Return a field's name without escapes."""
    if "%" not in name and "+" not in name:
        return name
    return _unquoted(name.replace("+", " ")).decode("latin-1")


def _unquoted(text: str) -> bytes:
    """Return what a percent-encoded text, a character for every byte, stands for."""
    # As escapes of Python's, which are undone in C: a form is mostly such text.
    try:
        return _undone(text)
    except UnicodeDecodeError:  # a percent sign that begins nothing stays one
        return _undone(_NO_ESCAPE.sub("%25", text))


def _undone(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\").replace("%", "\\x").encode("latin-1")
    return escaped.decode("unicode_escape").encode("latin-1")


def _written(name: str) -> str:
    """Return *name* as it stands in a form: a character for every byte."""
    return name if name.isascii() else name.encode().decode("latin-1")
