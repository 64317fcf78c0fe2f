"""`consent bundle` and `consent verify` as an auditor calls them, beside a running service."""

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from conftest import COMMAND, PATIENCE_S, Service, Site
from full_bodies import notice

Done = subprocess.CompletedProcess[str]


BACKWARDS = ["--from", "2028-01-01", "--to", "2027-01-01"]
BANNER = {"html": "<p>May we?</p>"}


def withdrawal(number: int) -> dict[str, Any]:
    """Return a withdrawal by a device of that number."""
    return {
        "subject": {"kind": "device", "id": f"device-{number}"},
        "event_type": "withdrawn",
        "method": "withdraw_link",
        "origin": "preferences",
        "decisions": [{"purpose_id": "ads", "decision": "refused"}],
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
        "idempotency_key": f"key-{number}",
    }


@pytest.fixture
def recorded(client: httpx2.Client, site: Site) -> list[dict[str, Any]]:
    """Record three withdrawals of three devices; return the receipts."""
    banner = client.post("/v1/consent/banners", json=BANNER).json()
    shown = {**notice(site.id), "ui_sha256": banner["ui_sha256"]}
    client.post("/v1/consent/notices", json=shown)
    answers = [client.post("/v1/consent/events", json=withdrawal(at)) for at in range(3)]
    return [answer.json() for answer in answers]


def elsewhere(service: Service) -> dict[str, str]:
    """Return the environment without the service's database."""
    left = dict(service.environment)
    left.pop("ABOVEBOARD_DATABASE_URL", None)
    return left


