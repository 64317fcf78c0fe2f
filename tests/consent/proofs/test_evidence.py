"""Evidence bundles: what is whole verifies, and whatever is not says where."""

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from edited_bundle import Content, edited, lines, remade, rezipped, unzipped
from hypothesis import given
from hypothesis import strategies as st
from recorded_site import NOTICE, SITE_ID, RecordedSite

from aboveboard import installation
from aboveboard.installation import Databases
from aboveboard.settings import Settings
from consent.choices.choice import EventType
from consent.choices.record import commit, leaf
from consent.errors import EvidenceInvalid
from consent.log.checkpoint import Signer, Verifier
from consent.log.merkle import leaf_hash
from consent.proofs import evidence
from consent.proofs.archive import Archive, ArchiveWriter, Manifest
from consent.proofs.disclosure import record_line
from consent.proofs.evidence import VerifiedEvidence
from consent.records.search import Filter
from consent.sealing.vault import Opened

ENTRIES = "logs/1/entries.jsonl"
RECORDS = "logs/1/records.jsonl"


@dataclass(frozen=True)
class Bundled:
    """A bundle of a small log: asked, given, withdrawn, erased, and the tombstone."""

    zipped: bytes
    content: Content
    manifest: Manifest
    older: tuple[str, ...]
    """A checkpoint of every size that the log had."""

    sealed_with: Signer
    erased_line: bytes
    """The line of the erased record, from a bundle made before."""

    @property
    def key(self) -> Verifier:
        """The log's key."""
        return self.sealed_with.verifier


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundled]:
    """Fill a log and bundle it."""
    data_dir = tmp_path_factory.mktemp("evidence") / "data"
    databases = installation.open_databases(Settings(data_dir=data_dir))
    databases.migrate()
    site = RecordedSite(databases, data_dir)
    banner = site.archive(html="<p>May we show ads that fit?</p>")
    site.publish(replace(NOTICE, ui_sha256=banner))
    site.publish(replace(NOTICE, language="de", text="Dürfen wir passende Werbung zeigen?"))
    older = []
    receipts = []
    for event_type in (EventType.REQUESTED, EventType.GIVEN, EventType.WITHDRAWN):
        receipts.append(site.record(event_type, ui_sha256=banner))
        older.append(receipts[-1].proof.partition("\n\n")[2])
    before = unzipped(site.bundle())
    site.erase(receipts[1:2])
    zipped = site.bundle()
    content = unzipped(zipped)
    yield Bundled(
        zipped,
        content,
        Manifest.from_bytes(content["manifest.json"]),
        tuple(older),
        site.signer(),
        before[RECORDS].splitlines(keepends=True)[1],
    )
    databases.close()


def verify(zipped: bytes, **how: Any) -> VerifiedEvidence:  # noqa: ANN401
    """Verify a bundle in memory."""
    return evidence.verify(io.BytesIO(zipped), **how)


def refusal(zipped: bytes, **how: Any) -> EvidenceInvalid:  # noqa: ANN401
    """Return why a bundle is refused."""
    with pytest.raises(EvidenceInvalid) as caught:
        verify(zipped, **how)
    return caught.value


# -- what is whole ----------------------------------------------------------------------------


def test_a_bundle_verifies(bundled: Bundled) -> None:
    """Everything is counted; the key is trusted only when it was known before."""
    verified = verify(bundled.zipped, keys=[bundled.key], older=bundled.older)
    (log,) = verified.logs

    assert (log.entries, log.opened, log.erased) == (4, 3, 1)
    assert log.older == (1, 2, 3)
    assert log.trusted
    assert verified.sealed
    assert verified.banners_missing == 0
    assert verified.manifest.made == "2026-01-02T03:04:05Z"
    assert not verify(bundled.zipped).logs[0].trusted


