"""The page for operators: its examples are taken by nginx, systemd and the service itself."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from conftest import PATIENCE_S, Service, free_port
from own_certificate import certify

from aboveboard.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
NGINX = (ROOT / "docs" / "examples" / "nginx.conf").read_text(encoding="utf-8")
UNIT = (ROOT / "docs" / "examples" / "aboveboard.service").read_text(encoding="utf-8")

Proxy = Callable[[str], httpx2.Client]


@pytest.fixture(scope="module")
def served(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Serve with the settings that the page tells."""
    data_dir = tmp_path_factory.mktemp("operated") / "data"
    data_dir.mkdir(mode=0o700)
    told = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
    told = told.replace("/srv/checkpoints", str(data_dir.with_name("checkpoints")))
    (data_dir / "aboveboard.toml").write_text(told, encoding="utf-8")
    service = Service(data_dir, environment)
    service.start()
    yield service
    service.stop()


@pytest.fixture
def proxy(served: Service, tmp_path: Path) -> Iterator[Proxy]:
    """Run nginx with the example; what it is given is the network of the backends."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed: on Debian, apt-get install nginx-light")
    running: list[subprocess.Popen[bytes]] = []

    def run(backends: str) -> httpx2.Client:
        port = free_port()
        pem = certify(tmp_path, "localhost")
        shown = (
            NGINX.replace("127.0.0.1:8080", f"127.0.0.1:{served.port}")
            .replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
            .replace("/etc/ssl/certs/consent.example.org.pem", str(pem))
            .replace("/etc/ssl/private/consent.example.org.key", str(pem))
            .replace("10.0.0.0/8", backends)
        )
        user = "user root;\n" if os.geteuid() == 0 else ""  # else it would become www-data
        kept = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (tmp_path / "nginx.conf").write_text(
            f"{user}daemon off; pid {tmp_path}/pid; error_log stderr;\nevents {{}}\n"
            f"http {{ access_log off;\n{kept}{shown}}}\n",
            encoding="utf-8",
        )
        with (tmp_path / "nginx.log").open("wb") as log:
            running.append(
                subprocess.Popen(  # noqa: S603
                    ["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],  # noqa: S607
                    stderr=log,
                )
            )
        late = time.monotonic() + PATIENCE_S
        while not _listens(port):
            assert time.monotonic() < late, (tmp_path / "nginx.log").read_text()
        trusted = ssl.create_default_context(cafile=str(pem))
        return httpx2.Client(
            base_url=f"https://localhost:{port}", verify=trusted, timeout=PATIENCE_S
        )

    yield run
    for process in running:
        process.terminate()
        process.wait(PATIENCE_S)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_backends_reach_everything_but_the_metrics(served: Service, proxy: Proxy) -> None:
    """A comment, a batch of megabytes, a notice; its log's address is the public one."""
    site = served.add_site("https://operated.example.org")
    long = [{"external_id": f"l-{at}", "text": "word " * 15_000} for at in range(90)]

    with proxy("127.0.0.0/8") as client:
        client.headers["authorization"] = f"Bearer {site.key}"
        comment = client.post("/v1/comments", json={"external_id": "1", "text": "Good morning."})
        batch = client.post("/v1/comments:batch", json={"comments": long})
        described = client.get("/v1/consent/logs/operated-example-org/1/checkpoint")
        metrics = client.get("/metrics")

    assert comment.status_code == 201
    assert batch.status_code == 200
    assert described.status_code == 404  # no notice yet; it is the service that says so
    assert described.headers["content-type"] == "application/problem+json"
    assert metrics.status_code in {401, 404}


def test_the_world_reaches_the_public_log_alone(proxy: Proxy) -> None:
    """Whoever is no backend."""
    with proxy("10.0.0.0/8") as client:
        found = client.get("/v1/consent/logs/nobody/1/checkpoint")
        refused = [
            client.request(method, path).status_code
            for method, path in (
                ("POST", "/v1/comments"),
                ("GET", "/metrics"),
                ("GET", "/readyz"),
                ("GET", "/v1/consent/standing"),
                ("GET", "/v1/consent/logs/../standing"),
            )
        ]

    assert found.headers["content-type"] == "application/problem+json"
    assert refused == [403] * 5


def test_whoever_asks_is_told_apart_behind_it(proxy: Proxy) -> None:
    """What a client says of itself does not count: its thirty-first wrong key is one too many."""
    with proxy("127.0.0.0/8") as client:
        answers = [
            client.get(
                "/v1/comments",
                headers={"authorization": "Bearer ab", "x-forwarded-for": f"203.0.113.{at}"},
            ).status_code
            for at in range(32)
        ]

    assert answers == [401] * 30 + [429] * 2


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here to ask")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """No word of it is unknown."""
    unit = tmp_path / "aboveboard.service"
    unit.write_text(UNIT.replace("/opt/aboveboard/bin/aboveboard", sys.executable), "utf-8")

    done = subprocess.run(  # noqa: S603
        ["systemd-analyze", "verify", str(unit)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_names_what_is_there(served: Service) -> None:
    """Each metric and each setting that it tells of."""
    with served.client("wrong") as client:
        assert client.get("/metrics").status_code == 404  # though it is this machine that asks
    with served.client("a long random word") as client:
        told = client.get("/metrics").text
    named = set(re.findall(r"`(aboveboard_[a-z_]+)", PAGE))

    assert named
    for metric in named:
        assert f"\n# TYPE {metric} " in told or f"\n{metric}{{" in told, metric
    for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
        for setting in re.findall(r"^([a-z_]+) = ", block, re.MULTILINE):
            assert setting in Settings.model_fields
