"""The file that outlives the database: every line whole, in order, durable, its owner's alone."""

import json
import resource
import stat
import threading
from pathlib import Path

import pytest

from aboveboard.erasures import Erasures
from aboveboard.errors import DataDirUnusable, StorageUnavailable
from consent.subjects.forgetting import Erasure, Restriction
from moderation.review.erasing import Erased

ERASED = Erasure(
    "shop",
    "2026-01-31T12:00:00Z",
    ["t-1"],
    [("1.aa", "0" * 64), ("1.bb", None)],
    ["r-1", "r-2"],
    keep_refusals=True,
)
RESTRICTED = Restriction("shop", "2026-01-31T12:00:00Z", ["t-2"], ["1.cc"], "2027-01-31T12:00:00Z")


def test_what_is_noted_is_read_back(tmp_path: Path) -> None:
    """Newest first, by whoever opens the file next; without a file there is nothing."""
    assert list(Erasures(tmp_path).read()) == []

    for done in (ERASED, RESTRICTED, ERASED._replace(subjects=[], tombstones=[])):
        Erasures(tmp_path).note(done)

    assert list(Erasures(tmp_path).read()) == [
        ERASED._replace(subjects=[], tombstones=[]),
        RESTRICTED,
        ERASED,
    ]
    path = tmp_path / "erasures.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = json.loads(path.read_text().splitlines()[0])
    assert first == {
        "v": 1,
        "did": "erased",
        "site": "shop",
        "at": "2026-01-31T12:00:00Z",
        "tombstones": ["t-1"],
        "subjects": [{"ref": "1.aa", "key_sha256": "0" * 64}, {"ref": "1.bb", "key_sha256": None}],
        "records": ["r-1", "r-2"],
        "keep_refusals": True,
    }


def test_comments_are_read_back_apart(tmp_path: Path) -> None:
    """Among what was done of consent, in the same file."""
    first, last = (Erased("blog", f"2026-02-0{day}T12:00:00Z", ["c-1"]) for day in (1, 2))
    for done in (first, ERASED, last):
        Erasures(tmp_path).note(done)

    assert list(Erasures(tmp_path).read_comments()) == [last, first]
    assert list(Erasures(tmp_path).read()) == [ERASED]
    line = json.loads((tmp_path / "erasures.jsonl").read_text().splitlines()[0])
    assert line == {
        "v": 1,
        "did": "erased_comments",
        "site": "blog",
        "at": "2026-02-01T12:00:00Z",
        "comments": ["c-1"],
    }


def test_half_a_line_spoils_no_other(tmp_path: Path) -> None:
    """What a power cut left is passed over, and the next line begins anew."""
    erasures = Erasures(tmp_path)
    erasures.note(ERASED)
    whole = erasures.path.read_bytes()
    for cut in (1, len(whole) // 2, len(whole) - 2):
        erasures.path.write_bytes(whole + whole[:cut])

        erasures.note(RESTRICTED)

        assert list(erasures.read()) == [RESTRICTED, ERASED]


def test_a_line_that_a_power_cut_left_is_passed_over_wherever_it_was_cut(tmp_path: Path) -> None:
    """Whatever part of it came to the disk, noughts in place of the rest as well."""
    erasures = Erasures(tmp_path)
    erasures.note(ERASED)
    whole = erasures.path.read_bytes()
    for cut in range(len(whole) - 1):
        for rest in (b"", b"\0" * 7):
            erasures.path.write_bytes(whole + whole[:cut] + rest + b"\n" + whole)

            assert list(erasures.read()) == [ERASED, ERASED], (cut, rest)


@pytest.mark.parametrize(
    "spoilt",
    [
        (b'"did"', b'"dhd"'),
        (b'"did":', b'"did"z'),
        (b"{", b"k"),
        (b"r-", b"r\xad"),
    ],
)
def test_a_damaged_line_is_told(tmp_path: Path, spoilt: tuple[bytes, bytes]) -> None:
    """Passed over, it would bring back whom it names: the line is named, and nothing it says."""
    erasures = Erasures(tmp_path)
    erasures.note(RESTRICTED)
    erasures.note(ERASED)
    first, second = erasures.path.read_bytes().splitlines(keepends=True)
    erasures.path.write_bytes(first + second.replace(*spoilt, 1))

    with pytest.raises(DataDirUnusable, match="expected an erasure in line 2 of") as told:
        list(erasures.read())

    assert "r-1" not in str(told.value)


def test_many_write_at_once(tmp_path: Path) -> None:
    """Threads here stand for processes: each has a handle of its own, and no line is mixed."""
    several = [ERASED._replace(record_ids=[f"r-{number}"] * 500) for number in range(20)]
    threads = [threading.Thread(target=Erasures(tmp_path).note, args=(done,)) for done in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(Erasures(tmp_path).read(), key=str) == sorted(several, key=str)


def test_a_disk_that_takes_nothing_refuses_the_erasure(tmp_path: Path) -> None:
    """So that nothing is acknowledged that a restore would bring back."""
    erasures = Erasures(tmp_path / "gone")

    with pytest.raises(StorageUnavailable, match=r"erasures\.jsonl"):
        erasures.note(ERASED)


def test_a_line_that_the_disk_takes_in_part_is_not_noted(tmp_path: Path) -> None:
    """A disk that is nearly full takes some bytes and calls that success: it has to be refused."""
    notes = Erasures(tmp_path)
    notes.note(ERASED)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = (tmp_path / "erasures.jsonl").stat().st_size + 20

    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(StorageUnavailable, match="expected to write down an erasure"):
            notes.note(RESTRICTED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    notes.note(RESTRICTED)

    assert next(iter(notes.read())) == RESTRICTED
