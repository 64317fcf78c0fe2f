"""Storage that fails for a while: refused by 503, nothing acknowledged lost, whole again after."""

import asyncio
import fcntl
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from conftest import PATIENCE_S, Service, Site
from diary import PATHS, Diary, publish, replay, writing
from embedded_postgres import create_database, embedded_postgres
from stored_rows import check_comments, check_log, rows

from aboveboard.errors import StorageUnavailable
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.writer import Writer

TMPFS_BYTES = 24 * 1024 * 1024
CRASHES = 3
Cure = Callable[[], None]


def _check_nothing_lost(service: Service, site: Site, diary: Diary) -> None:
    """Check that every acknowledged request is answered the same again, in a whole log."""
    with service.client(site.key) as client:
        for told in diary.told:
            replay(client, told)
        check_log(client, service, site)
    check_comments(service, site)
    assert "operation_failed" not in service.log.read_text()


def _until(fact: Callable[[], bool]) -> None:
    """Ask the service for *fact* until it is one."""
    until = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < until, "waited in vain"


def _taken(client: httpx2.Client, external_id: str) -> bool:
    body = {"external_id": external_id, "text": "After the storm."}
    answer = client.post("/v1/comments", json=body)
    assert answer.status_code in {200, 201, 503}, answer.text
    return answer.status_code != 503


def _refused(client: httpx2.Client) -> httpx2.Response:
    """Write until it is refused: what the files have room for inside is taken."""
    until = time.monotonic() + PATIENCE_S
    for number in count():
        body = {"external_id": f"x-{number}", "text": "x"}
        answer = client.post("/v1/comments", json=body)
        if answer.status_code != 201:
            return answer
        assert time.monotonic() < until, "waited in vain"
    raise AssertionError


# -- SQLite: a full disk --------------------------------------------------------------------------


def _fill_disk(service: Service) -> Cure:
    """Leave no byte on the data's own file system; the cure removes the ballast."""
    ballast = service.data_dir.parent / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return ballast.unlink


