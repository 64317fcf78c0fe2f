"""Deliveries: signed, at least once, under one id; whatever becomes of receivers and processes."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from conftest import PATIENCE_S
from receiver import Post, Receiver, receiving
from rows_read import rows_read
from sqlalchemy import Column, Connection, select, update
from standardwebhooks import WebhookVerificationError
from structlog.testing import capture_logs
from webhook_house import WebhookHouse, is_as_told, verify

from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.settings import Settings
from aboveboard.tables import WEBHOOK
from aboveboard.webhooks import backlog, delivering, store
from aboveboard.webhooks.delivering import WINDOW
from aboveboard.webhooks.endpoint import FIRST_RETRY, LAST_RETRY, Delivery, DeliveryState
from consent.choices.choice import EventType
from consent.tables import RECORD, SUBJECT


@pytest.fixture
def house(databases: Databases, tmp_path: Path) -> WebhookHouse:
    """Open an installation with a site that has a notice."""
    return WebhookHouse(databases, Settings(data_dir=tmp_path / "data"))


def ids(posts: list[Post]) -> list[str]:
    """Return the ids of messages, in the order in which they came."""
    return [post.id for post in posts]


# -- what is told -----------------------------------------------------------------------------


def test_a_choice_is_told_and_signed(house: WebhookHouse) -> None:
    """Ids and states and the pseudonym that the record has, verified by a library of others."""
    worker = house.worker()
    with receiving() as receiver:
        made = house.make(worker, receiver, path="/hook?who=shop")
        receipt = house.choose("canary-device")
        worker.look()
        (post,) = receiver.taken()

    event = orjson.loads(receipt.event)
    assert verify(post, made.secret) == {
        "type": "consent.changed",
        "timestamp": event["received_at"],
        "data": {
            "site": house.site,
            "record_id": receipt.record_id,
            "epoch": 1,
            "leaf_index": receipt.leaf_index,
            "received_at": event["received_at"],
            "event_type": "given",
            "method": "accept_all",
            "subject_ref": event["subject_ref"],
            "decisions": [{"purpose_id": "ads", "decision": "given"}],
            "notice_id": "main",
            "notice_version": 1,
        },
    }
    assert post.path == "/hook?who=shop"
    assert post.headers["content-type"] == "application/json"
    assert "canary" not in post.body + str(post.headers)
    (row,) = house.deliveries()
    assert (row["id"], row["state"], row["attempts"], row["outcome"]) == (
        post.id,
        "delivered",
        1,
        "204",
    )


def test_a_changed_byte_does_not_verify(house: WebhookHouse) -> None:
    """Nor do another id, another time or another secret."""
    worker = house.worker()
    with receiving() as receiver:
        made = house.make(worker, receiver)
        other = house.make(worker, receiver, "consent.erased")
        house.choose()
        worker.look()
        (post,) = receiver.taken()

    changed = [
        Post(post.path, post.headers, post.body.replace("given", "taken")),
        Post(post.path, {**post.headers, "webhook-id": "msg_1"}, post.body),
        Post(post.path, {**post.headers, "webhook-timestamp": "1"}, post.body),
    ]
    for wrong in changed:
        with pytest.raises(WebhookVerificationError):
            verify(wrong, made.secret)
    with pytest.raises(WebhookVerificationError):
        verify(post, other.secret)
    assert made.secret != other.secret


def test_what_changes_nothing_is_not_told(house: WebhookHouse) -> None:
    """That somebody was asked, and that a log goes on; the cursor passes both."""
    worker = house.worker()
    with receiving() as receiver:
        house.make(worker, receiver)
        house.process.record(house.site, 120)
        house.process.rotate(house.site)
        worker.look()
        assert receiver.taken() == []
        house.choose()
        house.choose(event_type=EventType.WITHDRAWN)
        worker.look()
        told = [post.content["data"] for post in receiver.taken()]

    assert sorted((data["epoch"], data["event_type"]) for data in told) == [
        (2, "given"),
        (2, "withdrawn"),
    ]


def test_a_new_webhook_is_told_of_nothing_old(house: WebhookHouse) -> None:
    """It begins where the ledger ends when it is made, also where a site has none yet."""
    worker = house.worker()
    house.choose()
    with receiving() as receiver:
        house.make(worker, receiver)
        worker.look()
        assert receiver.taken() == []
        receipt = house.choose("d-2")
        worker.look()
        told = [post.content["data"]["record_id"] for post in receiver.taken()]

    assert told == [receipt.record_id]


def test_only_chosen_events_are_told(house: WebhookHouse) -> None:
    """Of an erasure who asked for erasures, with the records that are gone."""
    worker = house.worker()
    with receiving() as receiver:
        house.make(worker, receiver, "consent.erased", path="/erased")
        house.make(worker, receiver, "consent.changed", path="/changed")
        receipt = house.choose()
        worker.look()
        house.process.erase(house.site, "d-1")
        worker.look()
        posts = receiver.taken()

    assert [(post.path, post.content["type"]) for post in posts] == [
        ("/changed", "consent.changed"),
        ("/erased", "consent.erased"),
    ]
    assert receipt.record_id in posts[1].content["data"]["record_ids"]
    assert "subject_ref" not in posts[1].content["data"]


def test_what_was_erased_while_it_waited_is_told_to_nobody(house: WebhookHouse) -> None:
    """A delivery holds a place, not a message: what is left of it is that it is gone."""
    worker = house.worker()
    with receiving(Receiver(status=500)) as receiver:
        house.make(worker, receiver)
        receipt = house.choose()
        worker.look()
        (first,) = receiver.taken()
        house.process.erase(house.site, "d-1")
        receiver.status = 204
        house.time.pass_by(hours=1)
        worker.look()
        posts = {post.content["type"]: post for post in receiver.taken()}

    again = posts["consent.changed"]
    assert again.id == first.id
    assert again.content["data"] == {
        "site": house.site,
        "record_id": receipt.record_id,
        "epoch": 1,
        "leaf_index": receipt.leaf_index,
        "received_at": orjson.loads(receipt.event)["received_at"],
        "erased": True,
    }
    assert set(posts) == {"consent.changed", "consent.erased"}
    assert all(map(is_as_told, posts.values()))


@pytest.mark.parametrize("queued", [False, True])
def test_one_record_that_does_not_open_holds_up_no_other(
    house: WebhookHouse, *, queued: bool
) -> None:
    """Whether it was damaged before its message was queued or after; a no needs no opening."""
    worker = house.worker()
    with receiving(Receiver(status=500 if queued else 204)) as receiver:
        house.make(worker, receiver)
        torn = house.choose("d-torn")
        no = house.choose("d-no-key", EventType.WITHDRAWN)
        house.choose("d-whole")
        if queued:
            worker.look()
            receiver.taken()
        damage(house, torn.record_id, RECORD.c.sealed)
        damage(house, no.record_id, SUBJECT.c.wrapped)
        receiver.status = 204
        house.time.pass_by(hours=1)
        worker.look()
        posts = {post.content["data"]["record_id"]: post for post in receiver.taken()}

    assert len(posts) == 3
    assert all(map(is_as_told, posts.values()))
    told = posts[torn.record_id].content["data"]
    assert told["unreadable"]
    assert "decisions" not in told
    assert posts[no.record_id].content["data"]["decisions"][0]["decision"] == "refused"


def damage(house: WebhookHouse, record_id: str, column: Column[bytes]) -> None:
    """Write something else over a column of a record, or of whom it is about."""
    ref = select(RECORD.c.subject_ref).where(RECORD.c.record_id == record_id).scalar_subquery()
    table = RECORD if column.table is RECORD else SUBJECT
    of = RECORD.c.record_id == record_id if table is RECORD else SUBJECT.c.subject_ref == ref
    with house.databases.consent.write() as connection:
        connection.execute(update(table).where(of).values({column: b"torn"}))


def test_rows_of_deliveries_hold_nothing_personal(house: WebhookHouse) -> None:
    """Places and states: no pseudonym, no decision, no record."""
    worker = house.worker()
    with receiving(Receiver(status=500)) as receiver:
        house.make(worker, receiver)
        receipt = house.choose()
        worker.look()

    text = str(house.deliveries())
    event = orjson.loads(receipt.event)
    for personal in (event["subject_ref"], receipt.record_id, "ads", "given"):
        assert personal not in text


# -- receivers that do not answer -------------------------------------------------------------


def test_a_receiver_that_refuses_is_tried_for_a_day(house: WebhookHouse) -> None:
    """Ever more seldom, under one id, signed anew each time; then it is parked and told."""
    worker = house.worker()
    began = house.time.now
    tries: list[tuple[timedelta, Post]] = []
    with receiving(Receiver(status=500)) as receiver, capture_logs() as told:
        made = house.make(worker, receiver).webhook
        house.choose()
        while house.states() != ["parked"]:
            worker.look()
            tries += [(house.time.now - began, post) for post in receiver.taken()]
            (row,) = house.deliveries()
            if row["state"] == "pending":
                house.time.now = datetime.fromisoformat(row["due"])
        worker.look()
        assert receiver.taken() == []

    waits = [later - sooner for (sooner, _), (later, _) in pairwise(tries)]
    assert {post.id for _, post in tries} == {row["id"]}
    assert len({post.headers["webhook-timestamp"] for _, post in tries}) == len(tries)
    assert FIRST_RETRY / 2 <= waits[0] <= FIRST_RETRY
    assert all(LAST_RETRY / 2 <= wait <= LAST_RETRY for wait in waits[6:])
    assert len(set(waits)) == len(waits)
    assert timedelta(days=1) <= tries[-1][0] <= timedelta(days=1) + LAST_RETRY
    assert (row["attempts"], row["outcome"]) == (len(tries), "500")
    assert [line["event"] for line in told] == ["webhook_delivery_parked"]
    assert (told[0]["site"], told[0]["webhook"]) == (house.site, made.id)
    assert worker.delivering.outcomes == {"delivered": 0, "refused": len(tries), "failed": 0}


def test_what_was_parked_is_delivered_when_asked_for(house: WebhookHouse) -> None:
    """Under its old id; also what was delivered already, where it is named."""
    worker = house.worker()
    with receiving(Receiver(status=400)) as receiver:
        made = house.make(worker, receiver).webhook
        house.choose()
        for _ in range(60):
            worker.look()
            house.time.pass_by(hours=1)
        first = receiver.taken()[0]
        assert house.states() == ["parked"]
        receiver.status = 204
        redeliver = worker.webhooks.redeliver
        assert worker.run(lambda: redeliver(house.site, made.id)) == 1
        worker.look()
        assert ids(receiver.taken()) == [first.id]
        assert house.states() == ["delivered"]
        assert worker.run(lambda: redeliver(house.site, made.id)) == 0
        assert worker.run(lambda: redeliver(house.site, made.id, [first.id])) == 1
        worker.look()
        assert ids(receiver.taken()) == [first.id]


def test_what_was_parked_is_taken_up_some_at_a_time(
    house: WebhookHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: everything else that is written waited seconds for 100,000."""
    worker, changed = house.worker(), []
    send_some = backlog.send_parked_again

    def noting(rows: Rows, webhook_id: str, now: str) -> int:
        changed.append(send_some(rows, webhook_id, now))
        return changed[-1]

    monkeypatch.setattr(backlog, "AT_ONCE", 2)
    monkeypatch.setattr(backlog, "send_parked_again", noting)
    with receiving(Receiver(status=400)) as receiver:
        made = house.make(worker, receiver).webhook
        for _ in range(5):
            house.choose()
        for _ in range(60):
            worker.look()
            house.time.pass_by(hours=1)
        assert house.states() == ["parked"] * 5

        assert worker.run(lambda: worker.webhooks.redeliver(house.site, made.id)) == 5

    assert changed == [2, 2, 1]
    assert house.states() == ["pending"] * 5


