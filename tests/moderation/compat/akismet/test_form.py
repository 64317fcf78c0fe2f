"""Forms as clients send them: decoded where somebody asks, whatever they look like."""

from urllib.parse import quote_from_bytes, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.compat.akismet.form import FIELDS, Form


def test_fields_are_read() -> None:
    """Percent-encoded or not, with spaces as plus signs; a key without a value is empty."""
    form = Form(b"a=1&b=x+y%20z&bare&empty=&comment%5Fauthor=Ann&=nameless&&")

    assert form.get("a") == "1"
    assert form.get("b") == "x y z"
    assert (form.get("bare"), form.get("empty"), form.get("absent")) == ("", "", "")
    assert form.get("comment_author") == "Ann"


def test_the_last_of_several_counts() -> None:
    """Of a query and a body, the body's."""
    assert Form(b"key=1&key=2", b"key=3&key=4").get("key") == "4"


@pytest.mark.parametrize(
    "body",
    [
        b"comment_context=news&comment_context=tea",
        b"comment_context[]=news&comment_context[]=tea",
        b"comment_context[0]=news&comment_context[1]=tea",
        b"comment_context%5B0%5D=news&comment_context%5B1%5D=tea",
        b"comment_context%5b%5d=news&comment_context=&comment_context=tea&comment_contexts=no",
    ],
)
def test_lists_are_spelled_in_many_ways(body: bytes) -> None:
    """Repeated plain, with empty brackets, numbered, encoded."""
    assert Form(body).all("comment_context") == ["news", "tea"]


@pytest.mark.parametrize(
    ("charset", "content"),
    [
        ("UTF-8", "Grüße, 世界".encode()),
        ("", "Grüße, 世界".encode()),
        ("ISO-8859-1", "Grüße, 世界".encode()),
        ("iso-8859-1", "Grüße".encode("latin-1")),
        ("Windows-1252", "Grüße".encode("cp1252")),
        ("windows-1251", "Привет".encode("cp1251")),
        ("KOI8-R", "Привет".encode("koi8_r")),
        ("Shift_JIS", "こんにちは".encode("cp932")),
        ("EUC-KR", "안녕하세요".encode("euc_kr")),
        ("GB2312", "你好吗朋友".encode("gb18030")),
        ("windows%2D1251", "Привет".encode("cp1251")),
        ("ISO-2022-JP", "こんにちは".encode("iso2022_jp")),
        ("ISO-2022-JP", "こんにちは".encode()),
        ("HZ-GB-2312", "你好吗朋友".encode("hz")),
        ("TIS-620", "สวัสดี".encode("tis_620")),
        ("macintosh", "Grüße".encode("mac_roman")),
    ],
)
def test_charsets_are_honoured(charset: str, content: bytes) -> None:
    """What is UTF-8 is read as that, whatever the form says; else the form's word counts."""
    body = f"blog_charset={charset}&t=".encode() + quote_from_bytes(content).encode()

    assert Form(body).get("t") in {
        "Grüße, 世界",
        "Grüße",
        "Привет",
        "こんにちは",
        "안녕하세요",
        "你好吗朋友",
        "สวัสดี",
    }


@pytest.mark.parametrize(
    "charset", ["", "rot13", "idna", "unicode_escape", "hex", "nonsense", "\0"]
)
def test_what_fits_nowhere_is_replaced(charset: str) -> None:
    """No codec of Python that is no charset is ever asked."""
    assert Form(f"blog_charset={charset}&t=a%FF%FEb".encode()).get("t") == "a\ufffd\ufffdb"


def test_nul_goes() -> None:
    """Neither engine could store it."""
    assert Form(b"t=a%00b%00").get("t") == "ab"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form(content: bytes) -> None:
    """Nothing raises, and whatever is found can be stored."""
    form = Form(content, b"blog_charset=shift_jis&" + content, b"t=" + content)

    for value in (form.get("t"), *form.all("t")):
        assert "\0" not in value
        value.encode()


def test_no_more_fields_than_anybody_sends() -> None:
    """Whoever has no key cannot have a quarter of a million fields taken apart."""
    form = Form(b"a=1&" + b"%&" * (FIELDS - 2) + b"b=2&c=3")

    assert (form.get("a"), form.get("b"), form.get("c")) == ("1", "2", "")


@given(st.lists(st.sampled_from(["%", "%4", "%41", "%e4", "%zz", "%u", "\\", "\\x41", "\\N", "a"])))
def test_escapes_are_read_as_urllib_reads_them(parts: list[str]) -> None:
    """Whatever stands around them, a backslash above all."""
    text = "x" + "".join(parts) + "x"

    told = Form(b"a=" + text.encode() + b"&blog_charset=latin1").get("a")

    plain = unquote_to_bytes(text)
    try:
        assert told == plain.decode()
    except UnicodeDecodeError:
        assert told == plain.decode("cp1252")


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_what_urllib_writes_is_read(fields: dict[str, str]) -> None:
    """As it was, but for U+0000 and the spaces around it."""
    fields = {name: value for name, value in fields.items() if _is_storable(name + value)}
    fields.pop("blog_charset", None)
    form = Form(urlencode(fields).encode())

    for name, value in fields.items():
        assert form.get(name) == value.replace("\0", "").strip()


def _is_storable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
