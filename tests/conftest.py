"""Real parts for every test: SQLite files, an embedded PostgreSQL, the service on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import httpx2
import pytest
import receiver
from embedded_postgres import create_database, embedded_postgres
from hypothesis import HealthCheck, settings
from receiver import Receiver

from aboveboard import installation
from aboveboard.accounts import Accounts, Scope
from aboveboard.database import Database
from aboveboard.installation import Databases
from aboveboard.settings import Settings
from consent.sealing.keyring import Keyring

COMMAND = [sys.executable, "-m", "aboveboard"]
EVERY_SCOPE = [scope.value for scope in Scope]
PATIENCE_S = 60  # generous: tests assert facts, never speed

# Nor does an example of Hypothesis fail for a busy machine, which its defaults would have it do.
settings.register_profile("facts", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("facts")


@dataclass
class Site:
    """A site with its key, as `site create --json` printed it."""

    id: str
    url: str
    key: str


@dataclass
class Service:
    """A served data directory: the real command in a process of its own."""

    data_dir: Path
    environment: dict[str, str]
    database_url: str | None = None
    """Its database of PostgreSQL; without one it has files of SQLite."""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.data_dir.with_suffix(".log")
        if self.database_url is not None:
            self.environment = {**self.environment, "ABOVEBOARD_DATABASE_URL": self.database_url}

    @property
    def settings(self) -> Settings:
        """The settings of where its data is."""
        return Settings(data_dir=self.data_dir, database_url=self.database_url)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def run(
        self, *arguments: str | Path, told: str = "", **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run another command on the same data, whatever comes of it.

        *told* is its standard input, *more* are variables of its environment.
        """
        return subprocess.run(  # noqa: S603
            [*COMMAND, *map(str, arguments), "--data-dir", str(self.data_dir)],
            env={**self.environment, **more},
            input=told,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=PATIENCE_S,
            check=False,
        )

    def command(self, *arguments: str) -> str:
        """Run another command on the same data and return what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def create_site(self, url: str = "https://blog.example.org", *more: str) -> Site:
        """Create a site with a key for its backend."""
        made = json.loads(self.command("site", "create", url, "--json", *more))
        return Site(made["site"], made["url"], made["key"])

    def add_site(
        self, url: str, *, key: str | None = None, scopes: list[str] | None = None
    ) -> Site:
        """Do what `site create` does beside the service, without the price of a process."""
        with self.accounts() as accounts:
            made = accounts.create_site(url, key=key, scopes=scopes)
        return Site(made.site.id, made.site.url, made.key)

    @contextmanager
    def accounts(self) -> Iterator[Accounts]:
        """Open the accounts on the served data, as commands beside the service do."""
        with self.databases() as databases:
            yield installation.open_accounts(self.settings, databases)

    @contextmanager
    def databases(self) -> Iterator[Databases]:
        """Open the tables of the served data, behind the service's back."""
        databases = installation.open_databases(self.settings)
        try:
            yield databases
        finally:
            databases.close()

    @contextmanager
    def consent(self) -> Iterator[Database]:
        """Open the consent tables of the served data, behind the service's back."""
        with self.databases() as databases:
            yield databases.consent

    def start(self) -> None:
        """Serve on whatever port is free, and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [
                    *COMMAND,
                    "serve",
                    "--data-dir",
                    str(self.data_dir),
                    "--port",
                    "0",
                ],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
            assert self.process.stdout is not None
            impatience = threading.Timer(PATIENCE_S, self.process.kill)
            impatience.start()
            with self.process.stdout as told:
                for line in told:
                    log.write(line)
                    if b"listens on" in line:
                        self.port = int(line.split()[3].rpartition(b":")[2])
                        break
            impatience.cancel()
        # It says so once a connection waits for it; one that ended or hung has said nothing.
        try:
            ready = httpx2.get(f"{self.url}/readyz", timeout=PATIENCE_S)
        except httpx2.TransportError:
            pytest.fail(f"not ready: {self.log.read_text()}")
        assert ready.status_code == 200, ready.text

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal and wait for the end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)
        self.process = None

    def client(self, key: str | None = None) -> httpx2.Client:
        """Open a client, with a key or without."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S)


@contextmanager
def migrated(data_dir: Path, url: str | None = None) -> Iterator[Databases]:
    """Open the three sets of tables, and bring them up to date."""
    opened = installation.open_databases(Settings(data_dir=data_dir, database_url=url))
    try:
        opened.migrate()
        yield opened
    finally:
        opened.close()


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def absent() -> Iterator[Receiver]:
    """Lend a receiver that does not listen unless a test has it do so."""
    with receiver.absent() as lent:
        yield lent


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Serve a real PostgreSQL, embedded in a wheel, for the whole session."""
    with embedded_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def new_database(postgres_url: str) -> Callable[[], str]:
    """Create an empty PostgreSQL database and return its URL."""
    return lambda: create_database(postgres_url, f"t{token_hex(6)}")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Name the engine that a test runs on; every test that asks for it runs on both."""
    return str(request.param)


@pytest.fixture(scope="module")
def new_url(request: pytest.FixtureRequest, engine: str) -> Callable[[], str | None]:
    """Create an empty database on PostgreSQL and return its URL; None on SQLite."""
    if engine == "sqlite":
        return lambda: None
    create: Callable[[], str] = request.getfixturevalue("new_database")
    return create


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Return the environment without any setting of the service."""
    everything = os.environ.items()  # noqa: TID251 - what a child process is started with
    return {name: value for name, value in everything if not name.startswith("ABOVEBOARD_")}


@pytest.fixture
def new_service(
    new_url: Callable[[], str | None], environment: dict[str, str], tmp_path: Path
) -> Iterator[Service]:
    """Prepare a service on fresh data, not yet started; stopped at the end."""
    service = Service(tmp_path / "data", environment, new_url())
    yield service
    service.stop()


@pytest.fixture(scope="module")
def service(
    new_url: Callable[[], str | None],
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Serve for all tests of a module; they keep apart by sites of their own."""
    served = Service(tmp_path_factory.mktemp("served") / "data", environment, new_url())
    served.start()
    yield served
    served.stop()


@pytest.fixture
def site(service: Service) -> Site:
    """Create a site of this test's own on the served data."""
    return service.add_site(f"https://{token_hex(6)}.example.org")


@pytest.fixture
def whole(service: Service) -> Site:
    """Create a site of this test's own whose key may do everything."""
    return service.add_site(f"https://{token_hex(6)}.example.org", scopes=EVERY_SCOPE)


@pytest.fixture
def client(service: Service, site: Site) -> Iterator[httpx2.Client]:
    """Speak for the test's own site."""
    with service.client(site.key) as opened:
        yield opened


@pytest.fixture
def databases(new_url: Callable[[], str | None], tmp_path: Path) -> Iterator[Databases]:
    """Open the three sets of tables, migrated and empty, without a service."""
    with migrated(tmp_path / "data", new_url()) as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Databases]:
    """Open the three sets of tables as files, for what is SQLite's alone."""
    with migrated(tmp_path / "data") as opened:
        yield opened


@pytest.fixture(scope="module")
def fresh_ledger(
    new_url: Callable[[], str | None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, Keyring]]:
    """Open consent's tables and keys for all tests of a module, which fill them once an engine."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("ledger") / "data")
    with migrated(settings.data_dir, new_url()) as opened:
        installation.open_accounts(settings, opened)
        yield opened.consent, installation.open_keyring(settings)
