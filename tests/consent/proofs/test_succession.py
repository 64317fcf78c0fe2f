"""Logs that follow each other in one evidence bundle, and checkpoints that it takes along."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from edited_bundle import Content, edited, lines, remade, unzipped
from recorded_site import RecordedSite
from whole_copy import copy, put_back

from aboveboard.checkpoints import histories
from aboveboard.installation import Databases
from consent.choices.choice import EventType
from consent.errors import EvidenceInvalid, LogNotFound
from consent.log.checkpoint import Signer
from consent.log.merkle import leaf_hash
from consent.proofs import evidence
from consent.proofs.archive import Manifest


@pytest.fixture
def site(databases: Databases, tmp_path: Path) -> RecordedSite:
    """Record a visit."""
    recorded = RecordedSite(databases, tmp_path / "data")
    recorded.publish()
    list(recorded.visits(1))
    return recorded


def verify(zipped: bytes) -> evidence.VerifiedEvidence:
    """Verify a bundle in memory."""
    return evidence.verify(io.BytesIO(zipped))


def refusal(zipped: bytes) -> tuple[str, int | None]:
    """Return which check refuses a bundle, and for which log."""
    with pytest.raises(EvidenceInvalid) as caught:
        verify(zipped)
    return caught.value.check, caught.value.epoch


def apart(zipped: bytes) -> tuple[Manifest, Content]:
    """Take a bundle apart."""
    content = unzipped(zipped)
    return Manifest.from_bytes(content["manifest.json"]), content


def test_logs_are_followed_from_epoch_to_epoch(site: RecordedSite) -> None:
    """Each takes over where the one before ended, under a key of its own."""
    site.rotate()
    list(site.visits(1))
    site.rotate()

    keys = [site.signer(epoch).verifier for epoch in (1, 2, 3)]
    verified = evidence.verify(io.BytesIO(site.bundle()), keys=keys)
    alone = verify(site.bundle(epoch=2))

    assert [(log.epoch, log.entries, log.older, log.lost) for log in verified.logs] == [
        (1, 3, (3,), 0),
        (2, 4, (4,), 0),
        (3, 1, (), 0),
    ]
    assert all(log.trusted for log in verified.logs)
    assert verified.sealed
    assert [log.epoch for log in alone.logs] == [2]
    with pytest.raises(LogNotFound):
        site.bundle(epoch=4)


def test_what_a_restore_lost_is_told(site: RecordedSite) -> None:
    """The old log ends before what its key has signed; the new one says how much it was."""
    before = copy(site.databases.consent)
    list(site.visits(1))
    put_back(site.databases.consent, before)
    site.restart()
    site.record(EventType.REQUESTED)

    verified = verify(site.bundle())

    assert [(log.entries, log.lost) for log in verified.logs] == [(3, 3), (2, 0)]


def test_a_later_log_has_to_say_what_it_continues(site: RecordedSite) -> None:
    """Without its first event, or with another one there, nobody knows what was before."""
    site.rotate()
    list(site.visits(1))
    manifest, content = apart(site.bundle())
    records = "logs/2/records.jsonl"

    gone = remade(manifest, edited(content, records, lambda old: old[1:]))
    other = remade(
        manifest,
        edited(content, records, lambda old: [old[0].replace(b"rotated", b"restored"), *old[1:]]),
    )

    assert refusal(gone) == ("continued", 2)
    assert refusal(other) == ("leaf", 2)


def test_an_earlier_log_cannot_be_cut_short(site: RecordedSite) -> None:
    """Not even by its own key: the later log knows where it ended."""
    site.rotate()
    manifest, content = apart(site.bundle())
    entries, records = "logs/1/entries.jsonl", "logs/1/records.jsonl"
    first = lines(content[entries])[0]
    short = {
        **content,
        entries: first,
        records: lines(content[records])[0],
        "logs/1/checkpoint": site.signer().sign(1, leaf_hash(first[:-1])).encode(),
    }
    logs = (replace(manifest.logs[0], entries=1, records=1), manifest.logs[1])

    cut = remade(manifest, short, site.signer(2).sign_note, logs=logs)

    assert refusal(cut) == ("continued", 1)


def test_kept_checkpoints_are_taken_along(
    site: RecordedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a folder that are of this log and older than it is, and not too many of them."""
    kept = tmp_path / "kept"
    kept.mkdir()
    receipts = list(site.visits(1))
    texts = [receipt.proof.partition("\n\n")[2] for receipt in receipts]
    stranger = Signer("other.example/aboveboard/other/1", bytes(32)).sign(1, bytes(32))
    history = kept / f"{site.site_id}.1.history"
    history.write_text("\n".join([*texts, stranger, ""]))
    bundling = site.bundling(histories=histories(kept))

    (log,) = verify(b"".join(bundling.bundle(site.site_id))).logs
    history.write_text("no checkpoint")
    (none,) = verify(b"".join(bundling.bundle(site.site_id))).logs
    history.write_text("\n".join([*texts, ""]))
    monkeypatch.setattr("consent.audit.bundling.MOST_OLDER", 2)
    (some,) = verify(b"".join(bundling.bundle(site.site_id))).logs

    assert log.older == (4, 5)
    assert none.older == ()
    assert some.older == (4,)
    assert histories(None)(site.site_id, 1) == []