def test_an_empty_log_verifies(databases: Databases, tmp_path: Path) -> None:
    """A notice without any event: nothing to prove, and that is proved."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()

    (log,) = verify(site.bundle()).logs

    assert (log.entries, log.opened) == (0, 0)


def test_a_bundle_is_checked_by_hand_as_it_says(bundled: Bundled, tmp_path: Path) -> None:
    """The README's own lines say yes to the bundle, and no to a changed event."""
    readme = bundled.content["README.txt"].decode()
    check, sign = re.findall(r"^-{89}\n(.*?)^-{89}$", readme, re.MULTILINE | re.DOTALL)
    for name, content in bundled.content.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)

    def python(code: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(  # noqa: S603
            [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, check=False
        )

    done = python(check)
    assert done.stdout.decode().endswith("holds: 4 entries\n"), done.stderr
    assert python(sign, "logs/1/checkpoint").returncode == 0
    key = (tmp_path / "key.der").read_bytes()
    signed = (tmp_path / "text").read_bytes()
    assert key.hex().startswith("302a300506032b6570032100")
    assert Verifier(bundled.key.name, key[-32:]).vkey == bundled.key.vkey
    assert signed == bundled.content["logs/1/checkpoint"].partition(b"\n\n")[0] + b"\n"

    lied = bundled.content[RECORDS].replace(rb"\"refused\"", rb"\"given\"", 1)
    (tmp_path / RECORDS).write_bytes(lied)
    assert python(check).returncode != 0


def test_records_are_selected(databases: Databases, tmp_path: Path) -> None:
    """By period and by subject; all entries stay, and so does what says that some were erased."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()
    receipts = list(site.visits(3))
    site.erase(receipts[:1])
    times = [json.loads(receipt.event)["received_at"] for receipt in receipts]
    refs = [json.loads(receipt.event)["subject_ref"] for receipt in receipts]

    def opened(wanted: Filter) -> list[int]:
        zipped = site.bundle(wanted)
        assert verify(zipped).logs[0].entries == 10
        return [json.loads(line)["leaf_index"] for line in unzipped(zipped)[RECORDS].splitlines()]

    assert opened(Filter()) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert opened(Filter(since=times[4], until=times[7])) == [4, 5, 6, 9]
    assert opened(Filter(refs=(refs[3],))) == [3, 4, 5, 9]
    assert opened(Filter(since=times[5], refs=(refs[3],))) == [5, 9]
    assert opened(Filter(refs=())) == [9]
    assert opened(Filter(method="accept_all")) == [1, 4, 7, 9]
    assert verify(site.bundle(Filter(since=times[4]))).manifest.selection == {"since": times[4]}


def test_an_epoch_that_is_not_there_is_missed(databases: Databases, tmp_path: Path) -> None:
    """Where an older copy was put back, a whole log may be gone that the next one never knew."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()
    site.record(EventType.REQUESTED)
    site.rotate()
    site.rotate()
    zipped = site.bundle()
    content = {name: told for name, told in unzipped(zipped).items() if "logs/2/" not in name}
    manifest = verify(zipped).manifest
    logs = tuple(log for log in manifest.logs if log.epoch != 2)

    whole, without = verify(zipped), verify(remade(replace(manifest, logs=logs), content))

    assert (whole.epochs_missing, without.epochs_missing) == ([], [2])


def test_what_is_erased_while_a_bundle_is_made_is_in_it_as_its_entry(
    databases: Databases, tmp_path: Path
) -> None:
    """The head is read once: what comes later is left out, what goes is not opened."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()
    receipts = list(site.visits(2))
    parts = site.bundling().bundle(site.site_id)

    first = next(parts)
    site.erase(receipts[:2])
    site.record(EventType.REQUESTED)
    (log,) = verify(first + b"".join(parts)).logs

    assert (log.entries, log.opened, log.erased) == (6, 4, 0)


@pytest.mark.parametrize(
    ("change", "check", "index"),
    [
        ("DELETE FROM entry WHERE leaf_index = 1", "entries", 1),
        ("DELETE FROM entry WHERE leaf_index = 2", "entries", 2),
        ("UPDATE record SET leaf_index = 7 WHERE leaf_index = 1", "records", 1),
    ],
    ids=["entry gone", "last entry gone", "record elsewhere"],
)
def test_what_is_not_whole_is_not_bundled(
    databases: Databases, tmp_path: Path, change: str, check: str, index: int
) -> None:
    """A database that does not hold what was signed is told of, not papered over."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()
    list(site.visits(1))
    with databases.consent.write() as connection:
        connection.exec_driver_sql(change)

    with pytest.raises(EvidenceInvalid) as caught:
        site.bundle()

    assert (caught.value.check, caught.value.index) == (check, index)


# -- every byte -------------------------------------------------------------------------------


def test_no_byte_of_a_file_can_be_changed_unnoticed(bundled: Bundled) -> None:
    """Each byte of each file in turn, zipped again as if nothing had happened."""
    for name, content in bundled.content.items():
        for at in range(len(content)):
            changed = bytearray(content)
            changed[at] ^= 1 << at % 8
            with pytest.raises(EvidenceInvalid):
                verify(rezipped({**bundled.content, name: bytes(changed)}))


def test_no_byte_of_the_zip_can_be_changed_unnoticed(bundled: Bundled) -> None:
    """Each byte in turn: the bundle is refused, or what it holds is still the same."""
    refused = 0
    for at in range(len(bundled.zipped)):
        changed = bytearray(bundled.zipped)
        changed[at] ^= 1 << at % 8
        try:
            verify(bytes(changed))
        except EvidenceInvalid:
            refused += 1
        else:
            assert unzipped(bytes(changed)) == bundled.content
    assert refused > len(bundled.zipped) // 2


@given(st.data())
def test_whatever_is_done_to_a_bundle_is_told_as_such(
    bundled: Bundled, data: st.DataObject
) -> None:
    """Cut short, with bytes written over: never any other error, never another content."""
    zipped = bytearray(bundled.zipped)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(zipped) - 1))
        zipped[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    del zipped[data.draw(st.integers(1, len(zipped) or 1)) :]

    with suppress(EvidenceInvalid):
        assert verify(bytes(zipped)).manifest == bundled.manifest


# -- somebody without the key -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "edit", "check", "index"),
    [
        (ENTRIES, lambda old: old[:-1], "entries", 3),
        (ENTRIES, lambda old: [*old[:1], *old[2:]], "leaf", 2),
        (ENTRIES, lambda old: [old[0], old[2], old[1], old[3]], "leaf", 2),
        (ENTRIES, lambda old: [old[0], old[1].replace(b'"v":1', b'"v":2'), *old[2:]], "root", None),
        (ENTRIES, lambda old: [*old, old[0]], "entries", 4),
        (ENTRIES, lambda old: [old[0], old[0], *old[1:]], "leaf", 2),
        (RECORDS, lambda old: [old[1], old[0], old[2]], "records", 0),
        (RECORDS, lambda old: [old[0], old[0], *old[1:]], "records", 0),
        (RECORDS, lambda old: [old[0].replace(b"requested", b"withdrawn", 1), *old[1:]], "leaf", 0),
        (RECORDS, lambda old: [old[0].replace(b'x":0', b'x":1'), *old[1:]], "leaf", 1),
        (RECORDS, lambda old: [*old, old[2].replace(b'x":3', b'x":4')], "records", 4),
        (RECORDS, lambda old: [old[0].replace(b'"leaf', b' "leaf'), *old[1:]], "records", 0),
        (RECORDS, lambda old: [b"[]\n", *old[1:]], "records", 0),
        (RECORDS, lambda old: [b"{\n", *old[1:]], "records", 0),
    ],
    ids=[
        "entry cut off",
        "entry taken out",
        "entries swapped",
        "entry edited",
        "entry added",
        "entry put in",
        "records swapped",
        "record twice",
        "event edited",
        "record moved",
        "record added",
        "another spelling",
        "no object",
        "no JSON",
    ],
)
def test_tampering_is_named_with_its_place(
    bundled: Bundled,
    name: str,
    edit: Callable[[list[bytes]], list[bytes]],
    check: str,
    index: int | None,
) -> None:
    """Whoever makes the manifest anew, without the log's key, gains nothing."""
    found = refusal(remade(bundled.manifest, edited(bundled.content, name, edit)))

    assert (found.check, found.index) == (check, index)


