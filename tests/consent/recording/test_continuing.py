"""A log that was put back from a copy, or gets another key, goes on in a new epoch."""

import asyncio
import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from consent_house import HOST, House, Process
from sqlalchemy import select

from aboveboard import installation
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.settings import Settings
from consent.choices.choice import EventType, Method, Origin, Reason, SubjectKind
from consent.choices.claim import Choice
from consent.choices.record import canonical, commit, leaf
from consent.errors import CheckpointInvalid, ConsentError, LogBehind, LogNotFound
from consent.log import ledger
from consent.log.checkpoint import Signer, Verifier
from consent.log.merkle import leaf_hash
from consent.proofs.receipt import verify
from consent.recording.continuing import Doubt
from consent.records.batch import Receipt
from consent.tables import METADATA
from consent.wire import events as wire_events
from consent.wire import logs as wire_logs


@pytest.fixture
def house(databases: Databases, tmp_path: Path) -> House:
    """Prepare keys beside migrated databases."""
    settings = Settings(data_dir=tmp_path / "data")
    installation.open_accounts(settings, databases)
    return House(databases, settings)


def verifier(process: Process, site: str, epoch: int) -> Verifier:
    """Return the public half of a log's key."""
    return Verifier.from_vkey(asyncio.run(process.proving.vkey(site, epoch)))


def check_receipts(process: Process, site: str, epoch: int, receipts: list[Receipt]) -> None:
    """Check receipts as their visitors would."""
    for made in receipts:
        verify(wire_events.receipt(made), verifier(process, site, epoch))


def check_continuation(process: Process, site: str, epoch: int) -> dict[str, Any]:
    """Check, from what anybody is told alone, what an epoch's entry 0 commits to; return it."""
    listed = json.loads(wire_logs.logs(process.logs(site)))["items"]
    (shown,) = [item for item in listed if item["epoch"] == epoch]
    event, salt = shown["continues"]["event"], b64decode(shown["continues"]["salt"])
    committed = commit(salt, canonical(event))
    entry = leaf(event["record_id"], event["received_at"], committed)
    proven = asyncio.run(process.proving.inclusion(site, epoch, index=0, size=1))
    assert proven == []
    with process.databases.consent.read() as connection:
        head = ledger.read_head(connection, site, epoch)
        assert ledger.read_leaf(connection, head, 0) == entry
        assert ledger.Nodes(connection, head).root(1) == leaf_hash(entry)
    previous: dict[str, Any] = event["previous"]
    assert shown["continues"]["epoch"] == previous["epoch"]
    assert shown["continues"]["reason"] == previous["reason"]
    opened = Verifier.from_vkey(previous["key"]).open(previous["checkpoint"])
    assert (opened.size, b64encode(opened.root).decode()) == (previous["size"], previous["root"])
    assert opened.origin == previous["origin"]
    assert shown["origin"] == f"{previous['origin'].rpartition('/')[0]}/{epoch}"
    return previous


def kept(house: House, name: str) -> str:
    """Return what is kept of a log outside the database."""
    return (house.folder / name).read_text(encoding="utf-8")


# -- keeping --------------------------------------------------------------------------------------


def test_what_a_commit_signed_is_kept_before_the_answer(house: House) -> None:
    """Whoever holds a receipt finds its checkpoint outside the database, for its owner alone."""
    process = house.start()
    process.publish("shop")

    for size, made in enumerate(process.record("shop", 3), 1):
        assert made.leaf_index == size - 1
    opened = verifier(process, "shop", 1).open(kept(house, "shop.1"))

    assert opened.size == 3
    assert made.proof.endswith(kept(house, "shop.1"))
    assert (house.folder / "shop.1").stat().st_mode & 0o777 == 0o600
    assert house.folder.stat().st_mode & 0o777 == 0o700


def test_a_refused_event_keeps_nothing(house: House) -> None:
    """A commit that grew no log leaves no checkpoint."""
    process = house.start()
    process.publish("shop")

    with pytest.raises(ConsentError):
        asyncio.run(
            process.recording.record(
                "shop",
                Choice(
                    SubjectKind.DEVICE,
                    "d",
                    EventType.WITHDRAWN,
                    Method.TOGGLE,
                    Origin.BANNER,
                    notice_id="unknown",
                    notice_version=1,
                    language="en",
                ),
                key="k",
                body=b"{}",
            )
        )

    assert not list(house.folder.glob("shop.*"))


# -- nothing wrong --------------------------------------------------------------------------------


