"""Checkpoints kept as files: the newest stays, whatever happens to processes and files."""

from pathlib import Path

import pytest

from aboveboard.errors import DataDirUnusable
from aboveboard.keeping import KeptFolder
from consent.errors import LogBehind
from consent.log.checkpoint import Signer
from consent.log.keeping import Kept


def signed(size: int, *, site: str = "shop", epoch: int = 1, root: int = 7) -> Kept:
    """Make a signed checkpoint of a tree of *size*."""
    origin = f"shop.example/aboveboard/{site}/{epoch}"
    return Kept.parse(site, epoch, Signer(origin, bytes(32)).sign(size, bytes([root] * 32)))


@pytest.fixture
def folder(tmp_path: Path) -> KeptFolder:
    """Make an empty folder."""
    made = KeptFolder(tmp_path / "data")
    made.prepare()
    made.prepare()
    return made


def again(folder: KeptFolder) -> KeptFolder:
    """Open the same folder as another process would."""
    return KeptFolder(folder.path.parent)


def test_the_newest_checkpoint_is_kept(folder: KeptFolder) -> None:
    """Of growing length, of several logs and epochs; an older one changes nothing."""
    other = again(folder)
    assert other.newest("shop") is None

    for size in (1, 9, 10, 99, 100, 2**40):
        folder.keep(signed(size))
        assert again(folder).newest("shop") == signed(size)
    other.keep(signed(50))
    folder.keep(signed(50))
    folder.keep(signed(3, site="shop-2"))

    assert again(folder).newest("shop") == folder.newest("shop") == signed(2**40)
    assert (folder.path / "shop.1").read_text() == signed(2**40).checkpoint
    folder.keep(signed(2, epoch=2))
    other.keep(signed(2**41))
    assert again(folder).newest("shop") == folder.newest("shop") == signed(2, epoch=2)
    assert (folder.epochs("shop"), folder.sites()) == ([1, 2], ["shop", "shop-2"])
    keys = folder.path.parent / "keys"
    keys.mkdir()
    (keys / "log.shop.4.key").write_bytes(b"")
    # A log that had a key may have signed, whatever is left of it.
    assert (folder.epochs("shop"), folder.sites()) == ([1, 2, 4], ["shop", "shop-2"])


@pytest.mark.parametrize("left", [b"", bytes(200), b"\xff", b"x" * 900], ids=len)
def test_what_cannot_be_read_is_as_if_it_were_not_there(
    folder: KeptFolder, left: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a power cut: it is told, its epoch is not used again, and the next one replaces it."""
    folder.keep(signed(5))
    (folder.path / "shop.2").write_bytes(left)
    (folder.path / ".draft").write_bytes(b"left behind")
    (folder.path / "stray file").write_bytes(b"not ours")

    opened = again(folder)

    assert opened.newest("shop") == signed(5)
    assert (opened.epochs("shop"), opened.sites()) == ([1, 2], ["shop"])
    assert "kept_checkpoint_unreadable" in capsys.readouterr().out
    opened.keep(signed(1, epoch=2))
    assert (folder.path / "shop.2").read_text() == signed(1, epoch=2).checkpoint


def test_what_was_signed_is_remembered_though_the_disk_takes_it_not(
    folder: KeptFolder,
) -> None:
    """A write that fails is told to the caller; the process knows better than the file."""
    folder.keep(signed(1))
    (folder.path / "shop.1").unlink()
    (folder.path / "shop.1").mkdir()

    with pytest.raises(OSError, match="directory"):
        folder.keep(signed(2))

    assert folder.newest("shop") == signed(2)


def test_what_was_kept_is_synced_once(folder: KeptFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file written since, and the folder; nothing where nothing was written."""
    synced: list[str] = []
    monkeypatch.setattr("aboveboard.keeping.sync", lambda path: synced.append(path.name))
    for size in (1, 2):
        folder.keep(signed(size))
        folder.keep(signed(size, site="blog"))

    folder.sync()
    folder.sync()

    assert synced == ["blog.1", "shop.1", "checkpoints"]


def test_what_could_not_be_synced_is_synced_the_next_time(
    folder: KeptFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One failure loses no name, of that file or of those that come after it."""
    synced: list[str] = []
    failing = ["blog.1", "checkpoints"]

    def sync(path: Path) -> None:
        if path.name in failing:
            failing.remove(path.name)
            raise OSError(5, "Input/output error")
        synced.append(path.name)

    monkeypatch.setattr("aboveboard.keeping.sync", sync)
    folder.keep(signed(1))
    folder.keep(signed(1, site="blog"))

    for _ in range(2):
        synced.clear()
        with pytest.raises(OSError, match="Input/output"):
            folder.sync()
    folder.keep(signed(1, site="club"))
    synced.clear()
    folder.sync()

    assert synced == ["blog.1", "club.1", "shop.1", "checkpoints"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file in its place is one readable sentence."""
    (tmp_path / "checkpoints").write_bytes(b"")

    with pytest.raises(DataDirUnusable, match="expected a directory"):
        KeptFolder(tmp_path).prepare()


@pytest.mark.parametrize(
    ("epoch", "size", "root", "behind"),
    [
        (2, 5, 7, False),
        (2, 6, 9, False),
        (3, 0, 0, False),
        (2, 4, 7, True),
        (2, 5, 8, True),
        (1, 900, 7, True),
    ],
)
def test_a_head_has_to_reach_what_is_kept(
    epoch: int, size: int, root: int, *, behind: bool
) -> None:
    """By epoch, then by size; at the same size by its root."""
    kept = signed(5, epoch=2)

    if behind:
        with pytest.raises(LogBehind):
            kept.check_reached(epoch, size, bytes([root] * 32))
    else:
        kept.check_reached(epoch, size, bytes([root] * 32))