def test_what_was_erased_cannot_be_brought_back(bundled: Bundled) -> None:
    """A record from an older bundle opens and is in the log; its tombstone is, too."""
    content = edited(bundled.content, RECORDS, lambda old: [old[0], bundled.erased_line, *old[1:]])

    found = refusal(remade(bundled.manifest, content))

    assert (found.check, found.index) == ("erasure", 1)


def test_a_notice_cannot_be_changed_under_its_events(bundled: Bundled) -> None:
    """Another text has another digest; a digest that no event knows breaks the events."""
    texts = refusal(
        remade(
            bundled.manifest,
            {
                **bundled.content,
                "notices.jsonl": bundled.content["notices.jsonl"].replace(b"May we", b"We may"),
            },
        )
    )
    gone = refusal(
        remade(
            bundled.manifest,
            edited(bundled.content, "notices.jsonl", lambda old: old[:1]),
            notices=1,
        )
    )
    banner = f"banners/{bundled.manifest.banners[0].ui_sha256}"
    shown = refusal(remade(bundled.manifest, {**bundled.content, banner: b"<p>Other</p>"}))

    assert (texts.check, gone.check, gone.index) == ("notice", "notice", 0)
    assert shown.check == "banner"


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b'"text":"May we', b'"text":"We may'),
        (b'"basis":"consent"', b'"basis":"opt_out"'),
        (b'"notice":{"controller"', b'"notice":{"a":"more","controller"'),
    ],
)
def test_a_notice_says_what_its_digests_are_of(
    bundled: Bundled, said: bytes, instead: bytes
) -> None:
    """Nor can who has the log's key show a notice beside the wording that visitors saw."""
    changed = bundled.content["notices.jsonl"].replace(said, instead, 1)
    content = {**bundled.content, "notices.jsonl": changed}
    assert changed != bundled.content["notices.jsonl"]

    found = refusal(remade(bundled.manifest, content, bundled.sealed_with.sign_note))

    assert found.check == "notice"