def test_a_receiver_that_is_down_is_asked_seldom_and_loses_nothing(
    house: WebhookHouse, absent: Receiver
) -> None:
    """One try at a time while nobody answers; then all that waited, each once."""
    worker = house.worker()
    made = house.make(worker, absent).webhook
    for number in range(20):
        house.choose(f"d-{number}")
    tries = []
    with capture_logs() as told:
        for _ in range(60):
            worker.look()
            tries.append(worker.delivering.outcomes["failed"])
            house.time.pass_by(minutes=1)
    assert set(house.states()) == {"pending"}
    with receiving(absent):
        house.time.pass_by(minutes=5)
        worker.look()
        posts = absent.taken()
        worker.look()
        assert absent.taken() == []

    # The first look finds out with eight at once; from then on it is one, at most every half hold.
    assert tries[0] <= delivering.TOGETHER
    assert tries[-1] <= delivering.TOGETHER + 60
    assert tries[-1] - tries[30] <= 30 // 2.5 + 1
    assert len(set(ids(posts))) == len(posts) == 20
    assert set(house.states()) == {"delivered"}
    assert [line["event"] for line in told] == ["webhook_held"]
    assert (told[0]["site"], told[0]["webhook"]) == (house.site, made.id)


def test_a_clock_that_was_ahead_silences_no_webhook(house: WebhookHouse, absent: Receiver) -> None:
    """What was put off for a year by a clock that was a year ahead is tried once it is right."""
    worker = house.worker()
    house.make(worker, absent)
    house.choose()
    house.time.pass_by(days=366)
    worker.look()
    assert worker.delivering.outcomes["failed"] == 1
    house.time.pass_by(days=-366)

    with receiving(absent):
        worker.look()

        assert len(absent.taken()) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_answer_of_not_now_is_like_none(house: WebhookHouse, status: int) -> None:
    """It speaks of the receiver: the next message waits as well."""
    worker = house.worker()
    with receiving(Receiver(status=status)) as receiver:
        house.make(worker, receiver)
        house.choose()
        worker.look()
        assert len(receiver.taken()) == 1
        house.choose("d-2")
        worker.look()
        assert receiver.taken() == []
        receiver.status = 200
        house.time.pass_by(seconds=5)
        worker.look()
        assert len(receiver.taken()) == 2


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_long_backlog_is_not_counted_to_its_end(house: WebhookHouse) -> None:
    """Each look and each turn asks whether there is room for more, and not for how much more."""
    worker = house.worker()
    with receiving() as receiver:
        made = house.make(worker, receiver)
    waiting = Delivery(
        "", made.webhook.id, "consent", "1.1", "consent.changed", DeliveryState.PENDING, "1", "9"
    )
    with house.databases.aboveboard.write() as connection:
        with Rows(connection) as rows:
            backlog.queue(rows, [replace(waiting, id=f"m-{number}") for number in range(5_000)])
        connection.exec_driver_sql("ANALYZE webhook_delivery")

    def ask(connection: Connection) -> None:
        store.list_work(connection, holder="one", now="2", beyond="99", most=WINDOW)
        assert backlog.count_pending(connection, made.webhook.id, most=WINDOW) == WINDOW

    with house.databases.aboveboard.read() as connection:
        assert rows_read(connection, ask) < 5_000


