"""The page about the public log: its commands run, one after the other, and say what it says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Service

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "log.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
NOTICE = {
    "notice_id": "main",
    "language": "en",
    "text": "May we?",
    "controller": {"name": "Shop Ltd"},
    "purposes": [{"id": "ads", "name": "Ads", "description": "Ads", "basis": "consent"}],
}


def record(service: Service, key: str, *numbers: int) -> None:
    """Publish the notice and ask a device for each number."""
    with service.client(key) as client:
        assert client.post("/v1/consent/notices", json=NOTICE).status_code in {200, 201}
        for number in numbers:
            event = {
                "idempotency_key": str(number),
                "subject": {"kind": "device", "id": str(number)},
                "event_type": "requested",
                "method": "api",
                "origin": "banner",
                "notice": {"notice_id": "main", "version": 1, "language": "en"},
            }
            assert client.post("/v1/consent/events", json=event).status_code == 201


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed; the page uses it")
@pytest.mark.skipif(sys.platform != "linux", reason="macOS has shasum for sha256sum")
def test_the_commands_say_what_the_page_says(new_service: Service, tmp_path: Path) -> None:
    """By hand, kept elsewhere, checked later; Go's part is run by `make test-verifiers`."""
    new_service.start()
    key = re.search(r"shown this once: (\S+)", new_service.log.read_text())
    assert key
    record(new_service, key[1], 1, 2)

    def run(block: str) -> str:
        shown = block.replace("localhost:8080", f"127.0.0.1:{new_service.port}")
        shown = shown.replace("aboveboard consent", f"{sys.executable} -m aboveboard consent")
        done = subprocess.run(  # noqa: S603
            ["bash", "-euo", "pipefail", "-c", shown],  # noqa: S607
            cwd=tmp_path,
            env={
                **new_service.environment,
                "ABOVEBOARD_DATA_DIR": str(new_service.data_dir),
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (block, done.stderr)
        return done.stdout

    fetch, by_hand, others, keep, check = BLOCKS
    assert "build_go.py" in others
    run(fetch)
    hashed, stored = run(by_hand).split("\n")[:2]
    kept = run(keep)
    record(new_service, key[1], 3)
    checked = run(check)

    assert hashed == f"{stored}  -"
    assert kept.startswith((tmp_path / "then.checkpoint").read_text())
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert checked == shown + shown


def test_the_links_lead_somewhere() -> None:
    """To pages and files of this repository."""
    for place in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", PAGE):
        assert (ROOT / "docs" / place).exists(), place
