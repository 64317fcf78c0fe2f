"""What is measured, as processes of its own: the echo, and the service on either engine."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from traffic import SITE

START_S: Final = 60.0
STOP_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, and the roots of the process trees that work for it."""

    port: int
    processes: dict[str, int]
    key: str = ""
    data_dir: Path | None = None
    database_url: str | None = None

    def call(self, method: str, path: str, content: object = None) -> Any:  # noqa: ANN401 - JSON
        """Make one request outside the measurement; raises RuntimeError unless answered 2xx."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            body = None if content is None else json.dumps(content)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status // 100 != 2:
            raise RuntimeError(f"{method} {path}: expected 2xx, got {answer.status}: {text}")
        return json.loads(text)


@contextmanager
def echo(folder: Path, *, framed: bool = False) -> Iterator[Server]:
    """Run the echo, bare or in the service's middleware."""
    port = _free_port()
    script = str(Path(__file__).with_name("echo.py"))
    command = [sys.executable, script, str(port), *(["framed"] if framed else [])]
    with _running(command, folder / f"echo-{port}.log") as process:
        server = Server(port, {"service": process.pid})
        _await_ready(server, process, folder / f"echo-{port}.log")
        yield server


@contextmanager
def service(folder: Path, *, postgres: tuple[str, int] | None = None) -> Iterator[Server]:
    """Run `aboveboard serve` with a fresh data directory in *folder* and a site of its own."""
    folder.mkdir()
    data_dir = folder / "data"
    # `env` rather than an environment of our own: the one variable is in the command line.
    url = None if postgres is None else postgres[0]
    prefix = [] if url is None else ["/usr/bin/env", f"ABOVEBOARD_DATABASE_URL={url}"]
    command = [*prefix, str(Path(sys.executable).with_name("aboveboard"))]
    create = [*command, "site", "create", SITE, "--data-dir", str(data_dir), "--json"]
    made = subprocess.run(create, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own words
    port = _free_port()
    serve = [*command, "serve", "--data-dir", str(data_dir), "--host", "127.0.0.1"]
    with _running([*serve, "--port", str(port)], folder / "serve.log") as process:
        processes = {"service": process.pid} | (
            {} if postgres is None else {"postgres": postgres[1]}
        )
        server = Server(port, processes, json.loads(made.stdout)["key"], data_dir, url)
        _await_ready(server, process, folder / "serve.log")
        yield server


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,  # noqa: S603 - our own words
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < give_up:
        try:
            server.call("GET", "/readyz")
        except (OSError, RuntimeError):
            time.sleep(0.1)
        else:
            return
    said = log.read_text(errors="replace")[-4000:]
    raise RuntimeError(f"expected a server on port {server.port}; it said: {said}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