def test_one_message_that_is_refused_holds_up_no_other(house: WebhookHouse) -> None:
    """A receiver that fails at one of them gets the rest."""
    worker = house.worker()
    with receiving() as receiver:
        house.make(worker, receiver)
        poison = house.choose("poison").record_id
        receiver.answer = lambda post: 500 if poison in post.body else 204
        for number in range(10):
            house.choose(f"d-{number}")
        worker.look()
        assert len(receiver.taken()) == 11

    assert Counter(house.states()) == {"delivered": 10, "pending": 1}


def test_a_receiver_that_is_silent_holds_up_no_other(house: WebhookHouse) -> None:
    """While one waits for its answer, the other has long been told."""
    worker = house.worker()
    told = threading.Event()
    with receiving() as silent, receiving() as quick:
        silent.answer = lambda _: 204 if told.wait(PATIENCE_S / 2) else 500
        quick.answer = lambda _: (told.set(), 204)[1]
        house.make(worker, silent)
        house.make(worker, quick)
        house.choose()
        worker.look()
        assert (len(silent.taken()), len(quick.taken())) == (1, 1)

    assert house.states() == ["delivered", "delivered"]


def test_a_receiver_that_hangs_up_gets_it_again(house: WebhookHouse) -> None:
    """Nobody knows whether it took the message: the id says that it is the same."""
    worker = house.worker()
    with receiving() as receiver:

        def hang_up(_: Post) -> int:
            raise ConnectionError

        receiver.answer = hang_up
        house.make(worker, receiver)
        house.choose()
        worker.look()
        receiver.answer = None
        house.time.pass_by(seconds=5)
        worker.look()
        first, second = receiver.taken()

    assert (first.id, first.body) == (second.id, second.body)
    assert house.states() == ["delivered"]


