"""The page about webhooks: its receiver receives, its commands run and say what it says."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PATIENCE_S, Service, free_port

from aboveboard.webhooks.message import TEST
from aboveboard.webhooks.wire import WebhookMadeOut

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Run the page's receiver."""
    port = free_port()
    (tmp_path / "receive.py").write_text(blocks(PAGE, "python")[0], encoding="utf-8")
    with (
        (tmp_path / "received.txt").open("wb") as out,
        subprocess.Popen(  # noqa: S603
            [sys.executable, "receive.py", str(port), "hook.secret"],
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.DEVNULL,
        ) as receiver,
    ):
        late = time.monotonic() + PATIENCE_S
        while not _listens(port):
            assert time.monotonic() < late, "the receiver does not listen"
        yield port
        receiver.kill()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed; the page uses it")
def test_the_commands_say_what_the_page_says(
    new_service: Service, tmp_path: Path, port: int
) -> None:
    """A webhook to the page's own receiver: made, tested, told of a withdrawal, removed."""
    new_service.environment = {
        **new_service.environment,
        "ABOVEBOARD_WEBHOOK_TARGETS": "127.0.0.1",
    }
    new_service.start()
    key = re.search(r"shown this once: (\S+)", new_service.log.read_text())
    assert key

    def run(block: str) -> str:
        return "".join(run_one(command) for command in block.strip().split("\n\n"))

    def run_one(block: str) -> str:
        shown = block.replace("localhost:8080", f"127.0.0.1:{new_service.port}")
        shown = shown.replace("127.0.0.1:9000", f"127.0.0.1:{port}")
        shown = shown.replace(".venv/bin/aboveboard", f"{sys.executable} -m aboveboard")
        done = subprocess.run(  # noqa: S603
            ["bash", "-euo", "pipefail", "-c", re.sub(r"export KEY=.*\n", "", shown)],  # noqa: S607
            cwd=tmp_path,
            env={
                **new_service.environment,
                "KEY": key[1],
                "HOOK": hook,
                "ABOVEBOARD_DATA_DIR": str(new_service.data_dir),
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, (block, done.stderr)
        assert '"type":"/problems/' not in done.stdout, (block, done.stdout)
        return done.stdout

    hook = ""
    for block in blocks(README, "sh"):
        if "curl" in block:
            run(block)
    add, over_http, test, deliver, repeat, look_after = blocks(PAGE, "sh")
    run(add)
    hook = json.loads((tmp_path / "hook.json").read_text())["id"]
    made = run(over_http)
    tested = run(test)
    delivered = run(deliver)
    repeated = run(repeat)
    listed = run(look_after)

    texts = blocks(PAGE, "text")
    answer, message = blocks(PAGE, "json")
    assert tested == texts[0]
    assert delivered.split()[1:3] == texts[1].split()[1:3] == ["delivered", "consent.changed"]
    assert len(delivered.split()) == len(texts[1].split())
    assert repeated == "0 to be delivered again\n"
    assert "consent.erased" in listed
    assert json.loads(made).keys() == json.loads(answer).keys() == set(WebhookMadeOut.model_fields)
    assert json.loads(message).keys() == {"type", "timestamp", "data"}
    received = (tmp_path / "received.txt").read_text().splitlines()
    assert received == [f"{TEST} None", "consent.changed withdrawn"]
