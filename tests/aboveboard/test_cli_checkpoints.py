"""`consent checkpoint` and `consent check-consistency`: checkpoints for elsewhere, and from there.

The log is cut off and written anew past the service; both ways to look at it must say so.
"""

import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from threading import Thread
from typing import Any

import httpx2
import pytest
from click.testing import Result
from conftest import Service
from log_house import house_of
from receiver import Receiver
from typer.testing import CliRunner

from aboveboard.cli.main import app as command
from consent.log.continuity import split_kept

HELD = (1, 3, 300)
LEAVES = [b"entry %d" % at for at in range(400)]


@dataclass
class Watched:
    """A log and what an auditor has of it."""

    service: Service
    site: str
    host: str
    key: str
    kept: Path
    """A folder with a checkpoint for every size that was seen, and a history of them all."""

    def look(self, way: str, kept: str, *more: str) -> Result:
        """Check the consistency over HTTP or in the data directory."""
        where = {"url": self.service.url, "data-dir": str(self.service.data_dir)}[way]
        arguments = [str(self.kept / kept), "--key", self.key, f"--{way}", where, *more]
        environment = {"ABOVEBOARD_DATABASE_URL": self.service.database_url}
        return CliRunner().invoke(
            command, ["consent", "check-consistency", *arguments], env=environment
        )

    def rewrite(self, leaves: list[bytes]) -> None:
        """Have the log be another one, under its own key."""
        with house_of(self.service) as house:
            house.lose(self.site, self.host)
            house.grow(self.site, *leaves)


@pytest.fixture
def watched(service: Service, tmp_path: Path) -> Watched:
    """Grow a log to 300 entries, keeping the checkpoints of some sizes."""
    host = f"{token_hex(6)}.example.org"
    site = service.add_site(f"https://{host}").id
    with service.client() as anyone, house_of(service) as house:
        house.open(site, host)
        before = 0
        history = []
        for size in HELD:
            house.grow(site, *LEAVES[before:size])
            text = anyone.get(f"/v1/consent/logs/{site}/1/checkpoint").text
            (tmp_path / str(size)).write_text(text)
            history.append(text)
            before = size
        (tmp_path / "history").write_text("\n".join(history))
        key = anyone.get(f"/v1/consent/logs/{site}/1/key").text
    (tmp_path / "log.key").write_text(key)
    return Watched(service, site, host, str(tmp_path / "log.key"), tmp_path)


WAYS = pytest.mark.parametrize("way", ["url", "data-dir"])


@WAYS
def test_a_log_that_only_grew_is_consistent(watched: Watched, way: str) -> None:
    """At the size that was kept and behind it, for one checkpoint and for a history."""
    same = watched.look(way, "300")
    with house_of(watched.service) as house:
        house.grow(watched.site, *LEAVES[300:])
    grown = [watched.look(way, name) for name in ("1", "3", "300")]
    every = watched.look(way, "history")
    told = watched.look(way, "history", "--json")

    origin = f"{watched.host}/aboveboard/{watched.site}/1"
    assert same.stdout.splitlines() == [
        f"CONSISTENT  {origin}, 300 entries",
        "            it continues the kept checkpoint of 300",
    ]
    assert [done.exit_code for done in grown] == [0, 0, 0]
    assert "400 entries" in grown[0].stdout
    assert "it continues 3 kept checkpoints of 1 to 300" in every.stdout
    assert json.loads(told.stdout) == {
        "consistent": True,
        "origin": origin,
        "kept": list(HELD),
        "size": 400,
    }


@WAYS
@pytest.mark.parametrize("left", [0, 2, 299])
def test_a_truncated_log_is_named(watched: Watched, way: str, left: int) -> None:
    """With both sizes; what was kept of the shorter log still holds."""
    watched.rewrite(LEAVES[:left])
    done = watched.look(way, "history")
    shorter = watched.look(way, "1")

    assert done.exit_code == 1
    assert done.stderr == (
        "NOT CONSISTENT  truncated: expected at least the 300 entries of the kept checkpoint, "
        f"got {left}\n"
    )
    assert shorter.exit_code == (0 if left else 1)


