"""Checkpoints kept elsewhere: written whole, never overwritten by another history, posted."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import PATIENCE_S, Service
from log_house import House
from pydantic import SecretStr
from receiver import Receiver, receiving
from structlog.testing import capture_logs

from aboveboard import installation
from aboveboard.checkpoints import Folder, Logs, Place, Pushing, Webhook
from aboveboard.installation import Databases
from aboveboard.settings import Settings
from consent.log.continuity import split_kept

INTERVAL_S = 3600.0
NOTICE = {
    "notice_id": "main",
    "language": "en",
    "text": "May we?",
    "controller": {"name": "Shop Ltd"},
    "purposes": [{"id": "ads", "name": "Ads", "description": "Ads", "basis": "consent"}],
}


class Keeping(House):
    """Logs, and whatever keeps their checkpoints."""

    @property
    def logs(self) -> Logs:
        """The logs as checkpoints need them."""
        return Logs(self.consent, self.keyring)

    def folder(self, path: Path) -> Folder:
        """Keep checkpoints in a folder."""
        return Folder(path, self.logs)

    def pushing(self, *places: Place) -> Pushing:
        """Push to places when told to."""
        return Pushing(places, self.logs, interval_s=INTERVAL_S)


@pytest.fixture
def house(databases: Databases, tmp_path: Path) -> Keeping:
    """Open two logs."""
    made = Keeping(databases, installation.open_keyring(Settings(data_dir=tmp_path / "data")))
    for site in ("blog", "shop"):
        made.open(site)
    return made


def names(folder: Path) -> set[str]:
    """List what is kept, without what a process needs for it."""
    return {path.name for path in folder.iterdir() if path.name != ".lock"}


# -- a folder ---------------------------------------------------------------------------------


def test_the_newest_of_every_log_is_kept_and_all_before(house: Keeping, tmp_path: Path) -> None:
    """One file a log that is replaced, and one that grows; what did not grow is left alone."""
    folder = tmp_path / "kept" / "here"
    pushing = house.pushing(house.folder(folder))
    house.grow("blog", b"1")
    assert asyncio.run(pushing.tick()) == INTERVAL_S
    untouched = (folder / "shop.1.checkpoint").stat().st_ino
    house.grow("blog", b"2", b"3")
    assert asyncio.run(pushing.tick()) == INTERVAL_S
    assert asyncio.run(pushing.tick()) == INTERVAL_S

    assert names(folder) == {f"{site}.1.{kind}" for site in ("blog", "shop") for kind in KINDS}
    assert house.size((folder / "blog.1.checkpoint").read_text()) == 3
    history = split_kept((folder / "blog.1.history").read_text())
    assert [house.size(note) for note in history] == [1, 3]
    assert (folder / "shop.1.checkpoint").stat().st_ino == untouched
    assert pushing.outcomes == {
        ("folder", "kept"): 3,
        ("folder", "failed"): 0,
        ("folder", "refused"): 0,
    }


KINDS = ("checkpoint", "history")


def test_a_restart_begins_where_it_ended(house: Keeping, tmp_path: Path) -> None:
    """Another process writes nothing anew, and continues the history."""
    house.grow("blog", b"1")
    asyncio.run(house.pushing(house.folder(tmp_path / "kept")).tick())
    before = (tmp_path / "kept" / "blog.1.checkpoint").stat().st_ino
    asyncio.run(house.pushing(house.folder(tmp_path / "kept")).tick())
    assert (tmp_path / "kept" / "blog.1.checkpoint").stat().st_ino == before
    house.grow("blog", b"2")
    asyncio.run(house.pushing(house.folder(tmp_path / "kept")).tick())

    history = split_kept((tmp_path / "kept" / "blog.1.history").read_text())
    assert [house.size(note) for note in history] == [1, 2]


@pytest.mark.parametrize("leaves", [[], [b"1"], [b"1", b"x"], [b"x", b"2", b"3"]])
def test_another_history_does_not_overwrite_what_is_kept(
    house: Keeping, tmp_path: Path, leaves: list[bytes]
) -> None:
    """Truncated, or rewritten at any size: refused at every tick, told, and nothing is lost."""
    house.grow("blog", b"1", b"2")
    folder = house.folder(tmp_path / "kept")
    pushing = house.pushing(folder)
    asyncio.run(pushing.tick())
    kept = {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()}
    house.lose("blog")
    house.grow("blog", *leaves)
    house.grow("shop", b"1")

    with capture_logs() as told:
        assert asyncio.run(pushing.tick()) == 30
        assert asyncio.run(house.pushing(folder).tick()) == 30

    kind = "HistoryTruncated" if len(leaves) < 2 else "HistoryRewritten"
    assert [(line["event"], line["error"]) for line in told] == [("log_broken", kind)] * 2
    for name in ("blog.1.checkpoint", "blog.1.history"):
        assert (tmp_path / "kept" / name).read_text() == kept[name]
    assert pushing.outcomes["folder", "refused"] == 1
    assert house.size((tmp_path / "kept" / "shop.1.checkpoint").read_text()) == 1


def test_a_slow_process_takes_nothing_back(house: Keeping, tmp_path: Path) -> None:
    """Several may serve one database: what one read before another kept a newer one is no fork."""
    folder = house.folder(tmp_path / "kept")
    house.grow("blog", b"1")
    folder.keep(house.logs.newest("blog")[0])
    house.grow("blog", b"2")
    (slow,) = house.logs.newest("blog")
    house.grow("blog", b"3")
    folder.keep(house.logs.newest("blog")[0])

    house.folder(tmp_path / "kept").keep(slow)

    assert house.size((tmp_path / "kept" / "blog.1.checkpoint").read_text()) == 3
    history = split_kept((tmp_path / "kept" / "blog.1.history").read_text())
    assert [house.size(note) for note in history] == [1, 3]


def test_many_at_once_keep_one_history(house: Keeping, tmp_path: Path) -> None:
    """While a log grows, eight who keep its checkpoints leave an ascending history, whole."""
    growing = threading.Lock()

    def work(worker: int) -> None:
        for step in range(10):
            with growing:
                house.grow("blog", b"%d %d" % (worker, step))
            house.folder(tmp_path / "kept").keep(house.logs.newest("blog")[0])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    history = split_kept((tmp_path / "kept" / "blog.1.history").read_text())
    sizes = [house.size(note) for note in history]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == 80


def test_a_log_that_comes_back_whole_is_kept_again(house: Keeping, tmp_path: Path) -> None:
    """After a refusal the next tick looks again."""
    house.grow("blog", b"1", b"2")
    pushing = house.pushing(house.folder(tmp_path / "kept"))
    asyncio.run(pushing.tick())
    house.lose("blog")
    assert asyncio.run(pushing.tick()) < INTERVAL_S
    house.grow("blog", b"1", b"2", b"3")

    assert asyncio.run(pushing.tick()) == INTERVAL_S
    assert house.size((tmp_path / "kept" / "blog.1.checkpoint").read_text()) == 3


def test_a_log_that_goes_on_elsewhere_is_told_once(house: Keeping, tmp_path: Path) -> None:
    """What a restore lost stays lost: the next epoch is kept, the last one is not asked again."""
    house.grow("blog", b"1", b"2")
    pushing = house.pushing(house.folder(tmp_path / "kept"))
    asyncio.run(pushing.tick())
    house.lose("blog")
    house.begin("blog", 2)

    with capture_logs() as told:
        waits = [asyncio.run(pushing.tick()) for _ in range(2)]

    assert waits == [INTERVAL_S] * 2
    assert [line["event"] for line in told] == ["log_broken"]
    assert house.size((tmp_path / "kept" / "blog.1.checkpoint").read_text()) == 2
    assert house.size((tmp_path / "kept" / "blog.2.checkpoint").read_text()) == 0


@pytest.mark.parametrize("cut", [1, 2, 50, 150])
def test_half_an_entry_of_a_history_is_dropped(house: Keeping, tmp_path: Path, cut: int) -> None:
    """A power cut while it was written leaves a history that can be read and grows on."""
    house.grow("blog", b"1")
    folder = house.folder(tmp_path / "kept")
    asyncio.run(house.pushing(folder).tick())
    history = tmp_path / "kept" / "blog.1.history"
    whole = history.read_bytes()
    history.write_bytes(whole + whole[:-cut])
    house.grow("blog", b"2")

    asyncio.run(house.pushing(folder).tick())

    assert history.read_bytes().startswith(whole)
    assert [house.size(note) for note in split_kept(history.read_text())] == [1, 2]


@pytest.mark.parametrize("spoilt", ["blog.1.history", "blog.1.checkpoint"])
def test_a_strange_file_is_left_alone(house: Keeping, tmp_path: Path, spoilt: str) -> None:
    """What is no checkpoint of ours is neither overwritten nor cut; other logs are kept."""
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / spoilt).write_text("somebody's shopping list\n" * 400)
    house.grow("shop", b"1")

    pushing = house.pushing(house.folder(folder))
    assert asyncio.run(pushing.tick()) == 30

    assert (folder / spoilt).read_text() == "somebody's shopping list\n" * 400
    assert pushing.outcomes["folder", "failed"] == 1
    assert house.size((folder / "shop.1.checkpoint").read_text()) == 1


def test_failures_are_tried_again_ever_more_seldom(house: Keeping, tmp_path: Path) -> None:
    """Twice as long each time, never longer than the interval, and then as before."""
    (tmp_path / "kept").write_text("no folder")
    pushing = house.pushing(house.folder(tmp_path / "kept"))

    with capture_logs() as told:
        waits = [asyncio.run(pushing.tick()) for _ in range(30)]
    (tmp_path / "kept").unlink()

    assert waits[:8] == [30, 60, 120, 240, 480, 960, 1920, INTERVAL_S]
    assert set(waits[8:]) == {INTERVAL_S}
    assert asyncio.run(pushing.tick()) == INTERVAL_S
    assert pushing.outcomes == {
        ("folder", "kept"): 2,
        ("folder", "failed"): 60,
        ("folder", "refused"): 0,
    }
    assert {(line["event"], line["error"]) for line in told} == {
        ("checkpoint_not_kept", "FileExistsError")
    }


def test_a_database_that_does_not_answer_stops_nothing(
    house: Keeping, tmp_path: Path, databases: Databases
) -> None:
    """It is told and tried again."""
    databases.close()
    broken = Settings(data_dir=tmp_path / "nowhere")
    strange = installation.open_databases(broken)
    pushing = Pushing([], Logs(strange.consent, house.keyring), interval_s=INTERVAL_S)

    with capture_logs() as told:
        assert asyncio.run(pushing.tick()) == 30
    strange.close()

    assert [line["event"] for line in told] == ["checkpoints_unreadable"]


# -- a webhook --------------------------------------------------------------------------------


def post(house: Keeping, url: str, ticks: int = 1) -> tuple[Pushing, list[float]]:
    """Tick with one webhook, and close it."""

    async def go() -> tuple[Pushing, list[float]]:
        webhook = Webhook(SecretStr(url))
        pushing = house.pushing(webhook)
        try:
            return pushing, [await pushing.tick() for _ in range(ticks)]
        finally:
            await webhook.close()

    return asyncio.run(go())


def test_checkpoints_are_posted_once(house: Keeping) -> None:
    """As text that verifies by itself, under headers that say which log it is of."""
    house.grow("blog", b"1", b"2")
    with receiving() as receiver:
        pushing, waits = post(house, f"{receiver.url}/hook?token=canary", ticks=2)
        taken = receiver.taken()

    assert waits == [INTERVAL_S] * 2
    assert [(made.path, made.headers["aboveboard-origin"]) for made in taken] == [
        ("/hook?token=canary", "blog.example/aboveboard/blog/1"),
        ("/hook?token=canary", "shop.example/aboveboard/shop/1"),
    ]
    for made in taken:
        assert made.headers["content-type"] == "text/plain; charset=utf-8"
        assert made.headers["aboveboard-size"] == str(house.size(made.body))
        assert made.headers["aboveboard-origin"] == made.body.split("\n")[0]
    assert [house.size(made.body) for made in taken] == [2, 0]
    assert pushing.outcomes["webhook", "kept"] == 2


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500, 503])
def test_a_webhook_that_refuses_is_asked_again(house: Keeping, status: int) -> None:
    """No redirect is followed; neither address nor token is told."""
    with receiving() as receiver, capture_logs() as told:
        receiver.status = status
        pushing, waits = post(house, f"{receiver.url}/hook?token=canary", ticks=2)
        paths = [made.path for made in receiver.taken()]

    assert waits == [30, 60]
    assert paths == ["/hook?token=canary"] * 4
    assert pushing.outcomes["webhook", "failed"] == 4
    assert {(line["event"], line["error"], line["status"]) for line in told} == {
        ("checkpoint_not_kept", "CheckpointNotKept", status)
    }
    assert "canary" not in str(told)


def test_a_webhook_that_is_not_there_is_asked_once_a_tick(house: Keeping, absent: Receiver) -> None:
    """The other logs do not wait for it, too."""
    with capture_logs() as told:
        pushing, waits = post(house, f"{absent.url}/canary", ticks=2)

    assert waits == [30, 60]
    assert pushing.outcomes["webhook", "failed"] == 2
    assert [line["error"] for line in told] == ["NotPosted"] * 2
    assert "canary" not in str(told)


# -- the service ------------------------------------------------------------------------------


def test_a_service_keeps_its_checkpoints_elsewhere(new_service: Service, tmp_path: Path) -> None:
    """As the settings say: in the folder, at the webhook, and counted in the metrics."""
    with receiving() as receiver:
        new_service.environment = {
            **new_service.environment,
            "ABOVEBOARD_CHECKPOINT_DIR": str(tmp_path / "kept"),
            "ABOVEBOARD_CHECKPOINT_WEBHOOK": f"{receiver.url}/?token=canary",
            "ABOVEBOARD_CHECKPOINT_INTERVAL_S": "0.05",
        }
        new_service.start()
        site = new_service.add_site("https://blog.example.org")
        with new_service.client(site.key) as client:
            assert client.post("/v1/consent/notices", json=NOTICE).status_code == 201
            first = receiver.posts.get(timeout=PATIENCE_S)
            event = {
                "idempotency_key": "1",
                "subject": {"kind": "device", "id": "1"},
                "event_type": "requested",
                "method": "api",
                "origin": "banner",
                "notice": {"notice_id": "main", "version": 1, "language": "en"},
            }
            assert client.post("/v1/consent/events", json=event).status_code == 201
            second = receiver.posts.get(timeout=PATIENCE_S).body
            served = client.get(f"/v1/consent/logs/{site.id}/1/checkpoint").text
            metrics = client.get("/metrics").text
        new_service.stop()

    assert first.headers["aboveboard-origin"] == f"blog.example.org/aboveboard/{site.id}/1"
    assert [text.split("\n")[1] for text in (first.body, second)] == ["0", "1"]
    assert second == served == (tmp_path / "kept" / f"{site.id}.1.checkpoint").read_text()
    for place in ("folder", "webhook"):
        name = f'aboveboard_checkpoint_pushes_total{{outcome="kept",place="{place}"}}'
        assert any(line.startswith(name) for line in metrics.splitlines()), metrics
    assert "canary" not in new_service.log.read_text()
