"""Backups taken and put back, on both engines: checked first, all or nothing, no second history."""

import asyncio
import json
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from consent_house import House, Process
from embedded_postgres import programs
from screened_comments import putting, screened
from sqlalchemy import select, text

from aboveboard import arrivals, backup, copying, installation, moderating, restoring
from aboveboard.backup import Backup, Manifest
from aboveboard.database import serving_alone
from aboveboard.dumping import Programs
from aboveboard.erasures import Erasures
from aboveboard.errors import (
    AboveboardError,
    BackupFailed,
    BackupInvalid,
    DataDirUnusable,
    KeysChanged,
    RestoreRefused,
    SchemaNewer,
)
from aboveboard.keys import KeyFolder
from aboveboard.restoring import Restored
from aboveboard.settings import Settings
from aboveboard.writer import CommandWriter
from consent.proofs.receipt import verify
from consent.records.batch import Receipt
from consent.wire import events as wire_events
from moderation.store import put
from moderation.tables import COMMENT, REVISION
from moderation.verdict import Verdict


@dataclass
class Place:
    """An installation: a data directory and, on PostgreSQL, a database."""

    settings: Settings

    @contextmanager
    def opened(self) -> Iterator[House]:
        """Open it, make what is missing, and close it again."""
        databases = installation.open_databases(self.settings)
        try:
            databases.migrate()
            installation.open_accounts(self.settings, databases)
            yield House(databases, self.settings)
        finally:
            databases.close()

    @contextmanager
    def process(self) -> Iterator[Process]:
        """Start a process."""
        with self.opened() as house:
            yield house.start()

    def back_up(self, name: str = "backup.zip") -> Path:
        """Take a backup."""
        out = self.settings.data_dir.parent / name
        with self.opened() as house:
            copying.take(self.settings, house.databases, out)
        return out

    def restore(self, path: Path, *, replace: bool = True) -> Restored:
        """Put a backup back."""
        return restoring.restore(self.settings, path, replace=replace)

    def save_keys(self, other: "Place") -> None:
        """Carry the keys, and nothing else, over to another place."""
        other.settings.data_dir.mkdir()
        shutil.copytree(self.settings.data_dir / "keys", other.settings.data_dir / "keys")

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return every row of consent."""
        with self.opened() as house:
            return house.copy()

    def heads(self, site: str = "shop") -> list[tuple[int, int]]:
        """Return epoch and size of every log of a site."""
        with self.process() as process:
            return [(log.head.epoch, log.head.frontier.size) for log in process.logs(site)]


@pytest.fixture
def new_place(new_url: Callable[[], str | None], tmp_path: Path) -> Callable[[str], Place]:
    """Make an empty installation by name."""

    def make(name: str) -> Place:
        url = new_url()
        folder = tmp_path / name
        folder.mkdir()
        bin_folder = programs() if url else None
        return Place(Settings(data_dir=folder / "data", database_url=url, postgres_bin=bin_folder))

    return make


@pytest.fixture
def place(new_place: Callable[[str], Place]) -> Place:
    """Make an installation with a log of three entries."""
    made = new_place("here")
    with made.process() as process:
        process.publish("shop")
        process.record("shop", 3)
    return made


def record(place: Place, number: int = 1, *, device: str = "d") -> list[Receipt]:
    """Record events in a process of its own."""
    with place.process() as process:
        return process.record("shop", number, device=device)


def comments(place: Place, *names: str) -> None:
    """Store published comments of the site `blog`."""
    published = [
        screened(name, Verdict.APPROVE, f"the words of {name}, nobody else's") for name in names
    ]
    command = putting("blog", published, "2026-03-01T12:00:00.000000Z", draw=lambda _: 0.9)
    with place.opened() as house:
        asyncio.run(CommandWriter(house.databases.moderation).write(put, command))


def check(place: Place, epoch: int, receipts: list[Receipt]) -> None:
    """Verify receipts under the key of an epoch."""
    with place.process() as process:
        (log,) = [log for log in process.logs("shop") if log.head.epoch == epoch]
        verifier = process.keyring.signer("shop", epoch, log.head.origin).verifier
        for made in receipts:
            verify(wire_events.receipt(made), verifier)


def manifest_of(path: Path) -> dict[str, Any]:
    """Read the manifest past the package."""
    with ZipFile(path) as archive:
        content: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return content


def changed(path: Path, **members: Any) -> Path:  # noqa: ANN401
    """Write the same backup with other members in its manifest."""
    made = path.with_name("changed.zip")
    with ZipFile(path) as archive, ZipFile(made, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "manifest.json":
                content = json.dumps({**json.loads(content), **members}).encode()
            other.writestr(name, content)
    return made


# -- taking ---------------------------------------------------------------------------------------


def test_a_backup_says_what_it_is(place: Place, engine: str) -> None:
    """Private, whole, without a key; its manifest has the heads that the logs had."""
    path = place.back_up()

    manifest = manifest_of(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert manifest["engine"] == engine
    assert [(log["site"], log["epoch"], log["size"]) for log in manifest["logs"]] == [
        ("shop", 1, 3)
    ]
    kept = place.settings.data_dir / "checkpoints" / "shop.1"
    assert manifest["logs"][0]["checkpoint"] == kept.read_text(encoding="utf-8")
    assert restoring.verify(path).model_dump(mode="json") == manifest
    assert sorted(path.parent.iterdir()) == [path, place.settings.data_dir]
    content = path.read_bytes()
    with ZipFile(path) as archive:
        content += b"".join(archive.read(name) for name in archive.namelist())
    keys = list((place.settings.data_dir / "keys").iterdir())
    assert len(keys) == 6
    for key in keys:
        text = key.read_bytes().strip()
        assert text not in content
        assert bytes.fromhex(text.decode()) not in content


def test_a_backup_is_of_one_instant(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What commits while it is made is in none of its files."""
    describe = copying._describe
    late: list[Receipt] = []

    def meanwhile(*arguments: Any) -> Manifest:  # noqa: ANN401
        late.extend(record(place, 2))
        return describe(*arguments)

    monkeypatch.setattr(copying, "_describe", meanwhile)
    path = place.back_up()

    assert len(late) == 2
    assert [log["size"] for log in manifest_of(path)["logs"]] == [3]
    assert restoring.verify(path)
    place.restore(path)
    with place.process() as process:
        assert process.logs("shop")[0].head.frontier.size == 3


