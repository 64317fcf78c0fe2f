"""Clients that dawdle or flood: their connections end, everybody else is served."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from conftest import PATIENCE_S, Service
from raw_connection import RawConnection, connected, request_bytes

DEADLINE_S = 1.0
CONNECTIONS = 60
HUGE = 10 * 1024 * 1024
MIB = 1024 * 1024
GROWTH = 60 * MIB  # generous: twenty refused bodies alone would be 200 MiB


@pytest.fixture
def hurried(new_service: Service) -> Service:
    """Serve with short deadlines."""
    new_service.environment = {
        **new_service.environment,
        "ABOVEBOARD_HEADER_DEADLINE_S": str(DEADLINE_S),
        "ABOVEBOARD_BODY_DEADLINE_S": str(DEADLINE_S),
    }
    new_service.start()
    return new_service


def _head(key: str, length: int | str) -> dict[str, str]:
    return {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "content-length": str(length),
    }


def test_dawdling_connections_are_closed_while_others_are_served(hurried: Service) -> None:
    """Slow headers, slow bodies and idle connections all end; a decent client notices nothing."""
    site = hurried.add_site("https://slow.example.org")
    head = request_bytes("POST", "/v1/comments", headers=_head(site.key, 100))
    openings: list[Callable[[RawConnection], object]] = [
        lambda connection: connection.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: "),
        lambda connection: connection.send(head + b'{"external_id": "'),
        lambda _connection: None,
    ]
    with ExitStack() as stack:
        connections = [
            [stack.enter_context(connected(hurried.port)) for _ in range(CONNECTIONS)]
            for _ in openings
        ]
        for sort, opening in zip(connections, openings, strict=True):
            for connection in sort:
                opening(connection)
        stop = threading.Event()

        def drip() -> None:
            # A byte now and then must not put the deadline off.
            while not stop.wait(0.2):
                for connection in (*connections[0], *connections[1]):
                    connection.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            with hurried.client(site.key) as client:
                served = [
                    client.post("/v1/comments", json={"external_id": f"d{number}", "text": "Hi"})
                    for number in range(50)
                ]
            ends = [[connection.read_to_end() for connection in sort] for sort in connections]
        finally:
            stop.set()
            dripping.join(60)
    assert not dripping.is_alive()

    assert {answer.status_code for answer in served} == {201}
    slow_headers, slow_bodies, idle = ends
    assert all(not end or b" 408 " in end for end in slow_headers)
    assert all(end.startswith(b"HTTP/1.1 408 ") for end in slow_bodies)
    assert all(b"application/problem+json" in end for end in slow_bodies)
    assert not any(idle)
    with hurried.client(site.key) as client:
        listed = client.get("/v1/comments", params={"limit": "200"}).json()["items"]
    assert len(listed) == 50, "a half body became a comment"


def test_a_body_that_never_comes_whole_answers_408(hurried: Service) -> None:
    """A body shorter than its Content-Length, the connection left open, is told so and closed."""
    site = hurried.add_site("https://lie.example.org")
    body = json.dumps({"external_id": "lie", "text": "Shorter than said."}).encode()
    request = request_bytes("POST", "/v1/comments", headers=_head(site.key, len(body) + 1))

    with connected(hurried.port) as connection:
        connection.send(request + body)
        answer = connection.answer()
        assert answer is not None
        assert answer.status == 408
        assert answer.problem["type"] == "/problems/request-timeout"
        assert connection.read_to_end() == b""

    with hurried.client(site.key) as client:
        assert client.get("/v1/comments").json()["items"] == []


def test_refused_bodies_take_no_memory(hurried: Service) -> None:
    """Ten-megabyte bodies, with a length or chunked, are refused without being held."""
    assert hurried.process is not None
    site = hurried.add_site("https://flood.example.org")
    chunked = {
        "authorization": f"Bearer {site.key}",
        "content-type": "application/json",
        "transfer-encoding": "chunked",
    }
    requests = [
        request_bytes("POST", "/v1/comments", headers=_head(site.key, HUGE)) + b" " * HUGE,
        request_bytes("POST", "/v1/comments", headers=chunked)
        + (b"100000\r\n" + b" " * MIB + b"\r\n") * 10
        + b"0\r\n\r\n",
    ]
    _flood(hurried.port, requests, times=2)
    before = _resident(hurried.process.pid)

    _flood(hurried.port, requests, times=10)

    assert _resident(hurried.process.pid) - before < GROWTH
    with hurried.client(site.key) as client:
        answer = client.post("/v1/comments", json={"external_id": "after", "text": "Hi"})
        assert answer.status_code == 201


def _flood(port: int, requests: list[bytes], *, times: int) -> None:
    for _ in range(times):
        with ExitStack() as stack:
            for request in requests:
                connection = stack.enter_context(connected(port))
                # The server refuses at once; who sends on all the same must still be told why.
                assert connection.send(request)
                assert connection.read_to_end().startswith(b"HTTP/1.1 413 ")


def _resident(pid: int) -> int:
    """Return the resident memory of a process in bytes; Linux tells it as a file."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("resident memory is read from /proc, which only Linux has")
    for line in status.read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def _counted(client: httpx2.Client) -> int:
    """Return how many requests to submit a comment have ended, in whatever way."""
    told = client.get("/metrics").text.splitlines()
    counts = [line for line in told if line.startswith("aboveboard_requests_total")]
    return sum(int(float(line.split()[-1])) for line in counts if 'route="/v1/comments"' in line)


def test_clients_that_leave_before_the_answer_harm_nobody(hurried: Service) -> None:
    """A hundred requests whose clients are gone at once are stored or not; the service lives on."""
    site = hurried.add_site("https://gone.example.org")
    for number in range(100):
        body = json.dumps({"external_id": f"g{number}", "text": "Gone."}).encode()
        with connected(hurried.port) as connection:
            connection.send(
                request_bytes("POST", "/v1/comments", headers=_head(site.key, len(body))) + body
            )
    with hurried.client(site.key) as client:
        until = time.monotonic() + PATIENCE_S
        while _counted(client) < 100:
            assert time.monotonic() < until, "a request of a client that left was never ended"
        again = client.post("/v1/comments", json={"external_id": "g0", "text": "Gone."})
        assert again.status_code in {200, 201}
    assert "Traceback" not in hurried.log.read_text()
    assert "operation_failed" not in hurried.log.read_text()
