"""Tests of the package as others install it: with a compiler at hand, and without."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCORE = """
from moderation.model import bundle, scoring
scores = bundle.shipped().scorer.score(["you idiot"])
print(scoring.__file__, scoring.COMPILED, scores.round(6).tolist())
"""


def _installed(folder: Path, *variables: str) -> tuple[str, bool, str]:
    """Build a wheel, unpack it, and score from there; return its name and what was said."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(["/usr/bin/env", *variables, *build], cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    (wheel,) = folder.glob("*.whl")
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    said = subprocess.run(  # noqa: S603
        ["/usr/bin/env", f"PYTHONPATH={unpacked}", sys.executable, "-c", SCORE],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    place, compiled, scores = said.split(" ", 2)
    assert Path(place).is_relative_to(unpacked)
    return wheel.name, compiled == "True", scores


def test_the_wheel_scores_with_and_without_a_compiler(tmp_path: Path) -> None:
    """One is for this kind of machine and quick, one for any; both score the same."""
    pytest.importorskip("Cython", reason="needs the build group of pyproject.toml: make test")
    quick = _installed(tmp_path / "quick")
    plain = _installed(tmp_path / "plain", "CC=/nonexistent/cc")

    assert plain[0].endswith("-py3-none-any.whl")
    assert not plain[1]
    if quick[1]:
        assert f"-cp{sys.version_info.major}{sys.version_info.minor}-" in quick[0]
    else:
        assert quick[0] == plain[0]
    assert quick[2] == plain[2]