def test_nothing_is_written_over(place: Place) -> None:
    """A backup that is there already stays, and no draft is left."""
    path = place.back_up()
    before = path.read_bytes()

    with pytest.raises(BackupFailed, match="there already"):
        place.back_up()

    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == [path, place.settings.data_dir]


def test_of_two_backups_of_one_name_one_is_made(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither takes the other's copies, and the slower one is refused as any that comes later."""
    write = backup.write
    made: list[Path] = []

    def meanwhile(*arguments: Any) -> Manifest:  # noqa: ANN401
        with monkeypatch.context() as patch:
            patch.setattr(backup, "write", write)
            made.append(place.back_up())
        return write(*arguments)

    monkeypatch.setattr(backup, "write", meanwhile)
    with pytest.raises(BackupFailed, match="there already"):
        place.back_up()

    assert restoring.verify(made[0])
    assert sorted(made[0].parent.iterdir()) == [made[0], place.settings.data_dir]


def test_a_folder_that_is_not_there_is_told(place: Place) -> None:
    """One readable sentence."""
    with pytest.raises(BackupFailed, match="expected to write"):
        place.back_up("nowhere/backup.zip")


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_programs_that_are_not_there_are_told(place: Place, tmp_path: Path) -> None:
    """Which one, and how to say where it is."""
    path = place.back_up()
    without = Place(place.settings.model_copy(update={"postgres_bin": tmp_path}))

    with pytest.raises(BackupFailed, match=r"pg_dump in .*ABOVEBOARD_POSTGRES_BIN"):
        without.back_up("other.zip")
    with pytest.raises(BackupFailed, match=r"psql in"):
        without.restore(path)


# -- putting back ---------------------------------------------------------------------------------


def test_a_backup_goes_back_where_it_came_from(place: Place) -> None:
    """With nothing lost there is no new epoch; every row is as it was."""
    before = place.rows()
    path = place.back_up()

    restored = place.restore(path)

    assert restored.resumed.continued == []
    assert place.rows() == before
    assert record(place)[0].leaf_index == 3
    assert place.heads() == [(1, 4)]
    assert not (place.settings.data_dir / "restored").exists()


def test_a_log_that_was_taken_over_without_its_key_goes_back(place: Place) -> None:
    """Of a site that moved in, only the public key of its older log may be here."""
    with place.process() as process:
        verifier = process.keyring.verifier("shop", 1, process.logs("shop")[0].head.origin)
        process.rotate("shop")
    keys = KeyFolder(place.settings.data_dir)
    keys.drop("log.shop.1")
    keys.keep_public("log.shop.1", verifier.vkey)

    path = place.back_up()
    done = place.restore(path)

    assert [(log.epoch, log.size) for log in done.manifest.logs] == [(1, 3), (2, 1)]
    assert place.heads() == [(1, 3), (2, 1)]


def test_an_older_backup_leads_to_a_new_epoch(place: Place) -> None:
    """Its first entry commits to what was signed since; receipts of both verify."""
    path = place.back_up()
    lost = record(place, 2)

    (continued,) = place.restore(path).resumed.continued

    assert (continued.epoch, continued.previous.size, continued.held) == (2, 5, 3)
    assert place.heads() == [(1, 3), (2, 1)]
    after = record(place, 2)
    assert [made.leaf_index for made in after] == [1, 2]
    check(place, 1, lost)
    check(place, 2, after)
    with place.opened() as house:
        assert restoring.resume(place.settings, house.databases).continued == []


def test_elsewhere_every_log_goes_on_in_a_new_epoch(
    place: Place, new_place: Callable[[str], Place]
) -> None:
    """With the keys alone nobody knows what was signed since, whatever checkpoints are copied."""
    path = place.back_up()
    elsewhere, copied = new_place("elsewhere"), new_place("copied")
    place.save_keys(elsewhere)
    place.save_keys(copied)
    checkpoints = "checkpoints"
    shutil.copytree(place.settings.data_dir / checkpoints, copied.settings.data_dir / checkpoints)

    for other in (elsewhere, copied):
        (continued,) = other.restore(path, replace=False).resumed.continued

        assert (continued.epoch, continued.previous.size, continued.held) == (2, 3, 3)
        assert other.heads() == [(1, 3), (2, 1)]
        assert record(other)[0].leaf_index == 1


def test_an_installation_that_was_just_made_knows_nothing(
    place: Place, new_place: Callable[[str], Place]
) -> None:
    """Replacing its empty databases is no proof that nothing was signed since."""
    path = place.back_up()
    other = new_place("other")
    place.save_keys(other)
    with other.opened():
        pass

    (continued,) = other.restore(path).resumed.continued

    assert continued.epoch == 2


def test_an_installation_that_is_itself_older_knows_nothing(place: Place) -> None:
    """Where the databases that are replaced were behind already, all logs are in doubt."""
    with place.process() as process:
        process.publish("blog")
        process.record("blog")
    path = place.back_up()
    record(place, 2)
    newer = place.back_up("newer.zip")
    with place.opened() as house:
        copied = house.copy()
    record(place)
    with place.opened() as house:
        house.put_back(copied)

    continued = place.restore(newer).resumed.continued

    assert [(made.site_id, made.epoch) for made in continued] == [("blog", 2), ("shop", 2)]
    assert path.exists()


def test_what_was_erased_does_not_come_back(place: Place) -> None:
    """A subject erased after the backup stays erased; the log says so in its new epoch."""
    record(place, 2, device="gone")
    path = place.back_up()
    with place.process() as process:
        process.erase("shop", "gone")
    erased = place.rows()

    restored = place.restore(path)

    assert restored.resumed.again == 1
    now = place.rows()
    for table in ("record", "record_purpose", "subject"):
        ours = [row for row in now[table] if row.get("subject_ref") != "site"]
        assert ours == [row for row in erased[table] if row.get("subject_ref") != "site"]
    assert [(row["epoch"], row["event_type"]) for row in now["record"] if row["epoch"] == 2] == [
        (2, "continued"),
        (2, "erased"),
    ]
    (noted,) = Erasures(place.settings.data_dir).read()
    if place.settings.database_url is None:
        stored = (place.settings.data_dir / "consent.sqlite3").read_bytes()
        assert not any(ref.encode() in stored for ref, _ in noted.subjects)


def test_a_comment_that_was_erased_does_not_come_back(place: Place) -> None:
    """One that was erased after the backup is erased before anybody is served."""
    comments(place, "kept", "gone")
    path = place.back_up()
    with place.opened() as house:
        erasing, _ = moderating.open_erasing(
            place.settings, house.databases, CommandWriter(house.databases.moderation)
        )
        asyncio.run(erasing.erase("blog", "gone"))

    restored = place.restore(path)

    assert restored.resumed.comments == 1
    with place.opened() as house:
        with house.databases.moderation.read() as connection:
            rows = connection.execute(select(COMMENT.c.id, COMMENT.c.state)).all()
            texts = connection.execute(select(REVISION.c.text)).scalars().all()
        assert {row.id: row.state for row in rows} == {"kept": "published", "gone": "erased"}
        assert not any("gone" in text for text in texts)
        assert restoring.resume(place.settings, house.databases).comments == 0
    if place.settings.database_url is None:
        stored = (place.settings.data_dir / "moderation.sqlite3").read_bytes()
        assert b"the words of gone, nobody else's" not in stored
        assert b"the words of kept, nobody else's" in stored


# -- refusals -------------------------------------------------------------------------------------


def refused(place: Place, path: Path, kind: type[AboveboardError], told: str) -> None:
    """Check that a backup is refused in a sentence, and that nothing is changed by that."""
    before = place.rows()
    with pytest.raises(kind, match=told):
        place.restore(path)
    assert place.rows() == before
    assert place.heads() == [(1, 3)]
    assert not (place.settings.data_dir / "restored").exists()
    assert not (place.settings.data_dir / "restoring").exists()


def test_databases_are_replaced_only_when_told(place: Place) -> None:
    """Without --replace what is there stays."""
    path = place.back_up()

    with pytest.raises(RestoreRefused, match="--replace"):
        place.restore(path, replace=False)


def test_a_running_service_is_not_pulled_from_under(place: Place) -> None:
    """Whoever serves these databases has to stop first."""
    path = place.back_up()

    if place.settings.database_url is None:
        with serving_alone(place.settings.data_dir):
            refused(place, path, RestoreRefused, "expected no service")
    else:
        with place.process() as running:
            running.logs("shop")
            refused(place, path, RestoreRefused, "expected no service")


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_what_was_put_back_is_counted(place: Place, new_place: Callable[[str], Place]) -> None:
    """PostgreSQL knows from the first question on how many rows there are."""
    backup = place.back_up()
    there = new_place("there")
    place.save_keys(there)

    there.restore(backup)

    with there.opened() as house, house.databases.consent.read() as connection:
        counted = connection.scalars(text("SELECT DISTINCT tablename FROM pg_stats")).all()
    assert {"entry", "record", "subject"} <= {*counted}


def test_no_keys_no_restore(place: Place, new_place: Callable[[str], Place]) -> None:
    """Where the keys are missing nothing is made, not even other keys."""
    path = place.back_up()
    other = new_place("other")

    with pytest.raises(DataDirUnusable, match="no backup has them"):
        other.restore(path, replace=False)

    assert not (other.settings.data_dir / "keys").exists()


@pytest.mark.parametrize(
    "name", ["pepper", "author", "subject.1", "key-encryption.1", "log.shop.1"]
)
def test_other_keys_are_refused(place: Place, name: str) -> None:
    """Every key that the backup was made with has to be the same, the logs' among them."""
    path = place.back_up()
    key = place.settings.data_dir / "keys" / f"{name}.key"
    right = key.read_bytes()
    for wrong in (b"0" * 64 + b"\n", None):
        if wrong is None:
            key.unlink()
        else:
            key.write_bytes(wrong)

        with pytest.raises((KeysChanged, DataDirUnusable), match=name):
            place.restore(path)

    key.write_bytes(right)
    assert place.heads() == [(1, 3)]


def test_a_newer_schema_is_refused(place: Place) -> None:
    """A backup of a newer release waits for that release."""
    path = place.back_up()
    revisions = {**manifest_of(path)["revisions"], "consent": "9999"}

    refused(place, changed(path, revisions=revisions), SchemaNewer, "newer release")


def test_another_engine_is_refused(place: Place) -> None:
    """SQLite's files are of no use to PostgreSQL, nor the other way round."""
    path = place.back_up()
    other = {"sqlite": "postgresql", "postgresql": "sqlite"}[manifest_of(path)["engine"]]

    refused(place, changed(path, engine=other), RestoreRefused, f"got one of {other}")


def test_a_backup_is_verified_twice_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a timer and by hand: neither takes the other's copies away and calls it damaged."""
    path = place.back_up()
    extract = Backup.extract
    again: list[Path] = []

    def meanwhile(found: Backup, folder: Path) -> None:
        extract(found, folder)
        if not again:
            again.append(folder)
            restoring.verify(path)

    monkeypatch.setattr(Backup, "extract", meanwhile)
    assert restoring.verify(path)
    assert sorted(path.parent.glob(f".{path.name}*")) == []


def test_every_byte_counts(place: Place) -> None:
    """Whatever byte of a backup is flipped, it is refused or means the same; never half of it."""
    path = place.back_up()
    content = path.read_bytes()
    whole = restoring.verify(path)
    damaged = path.with_name("damaged.zip")
    found = 0
    for at in range(0, len(content), max(1, len(content) // 150)):
        damaged.write_bytes(content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :])
        try:
            assert restoring.verify(damaged) == whole, at
        except BackupInvalid:
            found += 1
    assert found > 100
    damaged.write_bytes(content[:-1000])
    refused(place, damaged, BackupInvalid, "expected")


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"format": "aboveboard-backup/2"}, "expected the format"),
        ({"more": 1}, "more"),
        ({"files": []}, "files of the manifest"),
        ({"logs": "none"}, "logs"),
    ],
    ids=["format", "member", "files", "type"],
)
def test_a_manifest_is_read_strictly(place: Place, members: dict[str, Any], told: str) -> None:
    """Another format, unknown members, other files, wrong types."""
    refused(place, changed(place.back_up(), **members), BackupInvalid, told)


