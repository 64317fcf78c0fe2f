"""Webhooks outlive receivers and senders: nothing is lost, and ids tell what comes twice."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import httpx2
import pytest
from conftest import PATIENCE_S, Service
from diary import NOTICE, SHOWN
from receiver import Post, Receiver, receiving
from stored_rows import rows

NUMBERS = count()
KILLS = 4


@pytest.fixture
def named(new_service: Service) -> Service:
    """Prepare a service that may post to loopback."""
    new_service.environment = {
        **new_service.environment,
        "ABOVEBOARD_WEBHOOK_TARGETS": "127.0.0.1",
    }
    return new_service


class Backend:
    """A site's backend: it records choices, and is told of them by a webhook."""

    def __init__(self, service: Service, url: str) -> None:
        self.service = service
        self.site = service.add_site("https://shop.example.org")
        added = service.command("webhook", "add", self.site.id, url, "--json")
        self.webhook_id = json.loads(added)["id"]
        self.acknowledged: list[str] = []

    def publish(self) -> None:
        """Publish what visitors are shown."""
        with self.service.client(self.site.key) as client:
            client.post("/v1/consent/notices", json=NOTICE).raise_for_status()

    def withdraw(self, client: httpx2.Client) -> None:
        """Record a withdrawal of somebody new; what is acknowledged has to be told."""
        number = next(NUMBERS)
        event = {
            "idempotency_key": f"k-{number}",
            "subject": {"kind": "device", "id": f"d-{number}"},
            "event_type": "withdrawn",
            "method": "withdraw_link",
            "origin": "preferences",
            "decisions": [{"purpose_id": "ads", "decision": "refused"}],
            "notice": SHOWN,
        }
        answer = client.post("/v1/consent/events", json=event)
        assert answer.status_code == 201, answer.text
        self.acknowledged.append(answer.json()["record_id"])

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Record one withdrawal after the other, for as long as the service answers."""

        def work() -> None:
            with self.service.client(self.site.key) as client:
                while not over.is_set():
                    try:
                        self.withdraw(client)
                    except httpx2.TransportError:
                        return

        over = threading.Event()
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


class Told:
    """What a receiver was told: how often each record, and under which ids."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self.ids: dict[str, set[str]] = {}

    def take(self, receiver: Receiver) -> int:
        """Take what was posted since; return how many posts there were in all."""
        for post in receiver.taken():
            self._note(post)
        return self.records.total()

    def await_all(self, receiver: Receiver, records: list[str]) -> None:
        """Wait until every record was told."""
        while set(records) - set(self.records):
            self._note(receiver.posts.get(timeout=2 * PATIENCE_S))
        assert all(len(ids) == 1 for ids in self.ids.values())

    def _note(self, post: Post) -> None:
        record_id = post.content["data"]["record_id"]
        self.records[record_id] += 1
        self.ids.setdefault(record_id, set()).add(post.id)


def until(ask: Callable[[], bool]) -> None:
    """Wait until something is so."""
    late = time.monotonic() + PATIENCE_S
    while not ask():
        assert time.monotonic() < late, "it never came"


def test_a_kill_between_post_and_commit_repeats_the_message(named: Service) -> None:
    """The receiver has it, the service cannot know: it comes again, the same to the byte."""
    named.start()
    taken = threading.Event()

    def answer(_: Post) -> int:
        if not taken.is_set():
            taken.set()
            killed.wait(PATIENCE_S)
        return 204

    killed = threading.Event()
    with receiving(Receiver(answer=answer)) as receiver:
        backend = Backend(named, receiver.url)
        backend.publish()
        with named.client(backend.site.key) as client:
            backend.withdraw(client)
        assert taken.wait(PATIENCE_S)
        named.stop(signal.SIGKILL)
        killed.set()
        named.start()
        first = receiver.posts.get(timeout=PATIENCE_S)
        second = receiver.posts.get(timeout=PATIENCE_S)
        rows: list[dict[str, str]] = []
        until(
            lambda: (
                rows.extend(json.loads(_deliveries(named, backend)))
                or rows[-1]["state"] == "delivered"
            )
        )

    assert (first.id, first.body) == (second.id, second.body)
    assert rows[-1]["id"] == first.id


