"""Two serving processes over one PostgreSQL: one history, whoever is asked."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from conftest import Service
from diary import HEADER, NOTICE, SHOWN, Diary, publish, replay, writing
from stored_rows import check_comments, check_history, check_log, rows

LOAD = 600  # requests
ROUNDS = 25


@pytest.fixture(scope="module")
def pair(
    environment: dict[str, str],
    new_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Service, Service]]:
    """Serve one data directory and one PostgreSQL database by two processes."""
    data_dir = tmp_path_factory.mktemp("pair") / "data"
    url = new_database()
    first, second = (Service(data_dir, environment, url) for _ in range(2))
    second.log = Path(f"{first.log}.2")
    first.start()
    second.start()
    yield first, second
    first.stop()
    second.stop()


def test_two_processes_write_one_history(pair: tuple[Service, Service]) -> None:
    """Concurrent writers on two processes leave dense indexes, one log and whole comments."""
    first, second = pair
    site = first.add_site("https://history.example.org")
    diary = Diary()
    with first.client(site.key) as client:
        publish(client)

    with (
        writing(first, site, diary, name="first"),
        writing(second, site, diary, name="second"),
    ):
        diary.await_told(LOAD)

    assert not diary.refused, diary.refused[:3]
    assert not diary.lost
    told = diary.of("/v1/consent/events")
    assert len(told) > 50
    with first.client(site.key) as client, second.client(site.key) as other:
        checkpoint = check_log(client, first, site)
        assert check_log(other, second, site) == checkpoint
        assert checkpoint.size == len(told)
        check_comments(first, site)
        check_history(other, site, told, checkpoint)
        # Each process gives the other's answers again.
        for item in told[:50]:
            replay(client, item)
            replay(other, item)


def _at_once(
    pair: tuple[Service, Service], key: str, path: str, body: dict[str, object], headers: object
) -> list[httpx2.Response]:
    """Send one request to both processes at the same moment."""
    ready = threading.Barrier(2)

    def send(service: Service) -> httpx2.Response:
        with service.client(key) as client:
            client.get("/healthz")
            ready.wait(30)
            return client.post(path, json=body, headers=headers)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(send, pair))


def test_one_key_sent_to_both_at_once_has_one_effect(pair: tuple[Service, Service]) -> None:
    """The same event with one key on two processes is recorded once, with equal answers."""
    site = pair[0].add_site("https://event-once.example.org")
    with pair[0].client(site.key) as client:
        publish(client)
    for number in range(ROUNDS):
        body = {
            "subject": {"kind": "device", "id": f"d{number}"},
            "event_type": "requested",
            "method": "api",
            "origin": "banner",
            "notice": SHOWN,
        }

        answers = _at_once(
            pair, site.key, "/v1/consent/events", body, {HEADER: f"event-once-{number}"}
        )

        assert [item.status_code for item in answers] == [201, 201], answers[0].text
        assert answers[0].content == answers[1].content
    with pair[0].client(site.key) as client:
        assert check_log(client, pair[0], site).size == ROUNDS


def test_one_comment_sent_to_both_at_once_is_stored_once(pair: tuple[Service, Service]) -> None:
    """The same comment with one key on two processes is stored once, with equal answers."""
    site = pair[0].add_site("https://comment-once.example.org")
    for number in range(ROUNDS):
        body = {"external_id": f"c{number}", "text": "Said twice at once."}

        answers = _at_once(pair, site.key, "/v1/comments", body, {HEADER: f"once-{number}"})

        assert [item.status_code for item in answers] == [201, 201], answers[0].text
        assert answers[0].content == answers[1].content
    check_comments(pair[0], site)
    found = rows(pair[0], "moderation", "SELECT id FROM comment WHERE site_id = ?", site.id)
    assert len(found) == ROUNDS


def test_one_comment_without_a_key_is_one_revision(pair: tuple[Service, Service]) -> None:
    """The same external id on two processes at once: one revision, or two in a row, no error."""
    site = pair[0].add_site("https://external.example.org")
    for number in range(ROUNDS):
        body = {"external_id": "always-the-same", "text": f"Text {number // 2}"}

        answers = _at_once(pair, site.key, "/v1/comments", body, {})

        assert all(item.status_code in {200, 201} for item in answers), answers[0].text
        assert answers[0].json()["id"] == answers[1].json()["id"]
        assert answers[0].json()["revision"] == answers[1].json()["revision"] == number // 2 + 1
    check_comments(pair[0], site)


def test_one_notice_published_to_both_at_once_is_one_version(
    pair: tuple[Service, Service],
) -> None:
    """The first notice of a site, which opens its log, on two processes: one log, one version."""
    for number in range(5):
        site = pair[0].add_site(f"https://notice-{number}.example.org")

        answers = _at_once(pair, site.key, "/v1/consent/notices", dict(NOTICE), {})

        assert sorted(item.status_code for item in answers) == [200, 201], answers[0].text
        assert answers[0].content == answers[1].content
        with pair[1].client(site.key) as client:
            assert check_log(client, pair[1], site).size == 0
