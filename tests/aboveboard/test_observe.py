"""Health, readiness, metrics and logs: useful to an operator, silent about people."""

import ast
import json
import logging
import socket
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex

import httpx2
import pytest
import structlog
from conftest import PATIENCE_S, Service
from sqlalchemy import Connection
from structlog.testing import capture_logs

from aboveboard import observe

LAST_CHORE = 'aboveboard_chores_total{chore="comment_sweep",outcome="done"}'
NOTICE = {
    "notice_id": "main",
    "language": "en",
    "text": "May we?",
    "controller": {"name": "Shop Ltd"},
    "purposes": [{"id": "ads", "name": "Ads", "description": "Ads", "basis": "consent"}],
}


@pytest.fixture(scope="module")
def logged(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Serve with one line a request in the log."""
    served = Service(
        tmp_path_factory.mktemp("logged") / "data",
        {**environment, "ABOVEBOARD_ACCESS_LOG": "true"},
    )
    served.start()
    yield served
    served.stop()


def test_it_is_alive_and_ready(service: Service) -> None:
    """Both answer anyone; readiness names every set of tables; nothing of it is cached."""
    with service.client() as anyone:
        alive = anyone.get("/healthz")
        ready = anyone.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ok", "checks": {"aboveboard": "ok", "moderation": "ok", "consent": "ok"}},
    )
    assert alive.headers["cache-control"] == ready.headers["cache-control"] == "no-store"


def test_it_is_not_ready_over_other_tables(service: Service) -> None:
    """Where the tables are not this release's, it says which, goes on living, and recovers."""
    with service.client() as anyone, service.databases() as databases:
        (found, _) = databases.moderation.revision()
        assert found is not None
        with databases.moderation.write() as connection:
            _stamp(connection, "9999")
        waiting, alive = anyone.get("/readyz"), anyone.get("/healthz")
        with databases.moderation.write() as connection:
            _stamp(connection, found)
        ready = anyone.get("/readyz")

    assert waiting.status_code == 503
    assert waiting.json()["status"] == "unavailable"
    assert waiting.json()["checks"] == {
        "aboveboard": "ok",
        "moderation": "StorageError",
        "consent": "ok",
    }
    assert alive.status_code == 200
    assert ready.status_code == 200


def _stamp(connection: Connection, revision: str) -> None:
    connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608


def test_metrics_are_for_this_machine(logged: Service) -> None:
    """On loopback they are read without a key, but not through a proxy."""
    with logged.client() as anyone:
        direct = anyone.get("/metrics")
        proxied = [
            anyone.get("/metrics", headers={name: "192.0.2.7"})
            for name in ("x-forwarded-for", "forwarded")
        ]

    assert direct.status_code == 200
    assert direct.headers["content-type"].startswith("text/plain")
    assert [answer.status_code for answer in proxied] == [404, 404]
    assert proxied[0].json()["type"] == "/problems/not-found"


def test_a_token_opens_metrics_from_elsewhere(environment: dict[str, str], tmp_path: Path) -> None:
    """Once there is one, it is needed everywhere, and nothing but it is good."""
    token = token_hex(16)
    service = Service(tmp_path / "data", {**environment, "ABOVEBOARD_METRICS_TOKEN": token})
    service.start()
    try:
        with service.client() as anyone:
            answers = [
                anyone.get("/metrics", headers=headers).status_code
                for headers in (
                    {},
                    {"authorization": "Bearer wrong"},
                    {"authorization": token},
                    {"authorization": f"Bearer {token}"},
                    {"authorization": f"Bearer {token}", "x-forwarded-for": "192.0.2.7"},
                )
            ]
    finally:
        service.stop()

    assert answers == [404, 404, 404, 200, 200]
    assert token not in service.log.read_text()


def test_nothing_personal_is_in_metrics_or_logs(logged: Service) -> None:
    """Whatever is sent, well-formed or not: no id, text, address, key, subject or site shows."""
    site = logged.add_site("https://canary-site.example.org")
    secret = f"ab{'c' * 60}"
    subject = {"kind": "email", "id": "canary@example.org"}
    event = {
        "subject": subject,
        "event_type": "requested",
        "method": "api",
        "origin": "banner",
        "notice": {"notice_id": "main", "version": 1, "language": "en"},
        "context": {"page": "https://canary.example/?canary=1"},
    }
    comment = {
        "external_id": "canary-id",
        "text": "a canary sang",
        "author": {"name": "Canary", "email": "canary@example.org", "ip": "203.0.113.77"},
    }
    with logged.client(site.key) as client:
        made = client.post("/v1/comments", json=comment, headers={"idempotency-key": "canary-key"})
        answers = [
            made,
            client.post("/v1/comments:batch", json={"comments": [comment, {"canary": 1}]}),
            client.post("/v1/score", json={"text": "canary"}),
            client.post("/v1/comments", json={"canary": "canary"}),
            client.post("/v1/comments", content=b'{"canary'),
            client.get(f"/v1/comments/{made.json()['id']}"),
            client.get("/v1/comments/canary"),
            client.get("/v1/comments?cursor=canary"),
            client.get("/canary?canary=canary"),
            client.request("DELETE", "/v1/comments/canary"),
            client.post("/v1/consent/notices", json=NOTICE),
            client.post("/v1/consent/events", json=event, headers={"idempotency-key": "canary"}),
            client.post(
                "/v1/consent/events",
                json={**event, "subject": {"kind": "email", "id": "canary"}},
                headers={"idempotency-key": "canary-2"},
            ),
            client.post(
                "/v1/consent/standing:query", json={"subject": subject, "purposes": ["canary"]}
            ),
            client.get(
                "/v1/consent/standing",
                params={"subject_kind": "device", "subject_id": "canary", "purpose": "ads"},
            ),
            client.get("/v1/consent/logs/canary"),
            client.get(f"/v1/consent/logs/{site.id}/1/checkpoint"),
            client.get("/v1/comments", headers={"authorization": f"Bearer {secret}"}),
            client.get("/v1/comments", headers={"x-site": "canary"}),
        ]
        metrics = client.get("/metrics").text
    log = logged.log.read_text()

    assert not [answer for answer in answers if answer.status_code >= 500]
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert len(lines) >= len(answers)
    assert {frozenset(line) for line in lines if line["event"] == "request"} == {
        frozenset({"event", "level", "timestamp", "route", "method", "status", "ms"})
    }
    assert {line["route"] for line in lines if line["event"] == "request"} >= {
        "/v1/comments",
        "/v1/comments/{comment_id}",
        "/v1/consent/logs/{site}/{epoch}/checkpoint",
        "other",
    }
    for told in (log, metrics):
        for found in ("canary", "203.0.113.77", "ccccc", site.key, made.json()["id"], "127.0.0.1:"):
            served = told.replace(logged.url, "")
            assert found not in served.lower(), found


def test_metrics_count_by_operation(logged: Service) -> None:
    """Labels are the route's pattern, method and status; writers tell of their commits."""
    site = logged.add_site("https://counted.example.org")
    with logged.client(site.key) as client:
        before = _metrics_at_rest(client)
        for at in range(3):
            client.post("/v1/comments", json={"external_id": f"c-{at}", "text": "Good morning."})
        client.get("/v1/comments/unknown")
        after = _metrics(client)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    posted = 'aboveboard_requests_total{method="POST",route="/v1/comments",status="201"}'
    missing = (
        'aboveboard_requests_total{method="GET",route="/v1/comments/{comment_id}",status="404"}'
    )
    assert grown(posted) == 3
    assert grown(missing) == 1
    assert grown('aboveboard_request_seconds_count{route="/v1/comments"}') == 3
    assert grown('aboveboard_writer_commands_total{database="moderation"}') == 3
    assert {name for name in after if 'database="' in name} >= {
        'aboveboard_writer_waiting{database="consent"}',
        'aboveboard_writer_commits_total{database="moderation"}',
    }


def test_metrics_tell_what_an_operator_watches(logged: Service) -> None:
    """The release, the process, texts held for a failure, and each chore of every hour."""
    with logged.client() as client:
        told = _metrics(client)

    assert told[f'aboveboard_build_info{{version="{version("aboveboard")}"}}'] == 1
    assert told['aboveboard_texts_held_total{step="scoring"}'] == 0
    assert told['aboveboard_work_failures_total{work="webhooks"}'] == 0
    assert 'aboveboard_chores_total{chore="retention",outcome="done"}' in told
    assert told['aboveboard_chores_total{chore="retention",outcome="failed"}'] == 0
    if sys.platform == "linux":  # where the client library finds /proc
        assert told["process_resident_memory_bytes"] > 0


def _metrics(client: httpx2.Client) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def _metrics_at_rest(client: httpx2.Client) -> dict[str, float]:
    """Return them after the first round of chores, whose commands are counted as well."""
    late = time.monotonic() + PATIENCE_S
    while not (told := _metrics(client))[LAST_CHORE]:
        assert time.monotonic() < late, "the chores of the start were never done"
    return told


def test_every_logged_field_is_allowed() -> None:
    """No line of the three packages logs a field that would be dropped."""
    root = Path(observe.__file__).parent.parent
    sources = [
        path
        for package in ("aboveboard", "consent", "moderation")
        for path in (root / package).rglob("*.py")
    ]
    fields = {
        keyword.arg
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
        for keyword in node.keywords
    }

    assert fields
    assert fields <= observe.ALLOWED


def test_what_is_not_allowed_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """A field that nobody thought about is dropped, whatever it holds."""
    before = structlog.get_config()
    try:
        observe.configure_logs()
        structlog.get_logger("fresh").info("said", route="/v1/x", text="canary")
    finally:
        structlog.configure(**before)

    told = json.loads(capsys.readouterr().err)
    assert (told["event"], told["route"]) == ("said", "/v1/x")
    assert "canary" not in str(told)


def test_what_a_library_says_is_json_without_its_words(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Bytes that are no HTTP are a line of uvicorn's, whose words nobody has looked at."""
    served = Service(tmp_path / "data", environment)
    served.start()
    try:
        with socket.create_connection(("127.0.0.1", served.port)) as sending:
            sending.sendall(b"\x16\x03\x01canary\r\n\r\n")
            sending.recv(1024)
    finally:
        served.stop()

    written = served.log.read_text()
    said = [json.loads(line) for line in written.splitlines() if line.startswith("{")]

    assert [(line["event"], line["library"]) for line in said] == [("library", "uvicorn.error")]
    assert "Invalid HTTP" not in written
    assert "canary" not in written


@pytest.mark.parametrize(("level", "told"), [(35, "warning"), (60, "critical")])
def test_a_library_may_have_a_level_of_its_own(level: int, told: str) -> None:
    """It is told as the next one below, and whoever logs notices nothing."""
    said = logging.LogRecord("lib", level, __file__, 1, "canary", None, None)

    with capture_logs() as lines:
        observe._Libraries().emit(said)

    assert [(line["event"], line["log_level"]) for line in lines] == [("library", told)]