@WAYS
@pytest.mark.parametrize("at", [0, 255, 299])
@pytest.mark.parametrize("size", [300, 301, 400])
def test_a_rewritten_log_is_named(watched: Watched, way: str, at: int, size: int) -> None:
    """One entry that is another, wherever it stands and however long the log is by now."""
    touched = LEAVES[:size]
    touched[at] = b"another"
    watched.rewrite(touched)
    done = watched.look(way, "history")
    told = watched.look(way, "300", "--json")
    before = watched.look(way, "3")

    assert done.exit_code == 1
    assert done.stderr.startswith("NOT CONSISTENT  rewritten: expected ")
    assert "300" in done.stderr
    assert told.exit_code == 1
    assert json.loads(told.stdout)["consistent"] is False
    assert before.exit_code == (0 if at > 3 else 1)


@WAYS
def test_a_log_that_goes_on_in_another_epoch_says_so(watched: Watched, way: str) -> None:
    """After a restore: what is missing is still told."""
    watched.rewrite(LEAVES[:20])
    with house_of(watched.service) as house:
        house.begin(watched.site, 2)
    done = watched.look(way, "300")

    assert done.exit_code == 1
    assert "truncated: " in done.stderr
    assert "the site's log goes on as epoch 2" in done.stderr


def test_a_stored_log_that_lost_its_rows_is_named(watched: Watched) -> None:
    """The head is whole, the tree below it is not: there is nothing to prove it with.

    The row is one that the kept checkpoint's own edge rests on; `consent fsck` looks at all.
    """
    with house_of(watched.service) as house:
        house.grow(watched.site, *LEAVES[300:])
        house.forget(watched.site, 299)
    done, over_http = watched.look("data-dir", "300"), watched.look("url", "300")

    for one in (done, over_http):
        assert one.exit_code == 1, one.stderr
        assert one.stderr.startswith("NOT CONSISTENT  rewritten: ")