def test_a_restart_with_nothing_wrong_makes_no_epoch(house: House) -> None:
    """Whether the kept checkpoint is the newest, an older one, lost, or empty after a power cut."""
    process = house.start()
    process.publish("shop")
    process.publish("empty")
    process.record("shop", 2)
    older = kept(house, "shop.1")
    process.record("shop", 300)
    newest = kept(house, "shop.1")

    for text in (newest, older, None, ""):
        if text is None:
            (house.folder / "shop.1").unlink()
        else:
            (house.folder / "shop.1").write_text(text, encoding="utf-8")
        again = house.start()
        assert again.check() == []
        assert kept(house, "shop.1") == newest
        assert [log.head.epoch for log in again.logs("shop")] == [1]
        assert again.record("shop")[0].leaf_index >= 302
        newest = kept(house, "shop.1")


# -- restored -------------------------------------------------------------------------------------


def test_an_older_copy_goes_on_in_a_new_epoch(house: House) -> None:
    """Entry 0 commits to what was signed; old receipts verify; new ones are of the new epoch."""
    process = house.start()
    process.publish("shop")
    process.publish("other")
    before = process.record("shop", 3)
    elsewhere = process.record("other", 2)
    copied = house.copy()
    lost = process.record("shop", 4)
    signed = kept(house, "shop.1")
    house.put_back(copied)

    process = house.start()
    (made,) = process.check()

    assert (made.site_id, made.epoch, made.held, made.previous.size) == ("shop", 2, 3, 7)
    previous = check_continuation(process, "shop", 2)
    assert previous["checkpoint"] == signed
    assert previous["key"] == verifier(process, "shop", 1).vkey
    assert (previous["epoch"], previous["reason"]) == (1, "restored")
    check_receipts(process, "shop", 1, before + lost)
    check_receipts(process, "other", 1, elsewhere)
    after = process.record("shop", 2)
    assert [item.leaf_index for item in after] == [1, 2]
    check_receipts(process, "shop", 2, after)
    assert kept(house, "shop.1") == signed
    assert verifier(process, "shop", 2).open(kept(house, "shop.2")).size == 3
    assert [log.head.frontier.size for log in process.logs("shop")] == [3, 3]
    assert house.start().check() == []


def test_the_same_copy_put_back_twice_makes_two_epochs(house: House) -> None:
    """The second epoch's history is not begun anew: the third commits to it."""
    process = house.start()
    process.publish("shop")
    process.record("shop", 2)
    copied = house.copy()
    process.record("shop")
    house.put_back(copied)
    process = house.start()
    process.check()
    process.record("shop", 5)
    signed = kept(house, "shop.2")
    house.put_back(copied)

    process = house.start()
    (made,) = process.check()

    assert (made.epoch, made.previous.epoch, made.previous.size, made.held) == (3, 2, 6, 0)
    assert check_continuation(process, "shop", 3)["checkpoint"] == signed
    assert [log.head.epoch for log in process.logs("shop")] == [1, 3]
    check_receipts(process, "shop", 3, process.record("shop"))


def test_a_copy_from_before_the_log_goes_on_all_the_same(house: House) -> None:
    """Where the whole log is missing, publishing its notice again does not begin it again."""
    copied = house.copy()
    process = house.start()
    process.publish("shop")
    receipts = process.record("shop", 2)
    house.put_back(copied)

    process = house.start()
    (made,) = process.check()
    process.publish("shop")
    after = process.record("shop")

    assert (made.epoch, made.previous.size, made.held) == (2, 2, 0)
    assert check_continuation(process, "shop", 2)["origin"] == f"{HOST}/aboveboard/shop/1"
    assert after[0].leaf_index == 1
    check_receipts(process, "shop", 2, after)
    for item in receipts:
        signer = house.start().keyring.signer("shop", 1, f"{HOST}/aboveboard/shop/1")
        verify(wire_events.receipt(item), signer.verifier)


@pytest.mark.parametrize("doubt", [Doubt.UNKEPT, Doubt.ALL])
def test_in_doubt_logs_go_on_in_a_new_epoch(house: House, doubt: Doubt) -> None:
    """Where nothing is kept, or whatever is: they may have signed more since."""
    process = house.start()
    for site in ("kept", "lost"):
        process.publish(site)
        process.record(site, 2)
    process.publish("empty")
    (house.folder / "lost.1").unlink()

    process = house.start()
    made = process.check(doubt)

    expected = {"lost": 2} if doubt is Doubt.UNKEPT else {"empty": 0, "kept": 2, "lost": 2}
    assert [(item.site_id, item.epoch, item.previous.size, item.held) for item in made] == [
        (site, 2, size, size) for site, size in expected.items()
    ]
    for site in expected:
        assert check_continuation(process, site, 2)["reason"] == "restored"
        assert process.record(site)[0].leaf_index == 1
    assert house.start().check() == []


def test_what_is_known_of_live_logs(house: House) -> None:
    """Whoever holds the newest rows knows all; with older rows than what is kept, nobody does."""
    process = house.start()
    process.publish("shop")
    process.record("shop", 2)
    copied, older = house.copy(), kept(house, "shop.1")
    process.record("shop", 2)
    newest = kept(house, "shop.1")

    (house.folder / "shop.1").write_text(older, encoding="utf-8")
    assert house.start().knows_all()
    assert kept(house, "shop.1") == newest
    house.put_back(copied)
    assert not house.start().knows_all()