def test_a_seal_is_of_this_manifest_by_this_key(bundled: Bundled) -> None:
    """Records can be left out only where nobody signed, and then that is said."""
    content = edited(bundled.content, RECORDS, lambda old: old[1:])
    stranger = Signer(bundled.key.name, bytes(32))

    unsigned = verify(remade(bundled.manifest, content))
    forged = refusal(remade(bundled.manifest, content, stranger.sign_note))
    old = refusal(
        rezipped({**unzipped(remade(bundled.manifest, content)), "seal": bundled.content["seal"]})
    )

    assert not unsigned.sealed
    assert unsigned.logs[0].opened == 2
    assert (forged.check, old.check) == ("seal", "seal")


# -- keys and older checkpoints ---------------------------------------------------------------


def test_keys_are_held_against_the_logs(bundled: Bundled) -> None:
    """Another key under the same name, and a key of another log, are refused."""
    other = Signer(bundled.key.name, bytes(32)).verifier
    elsewhere = Signer("shop.example/aboveboard/shop/1", bytes(32)).verifier

    assert refusal(bundled.zipped, keys=[other]).check == "key"
    assert refusal(bundled.zipped, keys=[bundled.key, elsewhere]).check == "key"


def test_a_log_of_another_key_proves_nothing(bundled: Bundled) -> None:
    """Everything signed anew by somebody else: whole, but not by the key that is trusted."""
    thief = Signer(bundled.key.name, bytes(32))
    newest = bundled.key.open(bundled.content["logs/1/checkpoint"].decode())
    content = {
        **bundled.content,
        "logs/1/vkey": f"{thief.verifier.vkey}\n".encode(),
        "logs/1/checkpoint": thief.sign(newest.size, newest.root).encode(),
    }
    stolen = remade(bundled.manifest, content, thief.sign_note, log={"vkey": thief.verifier.vkey})

    assert not verify(stolen).logs[0].trusted
    assert refusal(stolen, keys=[bundled.key]).check == "key"


def test_older_checkpoints_are_prefixes(bundled: Bundled) -> None:
    """Another history, a log cut short, another log and a forged one are each told."""
    newest = bundled.key.open(bundled.content["logs/1/checkpoint"].decode())
    fork = bundled.sealed_with.sign(2, newest.root)
    longer = bundled.sealed_with.sign(5, newest.root)
    forged = bundled.older[0].replace("\n1\n", "\n2\n")
    elsewhere = Signer("shop.example/aboveboard/shop/1", bytes(32)).sign(2, newest.root)

    assert refusal(bundled.zipped, older=[fork]).check == "root"
    assert refusal(bundled.zipped, older=[longer]).check == "truncated"
    assert refusal(bundled.zipped, older=[forged]).check == "checkpoint"
    assert refusal(bundled.zipped, older=[elsewhere]).check == "checkpoint"
    assert refusal(bundled.zipped, older=[""]).check == "checkpoint"


