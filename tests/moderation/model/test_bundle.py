"""Tests of moderation.model.bundle."""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moderation.errors import BundleNotFound, BundleRefused, BundleTampered, BundleUnreadable
from moderation.model import bundle, corpus
from moderation.model.scoring import Calibration, Scorer, Stage
from moderation.text import ngrams
from moderation.text.disguise import Vocabulary
from moderation.verdict import LABELS, Label

ARRAYS = ("weights.npy", "stage.npy", "calibration.npy", "seen.npy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a small valid bundle."""
    draw = np.random.default_rng(0)
    weights = draw.standard_normal((ngrams.ROWS, len(LABELS))).astype(np.float32)
    values = np.tile(np.linspace(0, 1, 5), (len(LABELS), 1))
    scorer = Scorer(
        weights,
        Stage.none(np.zeros(len(LABELS))),
        Calibration(values, low=-4.0, high=4.0),
        Vocabulary([b"hello", b"moron"], marked=[b"moron"]),
    )
    labels = {label.value: {"thresholds": {"hold": 0.5}} for label in LABELS}
    seen = np.array([3, 1 << 63], dtype=np.uint64)
    manifest = {"name": "b", "language": "en", "labels": labels}
    bundle.save(tmp_path / "b", scorer=scorer, seen=seen, manifest=manifest)
    return tmp_path / "b"


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def _replace(folder: Path, name: str, content: bytes) -> None:
    """Put *content* in place and its digest in the manifest, as an insider could."""
    (folder / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    _edit(folder, lambda manifest: manifest["files"].update({name: digest}))


def _stored(array: np.ndarray[Any, Any], *, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


def test_what_was_saved_is_loaded(folder: Path) -> None:
    """A loaded bundle scores as the saved one, to the precision of float16."""
    found = bundle.load(folder)

    assert found.name == "b"
    assert found.thresholds[Label.TOXICITY] == bundle.Thresholds(hold=0.5)
    assert found.digest == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert bundle.load(folder, digest=found.digest.upper()).digest == found.digest
    assert found.scorer.vocabulary.words == (b"hello", b"moron")
    assert found.scorer.vocabulary.marked == (b"moron",)
    assert found.seen.tolist() == [3, 1 << 63]


@pytest.mark.parametrize("name", ["manifest.json", "vocabulary.txt", *ARRAYS])
def test_every_changed_byte_is_refused(folder: Path, name: str) -> None:
    """One flipped bit anywhere in any file is noticed when the manifest's digest is known."""
    digest = bundle.load(folder).digest
    path = folder / name
    content = path.read_bytes()

    for at in {0, 1, len(content) // 3, len(content) // 2, len(content) - 1}:
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(BundleTampered, match="expected SHA-256"):
            bundle.load(folder, digest=digest)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_truncated_array_is_refused(folder: Path, name: str) -> None:
    """A cut file has another digest, and with a forged digest still is no array."""
    cut = (folder / name).read_bytes()[:-7]
    (folder / name).write_bytes(cut)
    with pytest.raises(BundleTampered):
        bundle.load(folder)

    _replace(folder, name, cut)
    with pytest.raises(BundleUnreadable):
        bundle.load(folder)


@pytest.mark.parametrize(
    "words", [b"", b"hello", b"hello\nhello\n", b"Hello\n", b"a b\n", b"\xff\n", b"*\n"]
)
def test_a_vocabulary_of_another_kind_is_refused(folder: Path, words: bytes) -> None:
    """What is not a list of different words is unreadable though its digest is right."""
    if not words:
        words = b"a" * 10
    _replace(folder, "vocabulary.txt", words)

    with pytest.raises(BundleUnreadable, match=r"vocabulary\.txt"):
        bundle.load(folder)


def test_a_pickled_array_is_never_opened(folder: Path) -> None:
    """An array of objects is refused though its digest is right."""
    _replace(folder, "stage.npy", _stored(np.array([{}] * 8, dtype=object), pickled=True))

    with pytest.raises(BundleUnreadable, match="pickle"):
        bundle.load(folder)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((16, 8)),
        np.zeros((17, 8, 1)),
        np.zeros((25, 8), dtype=np.float32),
        np.full((25, 8), np.nan),
        np.zeros(()),
    ],
    ids=["short", "three axes", "single precision", "not numbers", "no axis"],
)
def test_an_array_of_another_kind_is_refused(folder: Path, array: np.ndarray[Any, Any]) -> None:
    """Shape, type and finiteness are checked before anything is built."""
    _replace(folder, "stage.npy", _stored(array))

    with pytest.raises(BundleUnreadable, match="expected"):
        bundle.load(folder)


def _headed(shape: str) -> bytes:
    """Return an array that says it has *shape*, and has nothing."""
    header = f"{{'descr': '<u8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    "content",
    [
        _headed(f"({10**13},)"),
        _headed(f"({10**30},)"),
        _headed("-" * 9000 + "1"),
        _headed("[" * 4000),
        b"PK\x03\x04",
    ],
    ids=["terabytes", "beyond a long", "signs", "brackets", "no archive"],
)
def test_a_header_that_lies_is_refused(folder: Path, content: bytes) -> None:
    """Whatever NumPy stumbles over when it believes a header is told as an unreadable file."""
    _replace(folder, "seen.npy", content)

    with pytest.raises(BundleUnreadable, match=r"seen\.npy"):
        bundle.load(folder)


@pytest.mark.parametrize("values", [np.full((8, 4), 1.5), np.full((8, 4), -0.1)])
def test_a_calibration_to_what_is_no_probability_is_refused(
    folder: Path, values: np.ndarray[Any, Any]
) -> None:
    """Cut to 0 and 1, as scoring does, they would say of every comment that it is good, or bad."""
    _replace(folder, "calibration.npy", _stored(values))

    with pytest.raises(BundleUnreadable):
        bundle.load(folder)


def test_a_word_of_megabytes_is_refused_unread(folder: Path) -> None:
    """What each word adds is worked out while loading: one of 60 MB takes ten seconds."""
    _replace(folder, "vocabulary.txt", b"a" * (5 << 20) + b"\n")

    with pytest.raises(BundleUnreadable, match=r"vocabulary\.txt: expected at most"):
        bundle.load(folder)


@pytest.mark.parametrize("name", ["manifest.json", "vocabulary.txt", "stage.npy"])
def test_what_is_no_file_is_refused_unread(folder: Path, name: str) -> None:
    """A pipe would be waited for, and a device read until the memory is full."""
    (folder / name).unlink()
    os.mkfifo(folder / name)

    with pytest.raises(BundleUnreadable, match="expected a file"):
        bundle.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(format=1),
        lambda manifest: manifest.pop("format"),
        lambda manifest: manifest.pop("name"),
        lambda manifest: manifest.pop("files"),
        lambda manifest: manifest["files"].pop("weights.npy"),
        lambda manifest: manifest["labels"].pop("spam"),
        lambda manifest: manifest.update(labels=dict(reversed(manifest["labels"].items()))),
        lambda manifest: manifest["labels"]["spam"].update(thresholds={"other": 1}),
        lambda manifest: manifest.update(calibration={"low": "x", "high": 1}),
        lambda manifest: manifest.pop("language"),
        lambda manifest: manifest.update(language=["en"]),
        lambda manifest: manifest.update(name=""),
        lambda manifest: manifest.update(name="b\x1b[2J"),
        lambda manifest: manifest.update(name="b\ud800"),
        lambda manifest: manifest.update(name="b" * 256),
        lambda manifest: manifest["labels"]["spam"].update(thresholds={"hold": float("nan")}),
        lambda manifest: manifest["labels"]["spam"].update(thresholds={"hold": "0.5"}),
        lambda manifest: manifest["labels"]["spam"].update(thresholds={"hold": 1, "spam": 1.1}),
        lambda manifest: manifest["calibration"].update(low=float("nan")),
        lambda manifest: manifest["calibration"].update(high=float("inf")),
        lambda manifest: manifest["calibration"].update(high=10**400),
        lambda manifest: manifest["calibration"].update(low=4.0, high=4.0),
        lambda manifest: manifest["calibration"].update(low=4.0, high=-4.0),
    ],
    ids=[
        "format 1",
        "no format",
        "no name",
        "no files",
        "no weights",
        "no spam",
        "other order",
        "other thresholds",
        "calibration in words",
        "no language",
        "a list of languages",
        "empty name",
        "a name that clears the screen",
        "a name that is no text",
        "a long name",
        "a threshold that nothing reaches",
        "a threshold in words",
        "a threshold beyond 1",
        "calibration from nowhere",
        "calibration without end",
        "calibration beyond a float",
        "calibration of a point",
        "calibration from high to low",
    ],
)
def test_a_foreign_manifest_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """Another format, another order of labels or a missing entry is not guessed at."""
    _edit(folder, change)

    with pytest.raises(BundleRefused):
        bundle.load(folder)


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{", b"\xff", b"[" * 100_000],
    ids=["empty", "list", "cut", "no text", "deep"],
)
def test_a_manifest_that_is_no_manifest_is_refused(folder: Path, text: bytes) -> None:
    """What is not a JSON object is unreadable, not a crash."""
    (folder / "manifest.json").write_bytes(text)

    with pytest.raises(BundleUnreadable):
        bundle.load(folder)


def test_a_missing_folder_or_file_is_not_found(folder: Path) -> None:
    """The message names the file that was expected."""
    (folder / "weights.npy").unlink()

    with pytest.raises(BundleNotFound, match=r"weights\.npy"):
        bundle.load(folder)
    with pytest.raises(BundleNotFound, match=r"manifest\.json"):
        bundle.load(folder / "nothing")


def test_a_huge_file_is_refused_unread(folder: Path) -> None:
    """A file larger than any bundle's is not read into memory."""
    with (folder / "weights.npy").open("r+b") as file:
        file.truncate(1 << 30)

    with pytest.raises(BundleUnreadable, match="at most"):
        bundle.load(folder)


def test_the_shipped_bundle_is_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An altered copy in the place of the shipped bundle is refused."""
    found = bundle.shipped()
    source = Path(bundle.__file__).parents[2] / "models" / found.name
    shutil.copytree(source, tmp_path / "moderation" / "shipped")
    monkeypatch.setattr(bundle, "__file__", str(tmp_path / "moderation" / "model" / "bundle.py"))
    assert bundle.shipped().digest == found.digest == bundle.SHIPPED_DIGEST

    _edit(tmp_path / "moderation" / "shipped", lambda manifest: manifest.update(name="x"))
    with pytest.raises(BundleTampered):
        bundle.shipped()


def test_an_installation_without_a_bundle_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bundle in either place is an error that names it."""
    monkeypatch.setattr(bundle, "__file__", str(tmp_path / "moderation" / "model" / "bundle.py"))

    with pytest.raises(BundleNotFound, match=bundle.SHIPPED_NAME):
        bundle.shipped()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Buy cheap viagra now!!! http://pills.example.ru", Label.SPAM),
        ("Great article! I make $5000 a week from home, visit my site http://...", Label.SPAM),
        ("You are a fucking idiot", Label.TOXICITY),
        ("You are a fucking idiot", Label.OBSCENE),
        ("You stupid moron, nobody likes you", Label.INSULT),
        ("I will find you and kill you", Label.THREAT),
    ],
)
def test_the_shipped_bundle_sees_what_is_plain(text: str, label: Label) -> None:
    """Obvious spam and abuse reach the threshold of their label."""
    found = bundle.shipped()

    score = found.scorer.score([text])[0, LABELS.index(label)]

    assert score >= (found.thresholds[label].hold or 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "Great article, thank you!",
        "First! Love this",
        "Does anyone know if the museum is open on Sundays?",
        "I disagree, the second graph shows the opposite.",
        "hello",
        "",
    ],
)
def test_the_shipped_bundle_leaves_ordinary_comments_alone(text: str) -> None:
    """Ordinary comments stay below every hold threshold."""
    found = bundle.shipped()

    for label, score in zip(LABELS, found.scorer.score([text])[0], strict=True):
        assert score < (found.thresholds[label].hold or 1.0), label


def test_the_shipped_bundle_states_where_it_comes_from() -> None:
    """Only permissive sources, a digest for each, and weak evidence called weak."""
    manifest = bundle.shipped().manifest

    for name, source in manifest["sources"].items():
        assert source["licence"].startswith("permissive"), name
        assert len(source["sha256"]) == 64
    permitted = {f"{name}.jsonl.gz" for name in corpus.SOURCES}
    permitted |= {Path(name).name for name in corpus.LISTS}
    assert set(manifest["sources"]) <= permitted
    assert manifest["labels"]["sexual_explicit"]["evidence"] == "weak"
    assert manifest["labels"]["spam"]["thresholds"]["precision"] >= 0.95
    assert not any("madlibs" in name for name in manifest["sources"])


def test_the_shipped_bundle_tells_no_other_label_who_is_named() -> None:
    """Neither the words nor the second stage let a named group move more than identity_attack."""
    logits = bundle.shipped().scorer.logits(["He is a mormon", "He is a muslim"])

    moved = logits[0] != logits[1]

    assert [LABELS[at] for at in moved.nonzero()[0]] == [Label.IDENTITY_ATTACK]
