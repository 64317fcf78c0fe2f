"""Clients that write as fast as they are answered and keep everything they were told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import httpx2
from conftest import PATIENCE_S, Service, Site

NOTICE = {
    "notice_id": "main",
    "language": "en",
    "text": "May we?",
    "controller": {"name": "Shop Ltd"},
    "purposes": [
        {"id": "ads", "name": "Ads", "description": "Ads that fit", "basis": "consent"},
    ],
}
SHOWN = {"notice_id": "main", "version": 1, "language": "en"}
HEADER = "idempotency-key"
PATHS = ("/v1/comments", "/v1/comments:batch", "/v1/consent/events")


@dataclass(frozen=True)
class Told:
    """A request with its idempotency key, and the answer to it."""

    path: str
    key: str
    body: bytes
    status: int = 0
    answer: bytes = b""


@dataclass
class Diary:
    """What all clients together asked for and were told; theirs alone, not the service's."""

    asked: list[Told] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    refused: list[Told] = field(default_factory=list)
    lost: int = 0
    grown: threading.Condition = field(default_factory=threading.Condition)

    def note(self, told: Told | None) -> None:
        """Write down an answer, or that there was none."""
        with self.grown:
            if told is None:
                self.lost += 1
            else:
                (self.told if 200 <= told.status < 300 else self.refused).append(told)
            self.grown.notify_all()

    def await_told(self, more: int) -> None:
        """Wait until so many *more* requests are acknowledged."""
        with self.grown:
            enough = len(self.told) + more
            assert self.grown.wait_for(lambda: len(self.told) >= enough, PATIENCE_S)

    def await_refused(self, *paths: str) -> None:
        """Wait until a request to each of *paths* was refused."""
        with self.grown:
            assert self.grown.wait_for(
                lambda: {item.path for item in self.refused} >= set(paths), PATIENCE_S
            )

    def of(self, path: str) -> list[Told]:
        """Return the acknowledged requests to *path*."""
        return [item for item in self.told if item.path == path]


Ask = Callable[[str, str, dict[str, object]], httpx2.Response | None]


class Writers:
    """Threads, each on a connection of its own, that write until they are stopped."""

    def __init__(self, client: httpx2.Client, diary: Diary, *, name: str) -> None:
        self._client = client
        self._diary = diary
        self._name = name
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def start(self, *, comments: int, batches: int, events: int) -> None:
        """Start so many threads of each sort."""
        for work, number in (
            (_write_comments, comments),
            (_write_batches, batches),
            (_write_events, events),
        ):
            for index in range(number):
                name = f"{self._name}-{work.__name__}-{index}"
                thread = threading.Thread(target=self._run, args=(work, name))
                self._threads.append(thread)
                thread.start()

    def stop(self) -> None:
        """Let every thread finish the request it is at."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        assert not self._failed, self._failed

    def _run(self, work: Callable[[Ask, str, Iterator[int]], None], name: str) -> None:
        def numbers() -> Iterator[int]:
            for number in count():
                if self._stop.is_set():
                    return
                yield number

        def ask(path: str, key: str, body: dict[str, object]) -> httpx2.Response | None:
            content = json.dumps(body).encode()
            self._diary.asked.append(Told(path, key, content))
            try:
                answer = self._client.post(
                    path,
                    content=content,
                    headers={"content-type": "application/json", HEADER: key},
                )
            except httpx2.TransportError:
                self._diary.note(None)
                self._stop.wait(0.05)
                return None
            told = Told(path, key, content, answer.status_code, answer.content)
            self._diary.note(told)
            return answer

        try:
            work(ask, name, numbers())
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            self._failed.append(error)


def _write_comments(ask: Ask, name: str, numbers: Iterator[int]) -> None:
    for number in numbers:
        # Every second one is the next revision of the one before.
        external = f"{name}-{number - number % 2}"
        ask(
            "/v1/comments",
            f"key-{name}-{number}",
            {"external_id": external, "text": f"What {name} says in round {number}"},
        )


def _write_batches(ask: Ask, name: str, numbers: Iterator[int]) -> None:
    for number in numbers:
        items = [
            {"external_id": f"{name}-{number}-{item}", "text": f"{name} {number} {item}"}
            for item in range(3)
        ]
        ask("/v1/comments:batch", f"key-{name}-{number}", {"comments": items})


def _write_events(ask: Ask, name: str, numbers: Iterator[int]) -> None:
    for number in numbers:
        subject = {"kind": "device", "id": f"{name}-{number}"}
        asked = ask(
            "/v1/consent/events",
            f"key-{name}-{number}-asked",
            {
                "subject": subject,
                "event_type": "requested",
                "method": "api",
                "origin": "banner",
                "notice": SHOWN,
            },
        )
        if asked is None or not asked.is_success:
            continue
        ask(
            "/v1/consent/events",
            f"key-{name}-{number}-given",
            {
                "subject": subject,
                "event_type": "given",
                "method": "accept_all",
                "origin": "banner",
                "notice": SHOWN,
                "served_id": asked.json()["record_id"],
                "decisions": [{"purpose_id": "ads", "decision": "given"}],
            },
        )


def publish(client: httpx2.Client) -> None:
    """Publish the notice that the events name."""
    answer = client.post("/v1/consent/notices", json=NOTICE)
    assert answer.status_code in {200, 201}, answer.text


@contextmanager
def writing(
    service: Service, site: Site, diary: Diary, *, name: str, threads: int = 3
) -> Iterator[Writers]:
    """Write for as long as the block runs."""
    with service.client(site.key) as client:
        writers = Writers(client, diary, name=name)
        writers.start(comments=threads, batches=1, events=threads)
        try:
            yield writers
        finally:
            writers.stop()


def replay(client: httpx2.Client, told: Told) -> None:
    """Send an acknowledged request again and check that the answer is the same, byte for byte."""
    answer = client.post(
        told.path,
        content=told.body,
        headers={"content-type": "application/json", HEADER: told.key},
    )
    assert (answer.status_code, answer.content) == (told.status, told.answer), told