def test_a_receiver_that_is_gone_ends_its_webhook(house: WebhookHouse) -> None:
    """After a 410 nothing more is sent; enabled again, it has missed nothing."""
    worker = house.worker()
    with receiving(Receiver(status=410)) as receiver:
        made = house.make(worker, receiver).webhook
        house.choose()
        worker.look()
        assert len(receiver.taken()) == 1
        house.choose("d-2")
        house.time.pass_by(days=3)
        worker.look()
        assert receiver.taken() == []
        found = worker.run(lambda: worker.webhooks.get(house.site, made.id))
        assert found.disabled == "gone"

        receiver.status = 204
        worker.run(lambda: worker.webhooks.change(house.site, made.id, enabled=True))
        worker.look()
        assert len(set(ids(receiver.taken()))) == 2


@pytest.mark.parametrize("status", [410, 500])
def test_what_an_old_address_answers_is_nothing_to_the_new_one(
    house: WebhookHouse, status: int
) -> None:
    """The address is changed while the old one is tried: it neither ends nor delays the webhook."""
    worker, other = house.worker(), house.worker()
    with receiving() as moved, receiving() as receiver:
        made = house.make(worker, receiver).webhook

        def move_away(_post: object) -> int:
            other.run(lambda: other.webhooks.change(house.site, made.id, url=moved.url))
            return status

        receiver.answer = move_away
        house.choose()
        worker.look()
        found = worker.run(lambda: worker.webhooks.get(house.site, made.id))

    assert (found.disabled, found.failures, found.held_until) == (None, 0, None)