def test_what_is_no_backup_is_told(place: Place, tmp_path: Path) -> None:
    """Nothing, a folder, some text, some other zip."""
    text, other = tmp_path / "text", tmp_path / "other.zip"
    text.write_text("not a backup")
    with ZipFile(other, "w") as archive:
        archive.writestr("../escape", "x")
    for path in (tmp_path / "nothing", tmp_path, text, other):
        refused(place, path, BackupInvalid, "expected")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_log_that_was_touched_is_found(place: Place) -> None:
    """A backup of a database whose entries are not those that were signed does not verify."""
    with place.opened() as house, house.databases.consent.write() as connection:
        connection.exec_driver_sql("UPDATE entry SET leaf = x'00' WHERE leaf_index = 1")

    with pytest.raises(BackupInvalid, match=r"shop/1: expected the 3 entries with the root"):
        restoring.verify(place.back_up())


# -- cut off --------------------------------------------------------------------------------------


class Cut(BaseException):
    """The process ends here."""


def _cut_at(step: str, patch: pytest.MonkeyPatch) -> None:
    """End the process at a step of a restore; `placed` is as soon as there is no way back."""

    def cut(*_: object) -> None:
        raise Cut

    def cut_if_sent(data_dir: Path) -> None:
        if arrivals.are_new(data_dir):
            raise Cut

    play = Programs.restore

    def cut_after(*arguments: Any) -> None:  # noqa: ANN401
        play(*arguments)
        raise Cut

    if step == "placed":
        patch.setattr(arrivals, "settle", cut_if_sent)
        patch.setattr(Programs, "restore", cut_after)
    else:
        patch.setattr(restoring if step == "resume" else arrivals, step, cut)


