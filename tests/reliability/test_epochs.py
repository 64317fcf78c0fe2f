"""The served log across epochs: databases put back from a copy, and keys that are changed."""

import json
import shutil
import signal
from base64 import b64decode
from itertools import pairwise
from pathlib import Path

import httpx2
import psycopg
import pytest
from conftest import Service, Site
from diary import Diary, publish, replay, writing
from stored_rows import check_log

from consent.choices.record import canonical, commit, leaf
from consent.log.checkpoint import Verifier, parse_proof
from consent.proofs.receipt import verify

ROTATIONS = 2


def _copy(service: Service, folder: Path) -> None:
    """Copy the databases of a service that does not run."""
    url = service.database_url
    if url is None:
        folder.mkdir()
        for path in service.data_dir.glob("*.sqlite3*"):
            shutil.copy(path, folder)
        return
    _clone(url, _name(url), f"{_name(url)}_copy")


def _put_back(service: Service, folder: Path) -> None:
    """Put the copy in the place of the databases, as an operator would who has no tool for it."""
    url = service.database_url
    if url is None:
        for path in service.data_dir.glob("*.sqlite3*"):
            path.unlink()
        for path in folder.iterdir():
            shutil.copy(path, service.data_dir)
        return
    with psycopg.connect(url.replace(_name(url), "postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {_name(url)}".encode())
    _clone(url, f"{_name(url)}_copy", _name(url))


def _clone(url: str, old: str, new: str) -> None:
    with psycopg.connect(url.replace(_name(url), "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {new} TEMPLATE {old}".encode())


def _name(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


def _keys(client: httpx2.Client, site: Site) -> dict[str, Verifier]:
    """Return the verifier of every epoch by its origin, as the service tells them."""
    items = client.get(f"/v1/consent/logs/{site.id}").json()["items"]
    return {item["origin"]: Verifier.from_vkey(item["key"]) for item in items}


def _check_receipts(client: httpx2.Client, site: Site, diary: Diary) -> set[str]:
    """Verify every receipt that was handed out, each under its own log's key; return the logs."""
    keys = _keys(client, site)
    logs = set()
    for told in diary.of("/v1/consent/events"):
        origin = parse_proof(json.loads(told.answer)["proof"]).checkpoint.split("\n")[0]
        verify(told.answer, keys[origin])
        logs.add(origin)
    return logs


def test_a_copy_that_is_put_back_goes_on_in_epoch_2(new_service: Service, tmp_path: Path) -> None:
    """The start says so, everybody can check what it continues, and further starts make no more."""
    new_service.start()
    site = new_service.add_site("https://restored.example.org")
    before, lost, after = Diary(), Diary(), Diary()
    with new_service.client(site.key) as client:
        publish(client)
    with writing(new_service, site, before, name="before"):
        before.await_told(30)
    new_service.stop()
    _copy(new_service, tmp_path / "copy")
    new_service.start()
    with writing(new_service, site, lost, name="lost"):
        lost.await_told(30)
    new_service.stop()
    _put_back(new_service, tmp_path / "copy")

    new_service.start()
    with writing(new_service, site, after, name="after"):
        after.await_told(30)
    for number in (signal.SIGKILL, signal.SIGTERM):
        new_service.stop(number)
        new_service.start()

    kept = (new_service.data_dir / "checkpoints" / f"{site.id}.1").read_text(encoding="utf-8")
    said = new_service.log.read_text()
    assert said.count(f"The log of {site.id} holds ") == 1
    assert "it goes on as epoch 2" in said
    with new_service.client(site.key) as client:
        for diary in (before, lost, after):
            assert len(diary.of("/v1/consent/events")) > 3
            _check_receipts(client, site, diary)
        first, second = client.get(f"/v1/consent/logs/{site.id}").json()["items"]
        assert "continues" not in first
        continued = second["continues"]
        assert (continued["epoch"], continued["reason"]) == (1, "restored")
        event = continued["event"]
        assert event["previous"]["checkpoint"] == kept
        opened = Verifier.from_vkey(first["key"]).open(kept)
        assert first["size"] < opened.size == event["previous"]["size"]
        # The held part of the old log is served and is what the old key once signed.
        assert check_log(client, new_service, site, epoch=1).size == first["size"]
        assert check_log(client, new_service, site, epoch=2).size == second["size"]
        committed = commit(b64decode(continued["salt"]), canonical(event))
        entry = leaf(event["record_id"], event["received_at"], committed)
        bundle = client.get(f"/v1/consent/logs/{site.id}/2/tile/entries/000.p/1")
        assert bundle.content == len(entry).to_bytes(2, "big") + entry
        for told in (*before.told, *after.told):
            replay(client, told)


def test_keys_are_changed_under_load(new_service: Service) -> None:
    """Beside the running service: no request is refused, each epoch is dense and whole."""
    new_service.start()
    site = new_service.add_site("https://rotated.example.org")
    diary = Diary()
    with new_service.client(site.key) as client:
        publish(client)

    with writing(new_service, site, diary, name="load", threads=1):
        for _ in range(ROTATIONS):
            diary.await_told(20)
            made = json.loads(
                new_service.command("consent", "rotate-key", "log", "--site", site.id, "--json")
            )
        diary.await_told(20)

    assert made["epoch"] == ROTATIONS + 1
    assert not diary.refused, diary.refused[:3]
    assert not diary.lost
    with new_service.client(site.key) as client:
        sizes = [
            check_log(client, new_service, site, epoch=epoch).size
            for epoch in range(1, ROTATIONS + 2)
        ]
        assert sum(sizes) == len(diary.of("/v1/consent/events")) + ROTATIONS
        assert len(_check_receipts(client, site, diary)) == ROTATIONS + 1
        items = client.get(f"/v1/consent/logs/{site.id}").json()["items"]
        # What an epoch commits to is the very end of the one before.
        for ended, item in pairwise(items):
            previous = item["continues"]["event"]["previous"]
            assert (previous["origin"], previous["size"]) == (ended["origin"], ended["size"])
            assert item["continues"]["reason"] == "rotated"
        for told in diary.told[:: len(diary.told) // 50]:
            replay(client, told)


def test_a_log_that_is_not_there_gets_no_key(new_service: Service) -> None:
    """A site without a log, and one that does not exist, are told in one readable line."""
    site = new_service.create_site()

    for name in (site.id, "nobody"):
        with pytest.raises(AssertionError, match=r"^aboveboard: expected a site that has a log"):
            new_service.command("consent", "rotate-key", "log", "--site", name)
