"""The commands that make bundles and look at them, as a stranger calls them."""

import json
import random
import shutil
from pathlib import Path

import pytest
from command_line import error_line, run, told


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write comments of one's own: a third is spam, and some are kept for testing."""
    folder = tmp_path_factory.mktemp("own")
    draw = random.Random(2)  # noqa: S311 - reproducible, not secret
    lines = ["text,spam,split"]
    for at in range(700):
        words = " ".join(f"w{draw.randrange(900)}" for _ in range(8))
        spam = at % 3 == 0
        split = "test" if at >= 600 else "train"
        lines.append(f"{words} {'casino' if spam else 'garden'},{int(spam)},{split}")
    (folder / "mine.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bundles(
    environment: dict[str, str], own: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Train one bundle, called mine-1, in a folder of bundles."""
    folder = tmp_path_factory.mktemp("bundles")
    made = run(
        environment, "train", "--data", own, "--out", folder / "mine-1", "--made", "2026-01-02"
    )
    assert made.returncode == 0, made.stderr.decode()
    (folder / "digest").write_bytes(made.stdout.split()[-1])
    return folder


def test_a_bundle_of_ones_own_is_verified_and_shown(
    environment: dict[str, str], bundles: Path
) -> None:
    """Verify, card, list and thresholds work on what a CSV file alone has taught."""
    out, digest = bundles / "mine-1", (bundles / "digest").read_text()

    verified = run(environment, "model", "verify", out, "--digest", digest)
    listed = run(environment, "model", "list", bundles, "--json")
    picked = told(run(environment, "thresholds", out, "--precision", "0.9", "--json"))

    assert f"mine-1 is whole, manifest SHA-256 {digest}" in verified.stdout.decode()
    assert "# Model card: mine-1" in run(environment, "model", "card", out).stdout.decode()
    assert told(listed) == {"folder": "mine-1", "name": "mine-1", "digest": digest}
    assert picked["threat"] is None
    assert picked["spam"]["precision"] >= 0.9
    assert 0 < picked["spam"]["touched"] < 1


def test_a_bundle_of_ones_own_is_measured(
    environment: dict[str, str], own: Path, bundles: Path, tmp_path: Path
) -> None:
    """Rows whose split is test are measured, and the report is a card."""
    done = run(
        environment, "evaluate", bundles / "mine-1", "--data", own, "--report", tmp_path, "--json"
    )

    spam = told(done)["own_tests"]["mine"]["spam"]
    assert spam["rows"] == 100
    assert spam["auc"] > 0.9
    card = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "Test rows of mine" in card
    assert "![mine](plots/mine.svg)" in card
    assert "spam" in (tmp_path / "plots" / "mine.svg").read_text(encoding="utf-8")


def test_a_bundle_is_not_measured_on_what_it_was_made_with(
    environment: dict[str, str], own: Path, bundles: Path, tmp_path: Path
) -> None:
    """A test row among the rows a bundle saw is an error that names the file."""
    head, first, *_ = (own / "mine.csv").read_text(encoding="utf-8").splitlines()
    copied = f"{head}\n{first.replace('train', 'test')}"
    (tmp_path / "other.csv").write_text(copied, encoding="utf-8")

    refused = run(environment, "evaluate", bundles / "mine-1", "--data", tmp_path)

    assert "other: expected rows that the bundle was not made with" in error_line(refused)


def test_whoever_uses_a_bundle_is_told_what_it_does_not_look_for(
    environment: dict[str, str], bundles: Path, tmp_path: Path
) -> None:
    """Comments of one's own about spam alone take threats and the rest away."""
    data_dir = ("--data-dir", tmp_path)
    used = run(environment, "model", "use", bundles / "mine-1", *data_dir).stdout.decode()
    shipped = run(environment, "model", "use", *data_dir).stdout.decode()

    assert "mine-1 is used from now on" in used
    assert "no threshold for toxicity, severe_toxicity, obscene, threat, insult" in used
    assert "no threshold" not in shipped


def test_a_changed_bundle_is_refused_in_one_line(
    environment: dict[str, str], bundles: Path, tmp_path: Path
) -> None:
    """Another digest than the expected one, and a file that was touched, are named."""
    out = tmp_path / "touched"
    shutil.copytree(bundles / "mine-1", out)

    other = run(environment, "model", "verify", out, "--digest", "0" * 64)
    (out / "vocabulary.txt").write_bytes(b"hello\n")
    touched = run(environment, "model", "verify", out)
    listed = told(run(environment, "model", "list", tmp_path, "--json"))

    assert "expected SHA-256" in error_line(other)
    assert "vocabulary.txt" in error_line(touched)
    assert "vocabulary.txt" in listed["refused"]


def test_data_without_a_label_are_refused(environment: dict[str, str], tmp_path: Path) -> None:
    """A folder without comments is an error, not an empty bundle."""
    refused = run(environment, "train", "--data", tmp_path, "--out", tmp_path / "b")

    assert "found none" in error_line(refused)


def test_a_day_that_is_none_is_refused(
    environment: dict[str, str], own: Path, tmp_path: Path
) -> None:
    """Before anything is read."""
    refused = run(
        environment, "train", "--data", own, "--out", tmp_path / "b", "--made", "2026-13-99"
    )

    assert refused.returncode == 2
    assert "expected a date like 2026-11-29, got '2026-13-99'" in refused.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_is_named(
    environment: dict[str, str], own: Path, bundles: Path, tmp_path: Path
) -> None:
    """A file in the way of a bundle, of its parent, of a report; and a bundle without a name."""
    file = tmp_path / "file"
    file.touch()

    for out in (file, file / "b"):
        refused = run(environment, "train", "--data", own, "--out", out)
        assert f"expected to write {out}, got: " in error_line(refused)
    refused = run(environment, "evaluate", bundles / "mine-1", "--data", own, "--report", file)
    assert f"expected to write {file}, got: " in error_line(refused)
    refused = run(environment, "train", "--data", own, "--out", ".")
    assert refused.returncode == 2
    assert "expected a folder with a name, got '.'" in refused.stderr.decode()


def test_a_mistyped_folder_is_not_taken_for_an_empty_one(
    environment: dict[str, str], bundles: Path, tmp_path: Path
) -> None:
    """Neither measured on nor listed, and the status says so."""
    measured = run(environment, "evaluate", bundles / "mine-1", "--data", tmp_path / "nosuch")
    listed = run(environment, "model", "list", tmp_path / "nosuch")
    empty = run(environment, "evaluate", bundles / "mine-1", "--data", tmp_path)

    assert "nosuch: expected a folder of labelled comments, found none" in error_line(measured)
    assert "nosuch: expected a folder of bundles, found none" in error_line(listed)
    assert f"{tmp_path}: expected test rows, found none" in error_line(empty)
    assert empty.stdout == b""


def test_a_manifest_with_gaps_has_no_card(
    environment: dict[str, str], bundles: Path, own: Path, tmp_path: Path
) -> None:
    """It scores all the same, but what it was made of cannot be told."""
    edited = tmp_path / "edited"
    shutil.copytree(bundles / "mine-1", edited)
    manifest = json.loads((edited / "manifest.json").read_text())
    del manifest["sources"]
    (edited / "manifest.json").write_text(json.dumps(manifest))

    told = run(environment, "model", "card", edited)
    verified = run(environment, "model", "verify", edited)

    report = tmp_path / "report"
    reported = run(environment, "evaluate", edited, "--data", own, "--report", report)

    gap = "expected a manifest with all that a card tells, got KeyError('sources')"
    assert gap in error_line(told)
    assert gap in error_line(reported)
    assert verified.returncode == 0
