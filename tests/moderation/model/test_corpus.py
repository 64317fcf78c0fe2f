"""Tests of moderation.model.corpus: files that people have, and what is wrong with some."""

import gzip
import json
from pathlib import Path

import pytest

from moderation.errors import DataUnreadable
from moderation.model import corpus

TABLE = b"text,spam\nhello,1\n"
PACKED = gzip.compress(TABLE, mtime=0)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    """What Excel calls CSV UTF-8 begins with one; packed files and JSON Lines may, too."""
    mark = b"\xef\xbb\xbf"
    (tmp_path / "a.csv").write_bytes(mark + TABLE)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(mark + TABLE))
    (tmp_path / "a.jsonl").write_bytes(mark + b'{"text": "hello", "spam": 1}\n')

    found = [list(corpus.rows(path)) for path in corpus.own(tmp_path)]

    assert found == [[{"text": "hello", "labels": {"spam": 1.0}, "split": "train"}]] * 3


def test_rows_with_their_labels_together_need_no_split(tmp_path: Path) -> None:
    """They are trained on unless they say otherwise, and null is as unknown as an absent label."""
    rows = [
        {"text": "a", "labels": {"toxic": 1, "spam": None}, "meta": "blog"},
        {"text": "b", "labels": {}, "split": "test"},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))

    first, second = corpus.rows(tmp_path / "a.jsonl")

    assert (first["labels"], first["split"]) == ({"toxic": 1.0}, "train")
    assert second["split"] == "test"


def test_empty_cells_beyond_the_columns_are_nothing(tmp_path: Path) -> None:
    """Spreadsheets leave them behind, and columns without a name."""
    (tmp_path / "a.csv").write_text("text,spam,,\nhello,1,,,,\n")

    (row,) = corpus.rows(tmp_path / "a.csv")

    assert row["labels"] == {"spam": 1.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('text,spam\na,1\n"two\nlines",0\n"b,1\nc,0\n', "line 5: .* got unexpected end of data"),
        ("text,spam\nwell, 1,1\n", "line 2: expected a cell a column, got 1 beyond them"),
        ("text,spam,spam\na,1,0\n", "line 1: expected one column spam, got 2"),
        ("text,spam\na,nan\n", "line 2: expected spam from 0 to 1, got 'nan'"),
        ("text,spam\na,-1\n", "line 2: expected spam from 0 to 1, got '-1'"),
        ("text,spam\na,2\n", "line 2: expected spam from 0 to 1, got '2'"),
        ("text,spaam\na,1\n", r"line 1: expected a column of spam, .*, got \['text', 'spaam'\]"),
        ("text,spam,split\na,1,trian\n", "line 2: expected split train, valid, test, got 'trian'"),
        ("text,spam\na,yes\n", "line 2: expected spam from 0 to 1, got 'yes'"),
        ("spam,text\n1\n", "line 2: expected a text, got NoneType"),
    ],
)
def test_a_table_that_says_something_else_is_named(
    tmp_path: Path, content: str, message: str
) -> None:
    """By the line the row begins in; nothing is guessed, for a wrong label teaches the opposite."""
    (tmp_path / "a.csv").write_text(content)

    with pytest.raises(DataUnreadable, match=message):
        list(corpus.rows(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a", "labels": {"bogus": 1}}', r"labels of spam, toxic, .* got \['bogus'\]"),
        ('{"text": "a", "labels": [1]}', "expected labels by name, got list"),
        ('{"text": "a", "labels": {"spam": "x"}}', "expected spam from 0 to 1, got 'x'"),
        ('{"text": "a", "labels": {"spam": [1]}}', r"expected spam from 0 to 1, got \[1\]"),
        ('{"text": "a", "spam": 1, "split": 5}', "expected split train, valid, test, got 5"),
        ('{"text": "a", "spam": NaN}', "expected spam from 0 to 1, got nan"),
        ('{"text": "a", "spam": 1' + "0" * 400 + "}", "expected spam from 0 to 1, got 10{59}$"),
        ('{"labels": {"spam": 1}}', r"expected a text, got \['labels'\]"),
        ('{"text": 5, "labels": {}}', "expected a text, got int"),
        ("5", "expected a row, got int"),
        ("[" * 100_000, "expected a labelled row, got "),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    """Whatever JSON can say that is no labelled comment."""
    (tmp_path / "a.jsonl").write_text('{"text": "a", "spam": 1}\n' + line)

    with pytest.raises(DataUnreadable, match=f"a.jsonl line 2: .*{message}"):
        list(corpus.rows(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", TABLE),
        ("a.jsonl.gz", TABLE),
        ("a.csv.gz", PACKED[:-9]),
        ("a.csv.gz", PACKED[:10] + b"\xff" * 20),
        ("a.csv", TABLE.decode().encode("utf-16")),
        ("a.csv", None),
    ],
)
def test_a_file_that_is_something_else_is_named(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    """Not packed, cut off, packed wrongly, of another encoding, or a folder."""
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(DataUnreadable, match=f"{name}.*: expected a labelled row, got "):
        corpus.examples(tmp_path)


def test_a_list_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A list of profanities that is not packed, and one without its columns."""
    (tmp_path / "lists").mkdir()
    file = tmp_path / "lists/surge_profanity_en.csv.gz"

    file.write_bytes(b"text\nx\n")
    with pytest.raises(DataUnreadable, match=r"surge_profanity_en.csv.gz: expected a list"):
        corpus.profanities(tmp_path)
    file.write_bytes(gzip.compress(b"text\nx\n"))
    with pytest.raises(DataUnreadable, match=r"expected a column 'canonical_form_1', got \['text"):
        corpus.profanities(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Mistyped, or a file; and a file whose name no manifest could state."""
    (tmp_path / "a.csv").write_bytes(TABLE)

    for path in (tmp_path / "nosuch", tmp_path / "a.csv"):
        with pytest.raises(DataUnreadable, match=f"{path}: expected a folder"):
            corpus.examples(path)
    (tmp_path / "b\n.csv").write_bytes(TABLE)
    with pytest.raises(DataUnreadable, match=r"can be printed, got 'b\\n.csv'"):
        corpus.examples(tmp_path)