@pytest.mark.parametrize("more", [0, 1, 3], ids=["same size", "one more", "three more"])
def test_another_history_is_not_continued(house: House, more: int) -> None:
    """A log as long as the kept one, or longer, that has not grown from it: a new epoch."""
    process = house.start()
    process.publish("shop")
    process.record("shop", 4)
    copied = house.copy()
    process.record("shop", 3)
    signed = kept(house, "shop.1")
    # Somebody who knows nothing of this folder let the old copy grow.
    (house.folder / "shop.1").unlink()
    house.put_back(copied)
    house.start().record("shop", 3 + more)
    (house.folder / "shop.1").write_text(signed, encoding="utf-8")

    (made,) = house.start().check()

    assert (made.epoch, made.previous.checkpoint) == (2, signed)


def test_without_that_check_nothing_is_appended(house: House) -> None:
    """A command before the service's start, or a process that kept running, is refused."""
    running = house.start()
    running.publish("shop")
    running.record("shop", 2)
    copied = house.copy()
    running.record("shop")
    house.put_back(copied)
    rows = house.copy()

    for process in (running, house.start()):
        with pytest.raises(LogBehind, match=r"expected at least the 3 entries"):
            process.record("shop")
        with pytest.raises(LogBehind):
            process.rotate("shop")

    assert house.copy() == rows


def test_a_kept_checkpoint_that_the_key_did_not_sign_is_refused(house: House) -> None:
    """A log is not sent into a new epoch by whoever writes a file; the sentence says what to do."""
    process = house.start()
    process.publish("shop")
    process.record("shop", 2)
    forged = Signer(f"{HOST}/aboveboard/shop/1", bytes(32)).sign(9, bytes(32))
    (house.folder / "shop.1").write_text(forged, encoding="utf-8")

    with pytest.raises(CheckpointInvalid, match=r"shop/1: expected .* move it away"):
        house.start().check()


# -- rotated --------------------------------------------------------------------------------------


def test_a_new_key_is_a_new_epoch(house: House) -> None:
    """It commits to the old head; a process that was running follows with its next event."""
    running = house.start()
    running.publish("shop")
    before = running.record("shop", 3)

    made = house.start().rotate("shop")
    after = running.record("shop", 2)

    assert (made.epoch, made.previous.reason, made.held) == (2, Reason.ROTATED, 3)
    previous = check_continuation(running, "shop", 2)
    assert (previous["reason"], previous["size"]) == ("rotated", 3)
    assert [item.leaf_index for item in after] == [1, 2]
    check_receipts(running, "shop", 1, before)
    check_receipts(running, "shop", 2, after)
    keys = {log.vkey.split("+")[2] for log in running.logs("shop")}
    assert len(keys) == 2
    assert house.start().check() == []
    with pytest.raises(LogNotFound):
        house.start().rotate("unknown")


def test_where_a_subject_stands_counts_across_epochs(house: House) -> None:
    """A record's place in history is after everything of the epochs before."""
    process = house.start()
    process.publish("shop")
    process.record("shop", 3)
    process.rotate("shop")

    process.record("shop")

    with house.databases.consent.read() as connection, connection.begin():
        (row,) = [
            item
            for item in connection.execute(select(METADATA.tables["subject"])).mappings()
            if item["subject_ref"] != "site"
        ]
    asked = orjson.loads(row["standing"])["a"]["main"]
    assert ledger.position(2, 1) in asked


@contextmanager
def _waiting(databases: Databases) -> Iterator[threading.Thread]:
    """Append an entry on a second connection, begun while a first one holds the log's head."""
    done: list[ledger.Head] = []

    def append() -> None:
        with databases.consent.write() as connection, Rows(connection) as rows:
            done.append(ledger.lock_head(rows, "shop")())

    thread = threading.Thread(target=append)
    yield thread
    thread.join(60)
    assert [head.epoch for head in done] == [2]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_whoever_waited_for_the_old_head_gets_the_new_one(house: House) -> None:
    """A transaction that queued behind a rotation does not append to the epoch that ended."""
    process = house.start()
    process.publish("shop")
    process.record("shop", 2)
    consent = house.databases.consent

    with _waiting(house.databases) as thread, consent.write() as connection:
        rows = Rows(connection)
        with rows:
            head = ledger.lock_head(rows, "shop")()
            ledger.open_epoch(rows, "shop", 2, head.origin, process.keyring.first_signer)
        thread.start()
        until = time.monotonic() + 60
        with consent.read() as looking:
            while not looking.exec_driver_sql(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            ).all():
                assert time.monotonic() < until, "waited in vain"
                looking.rollback()