def _cut_off(place: Place, step: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Back up, record more, and restore up to *step*; return the backup."""
    path = place.back_up()
    record(place, 2)
    with monkeypatch.context() as patch:
        _cut_at(step, patch)
        with pytest.raises(Cut):
            place.restore(path)
    return path


def _newest_epoch(place: Place) -> int:
    """Check that one new log goes on behind what was restored; return its epoch."""
    restored, newest = place.heads()
    assert restored == (1, 3)
    assert not (place.settings.data_dir / "restored").exists()
    assert record(place)[0].leaf_index == 1
    return newest[0]


@pytest.mark.parametrize("step", ["placed", "resume", "forget"])
def test_a_restore_that_is_cut_off_is_finished_by_whoever_comes_next(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Never half of the databases, and never a log that goes on as if nothing had been."""
    _cut_off(place, step, monkeypatch)

    with place.opened() as house:
        restoring.resume(place.settings, house.databases)

    assert _newest_epoch(place) in {2, 3}


@pytest.mark.parametrize("step", ["placed", "resume", "forget"])
def test_a_restore_that_is_cut_off_can_be_begun_anew(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whoever gives the command again is such a command, too."""
    path = _cut_off(place, step, monkeypatch)

    place.restore(path)

    _newest_epoch(place)  # one alone: what the first try had begun is in no backup


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("broken", ["consent", "moderation"])
def test_a_restore_that_cannot_be_finished_is_replaced(
    place: Place, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """What it left may well be broken, as may be whatever a backup is to replace."""
    path = _cut_off(place, "resume", monkeypatch)
    (place.settings.data_dir / f"{broken}.sqlite3").write_bytes(b"no database" * 1000)

    place.restore(path)

    _newest_epoch(place)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_restore_that_is_cut_off_before_it_is_whole_changes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until all files are there and found whole, the databases are the old ones."""
    path = place.back_up()
    record(place, 2)

    def cut(*_: object, **__: object) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "send", cut)
        with pytest.raises(Cut):
            place.restore(path)

    assert place.heads() == [(1, 5)]
    assert record(place)[0].leaf_index == 5


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_script_that_fails_changes_nothing(place: Place) -> None:
    """The schemas are dropped and made again in one transaction; what fails shows no row."""
    path = place.back_up()
    with ZipFile(path) as archive:
        script = archive.read("dump.sql")
    broken = path.with_name("broken.zip")
    at = script.index(b"\\.\n", script.index(b"COPY consent.record "))
    content = script[:at] + script[script.rindex(b"\n", 0, at - 1) + 1 : at] + script[at:]
    manifest = Manifest.model_validate_json(json.dumps(manifest_of(path) | {"files": []}))
    copy = path.with_name("dump.sql")
    copy.write_bytes(content)
    with broken.open("w+b") as file:
        backup.write(file, manifest, [copy])

    with pytest.raises(BackupFailed, match="expected psql to succeed") as told:
        place.restore(broken)

    assert "DETAIL" not in str(told.value)
    assert place.heads() == [(1, 3)]
    assert not (place.settings.data_dir / "restored").exists()
