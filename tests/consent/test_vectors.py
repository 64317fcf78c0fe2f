"""Vectors: what the package writes is, byte for byte, what a second implementation writes."""

import ast
import json
import subprocess
import sys
from base64 import b64decode, b64encode
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from consent.choices import choice, notice, record
from consent.log import merkle
from consent.log.checkpoint import Signer, Verifier, format_proof
from consent.proofs import receipt
from consent.sealing import vault

FOLDER = Path(__file__).parent.parent / "vectors"


def vectors(name: str) -> Any:  # noqa: ANN401 -- JSON, of another shape in each file
    """Read one file of vectors."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def rebuilt(event: dict[str, Any]) -> dict[str, Any]:
    """Build *event* anew, from typed values."""
    words = dict(event)
    del words["schema"]
    for name, kind in {
        "subject_kind": choice.SubjectKind,
        "assurance": choice.Assurance,
        "event_type": choice.EventType,
        "consent_type": choice.ConsentType,
        "method": choice.Method,
        "origin": choice.Origin,
        "by": choice.Actor,
        "occurred_at": datetime.fromisoformat,
        "received_at": datetime.fromisoformat,
        "valid_until": datetime.fromisoformat,
        "notice": lambda members: choice.ShownNotice(**members),
        "context": lambda members: choice.Context(**members),
        "signals": lambda members: choice.Signals(**members),
        "decisions": lambda made: [
            choice.PurposeDecision(
                each["purpose_id"], choice.Decision(each["decision"]), choice.Basis(each["basis"])
            )
            for each in reversed(made)
        ],
    }.items():
        if name in words:
            words[name] = kind(words[name])
    if "previous" in words:
        del words["event_type"]
        words["previous"] = choice.Previous(
            **words["previous"]
            | {
                "root": b64decode(words["previous"]["root"]),
                "reason": choice.Reason(words["previous"]["reason"]),
            }
        )
        return record.continuation(**words)
    return record.tombstone(**words) if "record_ids" in words else record.event(**words)


def test_the_committed_files_are_what_the_script_writes(tmp_path: Path) -> None:
    """The second implementation, run again, writes every file as it is committed."""
    script = FOLDER / "make_vectors.py"

    subprocess.run([sys.executable, "-I", script, tmp_path], check=True)  # noqa: S603 -- our own script

    committed = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == committed


def test_the_script_takes_nothing_from_the_package() -> None:
    """What checks the package must not be the package."""
    tree = ast.parse((FOLDER / "make_vectors.py").read_text(encoding="utf-8"))

    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + [alias.name for alias in node.names if isinstance(node, ast.Import)]
    }

    assert imported - sys.stdlib_module_names == {"cryptography", "rfc8785"}


@pytest.mark.parametrize(
    "vector",
    vectors("event") + vectors("continued"),
    ids=lambda vector: f"{vector['event']['event_type']}-{vector['event']['method']}",
)
def test_event_bytes_commitment_and_leaf(vector: dict[str, Any]) -> None:
    """An event leads to the same canonical bytes, commitment, leaf and leaf hash."""
    event = rebuilt(vector["event"])

    canonical = record.canonical(event)
    committed = record.commit(bytes.fromhex(vector["salt"]), canonical)
    leaf = record.leaf(event["record_id"], event["received_at"], committed)

    assert event == vector["event"]
    assert canonical == vector["canonical"].encode()
    assert committed.hex() == vector["commitment"]
    assert leaf == vector["leaf"].encode()
    assert merkle.leaf_hash(leaf).hex() == vector["leaf_hash"]


def test_the_format_page_shows_a_vector() -> None:
    """The example that readers follow is one of the vectors, value for value."""
    page = FOLDER.parent.parent / "docs" / "decisions" / "consent-format.md"
    shown = page.read_text(encoding="utf-8").split("## Example")[1].split("```")[1]

    example = vectors("event")[3]

    assert [line.split(maxsplit=1)[1] for line in shown.strip().splitlines()[:4]] == [
        example[name] for name in ("canonical", "salt", "commitment", "leaf")
    ]
    assert shown.split()[-1] == example["leaf_hash"]


@pytest.mark.parametrize("vector", vectors("subject_ref"))
def test_subject_references(vector: dict[str, Any]) -> None:
    """An id is normalised and turned into the same pseudonym."""
    key = record.SubjectKey(
        vector["site"], bytes.fromhex(vector["subject_key"]), version=vector["version"]
    )
    kind = choice.SubjectKind(vector["kind"])

    assert record.normalise(kind, vector["id"]) == vector["normalised"].encode()
    assert key.ref(kind, vector["id"]) == vector["subject_ref"]


@pytest.mark.parametrize("vector", vectors("notice"))
def test_notice_digests(vector: dict[str, Any]) -> None:
    """A notice has the same two digests, in whatever order its lists were given."""
    wording, substance = vector["wording"], vector["substance"]
    purposes = [
        notice.Purpose(
            name=worded["name"],
            description=worded["description"],
            **substantial
            | {"basis": choice.Basis(substantial["basis"])}
            | {
                name: tuple(reversed(substantial[name]))
                for name in ("data_categories", "recipients", "transfers")
                if name in substantial
            }
            | {
                "trackers": tuple(
                    notice.Tracker(**told) for told in reversed(vector.get("trackers", []))
                )
            },
        )
        for worded, substantial in zip(wording["purposes"], substance["purposes"], strict=True)
    ]

    shown = notice.Notice(
        wording["notice_id"],
        wording["language"],
        wording["text"],
        notice.Controller(**substance["controller"]),
        tuple(reversed(purposes)),
        wording.get("withdrawal_uri"),
        "f" * 64,
    )

    assert shown.text_sha256() == vector["text_sha256"]
    assert shown.material_sha256() == vector["material_sha256"]


def test_published_roots() -> None:
    """The tree has the roots that RFC 6962's reference implementation published."""
    known = vectors("merkle")
    hashes = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in known["leaves"]]

    assert [merkle.root(hashes[:size]).hex() for size in range(9)] == known["roots"]
    assert merkle.EMPTY_ROOT.hex() == known["roots"][0]


