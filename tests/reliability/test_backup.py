"""Backups of a service under load, put back: what was acknowledged before is there and proves."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from conftest import EVERY_SCOPE, Service, Site
from diary import Diary, publish, replay, writing
from embedded_postgres import programs
from stored_rows import check_comments, check_log, rows

from consent.log.checkpoint import Verifier, parse_proof
from consent.proofs.receipt import verify


@pytest.fixture
def service(new_service: Service, engine: str) -> Service:
    """Prepare a service whose commands find PostgreSQL's programs."""
    if engine == "postgresql":
        new_service.environment["ABOVEBOARD_POSTGRES_BIN"] = str(programs())
    return new_service


def _verify(client: httpx2.Client, site: Site, diary: Diary) -> set[int]:
    """Verify every receipt under the key of its log; returns the epochs."""
    items = client.get(f"/v1/consent/logs/{site.id}").json()["items"]
    keys = {item["origin"]: item for item in items}
    epochs = set()
    for told in diary.of("/v1/consent/events"):
        log = keys[parse_proof(json.loads(told.answer)["proof"]).checkpoint.split("\n")[0]]
        verify(told.answer, Verifier.from_vkey(log["key"]))
        epochs.add(log["epoch"])
    return epochs


def _erase(client: httpx2.Client, device: str) -> None:
    answer = client.post(
        "/v1/consent/subjects:erase", json={"subject": {"kind": "device", "id": device}}
    )
    assert answer.status_code == 201, answer.text


def test_a_backup_under_load_has_all_that_was_acknowledged_before(
    service: Service, tmp_path: Path
) -> None:
    """Taken beside clients that write, put back where only the keys are; erasures hold."""
    service.start()
    site = service.add_site("https://saved.example.org", scopes=EVERY_SCOPE)
    before, meanwhile, after = Diary(), Diary(), Diary()
    backup = tmp_path / "backup.zip"
    with service.client(site.key) as client:
        publish(client)
    with writing(service, site, before, name="before"):
        before.await_told(60)
    with writing(service, site, meanwhile, name="meanwhile"):
        meanwhile.await_told(20)
        told = service.command("backup", str(backup))
        meanwhile.await_told(20)
    gone = json.loads(before.of("/v1/consent/events")[0].body)["subject"]["id"]
    with service.client(site.key) as client:
        _erase(client, gone)
    service.stop()

    # A new machine: the keys and the list of erasures were saved, nothing else.
    assert "Not in it" in told
    lost = service.data_dir.with_name("lost")
    service.data_dir.rename(lost)
    service.data_dir.mkdir()
    shutil.copytree(lost / "keys", service.data_dir / "keys")
    shutil.copy(lost / "erasures.jsonl", service.data_dir)
    replace = ["--replace"] if service.database_url else []
    said = json.loads(service.command("restore", str(backup), "--json", *replace))
    service.start()
    with writing(service, site, after, name="after"):
        after.await_told(60)

    assert said["continued"][0]["epoch"] == 2
    assert said["erased_again"] == 1
    assert service.log.read_text().count("goes on as epoch") == 0, "the restore had done it"
    with service.client(site.key) as client:
        held = check_log(client, service, site, epoch=1, erased=True).size
        assert held >= len(before.of("/v1/consent/events"))
        assert _verify(client, site, before) == _verify(client, site, meanwhile) == {1}
        assert _verify(client, site, after) == {2}
        for told_once in (*before.told, *after.told):
            if gone not in told_once.body.decode():
                replay(client, told_once)
        check_comments(service, site)
        standing = {"subject_kind": "device", "subject_id": gone, "purpose": "ads"}
        assert client.get("/v1/consent/standing", params=standing).json()["why"] == "not_asked"
    assert not [
        record_id
        for (record_id,) in rows(
            service, "consent", "SELECT record_id FROM record WHERE site_id = ?", site.id
        )
        if record_id
        in json.dumps([item.answer.decode() for item in before.told if gone in str(item.body)])
    ]