def verify(service: Service, *arguments: str | Path) -> Done:
    """Verify where there is neither data directory nor setting."""
    return subprocess.run(  # noqa: S603
        [*COMMAND, "consent", "verify", *map(str, arguments)],
        env=elsewhere(service),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def consent(service: Service, *arguments: str, data_dir: Path | None = None) -> Done:
    """Run a command of consent on the service's data or other, whatever comes of it."""
    return replace(service, data_dir=data_dir or service.data_dir).run("consent", *arguments)


def test_a_bundle_is_written_beside_the_service_and_verified_without_it(
    service: Service,
    client: httpx2.Client,
    site: Site,
    recorded: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    """Whole but for a banner that somebody deleted; then with some bytes changed."""
    out, key, older = tmp_path / "bundle.zip", tmp_path / "log.key", tmp_path / "older"
    log = f"/v1/consent/logs/{site.id}/1"
    key.write_text(client.get(f"{log}/key").text)
    older.write_text(client.get(f"{log}/checkpoint").text)
    client.post("/v1/consent/events", json=withdrawal(3))

    with service.consent() as database, database.write() as connection:
        connection.exec_driver_sql(f"DELETE FROM banner WHERE site_id = '{site.id}'")  # noqa: S608

    made = json.loads(
        service.command("consent", "bundle", "--site", site.id, "--out", str(out), "--json")
    )
    client.post("/v1/consent/banners", json=BANNER)
    good = verify(service, out, "--key", key, "--checkpoint", older)
    told = json.loads(verify(service, out, "--json").stdout)
    whole = out.read_bytes()
    (tmp_path / "changed.zip").write_bytes(whole[:2000] + bytes(200) + whole[2200:])
    bad = verify(service, tmp_path / "changed.zip")
    bad_told = verify(service, tmp_path / "changed.zip", "--json")

    assert made["bytes"] == out.stat().st_size
    assert out.stat().st_mode & 0o777 == 0o600
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith(f"VALID  evidence of the site {site.id}, made ")
    assert "4 records opened, 0 erased" in good.stdout
    assert "continues the checkpoint of 3 entries" in good.stdout
    assert "WARN   4 records name a banner that is not in the bundle" in good.stdout
    assert "came with the bundle" not in good.stdout
    assert told["valid"]
    assert told["logs"][0]["trusted"] is False
    assert told["logs"][0]["entries"] == 4
    assert (bad.returncode, bad_told.returncode) == (1, 1)
    assert bad.stderr.startswith("NOT VALID  zip: ")
    assert json.loads(bad_told.stdout)["check"] == "zip"
    assert [item["leaf_index"] for item in recorded] == [0, 1, 2]


def test_a_key_from_the_bundle_is_warned_of(
    service: Service, site: Site, recorded: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Records of one subject, and no key from elsewhere."""
    out = tmp_path / "bundle.zip"
    service.command(
        *("consent", "bundle", "--site", site.id, "--out", str(out)),
        *("--subject", "device:device-1", "--from", "2000-01-01", "--to", "2999-12-31T00:00:00Z"),
    )

    done = verify(service, out)

    assert len(recorded) == 3
    assert done.returncode == 0
    assert "1 records opened, 0 erased, 2 not opened here" in done.stdout
    assert "WARN   the key of" in done.stdout
    assert b"device-1" not in out.read_bytes()


@pytest.mark.parametrize("with_key", [True, False], ids=["its key", "another key"])
def test_a_site_moves_with_its_history(
    service: Service,
    client: httpx2.Client,
    site: Site,
    recorded: list[dict[str, Any]],
    new_service: Service,
    tmp_path: Path,
    with_key: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Bundled here, taken in there: the log goes on, or is closed and continued by another."""
    out = tmp_path / "bundle.zip"
    log = f"/v1/consent/logs/{site.id}/1"
    newest = client.get(f"{log}/checkpoint").text
    service.command("consent", "bundle", "--site", site.id, "--out", str(out), "--moving")
    if with_key:
        keys = new_service.data_dir / "keys"
        keys.mkdir(parents=True)
        name = f"log.{site.id}.1.key"
        (keys / name).write_bytes((service.data_dir / "keys" / name).read_bytes())
    (tmp_path / "kept").write_text(newest)

    made = json.loads(
        new_service.command(
            *("consent", "import-bundle", str(out), "--site-url", site.url, "--json"),
            *("--key", client.get(f"{log}/key").text, "--checkpoint", str(tmp_path / "kept")),
        )
    )
    new_service.start()
    with new_service.client(made["key"]) as asking:
        moved = asking.get(f"{log}/checkpoint").text
        receipt = asking.post("/v1/consent/events", json=withdrawal(3)).json()
        logs = asking.get(f"/v1/consent/logs/{site.id}").json()["items"]

    assert made["site"] == site.id
    assert made["entries"] == len(recorded)
    assert moved == newest
    assert receipt["leaf_index"] == (3 if with_key else 1)
    assert made["epoch"] == len(logs) == (1 if with_key else 2)


def test_a_database_is_checked_beside_the_service(
    service: Service,
    client: httpx2.Client,
    site: Site,
    recorded: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    """Whole, then with a record gone: the first bad entry is named, other sites are well."""
    other = service.add_site(f"https://other-{site.id}.example")
    kept = tmp_path / "kept"
    kept.write_text(client.get(f"/v1/consent/logs/{site.id}/1/checkpoint").text)

    good = json.loads(
        service.command("consent", "fsck", "--site", site.id, "--checkpoint", str(kept), "--json")
    )
    told = service.command("consent", "fsck", "--site", site.id)
    with service.consent() as database, database.write() as connection:
        connection.exec_driver_sql(
            f"DELETE FROM record WHERE site_id = '{site.id}' AND leaf_index = 1"  # noqa: S608
        )
    calls = [
        ("--json",),
        ("--site", "nowhere"),
        ("--site", other.id, "--checkpoint", str(kept)),
        (),
    ]
    with ThreadPoolExecutor(4) as pool:
        done = pool.map(lambda options: consent(service, "fsck", *options), calls)
    bad_told, unknown, misplaced, bad = done

    assert [(one["site"], one["ok"], one["entries"]) for one in good] == [(site.id, True, 3)]
    assert good[0]["checkpoints"] == 2  # the one given, and the one that the service kept
    assert told.startswith(f"OK     {site.id}: 3 entries in 1 logs, 3 records opened, 0 erased")
    assert bad.returncode == bad_told.returncode == 1
    assert f"BAD    {site.id}: record: epoch 1: entry 1: expected its record" in bad.stderr
    assert f"OK     {other.id}: 0 entries" in bad.stdout
    (problem,) = [one for one in json.loads(bad_told.stdout) if not one["ok"]]
    assert (problem["check"], problem["epoch"], problem["index"]) == ("record", 1, 1)
    assert (unknown.returncode, misplaced.returncode) == (1, 1)
    assert len(recorded) == 3


def test_a_key_of_a_site_that_moved_in_is_not_lost_unseen(
    service: Service, site: Site, recorded: list[dict[str, Any]], tmp_path: Path
) -> None:
    """The site is there: whoever saw no key learns how to get one."""
    out = tmp_path / "bundle.zip"
    service.command("consent", "bundle", "--site", site.id, "--out", str(out), "--moving")

    done = subprocess.run(  # noqa: S603
        [
            *("/bin/sh", "-c", 'exec "$@" >&-', "-", *COMMAND, "consent", "import-bundle", out),
            *("--site-url", site.url, "--data-dir", tmp_path / "new"),
        ],
        env=elsewhere(service),
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert len(recorded) == 3
    assert done.returncode == 1
    assert done.stderr.endswith(f"aboveboard key create {site.id} makes another\n")


def test_an_address_that_is_none_makes_nothing(
    service: Service, site: Site, recorded: list[dict[str, Any]], tmp_path: Path
) -> None:
    """A bundle that would be taken in at no address leaves no data directory behind."""
    bundled = tmp_path / "site.zip"
    made = consent(service, "bundle", "--site", site.id, "--out", str(bundled))

    new = tmp_path / "new"
    done = consent(service, "import-bundle", str(bundled), "--site-url", "nowhere", data_dir=new)

    assert (made.returncode, len(recorded)) == (0, 3)
    assert done.returncode == 1
    assert "expected an http or https URL" in done.stderr
    assert not new.exists()


def test_what_cannot_be_bundled_or_verified_is_told_in_one_line(
    service: Service, site: Site, recorded: list[dict[str, Any]], tmp_path: Path
) -> None:
    """No such site, a file that is there, a folder that is not; no file, no key, no such option."""
    receipt, there = tmp_path / "receipt.json", tmp_path / "there.zip"
    receipt.write_text(json.dumps(recorded[0]))
    there.write_text("there")

    new = str(tmp_path / "new.zip")
    failing: list[Callable[[], Done]] = [
        lambda: consent(service, "bundle", "--site", "nowhere", "--out", new),
        lambda: consent(service, "bundle", "--site", site.id, "--out", str(there)),
        lambda: consent(
            service, "bundle", "--site", site.id, "--out", str(tmp_path / "no" / "folder.zip")
        ),
        lambda: consent(service, "bundle", "--site", site.id, "--out", new, "--epoch", "7"),
        lambda: consent(service, "import-bundle", new, "--site-url", "https://moved.example"),
        lambda: consent(
            service, "import-bundle", str(receipt), "--site-url", "https://moved.example"
        ),
    ]
    misusing: list[Callable[[], Done]] = [
        lambda: consent(service, "bundle", "--site", site.id, "--out", new, "--subject", "canary"),
        lambda: consent(service, "bundle", "--site", site.id, "--out", new, "--from", "canary"),
        lambda: verify(service, receipt),
        lambda: consent(service, "bundle", "--site", site.id, "--out", new, *BACKWARDS),
        lambda: verify(service, receipt, "--key", "nonsense"),
        lambda: verify(service, tmp_path / "nothing"),
    ]
    with ThreadPoolExecutor(4) as pool:
        failed = list(pool.map(lambda call: call(), failing))
        misused = list(pool.map(lambda call: call(), misusing))

    for done in failed:
        assert done.returncode == 1, done.stdout
        assert len(done.stderr.splitlines()) == 1
    for done in misused:
        assert done.returncode == 2
    assert "KIND:ID" in misused[0].stderr
    assert "canary" not in misused[0].stderr
    assert "begins before it ends" in misused[3].stderr
    for done in misused[4:]:
        assert done.stderr.startswith("aboveboard: not checked: ")
    assert there.read_text() == "there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["receipt.json", "there.zip"]