def test_proofs_of_the_published_tree() -> None:
    """Every inclusion and consistency proof of the published tree is the same and verifies."""
    known = vectors("merkle")
    hashes = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in known["leaves"]]
    nodes = merkle.Frontier.empty().extend(hashes).nodes()
    roots = [bytes.fromhex(root) for root in known["roots"]]

    def read(level: int, index: int) -> bytes:
        return nodes[level, index]

    for proof in known["inclusion"]:
        path = merkle.inclusion_proof(index=proof["index"], size=proof["size"], read=read)
        assert [step.hex() for step in path] == proof["path"]
        merkle.verify_inclusion(
            index=proof["index"],
            size=proof["size"],
            leaf=hashes[proof["index"]],
            proof=path,
            root=roots[proof["size"]],
        )
    for proof in known["consistency"]:
        old, new = proof["old"], proof["new"]
        path = merkle.consistency_proof(old_size=old, new_size=new, read=read)
        assert [step.hex() for step in path] == proof["path"]
        merkle.verify_consistency(
            old_size=old, old_root=roots[old], new_size=new, new_root=roots[new], proof=path
        )


@pytest.mark.parametrize("vector", vectors("log")["checkpoints"], ids=lambda head: head["size"])
def test_checkpoints(vector: dict[str, Any]) -> None:
    """A checkpoint is signed, put together again from its signature, and opened."""
    name = vector["vkey"].split("+")[0]
    signer = Signer(name, bytes.fromhex(vector["private"]))
    verifier = Verifier.from_vkey(vector["vkey"])
    size, root = vector["size"], bytes.fromhex(vector["root"])

    assert signer.verifier.vkey == vector["vkey"]
    assert signer.sign(size, root) == vector["checkpoint"]
    signature = bytes.fromhex(vector["signature"])
    assert verifier.render(size, root, signature) == vector["checkpoint"]
    opened = verifier.open(vector["checkpoint"])
    assert (opened.size, opened.root, opened.signature) == (size, root, signature)


def test_receipts() -> None:
    """Every receipt of the log verifies, and is what the package would have handed out."""
    log = vectors("log")
    head = log["checkpoints"][-1]
    verifier = Verifier.from_vkey(head["vkey"])
    leaves = [vector["leaf"].encode() for vector in vectors("event")]
    grown = merkle.Frontier.empty().extend([merkle.leaf_hash(leaf) for leaf in leaves])
    paths = grown.inclusion_proofs()

    for index, saved in enumerate(log["receipts"]):
        verified = receipt.verify(json.dumps(saved).encode(), verifier)

        assert (verified.record_id, verified.index) == (saved["record_id"], index)
        assert (verified.size, verified.origin) == (head["size"], verifier.name)
        assert verified.event == saved["event"]
        assert saved["leaf"] == b64encode(leaves[index]).decode()
        made = format_proof(index, paths[index], head["checkpoint"], extra=leaves[index])
        assert saved["proof"] == made


def test_continued_logs() -> None:
    """Each epoch begins with an entry that commits to the checkpoint and key of the one before."""
    before = vectors("log")["checkpoints"][-1]

    for vector in vectors("continued"):
        previous, head = vector["event"]["previous"], vector["head"]
        opened = Verifier.from_vkey(previous["key"]).open(previous["checkpoint"])
        assert (previous["key"], previous["checkpoint"]) == (before["vkey"], before["checkpoint"])
        assert opened.origin == previous["origin"]
        assert (opened.size, b64encode(opened.root).decode()) == (
            previous["size"],
            previous["root"],
        )
        signer = Signer(head["vkey"].split("+")[0], bytes.fromhex(head["private"]))
        assert signer.sign(1, bytes.fromhex(vector["leaf_hash"])) == head["checkpoint"]
        before = head


@pytest.mark.parametrize("vector", vectors("vault"), ids=lambda vector: vector["record_id"][-1])
def test_vault(vector: dict[str, Any]) -> None:
    """A data key is wrapped and a record sealed to the same bytes, and both open again."""
    site, subject = vector["site"], vector["subject_ref"]
    wrapping = vault.SiteWrapping(
        site, bytes.fromhex(vector["key_encryption_key"]), version=vector["key_version"]
    )
    opened = vault.Opened(bytes.fromhex(vector["salt"]), vector["canonical"].encode())
    key = vault.DataKey(bytes.fromhex(vector["data_key"]))

    wrapped = wrapping.wrap(subject, key, lambda _: bytes.fromhex(vector["wrap_nonce"]))
    sealed = key.seal(site, vector["record_id"], opened, lambda _: bytes.fromhex(vector["nonce"]))

    assert wrapped.hex() == vector["wrapped"]
    assert sealed.hex() == vector["sealed"]
    assert wrapping.unwrap(subject, wrapped).open(site, vector["record_id"], sealed) == opened
