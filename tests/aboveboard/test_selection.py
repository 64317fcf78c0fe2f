"""Which classifier is used: chosen by a command, checked, taken up by whoever serves."""

import json
import os
import shutil
import threading
from pathlib import Path

import httpx2
import pytest
from conftest import PATIENCE_S, Service
from renamed_bundle import renamed

from aboveboard.errors import DataDirUnusable
from aboveboard.selection import Selection
from moderation.errors import BundleNotFound, BundleRefused, BundleTampered, BundleUnreadable
from moderation.model import bundle


def test_the_shipped_one_is_used_until_another_is_selected(tmp_path: Path) -> None:
    """And again once it is selected again."""
    selection = Selection(tmp_path)
    found = [selection.load()]
    selection.select(renamed(tmp_path / "mine", "mine-1"))
    found.append(selection.load())
    selection.select_shipped()
    found.append(selection.load())

    assert [each.name for each in found] == [bundle.SHIPPED_NAME, "mine-1", bundle.SHIPPED_NAME]


def test_what_becomes_of_the_original_changes_nothing(tmp_path: Path) -> None:
    """A copy is used, and it is the owner's alone."""
    selection = Selection(tmp_path / "data")
    (tmp_path / "data").mkdir()
    digest = selection.select(renamed(tmp_path / "mine", "mine-1")).digest
    shutil.rmtree(tmp_path / "mine")

    found = selection.load()

    assert (found.name, found.digest) == ("mine-1", digest)
    assert (tmp_path / "data" / "models").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "model.json").stat().st_mode & 0o777 == 0o600


def test_only_files_are_copied(tmp_path: Path) -> None:
    """A link back to the folder would be followed for ever, and a pipe is never read to its end."""
    mine = renamed(tmp_path / "mine", "mine-1")
    (mine / "again").symlink_to(mine)
    (mine / "gone").symlink_to(tmp_path / "nothing")
    os.mkfifo(mine / "pipe")

    Selection(tmp_path).select(mine)

    (copy,) = (tmp_path / "models").iterdir()
    assert {each.name for each in copy.iterdir()} == {
        each.name for each in mine.iterdir() if each.is_file()
    }


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would take it away, and the next one may have another name."""
    mine = renamed(tmp_path / "mine", "mine-1")

    def fails(*_: object, **__: object) -> None:
        (draft,) = (tmp_path / "models").iterdir()
        raise OSError(f"no space left for {draft}")

    monkeypatch.setattr(Path, "chmod", fails)
    with pytest.raises(DataDirUnusable, match="no space"):
        Selection(tmp_path).select(mine)

    assert [*(tmp_path / "models").iterdir()] == []


def test_a_bundle_that_is_not_whole_is_not_selected(tmp_path: Path) -> None:
    """What was used is used on."""
    selection = Selection(tmp_path)
    selection.select(renamed(tmp_path / "mine", "mine-1"))
    other = renamed(tmp_path / "other", "other-1")
    _spoil(other / "weights.npy")

    with pytest.raises(BundleTampered):
        selection.select(other)

    assert selection.load().name == "mine-1"


@pytest.mark.parametrize("file", ["weights.npy", "manifest.json"])
def test_a_copy_that_was_changed_is_refused(tmp_path: Path, file: str) -> None:
    """The manifest has the digest that was selected, or nothing is loaded."""
    selection = Selection(tmp_path)
    selection.select(renamed(tmp_path / "mine", "mine-1"))
    (copy,) = (tmp_path / "models").iterdir()
    _spoil(copy / file)

    with pytest.raises(BundleRefused):
        selection.load()


@pytest.mark.parametrize(
    "told", ["", "{}", "[]", '{"folder": "x"}', '{"folder": 3, "manifest_sha256": "00"}']
)
def test_a_selection_that_makes_no_sense_is_refused(tmp_path: Path, told: str) -> None:
    """Nothing is used by a guess."""
    (tmp_path / "model.json").write_text(told)

    with pytest.raises(BundleUnreadable):
        Selection(tmp_path).load()


def test_a_selection_that_is_no_file_is_refused_unread(tmp_path: Path) -> None:
    """A pipe would be waited for."""
    os.mkfifo(tmp_path / "model.json")

    with pytest.raises(BundleUnreadable, match="expected a file"):
        Selection(tmp_path).load()


def test_a_copy_that_is_gone_is_refused(tmp_path: Path) -> None:
    """The shipped one does not take its place in silence."""
    selection = Selection(tmp_path)
    selection.select(renamed(tmp_path / "mine", "mine-1"))
    shutil.rmtree(tmp_path / "models")

    with pytest.raises(BundleNotFound):
        selection.load()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_running_service_takes_up_another_and_drops_nothing(
    new_service: Service, tmp_path: Path
) -> None:
    """Every comment is answered, by the old one or the new one, with that one's thresholds."""
    mine = renamed(tmp_path / "mine", "mine-1", hold=0.0001)
    new_service.start()
    site = new_service.add_site("https://swapped.example.org")
    answers: list[httpx2.Response] = []
    stop = threading.Event()

    def ask() -> None:
        with new_service.client(site.key) as client:
            while not stop.is_set():
                answers.append(client.post("/v1/score", json={"text": "A garden in June."}))

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for each in asking:
        each.start()
    _await(answers, bundle.SHIPPED_NAME)
    new_service.command("model", "use", str(mine))
    _await(answers, "mine-1")
    new_service.command("model", "use")
    _await(answers, bundle.SHIPPED_NAME)
    stop.set()
    for each in asking:
        each.join(PATIENCE_S)

    assert {answer.status_code for answer in answers} == {200}
    told = [answer.json() for answer in answers]
    assert {(each["model"], each["policy"], each["verdict"]) for each in told} == {
        (bundle.SHIPPED_NAME, f"default-{bundle.SHIPPED_NAME}", "approve"),
        ("mine-1", "default-mine-1", "hold"),
    }


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_running_service_refuses_what_was_tampered_with(
    new_service: Service, tmp_path: Path
) -> None:
    """It says so in its log and scores on; one that starts says so and does not serve."""
    new_service.start()
    site = new_service.add_site("https://tampered.example.org")
    new_service.command("model", "use", str(renamed(tmp_path / "mine", "mine-1")))
    with new_service.client(site.key) as client:
        _await_log(new_service, "model_used")
        (copy,) = (new_service.data_dir / "models").iterdir()
        _spoil(copy / "weights.npy")
        selected = new_service.data_dir / "model.json"
        again = selected.read_bytes()
        selected.unlink()
        selected.write_bytes(again)
        _await_log(new_service, "model_refused")

        assert client.post("/v1/score", json={"text": "Hello"}).json()["model"] == "mine-1"

    new_service.stop()
    told = _refused(new_service)
    assert told.startswith("aboveboard: ")
    assert "weights.npy: expected SHA-256" in told


def _refused(service: Service) -> str:
    done = service.run("serve", "--port", "0")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    return line


def _await(answers: list[httpx2.Response], model: str) -> None:
    """Wait until the newest answer is *model*'s."""
    for _ in range(PATIENCE_S * 20):
        if answers and answers[-1].json().get("model") == model:
            return
        threading.Event().wait(0.05)
    pytest.fail(f"never scored by {model}")


def _await_log(service: Service, event: str) -> None:
    for _ in range(PATIENCE_S * 20):
        lines = service.log.read_text(encoding="utf-8").splitlines()
        if any(json.loads(line)["event"] == event for line in lines if line.startswith("{")):
            return
        threading.Event().wait(0.05)
    pytest.fail(f"never logged {event}")


def _spoil(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
