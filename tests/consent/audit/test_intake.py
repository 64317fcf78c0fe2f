"""A site moves into another installation with its whole history: same entries, same roots."""

import asyncio
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edited_bundle import edited, remade, unzipped
from full_ledger import VERSIONS, Visitors, fill
from recorded_site import NOTICE, SITE_ID, RecordedSite
from sqlalchemy import Table, select

from aboveboard import consenting, installation
from aboveboard.installation import Databases
from aboveboard.keys import KeyFolder
from aboveboard.rows import Rows
from aboveboard.settings import Settings
from aboveboard.writer import CommandWriter
from consent.audit.intake import Intake, check_whole
from consent.choices.choice import SITE, EventType
from consent.choices.projection import Standing
from consent.errors import EvidenceInvalid, IntakeRefused, VaultUnreadable
from consent.log import ledger
from consent.log.checkpoint import Verifier
from consent.proofs import evidence
from consent.proofs.archive import Manifest
from consent.records.search import Filter
from consent.subjects.forgetting import Erasure, Restriction
from consent.tables import BANNER, ENTRY, LOG, RECORD, RECORD_PURPOSE, SUBJECT, TILE
from consent.tables import NOTICE as NOTICES

VISITS = 250
LOG_KEY = f"log.{SITE_ID}.1"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedSite]:
    """Fill a site over several tiles, with all that can be in a bundle."""
    data_dir = tmp_path_factory.mktemp("old") / "data"
    databases = installation.open_databases(Settings(data_dir=data_dir))
    databases.migrate()
    site = RecordedSite(databases, data_dir, notice_version=VERSIONS)
    banner = site.archive(html="<p>May we show ads that fit?</p>")
    more = {"ui_sha256": banner, "withdrawal_uri": "https://blog.example.org/choice"}
    site.publish(replace(NOTICE, notice_id="footer", **more))
    fill(databases.consent, site.keyring, Visitors(site.keyring, SITE_ID, VISITS))
    receipts = list(site.visits(4))
    site.erase(receipts[:3])
    site.restrict("d-3")
    refused = site.record(EventType.REFUSED, "suppressed")
    site.erase([refused])
    site.rotate()
    list(site.visits(2))
    yield site
    databases.close()


@pytest.fixture
def new(databases: Databases, tmp_path: Path) -> RecordedSite:
    """Prepare another installation, with keys of its own."""
    return RecordedSite(databases, tmp_path / "data", notice_version=VERSIONS, first_id=1000)


def copy_log_keys(old: RecordedSite, new: RecordedSite) -> None:
    """Bring the private keys of the logs along."""
    for path in (old.data_dir / "keys").glob("log.*.key"):
        (new.data_dir / "keys" / path.name).write_bytes(path.read_bytes())


def adopt_public_keys(new: RecordedSite, zipped: bytes) -> None:
    """Keep the public keys of the logs, as the command does where the private ones are missing."""
    for log in Manifest.from_bytes(unzipped(zipped)["manifest.json"]).logs:
        KeyFolder(new.data_dir).keep_public(f"log.{SITE_ID}.{log.epoch}", log.vkey)


def take_in(
    new: RecordedSite,
    zipped: bytes,
    done: Sequence[Erasure | Restriction] = (),
    keys: Sequence[Verifier] = (),
) -> list[int]:
    """Verify a bundle and take it in; return how many records were told to be."""
    file = io.BytesIO(zipped)
    verified = evidence.verify(file, keys=keys)
    check_whole(verified)
    told: list[int] = []
    asyncio.run(opened(new).take_in(file, verified, told.append, done))
    return told


def opened(new: RecordedSite) -> Intake:
    """Put together what takes bundles in."""
    writing = CommandWriter(new.databases.consent)
    return Intake(keyring=new.keyring, writing=writing, sweep=lambda _traces: None)


def stored(site: RecordedSite, table: Table, *left_out: str) -> list[dict[str, Any]]:
    """Return the rows of a table without some columns, in the order of its key."""
    with site.databases.consent.read() as connection:
        rows = connection.execute(select(table).order_by(*table.primary_key)).mappings()
        return [{name: row[name] for name in row if name not in left_out} for row in rows]


def test_a_site_moves_in_whole(old: RecordedSite, new: RecordedSite) -> None:
    """Logs, entries, tiles, notices, banners and what is searched by: the very same rows."""
    copy_log_keys(old, new)
    zipped = old.bundle(moving=True)

    told = take_in(new, zipped)

    for table in (LOG, ENTRY, TILE, BANNER, NOTICES, RECORD_PURPOSE):
        assert stored(new, table) == stored(old, table)
    assert stored(new, RECORD, "sealed") == stored(old, RECORD, "sealed")
    assert {row["level"] for row in stored(new, TILE)} == {0}
    assert told[-1] == len(stored(new, RECORD))
    content, again = unzipped(zipped), unzipped(new.bundle(moving=True))
    assert {name: content[name] for name in content if name.endswith("l")} == {
        name: again[name] for name in again if name.endswith("l")
    }
    assert content["manifest.json"] == again["manifest.json"]