def test_a_backup_is_refused_by_a_running_service(service: Service, tmp_path: Path) -> None:
    """The command says so in a line; afterwards it puts the backup back and says what it did."""
    service.start()
    site = service.add_site("https://twice.example.org")
    backup = tmp_path / "backup.zip"
    lost = Diary()
    with service.client(site.key) as client:
        publish(client)
    with writing(service, site, lost, name="kept"):
        lost.await_told(20)
    made = json.loads(service.command("backup", str(backup), "--json"))
    with pytest.raises(AssertionError, match=r"^aboveboard: expected no service on"):
        service.command("restore", str(backup), "--replace")
    with writing(service, site, lost, name="lost"):
        lost.await_told(20)
    service.stop()

    assert "is whole" in service.command("backup", "--verify", str(backup))
    told = service.command("restore", str(backup), "--replace")
    service.start()

    assert made["entries"] > 0
    assert f"The log of {site.id} holds {made['entries']} of the " in told
    with service.client(site.key) as client:
        assert check_log(client, service, site, epoch=1).size == made["entries"]
        assert _verify(client, site, lost) == {1}


HELD = """
import signal
from aboveboard import backup
from aboveboard.cli.main import run

def hold(*_):
    print("holding", flush=True)
    signal.pause()

{held} = hold
run()
"""


def _held(service: Service, step: str, *arguments: str) -> subprocess.Popen[str]:
    """Begin a command that holds at *step*, and wait until it is there."""
    begun = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HELD.replace("{held}", step), *arguments],
        env=service.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert begun.stdout is not None
    assert begun.stdout.readline() == "holding\n"
    return begun


def test_a_backup_that_is_ended_early_leaves_nothing(service: Service, tmp_path: Path) -> None:
    """A timer that loses patience leaves no copy of the databases that nobody knows of."""
    service.start()
    out = tmp_path / "out"
    out.mkdir()
    data = ("--data-dir", str(service.data_dir))
    with _held(service, "backup.write", "backup", str(out / "backup.zip"), *data) as begun:
        copied = sorted(out.iterdir())
        begun.terminate()

    assert copied
    assert begun.returncode == 128 + signal.SIGTERM
    assert sorted(out.iterdir()) == []


@pytest.mark.parametrize("command", [["backup", "--verify"], ["restore", "--replace"]])
def test_a_look_at_a_backup_that_is_ended_early_leaves_nothing(
    service: Service, engine: str, tmp_path: Path, command: list[str]
) -> None:
    """No opened copy of everybody's comments, which no later erasure would reach."""
    out = tmp_path / "out"
    out.mkdir()
    service.command("migrate")
    service.command("backup", str(out / "backup.zip"))
    data = ("--data-dir", str(service.data_dir))

    def copies() -> list[Path]:
        found = [*out.rglob("*.sq*"), *service.data_dir.rglob("*.sq*")]
        return [path for path in found if path.parent != service.data_dir]

    step = "backup.Backup.check = backup._check"
    with _held(service, step, *command, str(out / "backup.zip"), *data) as begun:
        held = copies()
        begun.terminate()

    # A script of PostgreSQL is verified as it is read.
    assert held or (engine, command[0]) == ("postgresql", "backup")
    assert begun.returncode == 128 + signal.SIGTERM
    assert copies() == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_what_a_killed_restore_left_is_gone_with_the_next_start(
    service: Service, tmp_path: Path
) -> None:
    """A copy of the databases lies in it, with whatever is erased from then on."""
    service.start()
    backup = tmp_path / "backup.zip"
    service.command("backup", str(backup))
    service.stop()
    data = ("--data-dir", str(service.data_dir))
    held = _held(service, "backup.Backup.extract", "restore", str(backup), "--replace", *data)
    with held as begun:
        begun.kill()
    left = service.data_dir / "restoring"
    assert left.exists()

    service.start()

    assert not left.exists()
