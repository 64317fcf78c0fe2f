"""Tests of the package as others install it: with a compiler at hand, and without."""

import shutil
import subprocess
import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAWS = "consent/regimes.json"
# A copy of the package is none that `make test` measures the coverage of.
UNMEASURED = ["/usr/bin/env", "-u", "COVERAGE_PROCESS_CONFIG", "-u", "COVERAGE_PROCESS_START"]
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
        [*UNMEASURED, f"PYTHONPATH={unpacked}", sys.executable, "-c", SCORE],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    place, compiled, scores = said.split(" ", 2)
    assert Path(place).is_relative_to(unpacked)
    return wheel.name, compiled == "True", scores


def _copied(folder: Path) -> Path:
    """Copy what a wheel is built from, and what was compiled of another source beside it."""
    for name in ("aboveboard", "consent", "moderation", "models"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.so", "*.work"))
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    old = folder / f"moderation/model/native{EXTENSION_SUFFIXES[0]}"
    old.write_bytes(b"of another source")
    return old


def _built(folder: Path, *variables: str) -> "subprocess.CompletedProcess[str]":
    """Build an editable wheel of a copy."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel:editable", "-d", "out"]
    return subprocess.run(  # noqa: S603
        ["/usr/bin/env", *variables, *build],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_was_compiled_of_another_source_does_not_stay(tmp_path: Path) -> None:
    """Without a compiler an editable installation goes on in Python, and says so."""
    pytest.importorskip("Cython", reason="needs the build group of pyproject.toml: make test")
    old = _copied(tmp_path)
    done = _built(tmp_path, "CC=/nonexistent/cc")

    assert done.returncode == 0, done.stderr
    assert "was not compiled, so scoring is slower" in done.stdout + done.stderr
    assert not old.exists()


def test_a_source_that_is_wrong_is_no_missing_compiler(tmp_path: Path) -> None:
    """Building fails then, for whoever wrote it is to know."""
    pytest.importorskip("Cython", reason="needs the build group of pyproject.toml: make test")
    _copied(tmp_path)
    with (tmp_path / "moderation/model/native.pyx").open("a") as source:
        source.write("this is (no Cython\n")
    done = _built(tmp_path)

    assert done.returncode != 0
    assert "native.pyx" in done.stdout + done.stderr


def test_the_wheel_scores_with_and_without_a_compiler(tmp_path: Path) -> None:
    """One is for this kind of machine and quick, one for any; both score the same, with all files.

    One build for both questions: it is what takes long.
    """
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
    for name in ("quick", "plain"):
        laws = tmp_path / name / "unpacked" / LAWS
        assert laws.read_bytes() == (ROOT / LAWS).read_bytes()
