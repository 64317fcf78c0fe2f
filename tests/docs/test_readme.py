"""The README: its commands run, its answers look like the real ones, its file map is true."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Service

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed; the README uses it")
@pytest.mark.skipif(sys.platform == "win32", reason="the README is for Linux and macOS")
def test_the_commands_answer_as_the_readme_shows(new_service: Service, tmp_path: Path) -> None:
    """Every command works on a first start, and each answer has the members that are shown."""
    new_service.start()
    key = re.search(r"shown this once: (\S+)", new_service.log.read_text())
    assert key
    commands = [block for block in blocks("sh") if "curl" in block or "consent verify" in block]
    answers: list[str] = []

    for block in commands:
        shown = block.replace("localhost:8080", f"127.0.0.1:{new_service.port}")
        shown = shown.replace(".venv/bin/aboveboard", f"{sys.executable} -m aboveboard")
        for command in re.sub(r"export KEY=.*\n", "", shown).strip().split("\n\n"):
            done = subprocess.run(  # noqa: S603
                ["bash", "-c", command],  # noqa: S607
                cwd=tmp_path,
                env={**new_service.environment, "KEY": key[1], "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 0, (command, done.stderr)
            answers.append(done.stdout)

    verdict, receipt, standing = (json.loads(shown.replace("…", "")) for shown in blocks("json"))
    assert json.loads(answers[0]).keys() == verdict.keys()
    assert json.loads(answers[0])["verdict"] == verdict["verdict"]
    saved = json.loads((tmp_path / "receipt.json").read_text())
    assert saved.keys() == receipt.keys()
    assert saved["event"].keys() == receipt["event"].keys()
    assert json.loads(answers[-1]).keys() == standing.keys()
    assert answers[-2].startswith("VALID  record")
    assert answers[-2].splitlines()[2] == blocks("text")[0].splitlines()[2]


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed; the README uses it")
def test_an_environment_that_was_made_half_is_made_again(tmp_path: Path) -> None:
    """Without ensurepip `python -m venv` leaves a Python and no pip: the next try goes on."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()

    done = subprocess.run(
        ["make", "--dry-run", "--keep-going", "serve"],  # noqa: S607
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "-m venv .venv" in done.stdout


def test_the_file_map_and_the_links_are_true() -> None:
    """Every place that the README links to is there."""
    for place in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / place).exists(), place