def test_a_log_rewritten_by_its_own_key_shows_against_an_older_checkpoint(
    bundled: Bundled,
) -> None:
    """The operator can sign a shorter history; whoever kept a checkpoint sees it."""
    key = bundled.sealed_with
    first = bundled.key.open(bundled.older[0])
    content = {
        **bundled.content,
        "logs/1/checkpoint": bundled.older[0].encode(),
        ENTRIES: lines(bundled.content[ENTRIES])[0],
        RECORDS: lines(bundled.content[RECORDS])[0],
    }
    short = remade(bundled.manifest, content, key.sign_note, log={"entries": first.size})

    assert verify(short, keys=[bundled.key]).sealed
    assert refusal(short, keys=[bundled.key], older=[bundled.older[2]]).check == "truncated"


def test_a_bundle_carries_older_checkpoints(bundled: Bundled) -> None:
    """They are checked like those from elsewhere, at the size that they are filed under."""
    names = list(bundled.content)
    at = names.index(ENTRIES)

    def with_older(size: int, text: str) -> bytes:
        content = {
            **{name: bundled.content[name] for name in names[:at]},
            f"logs/1/checkpoints/{size}": text.encode(),
            **{name: bundled.content[name] for name in names[at:]},
        }
        return remade(bundled.manifest, content, log={"checkpoints": (size,)})

    assert verify(with_older(2, bundled.older[1])).logs[0].older == (2,)
    assert refusal(with_older(3, bundled.older[1])).check == "checkpoint"
    assert refusal(with_older(2, "checkpoint")).check == "checkpoint"


# -- hostile files ----------------------------------------------------------------------------


def renamed(content: Content, old: str, new: str) -> Content:
    """Give a file another name."""
    return {new if name == old else name: told for name, told in content.items()}