def _limit_files(service: Service) -> Cure:
    """Let no file of the service grow past what its largest is; the cure lifts the limit."""
    assert service.process is not None
    pid = service.process.pid
    largest = max(path.stat().st_size for path in service.data_dir.glob("*.sqlite3*"))
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, before[1]))

    def lift() -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    return lift


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small file system of its own, where root may."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("a small tmpfs can be mounted by root only; the limited files stand in for it")
    folder.mkdir()
    done = subprocess.run(  # noqa: S603
        [mount, "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("no tmpfs may be mounted here; the limited files stand in for it")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607


def _suffer(service: Service, harm: Callable[[Service], Cure]) -> None:
    """Write, do harm, look at what is answered, cure it, and find everything in place."""
    service.start()
    site = service.add_site("https://full.example.org")
    diary = Diary()
    with service.client(site.key) as client:
        publish(client)
        with writing(service, site, diary, name="full"):
            diary.await_told(50)
            cure = harm(service)
            try:
                diary.await_refused(*PATHS)
                refused = _refused(client)
                listed = client.get("/v1/comments")
                standing = client.get(
                    "/v1/consent/standing",
                    params={"subject_kind": "device", "subject_id": "d", "purpose": "ads"},
                )
                alive = client.get("/healthz")
            finally:
                cure()
            # Without a restart: the clients' own next requests are taken again.
            diary.await_told(50)

    assert {item.status for item in diary.refused} == {503}
    assert refused.status_code == 503, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0
    assert [item.status_code for item in (listed, standing, alive)] == [200, 200, 200]
    assert not diary.lost
    _check_nothing_lost(service, site, diary)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits a live process")
def test_files_that_cannot_grow_lose_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    """While no file may grow, writes answer 503 and reads work; after that all goes on."""
    service = Service(tmp_path / "data", environment)
    try:
        _suffer(service, _limit_files)
    finally:
        service.stop()


def test_a_full_disk_loses_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    """While the disk is full, writes answer 503 and reads work; with room again all goes on."""
    with _small_disk(tmp_path / "disk") as disk:
        service = Service(disk / "data", environment)
        service.log = tmp_path / "service.log"
        try:
            _suffer(service, _fill_disk)
        finally:
            service.stop()


def test_no_command_is_acknowledged_that_its_engine_rolled_back(files: Databases) -> None:
    """A command that fills the disk takes its batch with it: SQLite rolled all of it back."""
    writer = Writer(files.moderation, limit=100)

    def insert(rows: Rows, commands: list[tuple[str, int]]) -> list[str]:
        for key, size in commands:
            rows.connection.exec_driver_sql(
                "INSERT INTO idempotency (site_id, route, key, fingerprint, status, answer, made)"
                " VALUES ('s', 'r', ?, 'f', 200, ?, '2026')",
                (key, "x" * size),
            )
        return [key for key, _ in commands]

    def limit(rows: Rows, commands: list[int]) -> list[None]:
        for room in commands:
            pages = rows.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            rows.connection.exec_driver_sql(f"PRAGMA max_page_count={pages + room}")
        return [None] * len(commands)

    async def write() -> list[Any]:
        writer.start()
        try:
            await writer.write(limit, 20)
            keys = [(f"key-{number}", 10_000_000 if number == 5 else 10) for number in range(10)]
            return await asyncio.gather(
                *(writer.write(insert, key) for key in keys), return_exceptions=True
            )
        finally:
            await writer.stop()

    answers = asyncio.run(write())

    with files.moderation.read() as connection:
        there = set(connection.exec_driver_sql("SELECT key FROM idempotency").scalars())
    assert any(isinstance(answer, StorageUnavailable) for answer in answers), answers
    assert {answer for answer in answers if isinstance(answer, str)} <= there


def test_a_lock_held_elsewhere_delays_and_breaks_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """While another process holds the files' locks, writes wait or answer 503, and reads work."""
    service = Service(tmp_path / "data", environment)
    service.start()
    try:
        site = service.add_site("https://locked.example.org")
        diary = Diary()
        with service.client(site.key) as client:
            publish(client)
            locks = [
                os.open(service.data_dir / f"{name}.lock", os.O_RDWR)
                for name in ("moderation", "consent")
            ]
            with writing(service, site, diary, name="locked"):
                diary.await_told(50)
                for lock in locks:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                diary.await_refused(*PATHS)
                listed = client.get("/v1/comments")
                for lock in locks:
                    os.close(lock)
                diary.await_told(50)

        assert listed.status_code == 200
        assert {item.status for item in diary.refused} == {503}
        assert not diary.lost
        _check_nothing_lost(service, site, diary)
    finally:
        service.stop()


# -- both engines: being stopped ------------------------------------------------------------------


def test_a_stop_under_load_drops_nothing_that_was_accepted(new_service: Service) -> None:
    """After SIGTERM whatever was stored was also answered, and the process ends by itself."""
    new_service.start()
    site = new_service.add_site("https://stop.example.org")
    diary = Diary()
    with new_service.client(site.key) as client:
        publish(client)

    for number in range(3):
        if number:
            new_service.start()
        with writing(new_service, site, diary, name=f"s{number}"):
            diary.await_told(20)
            assert new_service.process is not None
            process = new_service.process
            new_service.stop(signal.SIGTERM)
            assert process.returncode in {0, -signal.SIGTERM}, new_service.log.read_text()

    stored = {
        key
        for database in ("moderation", "consent")
        for (key,) in rows(
            new_service, database, "SELECT key FROM idempotency WHERE site_id = ?", site.id
        )
    }
    assert stored == {item.key for item in diary.told}
    assert {item.status for item in diary.refused} <= {503}
    new_service.start()
    _check_nothing_lost(new_service, site, diary)


# -- PostgreSQL -----------------------------------------------------------------------------------


@pytest.fixture
def on_postgresql(
    environment: dict[str, str], new_database: Callable[[], str], tmp_path: Path
) -> Iterator[Service]:
    """Prepare a service on an empty PostgreSQL database, not yet started."""
    service = Service(tmp_path / "data", environment, new_database())
    yield service
    service.stop()


def test_connections_that_the_server_ends_are_replaced(on_postgresql: Service) -> None:
    """Every connection ended by the server, five times under load: 503 at worst, then served."""
    on_postgresql.start()
    site = on_postgresql.add_site("https://ended.example.org")
    diary = Diary()
    url = on_postgresql.database_url
    with on_postgresql.client(site.key) as client, psycopg.connect(url, autocommit=True) as admin:
        publish(client)
        with writing(on_postgresql, site, diary, name="ended"):
            for _ in range(5):
                diary.await_told(20)
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            diary.await_told(50)

    assert {item.status for item in diary.refused} <= {503}
    assert not diary.lost
    with on_postgresql.client(site.key) as client:
        _until(lambda: _taken(client, "afterwards"))
        _until(lambda: client.get("/v1/comments").status_code == 200)
        _until(lambda: client.get("/readyz").status_code == 200)
    _check_nothing_lost(on_postgresql, site, diary)


def _kill_a_backend(url: str) -> None:
    """Kill the server process that has been in a transaction for longest, once there is one."""
    found: list[int] = []

    def busy() -> bool:
        try:
            with psycopg.connect(url, autocommit=True) as admin:
                asked = admin.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY xact_start"
                )
                found[:] = [pid for (pid,) in asked]
        except psycopg.OperationalError:
            return False  # the server recovers from the kill before
        return bool(found)

    _until(busy)
    os.kill(found[0], signal.SIGKILL)


def test_a_server_that_crashes_and_recovers_loses_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A backend killed in a transaction, which takes the whole server into crash recovery."""
    with embedded_postgres() as server:
        url = create_database(server, "crashing")
        service = Service(tmp_path / "data", environment, url)
        service.start()
        try:
            site = service.add_site("https://crashed.example.org")
            diary = Diary()
            with service.client(site.key) as client:
                publish(client)
                with writing(service, site, diary, name="crashed"):
                    for _ in range(CRASHES):
                        diary.await_told(20)
                        _kill_a_backend(url)
                    diary.await_told(50)

                assert {item.status for item in diary.refused} == {503}
                assert not diary.lost
                _until(lambda: _taken(client, "afterwards"))
                _until(lambda: client.get("/readyz").status_code == 200)
            _check_nothing_lost(service, site, diary)
        finally:
            service.stop()


def _refuses_to_serve(service: Service, setting: str) -> None:
    done = service.run("serve", "--port", "0")
    assert done.returncode not in {0, -signal.SIGTERM}
    assert f"expected {setting} to be on, got off" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_forgets_commits_is_refused(on_postgresql: Service) -> None:
    """With synchronous_commit off for its database the service does not start, and says why."""
    url = on_postgresql.database_url
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())

    _refuses_to_serve(on_postgresql, "synchronous_commit")


def test_a_server_without_fsync_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    """On a server with fsync off the service does not start, and says why."""
    with embedded_postgres("fsync=off") as url:
        service = Service(tmp_path / "data", environment, create_database(url, "unsafe"))
        _refuses_to_serve(service, "fsync")
