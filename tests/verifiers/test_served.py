"""Strangers read a served log over HTTP: receipts, proofs, every tile and every entry."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from conftest import Service, Site
from log_house import house_of
from strangers import Question, Stranger

EVENTS = 300
OLD_SIZES = (1, 100, 256)
NOTICE = {
    "notice_id": "main",
    "language": "en",
    "text": "May we count visits?",
    "controller": {"name": "Shop Ltd"},
    "purposes": [{"id": "ads", "name": "Ads", "description": "Ads", "basis": "consent"}],
}


@dataclass
class Log:
    """A served log, as whoever watches it knows it."""

    url: str
    key: str
    checkpoint: str
    receipts: list[dict[str, Any]] = field(default_factory=list)
    old: dict[int, str] = field(default_factory=dict)
    """Earlier checkpoints by size."""

    def asks(self, **changes: str) -> Question:
        """Ask for an audit of the whole log."""
        return {"ask": "log", "key": self.key, "url": self.url, **changes}


@pytest.fixture(scope="module")
def log(service: Service) -> Log:
    """Record events over HTTP, keeping receipts and some checkpoints."""
    site = service.add_site(f"https://{token_hex(6)}.example.org")
    receipts, old = [], {}
    with service.client(site.key) as client:
        url = open_log(client, site)
        for number in range(1, EVENTS + 1):
            answer = client.post("/v1/consent/events", json=event(number))
            assert answer.status_code == 201, answer.text
            receipts.append(answer.json())
            if number in OLD_SIZES:
                old[number] = client.get(f"{url}/checkpoint").text
        return Log(
            f"{service.url}{url}",
            client.get(f"{url}/key").text.strip(),
            client.get(f"{url}/checkpoint").text,
            receipts,
            old,
        )


def open_log(client: httpx2.Client, site: Site) -> str:
    """Publish a notice, which opens the log; returns where that is."""
    assert client.post("/v1/consent/notices", json=NOTICE).status_code == 201
    return f"/v1/consent/logs/{site.id}/1"


def event(number: int) -> dict[str, Any]:
    """Ask a device of its own."""
    return {
        "idempotency_key": str(number),
        "subject": {"kind": "device", "id": str(number)},
        "event_type": "requested",
        "method": "api",
        "origin": "banner",
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
    }


def test_receipts_are_proved(stranger: Stranger, log: Log) -> None:
    """The proof of every receipt, from the first entry on, and the same leaf's newest proof."""
    with httpx2.Client() as client:
        newest = [client.get(f"{log.url}/proof/{at}.tlog-proof").text for at in range(EVENTS)]
    asked = [
        {"ask": "record", "key": log.key, "proof": proof, "leaf": receipt["leaf"]}
        for receipt in log.receipts
        for proof in (receipt["proof"], newest[receipt["leaf_index"]])
    ]
    told = stranger.ask(asked)

    assert [answer["ok"] for answer in told] == [True] * (2 * EVENTS)
    assert {answer["size"] for answer in told[1::2]} == {EVENTS}
    swapped = [{**question, "leaf": asked[0]["leaf"]} for question in asked[2:]]
    assert len(stranger.refusals(swapped)) == len(swapped)


def test_growth_is_proved(go: Stranger, log: Log) -> None:
    """By the proofs that the service makes, from every checkpoint that was kept."""
    asked = []
    for size, old in log.old.items():
        answer = httpx2.get(f"{log.url}/proof/consistency?from={size}&to={EVENTS}")
        path = answer.json()["hashes"]
        asked.append(
            {
                "ask": "tree",
                "key": log.key,
                "old": old,
                "checkpoint": log.checkpoint,
                "path": path,
            }
        )

    assert go.refusals(asked) == []
    crossed = [{**question, "old": log.old[100]} for question in (asked[0], asked[2])]
    assert len(go.refusals(crossed)) == len(crossed)


def test_a_whole_log_is_audited(go: Stranger, log: Log) -> None:
    """The tiles make the signed root, every entry is in the tree, so is every old checkpoint."""
    told = go.ask([log.asks(), *(log.asks(old=old) for old in log.old.values())])

    assert [(answer["ok"], answer["size"]) for answer in told] == [(True, EVENTS)] * 4


def test_a_large_log_is_audited(go: Stranger, service: Service) -> None:
    """70,000 entries, so that tiles stand on tiles on tiles."""
    site = service.add_site(f"https://{token_hex(6)}.example.org")
    with service.client(site.key) as client:
        url = open_log(client, site)
        key = client.get(f"{url}/key").text.strip()
        with house_of(service) as house:
            house.grow(site.id, *[b"entry %d" % at for at in range(70_000)])
        (told,) = go.ask([{"ask": "log", "key": key, "url": f"{service.url}{url}"}])

    assert (told["ok"], told["size"]) == (True, 70_000), told


def test_the_command_tells_it_to_people(go: Stranger, log: Log, tmp_path: Path) -> None:
    """One line of verdict, and the exit status to it."""
    old = tmp_path / "old.checkpoint"
    old.write_text(log.old[100])

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*go.command, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603

    well, unwell = run(log.url, log.key, str(old)), run(log.url, log.key.replace("+", "x+", 1))

    assert (well.returncode, well.stdout[:7]) == (0, "VALID  ")
    assert f"{EVENTS} entries" in well.stdout
    assert (unwell.returncode, unwell.stdout[:11]) == (1, "NOT VALID  ")
    assert run(log.url).returncode == 2


