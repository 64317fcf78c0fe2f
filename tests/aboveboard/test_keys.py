"""Key files: made once, whole, for their owner alone."""

import errno
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aboveboard.errors import DataDirUnusable, StorageUnavailable
from aboveboard.keys import TICK_S, Daily, KeyFolder


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    """Prepare a key folder in a data directory that was not there."""
    made = KeyFolder(tmp_path / "data")
    made.prepare()
    return made


def test_a_key_is_made_once(folder: KeyFolder) -> None:
    """32 random bytes, the same ever after, another for another name."""
    key = folder.get("pepper")

    assert len(key) == 32
    assert folder.get("pepper") == key
    assert KeyFolder(folder.path.parent).get("pepper") == key
    assert folder.get("fingerprint") != key
    assert [path.name for path in sorted(folder.path.iterdir())] == [
        "fingerprint.key",
        "pepper.key",
    ]


def test_keys_are_their_owners(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        folder = KeyFolder(tmp_path / "data")
        folder.prepare()
        folder.get("pepper")
    finally:
        os.umask(before)

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "pepper.key").stat().st_mode & 0o777 == 0o600


def test_all_who_start_at_once_agree(tmp_path: Path) -> None:
    """Several that prepare and read at the same moment end up with one key."""
    together = threading.Barrier(8)
    keys: list[bytes] = []
    failures: list[Exception] = []

    def start() -> None:
        together.wait()
        try:
            folder = KeyFolder(tmp_path / "new" / "data")
            folder.prepare()
            keys.append(folder.get("pepper"))
        except Exception as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_versions_are_found(folder: KeyFolder) -> None:
    """The first version is made where there is none; later ones are found by their files."""
    first = folder.versions("subject")
    (folder.path / "subject.10.key").write_text("0" * 64 + "\n", encoding="ascii")
    (folder.path / "subject.02.key").write_text("no version\n", encoding="ascii")
    (folder.path / "subject-other.3.key").write_text("no version\n", encoding="ascii")

    assert list(first) == [1]
    assert folder.versions("subject") == {1: first[1], 10: bytes(32)}


@pytest.mark.parametrize(
    "content",
    [b"", b"00" * 31, b"00" * 33, b"zz" * 32, b"\xff" * 64],
    ids=["empty", "short", "long", "letters", "bytes"],
)
def test_a_file_that_is_no_key_is_refused(folder: KeyFolder, content: bytes) -> None:
    """It is named, never replaced, and what is in it is not told."""
    path = folder.path / "pepper.key"
    path.write_bytes(content)

    with pytest.raises(DataDirUnusable, match=r"pepper\.key") as caught:
        folder.get("pepper")

    assert path.read_bytes() == content
    assert "zz" not in str(caught.value)


def test_a_place_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Where a file stands in the way, the error names the path."""
    (tmp_path / "data").write_text("a file")

    with pytest.raises(DataDirUnusable, match="data"):
        KeyFolder(tmp_path / "data").prepare()


def test_a_key_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Without its folder no key can be made; whoever waits for it is told to try again."""
    with pytest.raises(StorageUnavailable, match=r"pepper\.key") as caught:
        KeyFolder(tmp_path).get("pepper")

    assert str(tmp_path) not in str(caught.value)


def test_a_disk_that_is_full_keeps_no_draft(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the key nor what it was written to first."""

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageUnavailable, match="No space left"):
        folder.get("pepper")

    assert list(folder.path.iterdir()) == []


def test_versions_are_followed(folder: KeyFolder) -> None:
    """Whoever watches has the next version as soon as it is there, and the same mapping before."""
    watched = folder.watch("subject")
    first = watched()
    folder.get("pepper")
    same = watched()

    number = folder.add_version("subject")
    second = watched()
    folder.drop("subject.1")
    third = watched()

    assert number == 2
    assert same is first
    assert set(first) == {1}
    assert set(second) == {1, 2}
    assert second[1] == first[1]
    assert third == {2: second[2]}


def test_changes_within_a_tick_are_followed(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems give both the same time; later nothing is read where nothing changed."""
    now = [100.0]
    watched = folder.watch("subject", clock=lambda: now[0])
    watched()
    found = folder.path.stat()

    folder.add_version("subject")
    os.utime(folder.path, ns=(found.st_atime_ns, found.st_mtime_ns))
    second = watched()
    now[0] += TICK_S
    watched()
    monkeypatch.setattr(folder, "versions", lambda *_, **__: pytest.fail("it was read again"))

    assert set(second) == {1, 2}
    assert watched() is second


def test_what_is_looked_at_now_and_then_is_followed_then(folder: KeyFolder) -> None:
    """A change is noticed once the time to look has come, not before; a loss every time."""
    now = [100.0]
    watched = folder.watch("subject", every_s=2.0, clock=lambda: now[0])
    first = watched()

    folder.add_version("subject")
    now[0] = 101.9
    same = watched()
    now[0] = 102.0
    second = watched()
    folder.drop("subject.1")
    folder.drop("subject.2")
    now[0] = 104.0
    for _ in range(2):
        with pytest.raises(DataDirUnusable, match=r"subject\.1\.key"):
            watched()

    assert same is first
    assert set(second) == {1, 2}


def test_a_purpose_that_is_gone_is_told(folder: KeyFolder) -> None:
    """A watched key is never made anew."""
    watched = folder.watch("subject")
    folder.drop("subject.1")

    with pytest.raises(DataDirUnusable, match=r"subject\.1\.key"):
        watched()

    assert not folder.holds("subject.1")


def test_a_key_of_a_day_is_gone_two_days_later(folder: KeyFolder) -> None:
    """Today's is made, yesterday's still there, older ones are destroyed; none is made later."""
    today = datetime(2026, 11, 28, 23, 59, tzinfo=UTC)
    daily = Daily(folder, "address", clock=lambda: today)
    first_day = today.date()
    folder.get("address-book")

    first = daily(first_day)
    beside = Daily(folder, "address", clock=lambda: today)(first_day)
    today += timedelta(days=1)
    daily.destroy()
    second = daily(today.date())
    still = daily(first_day)
    today += timedelta(days=1)
    daily.destroy()

    today += timedelta(days=365)
    daily(today.date())
    today -= timedelta(days=365)
    daily.destroy()

    assert first == beside == still
    assert first != second
    assert daily(first_day) is None
    assert not folder.holds("address.2027-11-30"), "made by a clock that was ahead"
    assert not folder.holds("address.2026-11-28")
    assert folder.holds("address.2026-11-29")
    assert folder.holds("address-book")