def test_only_the_known_files_in_their_order(bundled: Bundled) -> None:
    """One missing, one more, two in each other's place, one twice, one somewhere else."""
    content = bundled.content
    missing = [
        {name: told for name, told in content.items() if name != left_out} for left_out in content
    ]
    more = [{**content, "extra": b""}, {"extra": b"", **content}]
    others = [
        dict(reversed(content.items())),
        renamed(content, ENTRIES, f"../{ENTRIES}"),
        renamed(content, ENTRIES, f"/{ENTRIES}"),
        renamed(content, ENTRIES, "logs/2/entries.jsonl"),
    ]
    out = io.BytesIO(bundled.zipped)
    with (
        zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as file,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        file.writestr(ENTRIES, content[ENTRIES])

    for changed in (*missing, *more, *others):
        assert refusal(rezipped(changed)).check == "zip"
    assert refusal(out.getvalue()).check == "zip"


def unlisted(zipped: bytes) -> bytes:
    """Put a file behind the others that the list of files does not name."""
    out = io.BytesIO(zipped)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("unlisted", b"for whoever reads from the front")
        file.filelist.pop()
    return out.getvalue()


def test_what_is_no_zip_of_ours_is_refused(bundled: Bundled) -> None:
    """Empty, cut short, stored instead of deflated, with a comment, behind another."""
    out = io.BytesIO(bundled.zipped)
    with zipfile.ZipFile(out, "a") as file:
        file.comment = b"a comment"
    files = [
        b"",
        b"PK",
        b"PK\5\6" + bytes(18),
        bundled.zipped[:-1],
        bundled.zipped[100:],
        rezipped(bundled.content, compress_type=zipfile.ZIP_STORED),
        out.getvalue(),
        rezipped({"README.txt": b"Another bundle, for whoever reads from the front"})
        + bundled.zipped,
        unlisted(bundled.zipped),
    ]

    assert {refusal(file).check for file in files} == {"zip"}


def test_a_bomb_is_not_unpacked(bundled: Bundled) -> None:
    """Bounds are checked before: growth, size at once, number of files, length of a line."""
    huge = bytes(300 << 20)
    bombs = [
        rezipped({**bundled.content, ENTRIES: huge}),
        rezipped({**bundled.content, "manifest.json": token_hex(9 << 20).encode()}),
        rezipped({f"file-{number}": b"" for number in range(20_001)}),
        rezipped({**bundled.content, ENTRIES: token_hex(3 << 19).encode()}),
    ]

    found = [refusal(bomb) for bomb in bombs]

    assert {each.check for each in found} <= {"zip"}
    assert "200 times" in str(found[0])
    assert "at most 16777216 bytes" in str(found[1])
    assert "expected lines of at most" in str(found[3])


def test_files_may_not_lie_over_each_other(bundled: Bundled) -> None:
    """A directory that names one content many times promises more than the file has."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", bundled.zipped)
        for number in range(100):
            info = zipfile.ZipInfo(f"a{number}")
            for name in ("compress_size", "file_size", "CRC", "header_offset"):
                setattr(info, name, getattr(file.filelist[0], name))
            info.compress_type = zipfile.ZIP_DEFLATED
            file.filelist.append(info)

    assert "side by side" in str(refusal(out.getvalue()))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "aboveboard-evidence/2"},
        {"site": 7},
        {"logs": []},
        {"logs": "logs"},
        {"logs": ["log"]},
        {"files": [7]},
        {"more": 1},
        {"notices": True},
        {"notices": 7},
        {"banners": [{"ui_sha256": "..", "media_type": "a", "archived": "b"}]},
        {"banners": [{"ui_sha256": "0" * 64, "media_type": "a", "archived": "b", "more": 1}]},
    ],
)
def test_a_manifest_is_read_strictly(bundled: Bundled, change: dict[str, Any]) -> None:
    """Other members, types and values are refused before anything is believed."""
    manifest = json.loads(bundled.content["manifest.json"]) | change
    written = json.dumps(manifest, indent=2).encode() + b"\n"

    found = refusal(rezipped({**bundled.content, "manifest.json": written}))

    assert found.check in {"manifest", "notice", "seal"}


def test_whatever_a_hostile_log_holds_is_told_as_such(bundled: Bundled) -> None:
    """Its own key signs anything: members of any type in events that open and are in the tree."""
    thief = Signer(bundled.key.name, bytes(32))

    def hostile(**members: Any) -> bytes:  # noqa: ANN401
        event = {"record_id": "r", "received_at": "t", "site_id": SITE_ID, **members}
        opened = Opened(
            bytes(32), json.dumps(event, sort_keys=True, separators=(",", ":")).encode()
        )
        entry = leaf("r", "t", commit(opened.salt, opened.event))
        content = {
            **bundled.content,
            "logs/1/vkey": f"{thief.verifier.vkey}\n".encode(),
            "logs/1/checkpoint": thief.sign(1, leaf_hash(entry)).encode(),
            ENTRIES: entry + b"\n",
            RECORDS: record_line(0, opened),
        }
        return remade(
            bundled.manifest,
            content,
            thief.sign_note,
            log={"vkey": thief.verifier.vkey, "entries": 1},
        )

    assert verify(hostile()).logs[0].opened == 1
    for ids in (7, "r", [["r"], {"r": 1}, None], {"r": 1}, None):
        assert verify(hostile(event_type="erased", record_ids=ids)).logs[0].erased == 0
    assert refusal(hostile(event_type="erased", record_ids=["r"])).check == "erasure"
    for members in ({"site_id": []}, {"record_id": ["r"]}, {"received_at": 7}):
        assert refusal(hostile(**members)).check == "records"
    for notice in ({}, {"notice_id": []}, {"notice_id": {"a": 1}, "version": "1"}):
        assert refusal(hostile(notice=notice)).check == "notice"


def test_no_bundle_is_written_that_nobody_would_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on files holds for those who write them, too."""
    monkeypatch.setattr("consent.proofs.archive.MAX_FILES", 5)
    writer = ArchiveWriter(io.BytesIO())
    for name in ("a", "b", "c"):
        writer.add(name, b"")

    with pytest.raises(EvidenceInvalid, match="at most 5 files"):
        writer.add("d", b"")


def test_an_archive_is_read_file_by_file(bundled: Bundled) -> None:
    """Whatever was expected of a file is held against it; what is not there is refused."""
    archive = Archive(io.BytesIO(bundled.zipped))
    archive.expect([replace(bundled.manifest.files[0], bytes=1)])

    with pytest.raises(EvidenceInvalid, match="files: expected"):
        archive.read("README.txt")
    with pytest.raises(EvidenceInvalid, match="there is none"):
        archive.read("nothing")