# -- a log that is not what it says -----------------------------------------------------------

ANOTHER = "expected the entry that the tree has"

Touch = Callable[[str, bytes], bytes | None]
"""Answers instead of a path's bytes; None is a 404."""


@contextmanager
def mirrored(log: Log, touch: Touch) -> Iterator[str]:
    """Serve a copy of the log in which something is touched; returns its address."""

    class Mirror(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/")
            answer = client.get(f"{log.url}/{path}")
            content = touch(path, answer.content) if answer.status_code == 200 else None
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Tell nobody."""

    with httpx2.Client() as client, ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def at(place: str, change: Callable[[bytes], bytes | None]) -> Touch:
    """Change what lies at one path."""
    return lambda path, content: change(content) if path == place else content


def flip(place: str, byte: int) -> Touch:
    """Change one bit."""
    return at(place, lambda old: old[:byte] + bytes([old[byte] ^ 1]) + old[byte + 1 :])


def cut(place: str, count: int) -> Touch:
    """Leave the last bytes out."""
    return at(place, lambda old: old[:-count])


def more(place: str) -> Touch:
    """Give everything twice."""
    return at(place, lambda old: old * 2)


def lose(place: str) -> Touch:
    """Have nothing there."""
    return at(place, lambda _: None)


def test_a_true_mirror_is_as_good(go: Stranger, log: Log) -> None:
    """What is refused below is refused for what was touched."""
    with mirrored(log, at("nowhere", lambda _: None)) as url:
        assert go.refusals([log.asks(url=url)]) == []


@pytest.mark.parametrize(
    ("touch", "said"),
    [
        pytest.param(flip("tile/0/000", 0), "inconsistent tile", id="first hash"),
        pytest.param(flip("tile/0/000", 8191), "inconsistent tile", id="last byte of a tile"),
        pytest.param(flip("tile/0/001.p/44", 700), "inconsistent tile", id="partial tile"),
        pytest.param(flip("tile/1/000.p/1", 31), "inconsistent tile", id="tile of tiles"),
        pytest.param(flip("tile/entries/000", 90), ANOTHER, id="entry"),
        pytest.param(flip("tile/entries/001.p/44", 900), ANOTHER, id="entry of a partial bundle"),
        pytest.param(flip("tile/entries/000", 1), ANOTHER, id="length of an entry"),
        pytest.param(cut("tile/0/001.p/44", 32), "bad result slice", id="hash less"),
        pytest.param(cut("tile/entries/000", 1), "end of its bundle", id="byte less"),
        pytest.param(more("tile/entries/000"), "more bytes", id="bundle twice"),
        pytest.param(lose("tile/0/000"), "expected 200", id="lost tile"),
        pytest.param(lose("checkpoint"), "expected 200", id="lost checkpoint"),
    ],
)
def test_a_touched_mirror_is_refused(go: Stranger, log: Log, touch: Touch, said: str) -> None:
    """A hash, an entry, a length, a lost tile: named by Go's own verifier."""
    with mirrored(log, touch) as url:
        (refused,) = go.refusals([log.asks(url=url)])

    assert said in refused


def test_a_truncated_log_is_refused(go: Stranger, log: Log) -> None:
    """A log that is shorter than it was, under a checkpoint that it did sign."""
    with mirrored(log, at("checkpoint", lambda _: log.old[256].encode())) as url:
        alone, truncated = go.ask([log.asks(url=url), log.asks(url=url, old=log.checkpoint)])

    # Alone it looks well: that is why checkpoints are kept elsewhere.
    assert (alone["ok"], alone["size"]) == (True, 256)
    assert "truncated" in truncated["error"]


def test_a_history_that_was_rewritten_is_refused(go: Stranger, service: Service) -> None:
    """The operator holds the key and signs another tree: only an older checkpoint tells."""
    site = service.add_site(f"https://{token_hex(6)}.example.org")
    with service.client(site.key) as client:
        url = open_log(client, site)
        key = client.get(f"{url}/key").text.strip()
        with house_of(service) as house:
            house.grow(site.id, *[b"entry %d" % at for at in range(10)])
            seen = client.get(f"{url}/checkpoint").text
            house.lose(site.id, site.url.removeprefix("https://"))
            house.grow(site.id, *[b"another %d" % at for at in range(20)])
        asked = {"ask": "log", "key": key, "url": f"{service.url}{url}"}
        alone, held = go.ask([asked, {**asked, "old": seen}])

    assert (alone["ok"], alone["size"]) == (True, 20)
    assert held["error"] == "invalid transparency proof"


def test_the_page_about_the_log_is_true(log: Log, tmp_path: Path) -> None:
    """Its commands build and run the verifier as they stand there."""
    page = (Path(__file__).parents[2] / "docs" / "log.md").read_text(encoding="utf-8")
    (block,) = [one for one in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "_go" in one]
    (tmp_path / "log.key").write_text(f"{log.key}\n")
    (tmp_path / "then.checkpoint").write_text(log.old[100])
    (tmp_path / "tests").symlink_to(Path(__file__).parents[1])
    shown = block.replace("http://localhost:8080/v1/consent/logs/localhost/1", log.url)
    done = subprocess.run(  # noqa: S603
        ["bash", "-euc", shown.replace("python ", f"{sys.executable} ")],  # noqa: S607
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"{EVENTS} entries") == 2