def test_what_is_sealed_is_sealed_anew(old: RecordedSite, new: RecordedSite) -> None:
    """No sealed byte and no wrapped key is the old one's; only the new installation opens them."""
    copy_log_keys(old, new)
    take_in(new, old.bundle(moving=True))

    sealed = [{row["sealed"] for row in stored(site, RECORD)} for site in (old, new)]
    wrapped = [{row["subject_ref"]: row for row in stored(site, SUBJECT)} for site in (old, new)]
    assert not sealed[0] & sealed[1]
    ref = next(ref for ref, row in wrapped[1].items() if row["wrapped"])
    place = (SITE_ID, ref, 1, bytes(wrapped[1][ref]["wrapped"]))
    new.keyring.unwrap(*place)
    with pytest.raises(VaultUnreadable):
        old.keyring.unwrap(*place)


def test_everybody_stands_where_they_stood(old: RecordedSite, new: RecordedSite) -> None:
    """Who is only remembered and who is restricted, too."""
    copy_log_keys(old, new)
    take_in(new, old.bundle(moving=True))

    def standings(site: RecordedSite) -> dict[str, Standing]:
        rows = stored(site, SUBJECT)
        return {row["subject_ref"]: Standing.from_json(row["standing"]) for row in rows}

    restricted = [
        [(row["subject_ref"], row["restricted_until"]) for row in stored(site, SUBJECT)]
        for site in (old, new)
    ]
    assert standings(new) == standings(old)
    assert restricted[0] == restricted[1]
    assert len([until for _, until in restricted[1] if until]) == 1
    assert [not row["wrapped"] for row in stored(new, SUBJECT)].count(True) == 1
    assert [at.whole for at in standings(new).values()].count(False) == 2
    assert SITE in standings(new)


def test_nobody_comes_back_who_was_erased_since(new: RecordedSite, tmp_path: Path) -> None:
    """What is written down of erasures is done again, though everything is sealed anew."""
    databases = installation.open_databases(Settings(data_dir=tmp_path / "source"))
    databases.migrate()
    source = RecordedSite(databases, tmp_path / "source")
    source.publish()
    for device in ("gone", "refuser", "forgotten", "restricted", "back", "stays"):
        source.record(EventType.REQUESTED, device)
        source.record(EventType.GIVEN, device)
    source.forget("back")
    source.record(EventType.REFUSED, "refuser")
    forgotten = source.record(EventType.REFUSED, "forgotten")
    source.forget("forgotten")
    source.record(EventType.REQUESTED, "back")
    source.record(EventType.GIVEN, "back")
    zipped = source.bundle(moving=True)
    for device in ("gone", "refuser"):
        source.forget(device)
    source.forget("forgotten", keep_refusals=False)
    source.restrict("restricted")
    kept = stored(source, SUBJECT, "wrapped")
    databases.close()

    copy_log_keys(source, new)
    take_in(new, zipped, source.noted)
    sweeper = consenting.open_sweeper(new.databases)
    reapplying = consenting.open_reapplying(Settings(data_dir=new.data_dir), new.databases, sweeper)
    again = asyncio.run(reapplying.reapply(reversed(source.noted)))

    assert forgotten.record_id not in {row["record_id"] for row in stored(new, RECORD)}
    assert stored(new, SUBJECT, "wrapped") == kept
    assert again == 3
    verified = evidence.verify(io.BytesIO(new.bundle()), keys=[source.signer().verifier])
    assert [log.entries - log.opened - log.erased for log in verified.logs] == [0]


def test_with_its_key_a_log_goes_on(old: RecordedSite, new: RecordedSite) -> None:
    """The next entry follows the last one, under the same key, and all of it verifies."""
    copy_log_keys(old, new)
    take_in(new, old.bundle(moving=True))

    receipt = new.record(EventType.REQUESTED, "newcomer")
    verified = evidence.verify(io.BytesIO(new.bundle()), keys=[old.signer(2).verifier])

    assert receipt.leaf_index == 7
    assert [log.entries for log in verified.logs] == [VISITS + 16, 8]
    assert verified.sealed


def test_without_its_key_a_log_is_closed(old: RecordedSite, new: RecordedSite) -> None:
    """It stays readable under the key that it came with; the site goes on in the next epoch."""
    zipped = old.bundle(moving=True)
    adopt_public_keys(new, zipped)
    take_in(new, zipped)
    unsealed = evidence.verify(io.BytesIO(new.bundle()))
    new.rotate()
    receipt = new.record(EventType.REQUESTED, "newcomer")

    verified = evidence.verify(
        io.BytesIO(new.bundle()),
        keys=[old.signer(1).verifier, old.signer(2).verifier, new.signer(3).verifier],
    )

    assert not unsealed.sealed
    assert receipt.leaf_index == 1
    assert [(log.epoch, log.entries) for log in verified.logs] == [
        (1, VISITS + 16),
        (2, 7),
        (3, 2),
    ]
    assert verified.sealed
    assert (new.data_dir / "checkpoints" / f"{SITE_ID}.2").exists()