@WAYS
def test_what_cannot_be_checked_is_neither(watched: Watched, way: str) -> None:
    """A strange file, another key, another log: exit 2, one line, no verdict."""
    text = (watched.kept / "300").read_text()
    (watched.kept / "cut").write_text(text[:-9])
    (watched.kept / "touched").write_text(text.replace("\n300\n", "\n301\n"))
    strangers = [watched.look(way, name) for name in ("nothing", "cut", "touched", "log.key", ".")]
    watched.key = watched.key.replace("log.key", "other.key")
    (watched.kept / "other.key").write_text(
        "shop.example/1+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    )
    strangers.append(watched.look(way, "300"))

    for done in strangers:
        assert done.exit_code == 2, done.stdout
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("aboveboard: not checked: ")


def test_a_log_that_is_not_there_is_not_checked(
    watched: Watched, absent: Receiver, tmp_path: Path
) -> None:
    """Neither where nobody listens, nor where no such log is."""
    with house_of(watched.service) as house:
        origin = "shop.example/aboveboard/nowhere/1"
        signer = house.keyring.first_signer("nowhere", 1, origin)
    (tmp_path / "300").write_text(signer.sign(1, bytes(32)))
    watched.key = signer.verifier.vkey
    gone = [watched.look(way, "300") for way in ("url", "data-dir")]
    at_urls = [
        CliRunner().invoke(
            command,
            ["consent", "check-consistency", str(tmp_path / "1"), "--key", key, "--url", url],
        )
        for key in [str(tmp_path / "log.key")]
        for url in (absent.url, "nothing", "http://[", "ftp://x.example")
    ]

    assert [done.exit_code for done in gone + at_urls] == [2] * 6
    assert "got HTTP status 404" in gone[0].stderr
    assert "there is none here" in gone[1].stderr
    assert "got ConnectError" in at_urls[0].stderr


def test_one_place_at_a_time_is_looked_at(watched: Watched) -> None:
    """A served log or a stored one."""
    done = watched.look("url", "1", "--data-dir", "data")

    assert done.exit_code == 2
    assert "expected --url or --data-dir" in done.stderr


# -- checkpoints for elsewhere ----------------------------------------------------------------


def test_checkpoints_are_printed_and_kept(watched: Watched, tmp_path: Path) -> None:
    """As they are served, so that `check-consistency` takes what was mailed."""
    service = watched.service
    with service.client() as anyone:
        served = anyone.get(f"/v1/consent/logs/{watched.site}/1/checkpoint").text
    one = service.run("consent", "checkpoint", "--site", watched.site)
    every = service.run("consent", "checkpoint")
    kept = service.run("consent", "checkpoint", "--site", watched.site, "--out", tmp_path / "out")
    (tmp_path / "mail").write_text(one.stdout)
    checked = service.run("consent", "check-consistency", tmp_path / "mail", "--key", watched.key)

    assert one.stdout == served
    assert served in split_kept(every.stdout)
    assert (tmp_path / "out" / f"{watched.site}.1.checkpoint").read_text() == served
    assert kept.stdout == f"{watched.host}/aboveboard/{watched.site}/1  300 entries\n"
    assert (checked.returncode, checked.stdout[:11]) == (0, "CONSISTENT ")


def test_a_folder_is_not_overwritten_by_another_history(watched: Watched, tmp_path: Path) -> None:
    """The command refuses as the service does; a site without a log is told in one line."""
    service = watched.service
    service.run("consent", "checkpoint", "--site", watched.site, "--out", tmp_path / "out")
    watched.rewrite(LEAVES[:7])
    refused = service.run(
        "consent", "checkpoint", "--site", watched.site, "--out", tmp_path / "out"
    )
    nowhere = service.run("consent", "checkpoint", "--site", "nowhere")
    no_folder = service.run(
        "consent", "checkpoint", "--site", watched.site, "--out", tmp_path / "300"
    )

    assert refused.returncode == 1
    assert refused.stderr.startswith("NOT KEPT  ")
    assert "truncated: " in refused.stderr
    for done in (nowhere, no_folder):
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("aboveboard: expected ")


def test_a_lying_server_is_found_out(watched: Watched) -> None:
    """Whatever is answered instead of checkpoint and proof is no yes."""
    served = httpx2.get(f"{watched.service.url}/v1/consent/logs/{watched.site}/1/checkpoint").text
    answers: dict[str, Any] = {}

    class Liar(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers["proof" if "/proof/" in self.path else "checkpoint"]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tell nobody."""

    true = (200, served.encode())
    many = json.dumps({"hashes": ["A" * 44] * 9}).encode()
    lies = [
        ((200, b"<html>"), true, 1),
        ((200, b"\xff\xfe"), true, 1),
        ((200, b"x" * 300_000), true, 2),
        ((500, b""), true, 2),
        (true, (200, b'{"hashes": []}'), 1),
        (true, (200, many), 1),
        (true, (404, b""), 1),
        (true, (200, b'{"hashes": ["?"]}'), 2),
        (true, (200, b"[]"), 2),
        (true, (200, b"{"), 2),
        (true, (503, b""), 2),
    ]
    with ThreadingHTTPServer(("127.0.0.1", 0), Liar) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            found = []
            for checkpoint, proof, _ in lies:
                answers.update(checkpoint=checkpoint, proof=proof)
                url = f"http://127.0.0.1:{server.server_port}"
                arguments = [str(watched.kept / "3"), "--key", watched.key, "--url", url]
                done = CliRunner().invoke(command, ["consent", "check-consistency", *arguments])
                found.append(done.exit_code)
        finally:
            server.shutdown()
            thread.join()

    assert found == [expected for *_, expected in lies]
