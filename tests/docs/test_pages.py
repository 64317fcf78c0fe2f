"""The pages of docs/: their commands run one after the other, their links lead somewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Service

from consent.wire.exports import COLUMNS

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
RUN = [
    "review.md",
    "consent.md",
    "audit.md",
    "verification.md",
    "policies.md",
    "classifier.md",
    "akismet.md",
    "perspective.md",
    "openai.md",
]
"""Pages that go on where the README ends, and need nothing but a key."""


def blocks(page: Path) -> list[str]:
    """Return the shell blocks of a page, in order."""
    return re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed; the pages use it")
@pytest.mark.parametrize("name", RUN)
def test_a_page_runs(new_service: Service, tmp_path: Path, name: str) -> None:
    """After the README's, every command of the page ends well, and no answer is a problem."""
    new_service.start()
    key = re.search(r"shown this once: (\S+)", new_service.log.read_text())
    assert key
    told = [block for block in blocks(ROOT / "README.md") if "curl" in block]
    for block in [*told, *blocks(ROOT / "docs" / name)]:
        command = block.replace("localhost:8080", f"127.0.0.1:{new_service.port}")
        command = command.replace(".venv/bin/aboveboard", ".venv/bin/python -m aboveboard")
        command = command.replace(".venv/bin/python", sys.executable)
        done = subprocess.run(  # noqa: S603
            ["bash", "-e", "-c", re.sub(r"export KEY=.*\n", "", command)],  # noqa: S607
            cwd=tmp_path,
            env={
                **new_service.environment,
                "ABOVEBOARD_DATA_DIR": str(new_service.data_dir),
                "KEY": key[1],
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,  # a page may train a bundle
        )
        assert done.returncode == 0, (block, done.stderr)
        assert '"type":"/problems/' not in done.stdout, (block, done.stdout)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page is to a file that is there."""
    for place in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / place).exists(), place


def test_the_page_for_auditors_tells_every_column() -> None:
    """A column of an export that nobody explained is not there."""
    told = set(re.findall(r"`([a-z0-9_]+)`", (ROOT / "docs" / "audit.md").read_text("utf-8")))

    assert {column.name for column in COLUMNS} <= told


def test_the_page_for_backends_explains_the_key_of_an_event() -> None:
    """The one compulsory member that a backend makes up: a wrong one loses a choice, unseen."""
    told = (ROOT / "docs" / "consent.md").read_text("utf-8")

    assert "\n`idempotency_key` names one act" in told