def _deliveries(service: Service, backend: Backend) -> str:
    more = ("--limit", "1000", "--json")
    return service.command("webhook", "deliveries", backend.webhook_id, *more)


def test_kills_under_load_lose_nothing(named: Service) -> None:
    """Whatever was acknowledged is told at least once, each under one id."""
    named.start()
    told = Told()
    with receiving() as receiver:
        backend = Backend(named, receiver.url)
        backend.publish()
        for _ in range(KILLS):
            several = len(backend.acknowledged) + 2
            with backend.busy():
                until(lambda: told.take(receiver) or receiver.posts.qsize() > 0)
                until(lambda several=several: len(backend.acknowledged) >= several)
                named.stop(signal.SIGKILL)
            named.start()
        told.await_all(receiver, backend.acknowledged)

    assert len(backend.acknowledged) > KILLS


def test_an_outage_loses_nothing_and_disturbs_nobody(named: Service) -> None:
    """While a receiver is down, fails or is silent, the API answers and others are told."""
    named.start()
    silent = threading.Event()

    def answer(_: Post) -> int:
        silent.wait(PATIENCE_S)
        return 204

    told, other_told = Told(), Told()
    with receiving() as receiver, receiving() as other:
        backend = Backend(named, receiver.url)
        backend.publish()
        named.command("webhook", "add", backend.site.id, other.url)
        with named.client(backend.site.key) as client:
            for receiver.answer in (lambda _: 500, lambda _: 503, answer):
                for _ in range(20):
                    backend.withdraw(client)
                # The others are told while this one has not answered.
                other_told.await_all(other, backend.acknowledged)
            told.take(receiver)
            silent.set()
            receiver.answer = None
            named.command("webhook", "disable", backend.webhook_id)
            named.command("webhook", "enable", backend.webhook_id)
            backend.withdraw(client)
            told.await_all(receiver, backend.acknowledged)
            until(lambda: 'deliveries{state="pending"} 0.0' in client.get("/metrics").text)

    assert set(other_told.records.values()) == {1}


def test_a_receiver_that_was_down_is_told_of_all(named: Service, absent: Receiver) -> None:
    """A restart on the way changes nothing: what waits lies in rows and in the ledger."""
    named.start()
    backend = Backend(named, absent.url)
    backend.publish()
    with named.client(backend.site.key) as client:
        for _ in range(60):
            backend.withdraw(client)
    rows: list[str] = []
    until(lambda: rows.append(_deliveries(named, backend)) or "unreachable" in rows[-1])
    named.stop()
    told = Told()
    with receiving(absent):
        named.start()
        told.await_all(absent, backend.acknowledged)

    assert set(told.records.values()) == {1}


def test_two_processes_tell_each_thing_once(
    environment: dict[str, str], new_database: Callable[[], str], tmp_path: Path
) -> None:
    """Over one PostgreSQL: whoever has the lease; and where that one dies, the other goes on."""
    shared = {**environment, "ABOVEBOARD_WEBHOOK_TARGETS": "127.0.0.1"}
    url = new_database()
    first, second = (Service(tmp_path / "data", shared, url) for _ in range(2))
    second.log = Path(f"{first.log}.2")
    first.start()
    second.start()
    try:
        told = Told()
        with receiving() as receiver:
            backend = Backend(first, receiver.url)
            backend.publish()
            with first.client(backend.site.key) as client:
                for _ in range(100):
                    backend.withdraw(client)
            told.await_all(receiver, backend.acknowledged)
            waiting = "SELECT id FROM webhook_delivery WHERE state <> ?"
            until(lambda: not rows(first, "aboveboard", waiting, "delivered"))
            told.take(receiver)
            assert set(told.records.values()) == {1}

            first.stop(signal.SIGKILL)
            with second.client(backend.site.key) as client:
                for _ in range(20):
                    backend.withdraw(client)
            told.await_all(receiver, backend.acknowledged)
    finally:
        first.stop()
        second.stop()