def test_the_backlog_of_a_dead_receiver_is_bounded(
    house: WebhookHouse, absent: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many deliveries wait as rows; the rest waits in the ledger, and nothing is lost."""
    monkeypatch.setattr(delivering, "WINDOW", 3)
    worker = house.worker()
    house.make(worker, absent)
    told = {house.choose(f"d-{number}").record_id for number in range(8)}
    for _ in range(5):
        worker.look()
        house.time.pass_by(minutes=5)
    assert len(house.deliveries()) == 3
    with receiving(absent):
        worker.look()
        posts = absent.taken()

    assert {post.content["data"]["record_id"] for post in posts} == told
    assert len(posts) == 8


# -- processes that end -----------------------------------------------------------------------


def test_what_was_not_written_down_is_sent_again_under_its_id(
    house: WebhookHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies between the post and the commit: its successor repeats it."""
    worker, next_one = house.worker("one"), house.worker("two")

    def die(*_: object) -> None:
        raise OSError("expected a disk")

    with receiving() as receiver:
        house.make(worker, receiver)
        house.choose()
        with monkeypatch.context() as broken, capture_logs() as told:
            broken.setattr(delivering.backlog, "settle", die)
            broken.setattr(delivering.Delivering, "_release", _keep)
            worker.look()
        (first,) = receiver.taken()
        next_one.look()
        assert receiver.taken() == []
        house.time.pass_by(minutes=1)
        next_one.look()
        (second,) = receiver.taken()

    assert first.id == second.id
    assert first.body == second.body
    assert house.states() == ["delivered"]
    assert [line["event"] for line in told] == ["webhook_turn_failed"]


def _keep(_self: object, _rows: Rows, commands: list[str]) -> list[None]:
    """Release nothing: a process that was killed does not."""
    return [None] * len(commands)


def test_a_cursor_moves_with_what_it_passes(
    house: WebhookHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies while it queues has queued nothing, or all, and moved as far."""
    worker = house.worker()

    def die(*_: object) -> None:
        raise OSError("expected a disk")

    with receiving() as receiver:
        house.make(worker, receiver)
        house.choose()
        with monkeypatch.context() as broken, capture_logs():
            broken.setattr(delivering.store, "move", die)
            worker.look()
        assert house.deliveries() == []
        assert receiver.taken() == []
        house.time.pass_by(minutes=1)
        worker.look()
        assert len(receiver.taken()) == 1


def test_several_workers_tell_each_thing_once(house: WebhookHouse) -> None:
    """Four at once on one database: whoever has the lease works, and every message comes once."""
    with receiving() as receiver:
        for number in range(3):
            house.make(house.worker(), receiver, path=f"/{number}")
        workers = [house.worker(str(number)) for number in range(4)]
        for number in range(12):
            house.choose(f"d-{number}")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda worker: worker.look(3), workers))
        posts = receiver.taken()

    assert len(posts) == len(set(ids(posts))) == 36
    assert set(house.states()) == {"delivered"}


def test_a_stale_worker_moves_nothing_back(house: WebhookHouse) -> None:
    """One whose lease ran out while it read queues nothing, for another has gone on."""
    stale, other = house.worker("stale"), house.worker("other")
    with receiving() as receiver:
        made = house.make(stale, receiver).webhook
        house.choose()
        with house.databases.aboveboard.write() as connection, Rows(connection) as rows:
            assert stale.delivering._lease(rows, [made.id]) != [None]
        house.time.pass_by(minutes=1)
        other.look()
        with house.databases.aboveboard.write() as connection, Rows(connection) as rows:
            assert other.delivering._lease(rows, [made.id]) != [None]
        queued = delivering._Queued(made.id, "consent", "1.0", [])
        with house.databases.aboveboard.write() as connection, Rows(connection) as rows:
            assert stale.delivering._enqueue(rows, [queued]) == [False]
            other.delivering._release(rows, [made.id])
        other.look()
        assert len(receiver.taken()) == 1


def test_a_message_has_one_id_whoever_tells_it(house: WebhookHouse) -> None:
    """Also after the rows were put back from a backup: the receiver recognises what it knows."""
    worker = house.worker()
    with receiving() as receiver:
        made = house.make(worker, receiver).webhook
        house.choose()
        worker.look()
        (first,) = receiver.taken()
        with house.databases.aboveboard.write() as connection, Rows(connection) as rows:
            delivering.backlog.clear(rows, made.id)
            delivering.store.move(rows, made.id, {"consent": "1.-1"})
        worker.look()
        (again,) = receiver.taken()

    assert first.id == again.id


def test_a_webhook_that_is_broken_here_stops_no_other(house: WebhookHouse) -> None:
    """It rests a while and is told of; the others are delivered to."""
    worker = house.worker()
    with receiving() as receiver:
        broken = house.make(worker, receiver, path="/broken").webhook
        house.make(worker, receiver, path="/well")
        with house.databases.aboveboard.write() as connection:
            connection.execute(
                update(WEBHOOK).where(WEBHOOK.c.id == broken.id).values(secret=b"x" * 60)
            )
        house.choose()
        with capture_logs() as told:
            worker.look(3)
        assert [post.path for post in receiver.taken()] == ["/well"]

    assert [(line["event"], line["error"]) for line in told] == [
        ("webhook_turn_failed", "SecretUnreadable")
    ]


def test_a_database_that_does_not_answer_stops_nothing(
    house: WebhookHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, and looked at again."""
    worker = house.worker()

    def fail(*_: object, **__: object) -> list[Any]:
        raise OSError("expected a database")

    with monkeypatch.context() as broken, capture_logs() as told:
        broken.setattr(delivering.store, "list_work", fail)
        worker.look()

    assert [(line["event"], line["error"]) for line in told] == [("webhooks_unreadable", "OSError")]


# -- the end of a delivery --------------------------------------------------------------------


def test_deliveries_are_forgotten(house: WebhookHouse) -> None:
    """After a week what was delivered, after a month what was parked; what waits stays."""
    worker = house.worker()
    with receiving() as receiver:
        house.make(worker, receiver)
        house.choose("first")
        worker.look()
        receiver.status = 400
        house.choose("second")
        for _ in range(60):
            worker.look()
            house.time.pass_by(hours=1)
        assert house.states() == ["delivered", "parked"]
        house.time.pass_by(days=5)
        worker.run(worker.delivering.forget)
        assert house.states() == ["parked"]
        house.choose("third")
        worker.look()
        house.time.pass_by(days=26)
        worker.run(worker.delivering.forget)

    assert house.states() == ["pending"]


def test_open_deliveries_are_counted(house: WebhookHouse) -> None:
    """Those that wait, and those that are parked."""
    worker = house.worker()
    with receiving(Receiver(status=400)) as receiver:
        house.make(worker, receiver)
        house.choose("first")
        for _ in range(60):
            worker.look()
            house.time.pass_by(hours=1)
        house.choose("second")
        worker.look()
        house.time.pass_by(minutes=1)
        worker.look()

    assert worker.delivering.open == {DeliveryState.PENDING: 1, DeliveryState.PARKED: 1}


def test_the_older_secret_signs_for_a_while(house: WebhookHouse) -> None:
    """While a receiver changes over, either verifies; then only the new one."""
    worker = house.worker()
    with receiving() as receiver:
        made = house.make(worker, receiver)
        span = timedelta(minutes=2)
        rotated = worker.run(lambda: worker.webhooks.rotate(house.site, made.webhook.id, span))
        house.choose()
        worker.look()
        (both,) = receiver.taken()
        house.time.pass_by(minutes=3)
        house.choose("d-2")
        worker.look()
        (only,) = receiver.taken()

    assert verify(both, made.secret) == verify(both, rotated.secret)
    assert verify(only, rotated.secret)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        verify(only, made.secret)


def test_a_worker_that_stops_lets_what_it_began_end(
    house: WebhookHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A try that is answered soon is written down; nothing new begins."""
    monkeypatch.setattr(delivering, "STOPPING_S", PATIENCE_S)
    worker = house.worker()
    with receiving() as receiver:
        house.make(worker, receiver)
        house.choose()

        async def stop() -> None:
            await worker.delivering.look()
            await worker.delivering.close()
            await worker.delivering.look()

        worker.run(stop)
        assert len(receiver.taken()) <= 1

    assert set(house.states()) <= {"delivered"}


def test_as_soon_as_one_is_taken_all_that_wait_are_tried(
    house: WebhookHouse, absent: Receiver
) -> None:
    """However far away the next try of the others had come to be."""
    worker = house.worker()
    house.make(worker, absent)
    house.choose("d-1")
    for _ in range(7):
        worker.look()
        house.time.pass_by(hours=1)
    worker.look()
    house.choose("d-2")

    with receiving(absent):
        house.time.pass_by(minutes=6)  # the hold is over; the try of the first is half an hour away
        worker.look()
        assert len(absent.taken()) == 2

    assert house.states() == ["delivered", "delivered"]


def test_plain_http_is_for_what_is_still_named(house: WebhookHouse) -> None:
    """On the outside, too: nothing is sent there for anybody to read along."""
    worker = house.worker(named=("hooks.invalid",))
    worker.run(lambda: worker.webhooks.create(house.site, "http://hooks.invalid/", None))
    house.choose()

    house.worker(named=()).look()

    (row,) = house.deliveries()
    assert (row["state"], row["outcome"]) == ("pending", "address_refused")


def test_a_target_that_is_named_no_more_is_not_reached(house: WebhookHouse) -> None:
    """What the operator has allowed is looked at each time."""
    worker = house.worker()
    with receiving() as receiver:
        house.make(worker, receiver)
        house.choose()
        house.worker(named=()).look()
        assert receiver.taken() == []

    (row,) = house.deliveries()
    assert (row["state"], row["outcome"]) == ("pending", "address_refused")