def test_nothing_is_taken_over_what_is_there(old: RecordedSite, new: RecordedSite) -> None:
    """A site with a notice of its own stays as it is; so does one that was taken in before."""
    new.publish()
    with pytest.raises(IntakeRefused, match="which has a log already"):
        take_in(new, old.bundle(moving=True))

    assert stored(new, ENTRY) == []
    assert len(stored(new, NOTICES)) == 1


def test_only_whole_bundles_are_taken_in(old: RecordedSite, new: RecordedSite) -> None:
    """Neither a selection, nor one log of two, nor one that was thinned out by somebody else."""
    zipped = old.bundle(moving=True)
    content = unzipped(zipped)
    manifest = Manifest.from_bytes(content["manifest.json"])
    thinned = edited(content, "logs/1/records.jsonl", lambda lines: lines[1:])

    for how in ({"wanted": Filter(method="api"), "moving": True}, {"epoch": 1, "moving": True}, {}):
        with pytest.raises(IntakeRefused, match="expected a bundle that was made to be taken in"):
            take_in(new, old.bundle(**how))
    with pytest.raises(IntakeRefused, match="got 1 that are neither"):
        take_in(new, remade(manifest, thinned))


def test_a_log_that_nobody_vouches_for_comes_with_no_other(
    old: RecordedSite, new: RecordedSite
) -> None:
    """Whoever gives a key means it: a later log under anybody's key is not taken in beside it."""
    with pytest.raises(IntakeRefused, match="a key for every log"):
        take_in(new, old.bundle(moving=True), keys=[old.signer(1).verifier])

    assert stored(new, ENTRY) == []


def test_what_is_remembered_is_signed_or_not_taken_in(old: RecordedSite, new: RecordedSite) -> None:
    """Whoever has the bundle but no key leaves refusals and restrictions out: nothing adds up."""
    content = unzipped(old.bundle(moving=True))
    manifest = Manifest.from_bytes(content["manifest.json"])
    forgetful = remade(manifest, {**content, "remembered.jsonl": b""}, remembered=0)
    assert manifest.remembered
    assert not evidence.verify(io.BytesIO(forgetful)).sealed

    with pytest.raises(IntakeRefused, match="got one that nobody did"):
        take_in(new, forgetful)

    assert stored(new, ENTRY) == []


@pytest.mark.parametrize("site_id", ["../keys", "UPPER", "", "a" * 41])
def test_a_site_id_has_its_form(old: RecordedSite, site_id: str) -> None:
    """It names files and rows; a bundle of anybody's making may say anything."""
    verified = evidence.verify(io.BytesIO(old.bundle(moving=True)))
    named = replace(verified, manifest=replace(verified.manifest, site=site_id))

    with pytest.raises(IntakeRefused, match="expected a site id"):
        check_whole(named)


def test_what_changed_since_it_was_verified_is_refused(
    old: RecordedSite, new: RecordedSite
) -> None:
    """The file is held against the manifest again; nothing of it stays."""
    copy_log_keys(old, new)
    zipped = old.bundle(moving=True)
    verified = evidence.verify(io.BytesIO(zipped))
    content = unzipped(zipped)
    manifest = verified.manifest
    notices = content["notices.jsonl"].replace(b"Shop Ltd", b"Ship Ltd")
    changed = remade(manifest, {**content, "notices.jsonl": notices})
    intake = opened(new)

    with pytest.raises(EvidenceInvalid):
        asyncio.run(intake.take_in(io.BytesIO(changed), verified, lambda _: None))

    for table in (LOG, ENTRY, NOTICES, RECORD, SUBJECT):
        assert stored(new, table) == []
    with pytest.raises(FileNotFoundError):
        (new.data_dir / "checkpoints" / f"{SITE_ID}.1").read_bytes()


def test_leaves_without_their_root_are_no_log(new: RecordedSite) -> None:
    """The ledger itself checks what it takes in."""
    new.publish()
    receipt = new.record(EventType.REQUESTED, notice_version=1)
    newest = new.signer().verifier.open(receipt.proof.partition("\n\n")[2])
    with (
        pytest.raises(Exception, match="expected the leaves of the signed root"),
        new.databases.consent.write() as connection,
        Rows(connection) as rows,
    ):
        ledger.take_in(rows, "other", 1, newest, [[receipt.leaf], [b"another"]])
    assert json.loads(receipt.leaf)["id"] == receipt.record_id
